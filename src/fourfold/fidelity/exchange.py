"""Null and interval of a distance between distributions, by dealing real patients at random into two sets.

Where two samples come from one distribution the Frechet distance is a sum of squares of their errors: it is biased by
about 1/N + 1/M, its sampling error is quadratic and skewed, and neither a bootstrap nor a jackknife has the right size
(the jackknife's variance is two to three times too large). What it does under the null is seen directly: the patients
of training and holdout set are pooled and dealt into two sets of the sizes in question, again and again, and the ends
of the null are ranks among those distances.

Away from the null a linear term rules, whose variance grows with the distance. A delete-a-group jackknife of the actual
sets against one of dealt sets, where there is nothing else to see, tells how fast. The interval is that of all
distances at which the value would not surprise (`fourfold.resampling.excess_interval`): the null is in it exactly where
the value is among what fresh real samples score. A jackknife of the actual sets added to both sides instead makes the
interval grow with every distance that chance has made large, and it then holds the null in 99 % and more of all draws.

Several distances of the same images in other features are averaged deal by deal, so that what they share stays shared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fourfold.comparison import Comparison
from fourfold.errors import InputError
from fourfold.fidelity.dealing import DealtDistance, SizeFactor, deal_out, inverse_sizes
from fourfold.fidelity.measures import Distance, Measure, measured
from fourfold.resampling import Estimate, excess_interval, linear_rate, too_few

__all__ = ["calibrate_distance", "estimate_of"]

# Share of the deals beyond either end of the null. Of as many as make it a whole number of ranks, one more fresh sample
# is as likely to fall there as any of them.
_TAIL = 0.025


def calibrate_distance(
    distance: Distance | Measure,
    comparison: Comparison,
    *,
    level: SizeFactor = inverse_sizes,
    spread: SizeFactor = inverse_sizes,
    smooth: Distance | Measure | None = None,
    logarithm: bool = False,
    lowest: float = 0.0,
    deals: int = 79,
) -> Estimate:
    """Value, null and interval of a distance between the training and the synthetic distribution.

    Parameters
    ----------
    distance : callable or Measure
        Two arrays (N, d) and (M, d) to a number; may raise InputError for small sets.
    comparison : Comparison
    level, spread : callable
        How mean and standard deviation of the null change with the sizes of the two sets.
    smooth : callable, Measure or None
        A distance with the same linear term and no draws of its own, for the jackknife; None for `distance` itself.
    logarithm : bool
        Give the logarithm of the distance.
    lowest : float
        Least value of the distance.
    deals : int
        Random deals behind the null; one less than a multiple of 40.

    Returns
    -------
    Estimate
    """
    distance, smooth = _as_measure(distance, comparison), _as_measure(smooth, comparison)
    try:
        dealt = deal_out(distance, comparison, level=level, spread=spread, smooth=smooth, deals=deals)
    except InputError as problem:
        try:
            value = distance.of_role("synthetic")
        except InputError as of_value:
            return Estimate(None, reason=str(of_value))
        return Estimate(_log(value) if logarithm else value, reason=f"no null: {problem}")
    return estimate_of(dealt, comparison, logarithm=logarithm, lowest=lowest)


def _as_measure(distance: Distance | Measure | None, comparison: Comparison) -> Measure | None:
    return distance if distance is None or isinstance(distance, Measure) else measured(distance, comparison)


def estimate_of(
    dealt: DealtDistance, comparison: Comparison, *, logarithm: bool = False, lowest: float = 0.0
) -> Estimate:
    """Value, null and interval of a distance that was dealt; arguments as for `calibrate_distance`."""
    training, synthetic, holdout = comparison.training, comparison.synthetic, comparison.holdout
    source = "holdout" if holdout is not None else "training halves"
    reason = None if holdout is not None else "no holdout: the null comes from halves of the training set"
    estimate = Estimate(dealt.value, dealt.mean, null_source=source, reason=reason)
    scarce = too_few(training, synthetic, *([] if holdout is None else [holdout]))
    if scarce is not None:
        return (_in_logarithms(estimate) if logarithm else estimate).because(scarce)
    reach, parts = _reach(dealt), dealt.dealt_parts.shape[1]
    of_dealt, _ = _of_parts(dealt.dealt_parts)
    rate = linear_rate(
        dealt.smooth_value - _smooth_mean(dealt),
        (parts - 1) * float(np.var(dealt.own_parts, axis=1).sum()),
        _smooth_mean(dealt),
        of_dealt,
        reach.above,
    )
    low, high = excess_interval(dealt.value - dealt.mean, reach.above, reach.below, rate, freedom=2 * (parts - 1))
    if not logarithm:
        return replace(
            estimate,
            interval=(max(dealt.mean + low, lowest), dealt.mean + high),
            null_interval=(max(dealt.mean - reach.below, lowest), dealt.mean + reach.above),
        )
    estimate = _in_logarithms(estimate)
    if estimate.value is None or estimate.null is None:
        return estimate
    up, down = reach.in_logarithms(dealt.mean)
    # Where the null alone decides an end, it does so by a ratio: a distance has no end below 0.
    ends = (
        math.log(dealt.mean + low) if low > 0 else estimate.value - up,
        math.log(dealt.mean + high) if high > 0 else estimate.value + down,
    )
    return replace(estimate, interval=ends, null_interval=(estimate.null - down, estimate.null + up))


@dataclass(frozen=True)
class _Reach:
    """How far above and below their mean 95 % of fresh real samples lie."""

    above: float
    below: float

    def in_logarithms(self, mean: float) -> tuple[float, float]:
        """The same of the logarithm of a distance with that mean."""
        return math.log1p(self.above / mean), -math.log1p(-self.below / mean) if self.below < mean else math.inf


def _reach(dealt: DealtDistance) -> _Reach:
    spreads = np.sort(dealt.spreads)
    rank, mean, variance = max(round(_TAIL * (len(spreads) + 1)), 1), np.mean(spreads), np.var(spreads, ddof=1)
    # The deals share one pool, whose patients the synthetic set does not: what they decide is added.
    _, of_pool = _of_parts(dealt.dealt_parts)
    wider = math.sqrt(1 + of_pool / variance) if variance > 0 else 1.0
    return _Reach(float(wider * (spreads[-rank] - mean)), float(wider * (mean - spreads[rank - 1])))


def _smooth_mean(dealt: DealtDistance) -> float:
    """Mean of the jackknifed distance under the null: with a part of the patients gone it is larger by as much."""
    parts = dealt.dealt_parts.shape[1]
    return float(np.mean(dealt.dealt_parts)) * (parts - 1) / parts


def _of_parts(without: np.ndarray) -> tuple[float, float]:
    """Variance of a dealt distance by its jackknife, and the share of it that the pool decides whatever the deal.

    `without` holds a deal a row and a part of the pool that is left out a column. The mean over the deals still has
    the deals' own scatter over their number, which is taken off.
    """
    count, parts = without.shape
    own = (parts - 1) * float(np.mean(np.var(without, axis=1)))
    of_mean = (parts - 1) * float(np.var(np.mean(without, axis=0)))
    return own, max((count * of_mean - own) / (count - 1), 0.0)


def _in_logarithms(estimate: Estimate) -> Estimate:
    value, null = _log(estimate.value), _log(estimate.null)
    if value is None:
        return Estimate(None, reason="the logarithm of a distance of 0 is not finite: the two sets have equal moments")
    if null is None:
        return replace(estimate, value=value, null=None).because("no null: real samples are at distance 0")
    return replace(estimate, value=value, null=null)


def _log(value: float) -> float | None:
    return math.log(value) if value > 0 else None
