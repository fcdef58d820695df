"""The kernel distance from the products of the search for neighbours, which are those of its own kernel matrices.

With the rows of a frame a' = s (a - o), s a power of two, the inner products of the rows as they are come back as

    a.b = a'.b' / s^2 + a.o + b.o - o.o.

The products are those of float32 rows about the mean of the training set, closer to exact ones than products of the
rows themselves where that mean is far from zero; all else is float64.
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison
from fourfold.fidelity.kernel import KernelDistance, cubic, distance_from_sums
from fourfold.fidelity.kernel_sums import AcrossSums, Kernel, KernelSums, WithinSums
from fourfold.neighbors import Frame
from fourfold.statistics.scatter import in_double

__all__ = ["KernelOnlooker", "seen_kernel_distance"]

# Entries of a training set below which there is little to share.
_WORTH_SEEING = 1 << 22
# Rows of a block at a time: what is done to them stays in the cache.
_STRIPE = 32


def seen_kernel_distance(comparison: Comparison) -> KernelDistance | None:
    """The kernel distance of a comparison, while neighbours are searched for whoever asks for them next.

    Returns
    -------
    KernelDistance or None
        None where it needs products of its own: patients have several images, whose kernels are summed before they are
        squared; the sets are small; or the search cannot be seen, see `Comparison.show`.
    """
    x, y = comparison.training, comparison.synthetic
    alone = all(one.patients is None or len(np.unique(one.patients)) == len(one) for one in (x, y))
    if not alone or x.values.size < _WORTH_SEEING:
        return None
    within_x, within_y = (KernelOnlooker(one.values, one.values, cubic) for one in (x, y))
    between = KernelOnlooker(y.values, x.values, cubic)
    if not comparison.show(within_x, within_y, between):
        return None
    ones = [np.ones(len(one)) for one in (x, y)]
    return distance_from_sums(*ones, within_x.sums(), within_y.sums(), between.sums().turned())


class KernelOnlooker:
    """Sums kernels while a search for neighbours multiplies rows; every image is a group of its own.

    Parameters
    ----------
    x, y : arrays of float32, shapes (n, d) and (m, d)
        The very sets that are searched; one object where it is one set, each pair of which is then shown once.
    kernel : callable
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, kernel: Kernel) -> None:
        self._x, self._y, self._kernel = x, y, kernel
        ones = np.ones(len(x)), np.ones(len(y))
        self._sums = WithinSums(ones[0]) if x is y else AcrossSums(*ones)
        self._moved: tuple[np.ndarray, np.ndarray] | None = None

    def look(self, frame: Frame, rows: slice, columns: slice, products: np.ndarray) -> None:
        """Look at -2 a'.b' of some rows and some others."""
        of_rows, of_columns = self._moved if self._moved is not None else self._move(frame)
        scale = -0.5 * 4.0**-frame.exponent
        for top in range(0, len(products), _STRIPE):
            part = slice(rows.start + top, min(rows.start + top + _STRIPE, rows.stop))
            inner = np.multiply(products[top : top + _STRIPE], scale, dtype=np.float64)
            inner += of_columns[columns]
            inner += of_rows[part, None]
            values = self._kernel(inner, frame.width)
            if isinstance(self._sums, WithinSums):
                self._sums.add(part, columns, values, twice=rows.start != columns.start)
            else:
                self._sums.add(part, columns, values)

    def sums(self) -> KernelSums:
        """Once the search is done."""
        return self._sums.sums()

    def _move(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """What makes products in the frame those of the rows as they are, half on either side."""
        half = 0.5 * float(frame.origin @ frame.origin)
        self._moved = _dots(self._x, frame.origin) - half, _dots(self._y, frame.origin) - half
        return self._moved


def _dots(x: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Inner products with the rows of a set, in float64."""
    found = np.empty(len(x))
    for rows, block in in_double(x):
        found[rows] = block @ origin
    return found
