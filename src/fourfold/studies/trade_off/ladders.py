"""Sets of known truth: images of patients that no generator saw, changed by dose along one axis each.

The unchanged set, images of fresh patients, is what a perfect generator that copies nobody would draw, and the first
rung of every ladder. Blurring, noise and spoiled images take fidelity and nothing of a patient; images drawn in or
collapsed take variety; copies, as they are or blurred, take privacy; rare and mislabelled classes take utility.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fourfold.images.phantoms import blur, collapse, flip_labels, plant_copies

__all__ = ["BY_LABELS", "FRESH", "LADDERS", "Ladder", "Pictures", "changed"]

FRESH = "fresh patients"
"""The family of the unchanged set."""

# Blur is told in pixels of an image of this side.
_SIDE = 32


@dataclass(frozen=True)
class Pictures:
    """Images with a class each.

    Parameters
    ----------
    images : array, shape (N, C, ...)
        float32 in [0, 1].
    labels : array of str, shape (N,)
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Pictures:
        """The chosen rows."""
        return Pictures(self.images[rows], self.labels[rows])


Change = Callable[[Pictures, Pictures, float, int], Pictures]


@dataclass(frozen=True)
class Ladder:
    """One change in rising strength.

    Parameters
    ----------
    change : callable
        (fresh, training, strength, seed) to the changed set.
    strengths : tuple of float
        From mild to strong.
    """

    change: Change
    strengths: tuple[float, ...]


def changed(family: str, strength: float, fresh: Pictures, training: Pictures, seed: int) -> Pictures:
    """The set of a ladder.

    Parameters
    ----------
    family : str
        A name of `LADDERS`, or `FRESH`.
    strength : float
        One of those of the ladder.
    fresh, training : Pictures
        Of different patients.
    seed : int

    Returns
    -------
    Pictures
        Of as many images as `fresh`; the same for the same arguments.
    """
    return fresh if family == FRESH else LADDERS[family].change(fresh, training, strength, seed)


def _blurred(fresh: Pictures, training: Pictures, sigma: float, seed: int) -> Pictures:
    return Pictures(blur(fresh.images, _pixels(fresh, sigma))[0], fresh.labels)


def _noisy(fresh: Pictures, training: Pictures, deviation: float, seed: int) -> Pictures:
    rng = np.random.default_rng([seed, 11])
    grain = rng.standard_normal(fresh.images.shape, dtype=np.float32)
    return Pictures(np.clip(fresh.images + np.float32(deviation) * grain, 0.0, 1.0), fresh.labels)


def _spoiled(fresh: Pictures, training: Pictures, share: float, seed: int) -> Pictures:
    """A share of the images beyond recognition, the others untouched: a mixture of a good and a bad generator."""
    rows = np.random.default_rng([seed, 12]).permutation(len(fresh))[: round(share * len(fresh))]
    images = fresh.images.copy()
    images[rows] = blur(fresh.images[rows], _pixels(fresh, 4.0))[0]
    return Pictures(images, fresh.labels)


def _drawn_in(fresh: Pictures, training: Pictures, share: float, seed: int) -> Pictures:
    """Each image moved towards the mean of its class, by this share of the way."""
    images = np.empty_like(fresh.images)
    for name in np.unique(fresh.labels):
        own = fresh.labels == name
        images[own] = (1 - share) * fresh.images[own] + share * fresh.images[own].mean(axis=0)
    return Pictures(images, fresh.labels)


def _collapsed(fresh: Pictures, training: Pictures, prototypes: float, seed: int) -> Pictures:
    """So many different images left of each class."""
    images = np.empty_like(fresh.images)
    for place, name in enumerate(np.unique(fresh.labels)):
        own = np.flatnonzero(fresh.labels == name)
        few = min(int(prototypes), len(own))
        images[own] = collapse(fresh.images[own], few, seed=seed * 100 + place)[0]
    return Pictures(images, fresh.labels)


def _copied(fresh: Pictures, training: Pictures, share: float, seed: int) -> Pictures:
    """A share of the images replaced by training images, with their classes."""
    count = min(share, len(training) / len(fresh))
    images, truth = plant_copies(fresh.images, training.images, count, seed=seed)
    sources = np.asarray(truth.sources)
    return Pictures(images, np.where(sources >= 0, training.labels[np.maximum(sources, 0)], fresh.labels))


def _copied_and_blurred(fresh: Pictures, training: Pictures, sigma: float, seed: int) -> Pictures:
    """Nothing but blurred training images: no fidelity and no privacy."""
    return _blurred(training, training, sigma, seed)


def _rarer(fresh: Pictures, training: Pictures, left_out: float, seed: int) -> Pictures:
    """The rarest class with a share of its images left out; other images of the others stand in."""
    rng = np.random.default_rng([seed, 13])
    names, counts = np.unique(fresh.labels, return_counts=True)
    rare = np.flatnonzero(fresh.labels == names[counts.argmin()])
    others = np.flatnonzero(fresh.labels != names[counts.argmin()])
    gone = rng.permutation(rare)[: round(left_out * len(rare))]
    rows = np.arange(len(fresh))
    rows[gone] = rng.choice(others, len(gone))
    return fresh.take(rows)


def _mislabelled(fresh: Pictures, training: Pictures, share: float, seed: int) -> Pictures:
    return Pictures(fresh.images, flip_labels(fresh.labels, share, seed=seed)[0])


def _pixels(pictures: Pictures, sigma: float) -> float:
    return sigma * pictures.images.shape[-1] / _SIDE


LADDERS: Mapping[str, Ladder] = {
    "blurred": Ladder(_blurred, (0.4, 0.8, 1.2, 2.0)),
    "noisy": Ladder(_noisy, (0.02, 0.05, 0.1, 0.2)),
    "spoiled": Ladder(_spoiled, (0.1, 0.3, 0.5, 0.8)),
    "drawn in": Ladder(_drawn_in, (0.1, 0.3, 0.5, 0.8)),
    "collapsed": Ladder(_collapsed, (40, 15, 8, 3)),
    "copied": Ladder(_copied, (0.1, 0.3, 0.6, 1.0)),
    "copied and blurred": Ladder(_copied_and_blurred, (0.4, 0.8, 1.2, 2.0)),
    "rarer class": Ladder(_rarer, (0.1, 0.2, 0.3, 0.4)),
    "mislabelled": Ladder(_mislabelled, (0.05, 0.1, 0.2, 0.4)),
}
"""By family; strengths are standard deviations (blur in pixels of a 32 x 32 image), shares, or prototypes a class."""

BY_LABELS = frozenset({"rarer class", "mislabelled"})
"""Families whose usefulness is changed by their labels: they say nothing of what images are worth."""
