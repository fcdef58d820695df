"""Kernel distance: the unbiased squared maximum mean discrepancy with a cubic polynomial kernel, on the full samples.

With k(a, b) = (a.b / d + 1)^3 and means over pairs of different images,

    KD = mean k(x, x') + mean k(y, y') - 2 mean k(x, y)

(Gretton et al. 2012, eq. 3; Binkowski et al. 2018 for the kernel). Its expectation is 0 where both sets come from one
distribution, whatever their sizes, so it needs no real-real baseline; a value below 0 is sampling noise.

The variance is that of a two-sample U-statistic, with both terms of its Hoeffding decomposition: the linear one, which
vanishes where the distributions agree, and the quadratic one, which then is all there is. With double-centred kernels
k~ it is

    4 Var(a_x) / n_x + 4 Var(a_y) / n_y + Q,    Q = 2 E k~_xx^2 / n_x^2 + 2 E k~_yy^2 / n_y^2 + 4 E k~_xy^2 / (n_x n_y)

where a_x(x) = E k(x, x') - E k(x, y). Row means of the kernel matrices estimate a_x with a noise that adds twice Q, so
Q is taken off once. Images of one group (a patient) are summed before they are squared, and pairs within a group are
left out of the means: the distance stays unbiased and its variance counts groups, not images.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.fidelity.kernel_sums import AcrossSums, Kernel, KernelSums, WithinSums

__all__ = [
    "Kernel",
    "KernelDistance",
    "cubic",
    "distance_from_sums",
    "kernel_distance",
    "kernel_distance_with_variance",
]

# Images to a block of the kernel matrix: 2048 x 2048 float32 entries are 16 MiB.
_BLOCK = 2048


@dataclass(frozen=True)
class KernelDistance:
    """A kernel distance and how far it may be off.

    Parameters
    ----------
    value : float
        Unbiased; may be negative.
    variance : float
        Of `value`, over fresh samples of both sets.
    null_variance : float
        Variance that the distance would have if the second set came from the first set's distribution.
    linear, quadratic : float
        Terms of `variance`; the linear one still holds twice the quadratic one as noise.
    """

    value: float
    variance: float
    null_variance: float
    linear: float
    quadratic: float


def cubic(products: np.ndarray, width: int) -> np.ndarray:
    """The kernel (a.b / d + 1)^3 (Binkowski et al. 2018)."""
    products *= 1.0 / width
    products += 1.0
    values = np.square(products)
    values *= products
    return values


def kernel_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Kernel distance (KID) of two sets of features, on all pairs rather than on subsets.

    Parameters
    ----------
    x : array, shape (N, d)
        Features of real images, N >= 2, finite.
    y : array, shape (M, d)
        Features of synthetic images, M >= 2, finite.

    Returns
    -------
    float
        0 in expectation where both come from one distribution, and then as often negative as positive; larger is worse.

    Raises
    ------
    InputError
        Where the shapes do not agree, a set has fewer than two rows, or a value is not finite.

    References
    ----------
    Binkowski et al. 2018, "Demystifying MMD GANs".

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [2.0]])
    >>> kernel_distance(x, x + 1.0)
    -121.0
    """
    return kernel_distance_with_variance(x, y).value


def kernel_distance_with_variance(
    x: np.ndarray,
    y: np.ndarray,
    *,
    x_groups: np.ndarray | None = None,
    y_groups: np.ndarray | None = None,
    kernel: Kernel = cubic,
) -> KernelDistance:
    """Kernel distance with its analytic variance.

    Parameters
    ----------
    x, y : array, shapes (N, d) and (M, d)
        As for `kernel_distance`. Products are taken in the precision of the input, sums in float64.
    x_groups, y_groups : array of int, shapes (N,) and (M,), or None
        Equal numbers mark images that belong together (one patient). At least two groups in each set.
    kernel : callable
        Of the inner products of two blocks of rows, and the number of features.

    Returns
    -------
    KernelDistance

    Raises
    ------
    InputError
        As for `kernel_distance`, or where a set holds a single group.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> found = kernel_distance_with_variance(rng.normal(size=(200, 4)), rng.normal(size=(300, 4)))
    >>> abs(found.value) < 3 * found.variance**0.5
    True
    """
    left, right = _Grouped.of(x, x_groups), _Grouped.of(y, y_groups)
    if left.rows.shape[1] != right.rows.shape[1]:
        raise InputError(
            f"the sets have {left.rows.shape[1]} and {right.rows.shape[1]} features; "
            "compute both with one feature extractor"
        )
    xx, yy, xy = _within(left, kernel), _within(right, kernel), _across(left, right, kernel)
    return distance_from_sums(left.sizes, right.sizes, xx, yy, xy)


def distance_from_sums(
    x_sizes: np.ndarray, y_sizes: np.ndarray, xx: KernelSums, yy: KernelSums, xy: KernelSums
) -> KernelDistance:
    """Kernel distance from the sums of its three kernel matrices.

    Parameters
    ----------
    x_sizes, y_sizes : arrays of float64
        Images of each group.
    xx, yy, xy : KernelSums
        Within either set and between them.

    Returns
    -------
    KernelDistance
    """
    n, m = x_sizes.sum(), y_sizes.sum()
    value = xx.mean + yy.mean - 2.0 * xy.mean
    linear = _linear(x_sizes, xx, xy.row_sums, xy.mean, m) + _linear(y_sizes, yy, xy.column_sums, xy.mean, n)
    quadratic = 2.0 * xx.centred / n**4 + 2.0 * yy.centred / m**4 + 4.0 * xy.centred / (n * m) ** 2
    null_variance = 2.0 * xx.centred / n**2 * (1.0 / n + 1.0 / m) ** 2
    return KernelDistance(*map(float, (value, max(linear - quadratic, quadratic), null_variance, linear, quadratic)))


@dataclass(frozen=True)
class _Grouped:
    """Rows in the order of their groups."""

    rows: torch.Tensor
    starts: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, groups: np.ndarray | None) -> _Grouped:
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] == 0:
            raise InputError(f"features must have the shape (N, d), got {x.shape}")
        if not np.isfinite(x).all():
            raise InputError("features must be finite; remove the images whose features are NaN or infinite")
        if groups is None:
            starts = np.arange(len(x))
        else:
            order = np.argsort(groups, kind="stable")
            x = x[order]
            starts = np.unique(np.asarray(groups)[order], return_index=True)[1]
        if len(starts) < 2:
            what = "images" if groups is None else "groups"
            raise InputError(f"a kernel distance needs at least 2 {what} in each set, got {len(starts)}")
        sizes = np.diff(np.append(starts, len(x)))
        x = x if x.dtype in (np.float32, np.float64) else x.astype(np.float64)
        return cls(torch.from_numpy(np.ascontiguousarray(x)), starts, sizes.astype(np.float64))

    def blocks(self) -> list[slice]:
        """Ranges of groups with about `_BLOCK` rows each."""
        edges = np.unique(np.searchsorted(self.starts, np.arange(0, len(self.rows), _BLOCK)))
        edges = np.append(edges[edges < len(self.starts)], len(self.starts))
        return [slice(int(low), int(high)) for low, high in pairwise(edges)]

    def part(self, groups: slice) -> tuple[torch.Tensor, np.ndarray | None]:
        """Rows of a range of groups, and where each starts (None where each has one row)."""
        low = self.starts[groups.start]
        high = len(self.rows) if groups.stop == len(self.starts) else self.starts[groups.stop]
        starts = self.starts[groups] - low
        return self.rows[low:high], None if high - low == len(starts) else starts


def _sums(left: _Grouped, right: _Grouped, rows: slice, columns: slice, kernel: Kernel) -> np.ndarray:
    """Kernel sums of each pair of groups of a block, float64."""
    (a, a_starts), (b, b_starts) = left.part(rows), right.part(columns)
    wide = torch.float64 if torch.float64 in (a.dtype, b.dtype) else torch.float32
    # NumPy's product is the faster one on some processors, and it halves the work where both sides are one array.
    block = kernel(a.to(wide).numpy() @ b.to(wide).numpy().T, a.shape[1])
    if a_starts is not None:
        block = np.add.reduceat(block, a_starts, axis=0, dtype=np.float64)
    if b_starts is not None:
        block = np.add.reduceat(block, b_starts, axis=1, dtype=np.float64)
    return block


def _within(grouped: _Grouped, kernel: Kernel) -> KernelSums:
    sums, ranges = WithinSums(grouped.sizes), grouped.blocks()
    for place, rows in enumerate(ranges):
        for columns in ranges[place:]:
            sums.add(rows, columns, _sums(grouped, grouped, rows, columns, kernel), twice=rows != columns)
    return sums.sums()


def _across(left: _Grouped, right: _Grouped, kernel: Kernel) -> KernelSums:
    sums = AcrossSums(left.sizes, right.sizes)
    for rows in left.blocks():
        for columns in right.blocks():
            sums.add(rows, columns, _sums(left, right, rows, columns, kernel))
    return sums.sums()


def _linear(sizes: np.ndarray, within: KernelSums, across: np.ndarray, across_mean: float, others: float) -> float:
    """4 Var(a) / n with groups as units; holds twice the quadratic terms' share as noise."""
    n = sizes.sum()
    own = within.row_sums / (n - sizes) - sizes * within.mean
    other = across / others - sizes * across_mean
    deviations = own - other
    return float(4.0 * (deviations @ deviations) / n**2 * len(sizes) / (len(sizes) - 1))
