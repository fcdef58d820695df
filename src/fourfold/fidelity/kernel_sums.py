"""What a kernel distance needs of its three kernel matrices, summed up while their blocks go by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["AcrossSums", "Kernel", "KernelSums", "WithinSums"]

# Inner products (p, q), which it may overwrite, and the number of features to the kernel's values (p, q).
Kernel = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class KernelSums:
    """Sums of a kernel matrix over pairs of groups.

    `row_sums[p]` is the sum over all images of group p; `centred` the sum of squares of the double-centred sums.
    """

    mean: float
    row_sums: np.ndarray
    column_sums: np.ndarray
    centred: float

    def turned(self) -> KernelSums:
        """The same of the transpose."""
        return KernelSums(self.mean, self.column_sums, self.row_sums, self.centred)


class WithinSums:
    """Sums of the kernel matrix of a set with itself, of pairs of different groups.

    Parameters
    ----------
    sizes : array of float64, shape (n,)
        Images of each group.
    """

    def __init__(self, sizes: np.ndarray) -> None:
        self._sizes, self._alone = sizes, bool((sizes == 1).all())
        self._row_sums, self._weighted, self._squares = np.zeros(len(sizes)), np.zeros(len(sizes)), 0.0

    def add(self, rows: slice, columns: slice, block: np.ndarray, *, twice: bool) -> None:
        """Add the sums between some groups and others, which it may overwrite.

        `twice` tells that those of the transpose are not given on their own. A group with itself is left out.
        """
        same = np.arange(max(rows.start, columns.start), min(rows.stop, columns.stop))
        block[same - rows.start, same - columns.start] = 0.0
        self._row_sums[rows] += block.sum(axis=1, dtype=np.float64)
        if twice:
            self._row_sums[columns] += block.sum(axis=0, dtype=np.float64)
        if not self._alone:
            self._weighted[rows] += _product(block, self._sizes[columns])
            if twice:
                self._weighted[columns] += _product(block.T, self._sizes[rows])
        self._squares += (2.0 if twice else 1.0) * _squares(block)

    def sums(self) -> KernelSums:
        """Once every pair was added."""
        sizes, row_sums = self._sizes, self._row_sums
        weighted = row_sums if self._alone else self._weighted
        mean = row_sums.sum() / (sizes.sum() ** 2 - (sizes**2).sum())
        # Per image of each group: its mean kernel with the images of other groups.
        means = row_sums / (sizes * (sizes.sum() - sizes))
        profile = sizes * means
        fitted = _fitted_squares(profile, sizes, profile, sizes, mean)
        diagonal = 2.0 * sizes * profile - sizes**2 * mean
        product = 2.0 * (profile @ weighted) - mean * (sizes @ weighted)
        centred = max(self._squares - 2.0 * product + fitted - (diagonal**2).sum(), 0.0)
        return KernelSums(mean, row_sums, row_sums, centred)


class AcrossSums:
    """Sums of the kernel matrix of two sets.

    Parameters
    ----------
    row_sizes, column_sizes : arrays of float64, shapes (n,) and (m,)
        Images of each group.
    """

    def __init__(self, row_sizes: np.ndarray, column_sizes: np.ndarray) -> None:
        self._sizes = row_sizes, column_sizes
        self._sums = np.zeros(len(row_sizes)), np.zeros(len(column_sizes))
        self._weighted = np.zeros(len(row_sizes)), np.zeros(len(column_sizes))
        self._alone, self._squares = all((sizes == 1).all() for sizes in self._sizes), 0.0

    def add(self, rows: slice, columns: slice, block: np.ndarray) -> None:
        """Add the sums between some groups of the one and of the other set."""
        self._sums[0][rows] += block.sum(axis=1, dtype=np.float64)
        self._sums[1][columns] += block.sum(axis=0, dtype=np.float64)
        if not self._alone:
            self._weighted[0][rows] += _product(block, self._sizes[1][columns])
            self._weighted[1][columns] += _product(block.T, self._sizes[0][rows])
        self._squares += _squares(block)

    def sums(self) -> KernelSums:
        """Once every pair was added."""
        (row_sizes, column_sizes), (row_sums, column_sums) = self._sizes, self._sums
        row_weighted, column_weighted = self._sums if self._alone else self._weighted
        mean = row_sums.sum() / (row_sizes.sum() * column_sizes.sum())
        row_profile, column_profile = row_sums / column_sizes.sum(), column_sums / row_sizes.sum()
        fitted = _fitted_squares(row_profile, row_sizes, column_profile, column_sizes, mean)
        product = row_profile @ row_weighted + column_profile @ column_weighted - mean * (row_sizes @ row_weighted)
        return KernelSums(mean, row_sums, column_sums, max(self._squares - 2.0 * product + fitted, 0.0))


def _fitted_squares(
    row_profile: np.ndarray, row_sizes: np.ndarray, column_profile: np.ndarray, column_sizes: np.ndarray, mean: float
) -> float:
    """Sum over all pairs (p, q) of (r_p n_q + n_p c_q - n_p n_q mean)^2."""
    r2, c2 = row_profile @ row_profile, column_profile @ column_profile
    n2, m2 = row_sizes @ row_sizes, column_sizes @ column_sizes
    rn, cm = row_profile @ row_sizes, column_profile @ column_sizes
    return r2 * m2 + n2 * c2 + mean**2 * n2 * m2 + 2.0 * rn * cm - 2.0 * mean * rn * m2 - 2.0 * mean * n2 * cm


def _product(block: np.ndarray, weights: np.ndarray) -> np.ndarray:
    # In the block's own precision: a float64 copy of every block would cost more than its kernel.
    return (block @ weights.astype(block.dtype)).astype(np.float64)


def _squares(block: np.ndarray) -> float:
    # Row by row, so that float32 blocks are summed in float64 without a float64 copy.
    return float(np.einsum("ij,ij->i", block, block).sum(dtype=np.float64))
