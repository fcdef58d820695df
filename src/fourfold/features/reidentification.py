"""The re-identification network: trained on the spot to tell whether two images show the same patient.

Packhaeuser et al. (2022) train a siamese network with binary cross-entropy on pairs. Here, with few patients who have
several images, every batch serves as its own wrong answers: the vectors of two images of one patient are drawn
together against all other patients of the batch (NT-Xent, as in `fourfold.features.contrastive`). A patient with one
image stands in with a mildly altered version of it, so that nobody's identity is learned from positions alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features.contrastive import BATCH, DIMENSION, WIDTH, Progress, contrastive_loss, fitted, steps_for
from fourfold.features.contrastive_backbone import Backbone, embedded, new_backbone, shrunk
from fourfold.features.contrastive_disguises import Disguises

__all__ = ["LEAST_PATIENTS", "ReidentificationNetwork", "patients_with_several_images"]

LEAST_PATIENTS = 20
"""Patients with several images below which no network is trained."""

LEAST_IMAGES = 60

ALTERED = Disguises(
    angle=8, shift=0.06, scale=1.1, crop=0.85, warp=1.0, mixing=0.0, softness=0.2, tone=0.4, noise=0.03, inversion=0.0
)
"""As another visit might alter an image: no mixing, no inversion."""


@dataclass(frozen=True)
class ReidentificationNetwork:
    """A trained re-identification network.

    Parameters
    ----------
    network : Backbone
    trained_on : int
        Patients with several images.

    References
    ----------
    Packhaeuser et al., "Deep learning-based patient re-identification is able to exploit the biometric nature of
    medical chest X-ray data", Scientific Reports 2022. Khosla et al., "Supervised contrastive learning", NeurIPS 2020.
    """

    network: Backbone
    trained_on: int

    @classmethod
    def train(
        cls,
        images: np.ndarray,
        groups: np.ndarray,
        *,
        seed: int = 0,
        steps: int | None = None,
        width: int = WIDTH,
        device: torch.device | str = "cpu",
        progress: Progress | None = None,
    ) -> ReidentificationNetwork:
        """Train a network from random weights.

        Parameters
        ----------
        images : array, shape (n, planes, side, side)
            Working images, float32 in [0, 1]; at least 60.
        groups : array of int, shape (n,)
            Patients; at least 20 of them with several images.
        seed, steps, width, device, progress
            As for `ContrastiveNetwork.train`.

        Raises
        ------
        InputError
            Where there are too few images or too few patients with several, or the shape is another one.
        """
        groups = np.asarray(groups)
        several = patients_with_several_images(groups)
        if several < LEAST_PATIENTS:
            raise InputError(
                f"re-identification needs patients with several images: {LEAST_PATIENTS} of them, there are {several}"
            )
        small = shrunk(images, LEAST_IMAGES).to(device)
        network = new_backbone(small.shape[1], width, DIMENSION, seed, device)
        random = torch.Generator(device=device).manual_seed(seed)
        pairs = _pairs(groups, np.random.default_rng([seed, 9]))

        def losses() -> Iterator[Tensor]:
            for first, second in pairs:
                rows = torch.from_numpy(np.concatenate([first, second])).to(device)
                shown, _ = ALTERED(small[rows], small[rows], random)
                vectors = network(shown)
                # Every patient is at most once in a batch, so every other row is a wrong answer.
                none = torch.zeros(len(first), len(first), dtype=torch.bool, device=device)
                yield contrastive_loss(vectors[len(first) :], vectors[: len(first)], none)

        fitted(network, losses(), steps_for(len(small)) if steps is None else steps, progress)
        return cls(network, several)

    def embed(self, images: np.ndarray, views: bool = False) -> np.ndarray:
        """Unit vectors whose scalar product says how alike two patients are; see `ContrastiveNetwork.embed`."""
        return embedded(self.network, images, views)


def patients_with_several_images(groups: np.ndarray) -> int:
    """How many patients have two or more images.

    Examples
    --------
    >>> patients_with_several_images(np.array([3, 3, 4, 5, 5, 5]))
    2
    """
    return int((np.unique(groups, return_counts=True)[1] > 1).sum())


def _pairs(groups: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows of two images of each of up to 128 patients; those with several images come first, the rest fill up."""
    order = np.argsort(groups, kind="stable")
    images = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    several = [rows for rows in images if len(rows) > 1]
    single = [rows for rows in images if len(rows) == 1]
    while True:
        chosen = [several[place] for place in rng.permutation(len(several))[:BATCH]]
        chosen += [single[place] for place in rng.permutation(len(single))[: min(BATCH - len(chosen), len(chosen))]]
        drawn = [rng.choice(rows, 2, replace=len(rows) == 1) for rows in chosen]
        yield np.array([pair[0] for pair in drawn]), np.array([pair[1] for pair in drawn])
