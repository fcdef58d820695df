"""What the facts of one endpoint show: its bounds, its p-value against a limit, and how much more would settle it.

All bounds are one-sided with 95 % confidence, so that an upper bound below a limit is a claim of non-inferiority at
5 %, and a lower bound above it one of harm. ``p(limit)`` is the p-value of "at or below the limit". ``needed(limit)``
is the smallest size at which the upper bound would fall below the limit if what was observed held on (for a rate
without a hit: if no hit came); None where no size would, because the estimate itself lies above the limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from scipy.stats import binom, norm

from fourfold.statistics import clopper_pearson, miettinen_nurminen, miettinen_nurminen_p

__all__ = ["CONFIDENCE", "Count", "Difference", "Floor", "Normal", "Proof", "Proportion", "Rate", "proof_of"]

CONFIDENCE = 0.95
"""Of every one-sided bound."""

_TWO_SIDED = 2 * CONFIDENCE - 1
_Z = float(norm.ppf(CONFIDENCE))
_MOST = 100_000_000


class Proof(Protocol):
    """What every kind of evidence answers."""

    @property
    def estimate(self) -> float:
        """The attack's success as it was observed."""

    @property
    def size(self) -> int | None:
        """How many were tried."""

    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound, each one-sided with 95 % confidence."""

    def p(self, limit: float) -> float:
        """p-value of the hypothesis that the truth is at or below the limit."""

    def needed(self, limit: float) -> int | None:
        """The size that would settle it."""


@dataclass(frozen=True)
class Count:
    """Listed copies, of which the list itself controls the false ones; `beyond` where the holdout has fewer."""

    count: int
    beyond: bool
    size: int | None = None

    @property
    def estimate(self) -> float:
        """The attack's success as it was observed."""
        return float(self.count)

    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound."""
        return (float(self.count) if self.beyond else 0.0), float(self.count)

    def p(self, limit: float) -> float:
        """0 or 1: the error rate is that of the list, 5 % for any entry where nobody is copied."""
        return 0.0 if self.beyond and self.count > limit else 1.0

    def needed(self, limit: float) -> int | None:
        """None: no size settles it."""
        return None


@dataclass(frozen=True)
class Rate:
    """`count` of `size` images are copies, found by a search that finds the share `recall` of them.

    ``upper = Clopper-Pearson upper(count, size) / recall``. The lower bound stands without the recall, less what the
    holdout has (`null`), so that neither a blind search nor a loose one can make a failure.
    """

    count: int
    size: int
    recall: float = 1.0
    null: float = 0.0

    @property
    def estimate(self) -> float:
        """The attack's success as it was observed."""
        return min(1.0, self.count / self.size / self.recall) if self.recall else float(self.count > 0)

    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound."""
        low, high = clopper_pearson(self.count, self.size, _TWO_SIDED)
        return max(0.0, low - self.null), min(1.0, high / self.recall) if self.recall else 1.0

    def p(self, limit: float) -> float:
        """p-value of "at or below the limit"."""
        return float(binom.sf(self.count - 1, self.size, min(1.0, limit + self.null)))

    def needed(self, limit: float) -> int | None:
        """The size that would settle it."""
        if not self.recall or self.estimate >= limit:
            return None
        return _smallest(lambda size: self._at(size).bounds()[1] < limit, 1 if not self.count else self.size)

    def _at(self, size: int) -> Rate:
        return Rate(_kept(self.count, self.size, size), size, self.recall, self.null)


@dataclass(frozen=True)
class Proportion:
    """`count` of `size`, with Clopper-Pearson bounds."""

    count: int
    size: int

    @property
    def estimate(self) -> float:
        """The attack's success as it was observed."""
        return self.count / self.size

    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound."""
        return clopper_pearson(self.count, self.size, _TWO_SIDED)

    def p(self, limit: float) -> float:
        """p-value of "at or below the limit"."""
        return float(binom.sf(self.count - 1, self.size, limit))

    def needed(self, limit: float) -> int | None:
        """The size that would settle it."""
        if self.estimate >= limit:
            return None

        def settles(size: int) -> bool:
            return Proportion(_kept(self.count, self.size, size), size).bounds()[1] < limit

        return _smallest(settles, self.size)


@dataclass(frozen=True)
class Normal:
    """An area under a curve with its standard error, which falls with the root of `size`."""

    estimate: float
    standard_error: float
    size: int | None = None

    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound."""
        if not math.isfinite(self.standard_error):
            return 0.0, 1.0
        half = _Z * self.standard_error
        return max(0.0, self.estimate - half), min(1.0, self.estimate + half)

    def p(self, limit: float) -> float:
        """p-value of "at or below the limit"."""
        if self.standard_error <= 0:
            return float(self.estimate <= limit)
        return float(norm.sf((self.estimate - limit) / self.standard_error))

    def needed(self, limit: float) -> int | None:
        """``size (z standard_error / (limit - estimate))^2``."""
        if not self.size or self.estimate >= limit or not math.isfinite(self.standard_error):
            return None
        return math.floor(self.size * (_Z * self.standard_error / (limit - self.estimate)) ** 2) + 1


@dataclass(frozen=True)
class Difference:
    """Successes of an attack on training patients less those on other patients, by Miettinen and Nurminen (1985)."""

    main: tuple[int, int]
    control: tuple[int, int]

    @property
    def estimate(self) -> float:
        """The attack's success as it was observed."""
        return self.main[0] / self.main[1] - self.control[0] / self.control[1]

    @property
    def size(self) -> int:
        """How many training targets were attacked."""
        return self.main[1]

    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound."""
        return miettinen_nurminen(self.main, self.control, _TWO_SIDED)

    def p(self, limit: float) -> float:
        """p-value of the score test of that difference."""
        return miettinen_nurminen_p(self.main, self.control, limit)

    def needed(self, limit: float) -> int | None:
        """Of the main arm, with the control in the same proportion."""
        if self.estimate >= limit:
            return None

        def settles(size: int) -> bool:
            other = math.ceil(size * self.control[1] / self.main[1])
            control = (other * self.control[0] // self.control[1], other)
            return miettinen_nurminen((_kept(*self.main, size), size), control, _TWO_SIDED)[1] < limit

        return _smallest(settles, self.size)


@dataclass(frozen=True)
class Floor:
    """A quantity of which only a 95 % lower bound is known: above the limit it shows harm, below it nothing else."""

    estimate: float
    size: int | None = None

    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound."""
        return self.estimate, self.estimate

    def p(self, limit: float) -> float:
        """0 or 1: the bound brings its own confidence, so it is not adjusted again."""
        return float(self.estimate <= limit)

    def needed(self, limit: float) -> int | None:
        """None: no size settles it."""
        return None


def proof_of(facts: Mapping[str, Any], null: float = 0.0, beyond: bool = False) -> Proof:
    """What an entry of ``Score.details["endpoints"]`` shows.

    Parameters
    ----------
    facts : mapping
        ``kind`` and its facts: ``count`` {"count"}, ``rate`` {"count", "size", "recall"}, ``proportion``
        {"count", "size"}, ``normal`` {"estimate", "standard_error", "size"}, ``difference`` {"main", "control"}, each
        [count, size], ``floor`` {"estimate"}.
    null : float
        What the score's null is, for a rate.
    beyond : bool
        Whether the score is worse than its null, for a count.

    Raises
    ------
    ValueError
        Where the kind is unknown or a fact is missing or impossible.
    """
    try:
        match facts["kind"]:
            case "count":
                return Count(int(facts["count"]), beyond)
            case "rate":
                return Rate(int(facts["count"]), _positive(facts["size"]), float(facts.get("recall", 1.0)), null)
            case "proportion":
                return Proportion(int(facts["count"]), _positive(facts["size"]))
            case "normal":
                return Normal(float(facts["estimate"]), float(facts["standard_error"]), facts.get("size"))
            case "difference":
                (k_1, n_1), (k_2, n_2) = facts["main"], facts["control"]
                return Difference((int(k_1), _positive(n_1)), (int(k_2), _positive(n_2)))
            case "floor":
                return Floor(float(facts["estimate"]))
            case other:
                raise ValueError(f"there is no kind of endpoint {other!r}")
    except (KeyError, TypeError) as error:
        raise ValueError(f"the endpoint {facts.get('name')!r} lacks a fact: {error}") from error


def _positive(size: Any) -> int:
    if int(size) < 1:
        raise ValueError(f"an endpoint needs a size of 1 or more, got {size!r}")
    return int(size)


def _kept(count: int, size: int, larger: int) -> int:
    """The count at another size if the observed share held, rounded up."""
    return min(larger, -(-count * larger // size))


def _smallest(settles: Callable[[int], bool], start: int) -> int | None:
    """A size that settles where the next smaller one does not; None beyond a hundred million."""
    low, high = max(1, start) - 1, max(1, start)
    while not settles(high):
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle, high)
    return high
