"""Sums of outer products of rows, block by block, in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg.blas import dsyrk

__all__ = ["Scatter", "in_double"]

# Rows that are in float64 at a time: bounds the memory above the inputs.
_BLOCK = 1024


class Scatter:
    """The sum of x^T x over blocks of rows.

    Parameters
    ----------
    d : int
        Width of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> scatter = Scatter(2)
    >>> scatter.add(np.array([[1.0, 2.0]]))
    >>> scatter.add(np.array([[0.0, 1.0]]))
    >>> scatter.matrix.tolist()
    [[1.0, 2.0], [2.0, 5.0]]
    """

    def __init__(self, d: int) -> None:
        self._lower = np.zeros((d, d), order="F")

    def add(self, rows: np.ndarray) -> None:
        """Add the rows of an array of float64, shape (n, d)."""
        if len(rows):
            self._lower = dsyrk(1.0, rows.T, beta=1.0, c=self._lower, lower=1, overwrite_c=1)

    @property
    def matrix(self) -> np.ndarray:
        """Shape (d, d)."""
        whole = self._lower + self._lower.T
        np.fill_diagonal(whole, np.diag(self._lower))
        return whole


def in_double(x: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Rows of a set in float64, some at a time; each block is overwritten by the next, and may be written to."""
    # Memory that is fresh for every block would cost as much as a third of its product.
    space = np.empty((min(_BLOCK, len(x)), x.shape[1]))
    for start in range(0, len(x), _BLOCK):
        part = slice(start, min(start + _BLOCK, len(x)))
        block = space[: part.stop - start]
        block[:] = x[part]
        yield part, block
