"""A score with its null and how far both may be off."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy import stats

from fourfold.score import Metric, Score

__all__ = ["Estimate", "normal_interval"]


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

    def at_most(self, limit: float) -> Estimate:
        """The same for a score that is published cut at `limit`: the cut moves value, null and both intervals alike.

        Whatever lay in the interval still does, and more where the null is the limit itself: chance then takes the
        score out of it on one side only, and a 95 % interval holds the null in 97.5 %.
        """
        return replace(
            self,
            value=None if self.value is None else min(self.value, limit),
            null=None if self.null is None else min(self.null, limit),
            interval=None if self.interval is None else (min(self.interval[0], limit), min(self.interval[1], limit)),
            null_interval=None
            if self.null_interval is None
            else (min(self.null_interval[0], limit), min(self.null_interval[1], limit)),
        )

    def score(self, metric: Metric, space: str | None, **fields: object) -> Score:
        """The estimate as a score in a feature space, or in several (None); `fields` are further ones of `Score`."""
        return Score(
            axis=metric.axis,
            name=metric.name,
            **vars(self),
            better=metric.better,
            features=space,
            source=metric.source,
            **fields,
        )


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
