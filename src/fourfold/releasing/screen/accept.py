"""Accepts candidates so that their weights follow the law of images that know nothing of the training set.

With f the density of the weights v over the candidates, a candidate is accepted with probability ``min_b f_b / f(v)``
over the bins b: the accepted ones are uniform in v, with neither a surplus near training persons nor a hole around
them. A histogram alone would lose candidates to its noise (the least of twenty noisy bins lies well below their mean),
so neighbouring bins are joined where the counts do not tell them apart (penalised likelihood, solved exactly).

Nor is v uniform to the last digit for an honest pool: all candidates are held against the same training and calibration
persons, so their weights lean together, by about as much as those of a quarter as many independent images would. The
steps of the density are therefore estimated as from no more images than the calibration persons are worth. Within the
first bin, whose edges halve towards 0, all candidates count: no lean makes a heap at v = 0, copies do, and a twentieth
of the law would average them away.

A slow lean of the whole pool towards training persons (a mean of v below 0.5) shows no step, and is what a generator
that half remembers its patients does. It is levelled by the monotone density of the pool, as far as it exceeds what the
numbers of persons explain: shrunk by ``1 - (sigma / lean)^2``, with sigma the standard deviation of the mean over
honest pools. Where it is in doubt, candidates are lost rather than patients. A lean away from training persons is
levelled only where it is certain, since levelling it means to reject those that are far.

Embeddings come one after the other, each on what is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

__all__ = ["BINS", "Acceptance", "accept", "acceptance_probability", "edges"]

BINS = 20

_HALVINGS = 8
_WORTH = 0.25
"""Independent images that a calibration person is worth: the mean of v over a large honest pool has a standard
deviation of 0.067 with 100 calibration persons and of 0.028 with 300 (12-dimensional mixture, 1 000 training
persons)."""

_SPREAD = 1.5
"""Standard deviation of the mean of v over honest pools, by that of as many independent images as there are persons."""

_IN_A_BIN, _FEWEST_BINS = 25, 4
"""Candidates that a bin needs on average, and bins that are kept whatever their number."""

_CERTAIN = 3.0
"""Standard deviations by which a pool must lean away from training persons before that is levelled."""


@dataclass(frozen=True)
class Acceptance:
    """What became of the candidates in one embedding.

    Parameters
    ----------
    accepted : array of bool, shape (M,)
        Among those that were left.
    before, after : float
        Mean weight of those that were left, and of the accepted ones: 0.5 is clean, less is memorisation. NaN of none.
    share : float
        Accepted, of those that were left.
    distance_before, distance_after : float
        Kolmogorov's distance of the weights to the uniform law. NaN of none.
    """

    accepted: np.ndarray
    before: float
    after: float
    share: float
    distance_before: float
    distance_after: float

    def figures(self) -> dict[str, float | int | None]:
        """Aggregates as JSON can hold them."""
        numbers = {
            "mean_before": self.before,
            "mean_after": self.after,
            "share": self.share,
            "distance_before": self.distance_before,
            "distance_after": self.distance_after,
        }
        known = {name: None if np.isnan(value) else float(value) for name, value in numbers.items()}
        return {"accepted": int(self.accepted.sum()), **known}


def accept(
    weights: Mapping[str, np.ndarray],
    left: np.ndarray,
    *,
    persons: float = np.inf,
    trained: float = np.inf,
    bins: int = BINS,
    seed: int = 0,
) -> tuple[np.ndarray, dict[str, Acceptance]]:
    """Accept candidates in one embedding after the other.

    Parameters
    ----------
    weights : mapping of str to array, shape (M,)
        v in [0, 1] by embedding.
    left : array of bool, shape (M,)
        Candidates that were not vetoed.
    persons, trained : float
        Calibration and training persons behind the weights.
    bins : int
        Equal bins of [0, 1].
    seed : int
        The same seed, weights and candidates give the same choice.

    Returns
    -------
    accepted : array of bool, shape (M,)
    stages : dict of str to Acceptance

    Examples
    --------
    >>> v = np.random.default_rng(0).random(1000)
    >>> accepted, stages = accept({"any": v}, np.ones(1000, dtype=bool))
    >>> int(accepted.sum())
    1000
    """
    accepted = left.copy()
    stages = {}
    for place, (name, v) in enumerate(weights.items()):
        rows = np.flatnonzero(accepted)
        # A number for every candidate, so that what becomes of one does not shift the luck of the others.
        luck = np.random.default_rng([seed, 31, place]).random(len(v))
        kept = luck[rows] < acceptance_probability(v[rows], persons, trained, bins)
        before, after = v[rows], v[rows[kept]]
        accepted = np.zeros(len(v), dtype=bool)
        accepted[rows[kept]] = True
        stages[name] = Acceptance(
            accepted,
            _mean(before),
            _mean(after),
            float(kept.mean()) if len(rows) else float("nan"),
            _distance(before),
            _distance(after),
        )
    return accepted, stages


def acceptance_probability(
    values: np.ndarray, persons: float = np.inf, trained: float = np.inf, bins: int = BINS
) -> np.ndarray:
    """``min_b f_b / f(v)`` with f estimated on the same candidates.

    Parameters
    ----------
    values : array, shape (m,)
        v in [0, 1].
    persons, trained : float
        Calibration and training persons behind the weights.
    bins : int

    Returns
    -------
    array of float64, shape (m,)
        In [0, 1]. The least density counts over whole bins: a narrower hole cannot be filled by rejecting everything
        else.
    """
    if not len(values):
        return np.zeros(0)
    # The least of many nearly empty bins is 0, which would leave nobody.
    bins = int(np.clip(len(values) // _IN_A_BIN, min(_FEWEST_BINS, bins), bins))
    place = np.minimum((values * bins).astype(np.int64), bins - 1)
    worth = 1.0 if np.isinf(persons) else _WORTH * persons / (_WORTH * persons + len(values))
    density = _density(np.bincount(place, minlength=bins), np.full(bins, 1 / bins), worth)
    least, expected = density.min(), density[place]
    first = place == 0
    if first.any():
        cuts = edges(bins)[: _HALVINGS + 1]
        counts = np.histogram(values[first], cuts)[0]
        within = _density(counts, np.diff(cuts) * bins)
        part = np.clip(np.searchsorted(cuts, values[first], side="right") - 1, 0, len(counts) - 1)
        if np.ptp(within) > 0:
            real, smooth = within[part] * first.mean() * bins, density[0]
            expected[first] = np.where(within[part] > 1, np.maximum(real, smooth), np.minimum(real, smooth))
    steps = np.minimum(least / np.maximum(expected, 1e-300), 1.0)
    slope = _monotone(place, bins, _share_of_lean(values, persons, trained))
    return np.minimum(steps, slope.min() / slope[place])


def _share_of_lean(values: np.ndarray, persons: float, trained: float) -> float:
    """How much of the lean of a pool is levelled, in [0, 1]; negative where it leans away from training persons."""
    lean = 0.5 - float(values.mean())
    sigma = _SPREAD * np.sqrt((1 / len(values) + 1 / persons + 1 / trained) / 12)
    if lean < -_CERTAIN * sigma:
        return -1.0
    return max(0.0, 1.0 - (sigma / lean) ** 2) if lean > 0 else 0.0


def _monotone(place: np.ndarray, bins: int, share: float) -> np.ndarray:
    """The monotone density by bin, falling where `share` is positive and rising where negative, shrunk towards 1."""
    if not share:
        return np.ones(bins)
    density = np.bincount(place, minlength=bins) * bins / len(place)
    fitted = IsotonicRegression(increasing=share < 0).fit_transform(np.arange(bins), density)
    return np.maximum(1.0 + abs(share) * (fitted - 1.0), 1e-3)


def edges(bins: int = BINS) -> np.ndarray:
    """Edges of the bins: equal ones, of which the first is halved towards 0, again and again.

    Examples
    --------
    >>> edges(2)[:4].tolist(), edges(2)[-2:].tolist()
    ([0.0, 0.00390625, 0.0078125, 0.015625], [0.5, 1.0])
    """
    first = 1 / bins / 2.0 ** np.arange(_HALVINGS - 1, 0, -1)
    return np.concatenate([[0.0], first, np.arange(1, bins + 1) / bins])


def _density(counts: np.ndarray, widths: np.ndarray, worth: float = 1.0) -> np.ndarray:
    """A density in steps, by bin: the segmentation of largest likelihood less a penalty, by dynamic programming.

    A step must gain half the logarithm of the number of images and of the number of places where it might be, and 1
    more, which keeps small sets whole; each image counts as `worth` of one.
    """
    total, size = int(counts.sum()), len(counts)
    penalty = 1.0 + 0.5 * (np.log(size) + np.log(max(worth * total, 1.0)))
    heights = np.concatenate([[0], np.cumsum(counts)])
    places = np.concatenate([[0.0], np.cumsum(widths)])
    best, cut = np.full(size + 1, -np.inf), np.zeros(size + 1, dtype=np.int64)
    best[0] = penalty
    for stop in range(1, size + 1):
        held, width = heights[stop] - heights[:stop], places[stop] - places[:stop]
        gain = worth * held * np.log(np.maximum(held, 1) / (total * width)) - penalty
        cut[stop] = int(np.argmax(best[:stop] + gain))
        best[stop] = best[cut[stop]] + gain[cut[stop]]
    density = np.empty(size)
    stop = size
    while stop:
        start = cut[stop]
        density[start:stop] = (heights[stop] - heights[start]) / (total * (places[stop] - places[start]))
        stop = start
    return density


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _distance(values: np.ndarray) -> float:
    """Kolmogorov's distance to the uniform law."""
    if not len(values):
        return float("nan")
    ordered, steps = np.sort(values), np.arange(len(values) + 1) / len(values)
    return float(max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1])))
