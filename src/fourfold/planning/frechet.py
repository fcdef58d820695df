"""What Frechet distances sum and decompose: those of the actual sets, and of parts of them and of real images dealt.

Many parts of the same images are compared, and what they share is summed once: the moments of most of a set are those
of the whole without the others (`fourfold.fidelity.moments`).
"""

from __future__ import annotations

from dataclasses import dataclass

from fourfold.fidelity.dealing import PARTS
from fourfold.fidelity.dealing import WIDTH as DEALT_WIDTH
from fourfold.fidelity.extrapolation import subset_sizes
from fourfold.planning.sizes import Sizes

__all__ = ["DEALT_WIDTH", "FRECHET", "Decompositions", "actual", "dealt"]

FRECHET = frozenset(
    {
        "fidelity/frechet_distance",
        "fidelity/frechet_distance_infinity",
        "fidelity/radiomic_frechet_distance",
        "fidelity/radiomic_frechet_distance_v0",
    }
)
_INFINITY, _PLAIN = "fidelity/frechet_distance_infinity", "fidelity/frechet_distance"
# Deals, and those among them that are jackknifed, see `fourfold.fidelity.exchange`; images of each of two sets that
# the components of the deals are taken from.
_DEALS, _FEW_DEALS, _JACKKNIVES, _SAMPLE = 79, 39, 8, 1000
# A decomposition of some components alone, beside one of all.
_AXES = 2.0


@dataclass(frozen=True)
class Decompositions:
    """Sums of products of float64, and decompositions.

    Parameters
    ----------
    moments : float
        Rows by width squared: multiplications, of which symmetry spares half.
    roots : float
        Width cubed, of one distance between moments.
    """

    moments: float = 0.0
    roots: float = 0.0

    def __add__(self, other: Decompositions) -> Decompositions:
        return Decompositions(self.moments + other.moments, self.roots + other.roots)

    def __mul__(self, times: float) -> Decompositions:
        return Decompositions(self.moments * times, self.roots * times)


def actual(metric: str, sizes: Sizes, width: int) -> Decompositions:
    """The distances of whole sets, and the components that real images are dealt in where there are more features.

    What both distances share, the moments of the training set and the components, is reckoned to the plain one, which
    comes first.
    """
    n, m, h = sizes.training, sizes.synthetic, sizes.holdout
    near, far = (n, h) if h else (n // 2, n // 2)
    wide = width > DEALT_WIDTH
    if metric == _INFINITY:
        found = _nested(n, m, width)
        return found + _nested(near, far, width) if wide else found
    found = _of(n, m, width)
    if wide:
        pool, taken = n + h, 2 * min(_SAMPLE, n)
        inner = min(taken, width)
        # Of radiomic features the training set is summed again for every distance.
        found += _distance(near, far, width) if metric == _PLAIN and h else _of(near, far, width)
        found += _summed(h, width) if metric == _PLAIN and min(n, h) > width else Decompositions()
        axes = Decompositions(2.0 * taken * width * inner, _AXES * inner**3) * 2
        # No symmetry spares half of a projection.
        found += axes + Decompositions(2.0 * (pool + n + m) * width * DEALT_WIDTH)
    return found


def dealt(metric: str, sizes: Sizes, width: int) -> Decompositions:
    """The distances of real images dealt to two sets, and of sets without a part of their patients."""
    n, m, h = sizes.training, sizes.synthetic, sizes.holdout
    first, second = (n, min(m, h)) if h else (n // 2, min(m, n // 2))
    without, own = _JACKKNIVES * PARTS, 2 * PARTS + 1
    jackknifed = _of(first, second, width) * without + _of(n, m, width) * own
    if metric not in (_PLAIN, _INFINITY) or min(first, second, m) <= width:
        if metric == _INFINITY:
            return _nested(first, second, width) * _FEW_DEALS + jackknifed
        return _of(first, second, width) * _DEALS + jackknifed
    pool = n + h
    of_first, of_second = (min(one, pool - one) for one in (first, second))
    if metric == _INFINITY:
        deals = (_summed(of_first, width) + _nested(first, second, width)) * _FEW_DEALS
    else:
        deals = (_summed(of_first + of_second, width) + _distance(first, second, width)) * _DEALS
    # Each set once as a whole, and once more in its parts.
    jackknifed = _summed(2 * (first + second), width) * _JACKKNIVES + _distance(first, second, width) * without
    return deals + jackknifed + _summed(2 * (n + m), width) + _distance(n, m, width) * own


def _of(n: int, m: int, width: int) -> Decompositions:
    """One distance between the rows of two sets."""
    return _distance(n, m, width) + (_summed(n + m, width) if min(n, m) > width else Decompositions())


def _nested(n: int, m: int, width: int) -> Decompositions:
    """An extrapolated distance: from one set to ever more of the other, each row of which is summed once."""
    found = [_distance(n, int(size), width) for size in subset_sizes(max(m, 3))]
    return sum(found, _summed(m, width) if min(n, m) > width else Decompositions())


def _summed(rows: float, width: int) -> Decompositions:
    return Decompositions(moments=float(rows) * width * width)


def _distance(n: int, m: int, width: int) -> Decompositions:
    """One decomposition; of the centred rows where they are too few to determine a covariance."""
    if min(n, m) > width:
        return Decompositions(roots=float(width) ** 3)
    inner, outer = sorted((min(n, width), min(m, width)))
    # No symmetry spares half of the products, and singular values take twice as long as eigenvalues.
    return Decompositions(2.0 * inner * outer * width, 2.0 * inner * inner * outer)
