"""What random parts of the sets are searched for: the spread of scores that balls decide, and sets of equal size.

Precision, density, realism and coverage share their parts where there is a holdout (`fourfold.resampling.held_parts`).
Without one each of them, and recall in any case, compares parts of its own (`fourfold.resampling.calibrate`), and the
null then comes from halves of the training set.
"""

from __future__ import annotations

from dataclasses import dataclass

from fourfold.planning.sizes import Sizes

__all__ = ["DRAWS", "HELD", "Searches", "equal_parts", "own_draws", "part_share", "shared_draws"]

DRAWS = 24
"""Pairs of disjoint parts behind an interval, see `fourfold.resampling.calibrate`."""

HELD = frozenset({"fidelity/density", "fidelity/precision", "fidelity/realism", "variety/coverage"})
"""Metrics that share their parts."""

_RECALL = "variety/recall"
# Images of a set in a part, and parts of one set that are as large as another, at most.
_DRAWN, _PARTS = 500, 8
# Rows that take as long as a search takes whatever it holds.
_BEGUN = 60


@dataclass(frozen=True)
class Searches:
    """Some searches in memory.

    Parameters
    ----------
    units : float
        Their rows, and what beginning one takes, in rows.
    pairs : float
        That are multiplied, of a set against itself by halves.
    """

    units: float = 0.0
    pairs: float = 0.0

    def __add__(self, other: Searches) -> Searches:
        return Searches(self.units + other.units, self.pairs + other.pairs)

    def __mul__(self, times: float) -> Searches:
        return Searches(self.units * times, self.pairs * times)


def part_share(sizes: Sizes) -> float:
    """Share of each set in a part."""
    return min(0.5, _DRAWN / max(sizes.training, sizes.synthetic, sizes.holdout))


def equal_parts(size: int, other: int) -> int:
    """Into how many parts a set is cut, each as large as the other."""
    return max(1, round(size / other))


def shared_draws(sizes: Sizes) -> Searches:
    """The draws that `HELD` metrics share, which need a holdout."""
    t, s, h = _of_a_draw(sizes)
    return (_within(t) * 3 + _between(t, s) * 2 + _between(t, h) * 4) * DRAWS


def own_draws(metric: str, sizes: Sizes) -> Searches:
    """The searches that one metric does for itself: those of its draws, and of its null where there is no holdout."""
    t, s, h = _of_a_draw(sizes)
    if h:
        if metric != _RECALL:
            return Searches()
        fresh = (_within(h) + _between(t, h)) * 2
        return ((_chunked(t, s, min(s, h)) + _chunked(t, h, min(s, h))) * 2 + fresh) * DRAWS
    third = sizes.training * min(part_share(sizes), 1 / 3)
    fresh = (_within(third) + _between(third * _asked(metric), third)) * 2
    contrasts = _halves(metric, t, s) * (2 * DRAWS)
    return _halves(metric, sizes.training, sizes.synthetic) + contrasts + fresh * DRAWS


def _halves(metric: str, n: float, m: float) -> Searches:
    """Each half of real images, with synthetic ones and with the other half."""
    half = n / 2
    if metric == _RECALL:
        return (_chunked(half, m, min(m, half)) + _chunked(half, half, min(m, half))) * 2
    points = half * _asked(metric)
    return (_within(half) * 2 + _between(points, m) + _between(points, half)) * 2


def _asked(metric: str) -> float:
    """Share of the balls that matter: to realism, those of at most the median radius."""
    return 0.5 if metric == "fidelity/realism" else 1.0


def _chunked(n: float, m: float, size: float) -> Searches:
    """Balls around the images of each part of that size of a set, and what lies in them."""
    count = equal_parts(m, size)
    return (_within(m / count) + _between(n, m / count)) * min(count, _PARTS)


def _within(n: float) -> Searches:
    return Searches(n + _BEGUN, 0.5 * n * n)


def _between(n: float, m: float) -> Searches:
    return Searches(n + m + _BEGUN, n * m)


def _of_a_draw(sizes: Sizes) -> tuple[float, float, float]:
    """Training, synthetic and holdout images of a part."""
    share = part_share(sizes)
    return share * sizes.training, share * sizes.synthetic, share * sizes.holdout
