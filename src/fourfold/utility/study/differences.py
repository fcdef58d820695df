"""Differences between an arm and its control: values, intervals, and what chance would do.

The difference D of two arms, a mean over seeds, moves for three reasons: with the seeds, with other training images,
and with other test patients. The paired bootstrap over test patients gives the last; with five seeds it cannot give
the first as well, since a resample of five knows too little of their spread. Seeds and training images therefore
enter by their own variances, with Student's t for the few that they rest on:

    v_seeds  = sample variance over seeds of D_seed / seeds
    v_halves = mean over halvings of (D_half a - D_half b)^2 / 4
    Var D    = max(v_halves, v_seeds) + max(bootstrap variance of D - c, 0)

A half-difference has the variance of the score of the whole set (half-samples, McCarthy 1969), and the seeds of the
two halves differ, so that v_halves holds both. c is the part of the bootstrap variance that comes from the interplay
of training and test images and is in v already; it is known from the same bootstrap of the half-differences. Without
halvings v is v_seeds, and the interval speaks of these very training images. Degrees of freedom are put together after
Satterthwaite 1946.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourfold.statistics import holm
from fourfold.utility.study.samples import Samples

__all__ = ["Estimate", "adjusted", "difference", "fresh_half_width", "level"]


@dataclass(frozen=True)
class Estimate:
    """A number with what is known of it.

    Parameters
    ----------
    value : float or None
        None where the test images allow no value.
    interval : (float, float) or None
        95 %.
    p : float or None
        Two-sided, of the hypothesis that a difference is 0; None for what is no difference.
    """

    value: float | None
    interval: tuple[float, float] | None = None
    p: float | None = None


def level(arm: Samples, key: str, limits: tuple[float, float] = (0.0, 1.0)) -> Estimate:
    """What one arm scored, within the limits of the metric."""
    found = _estimate(arm, None, key)
    if found is None:
        return Estimate(None)
    value, error, freedom = found
    reach = float(stats.t.ppf(0.975, freedom)) * error
    return Estimate(value, (max(value - reach, limits[0]), min(value + reach, limits[1])))


def difference(arm: Samples, control: Samples, key: str, limits: tuple[float, float] = (-1.0, 1.0)) -> Estimate:
    """An arm less its control, paired by seed, halving and test patient.

    Parameters
    ----------
    arm, control : Samples
    key : str
        A value of the metric.
    limits : (float, float)
        Which no difference leaves; the interval is cut there.

    Returns
    -------
    Estimate
    """
    found = _estimate(arm, control, key)
    if found is None:
        return Estimate(None)
    value, error, freedom = found
    if error == 0:
        return Estimate(value, (value, value), 1.0 if value == 0 else 0.0)
    reach = float(stats.t.ppf(0.975, freedom)) * error
    interval = max(value - reach, limits[0]), min(value + reach, limits[1])
    return Estimate(value, interval, float(2 * stats.t.sf(abs(value) / error, freedom)))


def fresh_half_width(control: Samples, key: str) -> float | None:
    """Half the width of the band that holds 95 % of the differences of as many fresh real images from the control.

    They have an expected difference of 0 from it on every test set, so that only training moves them: twice the
    variance of the control's own. None without halvings, which alone tell of other training images.
    """
    gaps = np.array([a.values.get(key, np.nan) - b.values.get(key, np.nan) for a, b in control.halves])
    gaps = gaps[np.isfinite(gaps)]
    if not len(gaps):
        return None
    return float(stats.t.ppf(0.975, len(gaps)) * np.sqrt(2 * np.mean(gaps**2) / 4))


def adjusted(p: Sequence[float | None]) -> list[float | None]:
    """p-values of one question after Holm, over whatever was asked it; None stays None."""
    known = [place for place, one in enumerate(p) if one is not None]
    found: list[float | None] = [None] * len(p)
    if known:
        for place, one in zip(known, holm([p[place] for place in known])[1], strict=True):
            found[place] = float(one)
    return found


def _estimate(arm: Samples, control: Samples | None, key: str) -> tuple[float, float, float] | None:
    """Value, standard error and degrees of freedom; None where there is no value."""
    values, draws = _of_seeds(arm, key)
    halves, half_draws = _of_halves(arm, key)
    if control is not None:
        control_values, control_draws = _of_seeds(control, key)
        control_halves, control_half_draws = _of_halves(control, key)
        values, draws = values - control_values, draws - control_draws
        halves, half_draws = halves - control_halves, half_draws - control_half_draws
    if not np.isfinite(values).all():
        return None
    parts = [(float(np.var(values, ddof=1)) / len(values), len(values) - 1.0)]
    shared = np.nanmean(_variance(draws - draws.mean(axis=0))) / (len(values) - 1)
    halves = halves[np.isfinite(halves)]
    if len(halves):
        of_halves = (float(np.mean(halves**2)) / 4, float(len(halves)))
        if of_halves[0] >= parts[0][0]:
            parts = [of_halves]
            # Values that stand beside the headline are not resampled at halves.
            shared = float(np.mean(_variance(half_draws))) / 4 if half_draws.size else 0.0
    tested = float(_variance(draws.mean(axis=0)[None])[0]) - float(shared)
    parts.append((max(tested, 0.0), np.inf))
    total = sum(variance for variance, _ in parts)
    if total == 0:
        return float(values.mean()), 0.0, np.inf
    freedom = total**2 / max(sum(variance**2 / known for variance, known in parts), np.finfo(float).tiny)
    return float(values.mean()), float(np.sqrt(total)), min(freedom, 1e6)


def _of_seeds(arm: Samples, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of the seeds, shape (S,), and of resampled test sets, shape (S, B)."""
    values = np.array([one.values.get(key, np.nan) for one in arm.whole])
    return values, np.stack([one.draws.get(key, np.full(1, np.nan)) for one in arm.whole])


def _of_halves(arm: Samples, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Half-differences, shape (halvings,), and of resampled test sets, shape (halvings, B) or (halvings, 0)."""
    gaps = np.array([a.values.get(key, np.nan) - b.values.get(key, np.nan) for a, b in arm.halves])
    draws = [a.draws[key] - b.draws[key] for a, b in arm.halves if key in a.draws]
    return gaps, np.stack(draws) if draws else np.empty((len(gaps), 0))


def _variance(draws: np.ndarray) -> np.ndarray:
    """Variance along the resampled test sets of shape (n, B), those without a value left out; 0 where there are few."""
    found = np.zeros(len(draws))
    for row, one in enumerate(draws):
        known = one[np.isfinite(one)]
        found[row] = np.var(known, ddof=1) if len(known) > 1 else 0.0
    return found
