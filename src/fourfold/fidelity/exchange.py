"""Null and interval of a distance between distributions, by dealing real patients at random into two sets.

Where two samples come from one distribution the Frechet distance is a sum of squares of their errors: it is biased by
about 1/N + 1/M and its sampling error is quadratic, so that neither a bootstrap nor a jackknife has the right size
(the jackknife's variance is two to three times too large). What it does under the null is seen directly: the patients
of training and holdout set are pooled and dealt into two sets of the sizes in question, again and again.

Away from the null a linear term rules. A delete-a-group jackknife holds that term, and a quadratic one that the same
jackknife shows on dealt sets, where there is nothing else; the difference is the linear term's.

Beyond `WIDTH` features the deals are made in the leading principal components, where nearly all of the sampling error
is; the full distance between the actual sets, taken once, carries the level.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError
from fourfold.resampling import Estimate, deal, leave_out, normal_interval, too_few

__all__ = ["calibrate_distance", "inverse_sizes", "together"]

Distance = Callable[[np.ndarray, np.ndarray], float]
# Null at sizes (n, m) over null at sizes (a, b), from (n, m, a, b).
SizeFactor = Callable[[int, int, int, int], float]

# Principal components for the deals, and images of each set that they are taken from.
WIDTH = 128
_SAMPLE = 1000
# Deals that are jackknifed too.
_JACKKNIVES = 4
# The jackknife's own scatter is about half of its value: what exceeds its null by less is not a linear term.
_SURELY = 1.5


def inverse_sizes(n: int, m: int, a: int, b: int) -> float:
    """How the bias and the spread of a Frechet distance under the null change from sizes (a, b) to (n, m)."""
    return (1 / n + 1 / m) / (1 / a + 1 / b)


def calibrate_distance(
    distance: Distance,
    comparison: Comparison,
    *,
    level: SizeFactor = inverse_sizes,
    spread: SizeFactor = inverse_sizes,
    smooth: Distance | None = None,
    logarithm: bool = False,
    lowest: float = 0.0,
    deals: int = 24,
    parts: int = 12,
) -> Estimate:
    """Value, null and interval of a distance between the training and the synthetic distribution.

    Parameters
    ----------
    distance : callable
        Two arrays (N, d) and (M, d) to a number; may raise InputError for small sets.
    comparison : Comparison
    level, spread : callable
        How mean and standard deviation of the null change with the sizes of the two sets.
    smooth : callable or None
        A distance with the same linear term and no draws of its own, for the jackknife; None for `distance` itself.
    logarithm : bool
        Give the logarithm of the distance.
    lowest : float
        Least value of the distance.
    deals : int
        Random deals behind the null.
    parts : int
        Parts of the synthetic and of the training set that the jackknife leaves out in turn.

    Returns
    -------
    Estimate
    """
    training, synthetic, holdout = comparison.training, comparison.synthetic, comparison.holdout
    n, m = len(training), len(synthetic)
    rng = np.random.default_rng([comparison.seed, n, m])
    try:
        value = distance(training.values, synthetic.values)
    except InputError as problem:
        return Estimate(None, reason=str(problem))
    try:
        dealt = _deals(distance, smooth or distance, comparison, level, spread, deals, parts, rng)
    except InputError as problem:
        return Estimate(_log(value) if logarithm else value, reason=f"no null: {problem}")
    source = "holdout" if holdout is not None else "training halves"
    reason = None if holdout is not None else "no holdout: the null comes from halves of the training set"
    estimate = Estimate(value, dealt.mean, null_source=source, reason=reason)
    scarce = too_few(training, synthetic, *([] if holdout is None else [holdout]))
    if scarce is not None:
        return (_in_logarithms(estimate) if logarithm else estimate).because(scarce)
    narrow = _narrow(training, synthetic, rng)
    found = _jackknife(smooth or distance, narrow(training), narrow(synthetic), parts, rng)
    if min(n, m) > training.values.shape[1]:
        linear, null_linear = max(found - _SURELY * dealt.jackknife, 0.0), 0.0
    else:
        # Where the covariances are rank deficient, the distance is little but the sum of their traces, which is linear
        # in each sample under the null too; deals from one pool do not show that part.
        linear, null_linear = found, dealt.jackknife
    quadratic = dealt.variance
    if logarithm:
        # Relative to the larger of the two: for copies the distance itself is next to nothing.
        unit = max(value, dealt.mean, np.finfo(float).tiny)
        quadratic, linear, null_linear = dealt.relative_variance, linear / unit**2, null_linear / unit**2
        estimate, lowest = _in_logarithms(estimate), -math.inf
    if estimate.value is None or estimate.null is None:
        return estimate
    limits = (lowest, math.inf)
    return replace(
        estimate,
        interval=normal_interval(estimate.value, quadratic, linear, limits=limits, draws=deals),
        null_interval=normal_interval(estimate.null, quadratic, null_linear, limits=limits, draws=deals),
    )


@dataclass(frozen=True)
class _Deals:
    """What a distance does where a fresh real sample takes the place of the synthetic set."""

    mean: float
    variance: float
    relative_variance: float
    jackknife: float


def _deals(
    distance: Distance,
    smooth: Distance,
    comparison: Comparison,
    level: SizeFactor,
    spread: SizeFactor,
    deals: int,
    parts: int,
    rng: np.random.Generator,
) -> _Deals:
    """Deal the real patients `deals` times into sets of the sizes in question."""
    training, holdout = comparison.training, comparison.holdout
    n, m = len(training), len(comparison.synthetic)
    pool, shares = training, (0.5, min(0.5, m / n))
    if holdout is not None:
        pool = together(training, holdout)
        shares = (n / len(pool), min(m, len(holdout)) / len(pool))
    narrow = _narrow(pool, pool, rng)
    dealt = narrow(pool)
    values = dealt.values
    levels, spreads, jackknives, without = [], [], [], []
    kept = list(leave_out(dealt, parts, rng))
    for place in range(deals):
        first, second = deal(dealt, shares, rng)
        factor = spread(n, m, len(first), len(second))
        found = distance(values[first], values[second])
        levels.append(found * level(n, m, len(first), len(second)))
        spreads.append(found * factor)
        if place < _JACKKNIVES and too_few(training, comparison.synthetic, pool) is None:
            jackknives.append(factor**2 * _jackknife(smooth, dealt.take(first), dealt.take(second), parts, rng))
            # The same deal without one part of the pool after the other.
            members = [(np.intersect1d(first, rows), np.intersect1d(second, rows)) for rows in kept]
            without.append([factor * smooth(values[one], values[other]) for one, other in members])
    mean = float(np.mean(levels))
    if values.shape[1] < pool.values.shape[1]:
        first, second = (np.arange(n), np.arange(n, len(pool))) if holdout is not None else deal(pool, shares, rng)
        full, part = distance(pool.values[first], pool.values[second]), distance(values[first], values[second])
        mean += (full - part) * level(n, m, len(first), len(second))
    # The mean of the deals is uncertain by one part in their number, and by what the pool's own patients decide.
    of_pool = (len(kept) - 1) * float(np.var(np.mean(without, axis=0))) if without else 0.0
    variance = float(np.var(spreads, ddof=1)) * (1 + 1 / deals) + of_pool
    relative = math.inf
    if min(spreads) > 0:
        relative = float(np.var(np.log(spreads), ddof=1)) * (1 + 1 / deals) + of_pool / float(np.mean(spreads)) ** 2
    return _Deals(mean, variance, relative, float(np.mean(jackknives)) if jackknives else 0.0)


def _jackknife(distance: Distance, first: Features, second: Features, parts: int, rng: np.random.Generator) -> float:
    """Variance of the distance of two sets, leaving out parts of the patients of either set in turn."""
    x, y = first.values, second.values
    without_x = [distance(x[rows], y) for rows in leave_out(first, parts, rng)]
    without_y = [distance(x, y[rows]) for rows in leave_out(second, parts, rng)]
    return sum((len(one) - 1) * float(np.var(one)) for one in (without_x, without_y))


def together(first: Features, second: Features) -> Features:
    """Two real sets as one pool; patients where both know them."""
    patients = None
    if first.patients is not None and second.patients is not None:
        patients = np.concatenate([first.patients, second.patients])
    return Features(np.concatenate([first.values, second.values]), patients)


def _narrow(first: Features, second: Features, rng: np.random.Generator) -> Callable[[Features], Features]:
    """Projection to the leading principal components of both sets together, as float64."""
    if first.values.shape[1] <= WIDTH:
        return lambda features: Features(features.values.astype(np.float64), features.patients)
    parts = [one.values[rng.permutation(len(one))[:_SAMPLE]] for one in (first, second)]
    centre = first.values.mean(axis=0, dtype=np.float64)
    rows = np.concatenate(parts) - centre
    if len(rows) > rows.shape[1]:
        axes = linalg.eigh(rows.T @ rows, subset_by_index=(rows.shape[1] - WIDTH, rows.shape[1] - 1))[1]
    else:
        kept = min(WIDTH, len(rows))
        values, vectors = linalg.eigh(rows @ rows.T, subset_by_index=(len(rows) - kept, len(rows) - 1))
        solid = values > values.max(initial=0.0) * 1e-10
        axes = rows.T @ vectors[:, solid] / np.sqrt(values[solid])
    if not axes.size:
        axes = np.eye(rows.shape[1], 1)
    return lambda features: Features((features.values - centre) @ axes, features.patients)


def _in_logarithms(estimate: Estimate) -> Estimate:
    value, null = _log(estimate.value), _log(estimate.null)
    if value is None:
        return Estimate(None, reason="the logarithm of a distance of 0 is not finite: the two sets have equal moments")
    if null is None:
        return replace(estimate, value=value, null=None).because("no null: real samples are at distance 0")
    return replace(estimate, value=value, null=null)


def _log(value: float) -> float | None:
    return math.log(value) if value > 0 else None
