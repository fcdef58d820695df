"""Prepared images at the size at which privacy compares them.

Copies survive reduction far better than their disguises do: averaging over areas removes noise and small
misalignments, and the cost of comparing every synthetic image with every training image falls with the pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fourfold.images.sets import ImageSet
from fourfold.privacy.warps import area_matrix

__all__ = ["SIDE", "SLABS", "aspect_ratio", "working_images", "working_side"]

SIDE = 64
"""Side of the square working grid, in pixels."""

SLABS = 8
"""Slabs to which the first axis of a volume is reduced; each is compared as a plane of its own."""

_BATCH_BYTES = 1 << 26


def working_side(shape: tuple[int, ...]) -> int:
    """Side of the working grid for prepared images of that shape, (C, H, W) or (C, D, H, W); never enlarged."""
    return max(2, min(SIDE, max(shape[-2:])))


def aspect_ratio(shape: tuple[int, ...]) -> float:
    """Height by width."""
    return shape[-2] / shape[-1]


def working_images(images: ImageSet, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """Every image of a prepared set on the working grid.

    Parameters
    ----------
    images : ImageSet
        Prepared; read in batches.
    progress : callable or None
        Called with images done and images in all.

    Returns
    -------
    array, shape (N, planes, side, side)
        float32 in [0, 1], averaged over areas. Planes are the channels, times up to 8 slabs for volumes.
    """
    shape = images.shape
    side = working_side(shape)
    rows, columns = area_matrix(shape[-2], side), area_matrix(shape[-1], side)
    slabs = None if len(shape) == 3 else area_matrix(shape[1], min(shape[1], SLABS))
    planes = shape[0] * (1 if slabs is None else len(slabs))
    reduced = np.empty((len(images), planes, side, side), dtype=np.float32)
    batch_size = int(np.clip(_BATCH_BYTES // (4 * int(np.prod(shape))), 1, 256))
    for start, batch in images.batches(batch_size):
        small = np.matmul(np.matmul(rows, batch), columns.T)
        if slabs is not None:
            small = np.einsum("sd,ncdhw->ncshw", slabs, small)
        reduced[start : start + len(batch)] = small.reshape(len(batch), planes, side, side)
        if progress is not None:
            progress(start + len(batch), len(images))
    return reduced
