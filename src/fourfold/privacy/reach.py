"""How near the patients of a training set lie to each other, in one feature space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Comparison
from fourfold.privacy.patients import NEIGHBOURS, join_near_duplicates

__all__ = ["Reach", "synthetic_draws", "training_reach"]

_SAME_FEATURES = 0.02
"""As `NEAR_DUPLICATE`, stricter because feature spaces may have few dimensions, in which small distances are common."""


@dataclass(frozen=True)
class Reach:
    """Distance from each training image to its nearest one of another patient.

    Parameters
    ----------
    radii : array of float64, shape (N,)
        Infinite where there is no other patient.
    groups : array of int64, shape (N,)
        Patients, near-duplicates joined, so that the same image filed under two names does not have radius 0.
    joined : int
        Patients lost by joining.
    """

    radii: np.ndarray
    groups: np.ndarray
    joined: int


def training_reach(comparison: Comparison) -> Reach:
    """`Reach` of the training set of a comparison."""
    training = comparison.training
    groups = np.arange(len(training)) if training.patients is None else training.patients
    groups, found, _ = join_near_duplicates(
        training.values,
        groups,
        share=_SAME_FEATURES,
        metric=comparison.distance,
        found=comparison.neighbors("training", "training", NEIGHBOURS),
        memory=comparison.memory,
    )
    before = len(training) if training.patients is None else len(np.unique(training.patients))
    return Reach(found.distances[:, 0], groups, before - len(np.unique(groups)))


def synthetic_draws(comparison: Comparison) -> np.ndarray:
    """Which synthetic images count as one draw of the generator: those of one patient, else those that are equal.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    array of int64, shape (M,)
        Equal numbers for images with the same nearest training image at the same distance, or of one patient.
    """
    if comparison.synthetic.patients is not None:
        return np.unique(comparison.synthetic.patients, return_inverse=True)[1]
    found = comparison.neighbors("synthetic", "training", 1)
    keys = np.stack([found.distances[:, 0], found.indices[:, 0]], axis=1)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
