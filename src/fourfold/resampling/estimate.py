"""A score with its null and how far both may be off."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scipy import stats

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
