"""Intervals by resampling: how far a score may be off, and how far from it the null may be.

Real images come in patients, and a bootstrap repeats them: repeated images are neighbours at distance 0, which biases
every score built on neighbours. So real patients are subsampled without replacement. A statistic that is smooth in
its samples deviates, on random subsamples with a share f of each set, from their mean with f / (1 - f) times less than
its own variance on the whole: for halves (f = 1/2) the variance of the deviations is the variance of the score.

`calibrate` compares a score with its null in every draw and takes the variance of the difference, so that what both
share (the training set) cancels as it does in the scores themselves. `calibrate_distance` is for distances between
distributions, whose sampling error is quadratic where the distributions agree: their null distribution comes from
real patients dealt at random into two sets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import stats

from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError

__all__ = [
    "Estimate",
    "bootstrap_means",
    "calibrate",
    "chunk_rows",
    "deal",
    "leave_out",
    "normal_interval",
    "subsample",
]

Statistic = Callable[[Features, Features], float]

# Chunks of a set that are averaged, at most; further ones add cost and little precision.
_CHUNKS = 8


@dataclass(frozen=True)
class Estimate:
    """A score with its null and how far both may be off; the fields have the meaning they have in `Score`."""

    value: float | None
    null: float | None = None
    interval: tuple[float, float] | None = None
    null_interval: tuple[float, float] | None = None
    null_source: str | None = None
    reason: str | None = None

    def because(self, reason: str) -> Estimate:
        """The same with a further reason."""
        return replace(self, reason=reason if self.reason is None else f"{self.reason}; {reason}")


def subsample(features: Features, share: float, rng: np.random.Generator) -> Features:
    """A random `share` of the patients of a set (of its images where patients are unknown), at least one."""
    return features.take(deal(features, (share,), rng)[0])


def deal(features: Features, shares: tuple[float, ...], rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of disjoint random parts of a set, patients kept together.

    Parameters
    ----------
    features : Features
    shares : tuple of float
        Share of the patients (or images) in each part; they sum to at most 1. A part has at least one.
    rng : Generator

    Returns
    -------
    list of arrays
        Sorted row numbers.
    """
    groups = _groups(features)
    order = rng.permutation(groups.max(initial=-1) + 1)
    edges = np.round(np.cumsum((0.0, *shares)) * len(order)).astype(int)
    parts = []
    for low, high in pairwise(edges):
        chosen = np.zeros(len(order), dtype=bool)
        chosen[order[low : max(high, low + 1)]] = True
        parts.append(np.flatnonzero(chosen[groups]))
    return parts


def leave_out(features: Features, parts: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers without one of `parts` random equal parts of the patients, one part after the other."""
    groups = _groups(features)
    count = groups.max(initial=-1) + 1
    parts = min(parts, count)
    part_of_group = rng.permutation(count) % parts
    for part in range(parts):
        yield np.flatnonzero(part_of_group[groups] != part)


def chunk_rows(features: Features, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of disjoint random chunks of about `size` images, patients kept together; all rows where one fits."""
    count = max(1, round(len(features) / size))
    if count == 1:
        return [np.arange(len(features))]
    return deal(features, (1 / count,) * min(count, _CHUNKS), rng)


def bootstrap_means(
    values: np.ndarray, groups: np.ndarray | None = None, *, draws: int = 1000, seed: int = 0
) -> np.ndarray:
    """Means of per-image values over bootstrap samples of groups.

    Parameters
    ----------
    values : array, shape (n,)
    groups : array, shape (n,), or None
        Images of one group (patient) are drawn together; None for independent images.
    draws, seed : int

    Returns
    -------
    array, shape (draws,)

    Examples
    --------
    >>> import numpy as np
    >>> means = bootstrap_means(np.array([0.0, 1.0] * 50))
    >>> bool(0.04 < means.std() < 0.06)
    True
    """
    values = np.asarray(values, dtype=np.float64)
    codes = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums, sizes = np.bincount(codes, values), np.bincount(codes)
    rng = np.random.default_rng([seed, len(values)])
    means = np.empty(draws)
    for draw in range(draws):
        times = np.bincount(rng.integers(0, len(sums), len(sums)), minlength=len(sums))
        means[draw] = times @ sums / (times @ sizes)
    return means


def normal_interval(
    value: float,
    *variances: float,
    limits: tuple[float, float] = (-math.inf, math.inf),
    draws: int | None = None,
    level: float = 0.95,
) -> tuple[float, float]:
    """Interval around a value from variances of independent sources.

    Parameters
    ----------
    value : float
    *variances : float
        Added up.
    limits : (float, float)
        Range of the metric; the interval is clipped to it.
    draws : int or None
        Number of draws behind the variances: Student's t with one degree less; None for the normal distribution.
    level : float

    Returns
    -------
    (float, float)

    Examples
    --------
    >>> low, high = normal_interval(0.5, 0.0009, 0.0016)
    >>> round(low, 3), round(high, 3)
    (0.402, 0.598)
    """
    tail = (1 + level) / 2
    reach = stats.norm.ppf(tail) if draws is None else stats.t.ppf(tail, max(draws - 1, 1))
    half = float(reach) * math.sqrt(sum(variances))
    return max(value - half, limits[0]), min(value + half, limits[1])


def calibrate(
    statistic: Statistic,
    comparison: Comparison,
    *,
    observed: Callable[[str], float] | None = None,
    analytic: Callable[[int, int], float] | None = None,
    resized: Callable[[float, int, int, int], float] | None = None,
    equal_sizes: bool = False,
    limits: tuple[float, float] = (-math.inf, math.inf),
    draws: int = 40,
    largest: int = 500,
) -> Estimate:
    """Value, null and interval of a statistic of a training and another set.

    Parameters
    ----------
    statistic : callable
        Training features and synthetic (or other real) features to a number. May raise InputError for small sets.
    comparison : Comparison
    observed : callable or None
        Role (``"synthetic"``, ``"holdout"``) to the statistic on the full sets, where that is known more cheaply.
    analytic : callable or None
        N and M to the null, for independent images. Used where no set has patients.
    resized : callable or None
        ``(null, n, h, m)``: the null that `h` holdout images gave, as `m` images would have given it.
    equal_sizes : bool
        The statistic depends on the size of the second set in a way no formula tells: average it over disjoint
        chunks of the larger of synthetic and holdout set, each of the size of the smaller.
    limits : (float, float)
        Range of the statistic.
    draws : int
        Subsamples behind the variances.
    largest : int
        Images of a set in a subsample, at most (about; patients stay together).

    Returns
    -------
    Estimate
        Where there is no holdout, the training set is cut into halves of different patients, one half takes the place
        of the training set and the other that of the holdout, and the difference found there is taken off the value.
    """
    training, synthetic, holdout = comparison.training, comparison.synthetic, comparison.holdout
    grouped = any(one is not None and one.patients is not None for one in (training, synthetic, holdout))
    engine = _Engine(statistic, resized if not equal_sizes else None, equal_sizes)
    rng = np.random.default_rng([comparison.seed, len(training), len(synthetic)])
    try:
        value = statistic(training, synthetic) if observed is None else observed("synthetic")
    except InputError as problem:
        return Estimate(None, reason=str(problem))
    share = min(0.5, largest / max(len(one) for one in (training, synthetic, holdout) if one is not None))
    if analytic is not None and not grouped:
        null, source, reason = analytic(len(training), len(synthetic)), "analytic", None

        def difference(t: Features, s: Features, h: Features | None) -> float:
            return statistic(t, s) - analytic(len(t), len(s))
    else:
        try:
            if holdout is not None and equal_sizes:
                size = min(len(synthetic), len(holdout))
                value = engine.chunked(training, synthetic, size, rng, value)
                null = engine.chunked(training, holdout, size, rng, None if observed is None else observed("holdout"))
            elif holdout is not None:
                null = statistic(training, holdout) if observed is None else observed("holdout")
                null = engine.at_size(null, len(training), len(holdout), len(synthetic))
            else:
                halved, halved_null = engine.contrast(training, synthetic, None, rng)
                null = halved_null if equal_sizes else value - (halved - halved_null)
                value = halved if equal_sizes else value
        except InputError as problem:
            return Estimate(value, reason=f"no null: {problem}")
        source = "holdout" if holdout is not None else "training halves"
        reason = None if holdout is not None else "no holdout: the null comes from halves of the training set"
        null = min(max(null, limits[0]), limits[1])

        def difference(t: Features, s: Features, h: Features | None) -> float:
            found, expected = engine.contrast(t, s, h, rng)
            return found - expected

    estimate = Estimate(value, null, null_source=source, reason=reason)
    try:
        found, fresh = [], []
        for _ in range(draws):
            t, s = subsample(training, share, rng), subsample(synthetic, share, rng)
            h = None if holdout is None else subsample(holdout, share, rng)
            found.append(difference(t, s, h))
            fresh.append(_fresh_pair(statistic, training, holdout, share, rng))
    except InputError as problem:
        return estimate.because(f"no interval: {problem}")
    variance = float(np.var(found, ddof=1)) * share / (1 - share)
    return replace(
        estimate,
        interval=normal_interval(value, variance, limits=limits, draws=draws),
        null_interval=normal_interval(
            null,
            _null_variance(np.array(fresh), share, training, synthetic, holdout, analytic=source == "analytic"),
            limits=limits,
            draws=draws,
        ),
    )


@dataclass(frozen=True)
class _Engine:
    """How a statistic and its null are taken on given sets."""

    statistic: Statistic
    resized: Callable[[float, int, int, int], float] | None
    equal_sizes: bool

    def contrast(
        self, training: Features, synthetic: Features, holdout: Features | None, rng: np.random.Generator
    ) -> tuple[float, float]:
        """The statistic and its null, comparable with each other."""
        if holdout is not None:
            return self._pair(training, synthetic, holdout, rng)
        halves = [training.take(rows) for rows in deal(training, (0.5, 0.5), rng)]
        pairs = [self._pair(halves[a], synthetic, halves[1 - a], rng) for a in (0, 1)]
        return float(np.mean([value for value, _ in pairs])), float(np.mean([null for _, null in pairs]))

    def _pair(
        self, training: Features, synthetic: Features, real: Features, rng: np.random.Generator
    ) -> tuple[float, float]:
        if self.equal_sizes:
            size = min(len(synthetic), len(real))
            return self.chunked(training, synthetic, size, rng), self.chunked(training, real, size, rng)
        null = self.statistic(training, real)
        return self.statistic(training, synthetic), self.at_size(null, len(training), len(real), len(synthetic))

    def at_size(self, null: float, n: int, h: int, m: int) -> float:
        return null if self.resized is None else self.resized(null, n, h, m)

    def chunked(
        self, training: Features, other: Features, size: int, rng: np.random.Generator, whole: float | None = None
    ) -> float:
        """Mean over disjoint chunks of about `size` images; `whole` is the statistic of all of them, where known."""
        chunks = chunk_rows(other, size, rng)
        if len(chunks) == 1:
            return self.statistic(training, other) if whole is None else whole
        return float(np.mean([self.statistic(training, other.take(rows)) for rows in chunks]))


def _fresh_pair(
    statistic: Statistic, training: Features, holdout: Features | None, share: float, rng: np.random.Generator
) -> tuple[float, float]:
    """The statistic of two disjoint real samples against one training sample."""
    if holdout is None:
        part = min(share, 1 / 3)
        base, first, second = (training.take(rows) for rows in deal(training, (part, part, part), rng))
    else:
        base = subsample(training, share, rng)
        first, second = (holdout.take(rows) for rows in deal(holdout, (share, share), rng))
    return statistic(base, first), statistic(base, second)


def _null_variance(
    fresh: np.ndarray,
    share: float,
    training: Features,
    synthetic: Features,
    holdout: Features | None,
    *,
    analytic: bool,
) -> float:
    """Variance of a fresh real set's score around the null, from pairs of disjoint real samples."""
    share = share if holdout is not None else min(share, 1 / 3)
    size = len(training if holdout is None else holdout)
    of_sample = float(np.var(fresh[:, 0] - fresh[:, 1])) / 2 * share
    if analytic:
        of_training = float(np.var(fresh)) * share / (1 - share) - of_sample
        return max(of_training, 0.0) + of_sample * size / len(synthetic)
    return of_sample * (1 + size / len(synthetic))


def _groups(features: Features) -> np.ndarray:
    """Patients as numbers from 0; every image its own where they are unknown."""
    if features.patients is None:
        return np.arange(len(features))
    return np.unique(features.patients, return_inverse=True)[1]
