"""Grey levels of images, and the directions along which texture is read."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

__all__ = ["directions", "grey_levels", "neighbours", "probability_entropy"]

# An intensity that float32 arithmetic left this (relative) much below the edge of a bin counts as on the edge: 8-bit
# images have their codes on edges, and one rounding more or less in a reader must not move a whole code.
_EDGE = 5e-7
# And a filter leaves rounding of this order (in bins) where its response is exactly 0.
_ZERO = 1e-9
# pyradiomics adds the spacing of 1.0 inside every logarithm.
_EPSILON = torch.finfo(torch.float64).eps


def grey_levels(intensities: Tensor, bin_width: float) -> Tensor:
    """Intensities in bins of a fixed width.

    Bin edges lie at whole multiples of the width, the same for all images. As in pyradiomics, levels are then counted
    from the lowest bin found in each image, so features that use the level itself (autocorrelation, joint average,
    high and low grey level emphasis) move with the darkest pixel of the image. Unlike pyradiomics, an intensity that
    rounding left just below an edge (by 5e-7 of its value) counts as on the edge; values differ only where it occurs.

    Parameters
    ----------
    intensities : Tensor, shape (B, ...)
    bin_width : float
        In units of the intensities.

    Returns
    -------
    Tensor, shape (B, ...)
        int32; 0 is the lowest bin of each image, which the formulas count as level 1.
    """
    bins = intensities.double() / bin_width
    bins = torch.floor(bins + _EDGE * bins.abs() + _ZERO).int()
    lowest = bins.flatten(1).amin(dim=1)
    return bins - lowest.reshape(-1, *(1,) * (bins.ndim - 1))


def directions(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Offsets to half of the neighbours at Chebyshev distance 1, one of each opposite pair.

    Parameters
    ----------
    shape : tuple of int
        Spatial shape; an axis of length 1 has no neighbours, so offsets along it are left out.

    Returns
    -------
    list of tuple of int
        4 offsets in a plane, 13 in a volume; the first entry that is not 0 is 1.

    Examples
    --------
    >>> directions((8, 8))
    [(0, 1), (1, -1), (1, 0), (1, 1)]
    """
    steps = [(-1, 0, 1) if side > 1 else (0,) for side in shape]
    origin = (0,) * len(shape)
    return [offset for offset in product(*steps) if offset > origin]


def neighbours(images: Tensor, offset: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Views of the pixels that have a neighbour at `offset`, and of those neighbours, in the same order.

    Parameters
    ----------
    images : Tensor, shape (B, *spatial)
    offset : tuple of int
        Entries -1, 0 or 1, one a spatial axis.

    Returns
    -------
    tuple of Tensor
        Both of shape (B, *spatial less the absolute offset).
    """
    start: list[slice] = [slice(None)]
    stop: list[slice] = [slice(None)]
    everything, but_last, but_first = slice(None), slice(None, -1), slice(1, None)
    for step in offset:
        start.append({0: everything, 1: but_last, -1: but_first}[step])
        stop.append({0: everything, 1: but_first, -1: but_last}[step])
    return images[tuple(start)], images[tuple(stop)]


def probability_entropy(probabilities: Tensor, axes: tuple[int, ...] | int) -> Tensor:
    """Entropy in bits over `axes`, with pyradiomics' guard against the logarithm of 0."""
    return -(probabilities * torch.log2(probabilities + _EPSILON)).sum(axes)
