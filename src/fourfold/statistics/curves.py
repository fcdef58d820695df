"""Curves of shares against the levels they should equal, and how far they are from it.

A share that is measured at a level alpha and equals it at every level lies on the diagonal. Two published ways turn the
distance from the diagonal into a score of at most 1; they differ by 2 to 4 % and are named apart because papers quote
either without saying which:

    by_step = 1 - 2 sum_i |p_i - a_i| (a_2 - a_1)      (Alaa et al. 2022: one minus twice the area between the two)
    by_sum  = 1 - sum_i |p_i - a_i| / sum_i a_i        (the synthcity library)

A curve of zeros gets 0 from the second and about 0 from the first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LEVELS", "LevelCurve", "levels"]

# Levels between 0 and 1, both included (Alaa et al. 2022).
LEVELS = 30


@dataclass(frozen=True)
class LevelCurve:
    """Shares at the levels that they should equal.

    Parameters
    ----------
    levels : array, shape (30,)
        From 0 to 1 in equal steps.
    shares : array, shape (30,)
        In [0, 1].

    Examples
    --------
    >>> diagonal = LevelCurve(levels(), levels())
    >>> diagonal.by_step, diagonal.by_sum
    (1.0, 1.0)
    """

    levels: np.ndarray
    shares: np.ndarray

    @property
    def by_step(self) -> float:
        """One minus twice the area between curve and diagonal (Alaa et al. 2022); at most 1, about 0 for no share."""
        return float(1.0 - 2.0 * np.abs(self.shares - self.levels).sum() * (self.levels[1] - self.levels[0]))

    @property
    def by_sum(self) -> float:
        """One minus the sum of distances over the sum of levels (synthcity); in [0, 1]."""
        return float(1.0 - np.abs(self.shares - self.levels).sum() / self.levels.sum())


def levels() -> np.ndarray:
    """The levels of a curve, shape (30,)."""
    return np.linspace(0.0, 1.0, LEVELS)
