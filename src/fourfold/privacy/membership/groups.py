"""The patients who are most exposed, named before anybody looks at the synthetic set.

A generator that treats most patients well may still have learned a few by heart: those unlike everybody else, those
with a rare finding, those whose images are in the set more than once. Who belongs to a group is read from the real
images alone, by one rule for training and holdout patients, among all of them together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.neighbors import pair_distances
from fourfold.privacy.membership.battery import commonly_scaled, suspect_patients, to_other_patients

__all__ = ["duplicated_patients", "exposed_groups", "isolated_patients", "rare_classes"]

ISOLATED_SHARE = 0.05
"""Share of the patients that counts as most isolated."""

RARE_SHARE = 0.1
"""A class is rare where at most this share of the patients has it."""

SAME_IMAGE = 0.02
"""Share of the typical distance between patients below which two images are the same image, in feature spaces that may
have few dimensions."""


def exposed_groups(comparison: Comparison) -> dict[str, np.ndarray]:
    """The groups, as the images of their patients.

    Parameters
    ----------
    comparison : Comparison
        The leading feature space, with a holdout; its synthetic set is not read.

    Returns
    -------
    dict of str to array of bool, shape (N + H,)
        ``"isolated"``, ``"duplicated"`` and ``"class NAME"`` for every rare class; training images first. A group may
        be empty.
    """
    scaled = commonly_scaled(comparison)
    patients = suspect_patients(scaled)
    images = np.concatenate([scaled.training.values, scaled.set("holdout").values])
    to_others = to_other_patients(images, patients, scaled)
    found = {
        "isolated": isolated_patients(to_others[:, 0], patients),
        "duplicated": duplicated_patients(images, patients, to_others, scaled.distance),
    }
    return found | rare_classes(scaled.training, scaled.set("holdout"), patients)


def isolated_patients(to_others: np.ndarray, patients: np.ndarray, share: float = ISOLATED_SHARE) -> np.ndarray:
    """The images of the patients who are furthest from all other patients.

    Parameters
    ----------
    to_others : array, shape (n,)
        Distance of each image to the nearest one of another patient.
    patients : array of int, shape (n,)
    share : float
        Of the patients, rounded up.

    Returns
    -------
    array of bool, shape (n,)
        A patient's distance is the mean over the images, which does not grow with their number.
    """
    names, owner, counts = np.unique(patients, return_inverse=True, return_counts=True)
    owner = owner.reshape(-1)
    finite = np.where(np.isfinite(to_others), to_others, 0.0)
    distance = np.bincount(owner, finite, len(names)) / counts
    order = np.argsort(-distance, kind="stable")
    chosen = np.zeros(len(names), dtype=bool)
    chosen[order[: math.ceil(share * len(names))]] = True
    return chosen[owner]


def duplicated_patients(
    images: np.ndarray, patients: np.ndarray, to_others: np.ndarray, metric: str = "euclidean"
) -> np.ndarray:
    """The images of patients who have an image twice, under their own name or under another one.

    Parameters
    ----------
    images : array, shape (n, d)
    patients : array of int, shape (n,)
    to_others : array, shape (n, k)
        Distances to the nearest images of other patients.
    metric : str
        As for `fourfold.neighbors.nearest`.

    Returns
    -------
    array of bool, shape (n,)
    """
    last = to_others[:, -1]
    typical = float(np.median(last[np.isfinite(last)])) if np.isfinite(last).any() else 0.0
    twice = to_others[:, 0] <= SAME_IMAGE * typical
    for left, right in _own_pairs(patients):
        same = pair_distances(images[left], images[right], metric) <= SAME_IMAGE * typical
        twice[left[same]] = True
    return np.isin(patients, patients[twice])


def rare_classes(
    training: Features, holdout: Features, patients: np.ndarray, share: float = RARE_SHARE
) -> dict[str, np.ndarray]:
    """The images of patients with a rare class or finding.

    Parameters
    ----------
    training, holdout : Features
        With labels or findings in both, else there is no group.
    patients : array of int, shape (N + H,)
    share : float
        Of the patients that have the class, at most.

    Returns
    -------
    dict of str to array of bool, shape (N + H,)
    """
    having: dict[str, np.ndarray] = {}
    if training.findings and holdout.findings:
        for name in sorted(set(training.findings) & set(holdout.findings)):
            having[name] = np.concatenate([training.findings[name], holdout.findings[name]]) == 1
    elif training.labels is not None and holdout.labels is not None:
        labels = np.concatenate([training.labels, holdout.labels])
        having = {str(name): labels == name for name in np.unique(labels)}
    size = len(np.unique(patients))
    found = {}
    for name, present in having.items():
        owners = np.unique(patients[present])
        if 0 < len(owners) <= share * size:
            found[f"class {name}"] = np.isin(patients, owners)
    return found


def _own_pairs(patients: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of images of one patient, a step apart in the order of patients, then two steps, and so on."""
    order = np.argsort(patients, kind="stable")
    largest = int(np.unique(patients, return_counts=True)[1].max())
    for step in range(1, largest):
        left, right = order[:-step], order[step:]
        same = patients[left] == patients[right]
        yield left[same], right[same]
