"""Grey level run lengths (GLRLM): how many pixels in a row, along each direction, share a level."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from fourfold.features.radiomics.emphasis import emphasis_features
from fourfold.features.radiomics.grey_levels import directions, neighbours

__all__ = ["RUN_LENGTH", "run_length_features", "run_length_matrices"]

RUN_LENGTH = (
    "ShortRunEmphasis",
    "LongRunEmphasis",
    "GrayLevelNonUniformity",
    "GrayLevelNonUniformityNormalized",
    "RunLengthNonUniformity",
    "RunLengthNonUniformityNormalized",
    "RunPercentage",
    "GrayLevelVariance",
    "RunVariance",
    "RunEntropy",
    "LowGrayLevelRunEmphasis",
    "HighGrayLevelRunEmphasis",
    "ShortRunLowGrayLevelEmphasis",
    "ShortRunHighGrayLevelEmphasis",
    "LongRunLowGrayLevelEmphasis",
    "LongRunHighGrayLevelEmphasis",
)


def run_length_matrices(levels: Tensor, n_levels: int) -> Tensor:
    """Counts of runs by level and length.

    Parameters
    ----------
    levels : Tensor, shape (B, *spatial)
        int32, 0 to `n_levels` - 1.
    n_levels : int

    Returns
    -------
    Tensor, shape (B, A, n_levels, longest side)
        int64; A directions as `directions` lists them, column j - 1 for runs of length j.
    """
    batch, *shape = levels.shape
    columns = max(shape) + 1
    image = torch.arange(batch, dtype=torch.int32, device=levels.device).reshape(-1, *(1,) * len(shape))
    rows = (image * n_levels + levels) * columns
    n_cells = batch * n_levels * columns
    counts = [_at_least(rows, offset, n_cells, columns) for offset in directions(tuple(shape))]
    at_least = functional.pad(torch.stack(counts).reshape(-1, batch, n_levels, columns), (0, 1))
    return (at_least[..., 1:-1] - at_least[..., 2:]).transpose(0, 1)


def run_length_features(matrices: Tensor) -> Tensor:
    """The sixteen GLRLM features of pyradiomics, averaged over directions.

    Parameters
    ----------
    matrices : Tensor, shape (B, A, L, R)
        From `run_length_matrices`.

    Returns
    -------
    Tensor, shape (B, 16)
        float64, columns as in `RUN_LENGTH`.
    """
    lengths = torch.arange(1, matrices.shape[-1] + 1, device=matrices.device)
    return emphasis_features(matrices, lengths).mean(dim=1)


def _at_least(rows: Tensor, offset: tuple[int, ...], n_cells: int, columns: int) -> Tensor:
    """Number of runs of at least each length along one direction, shape (n_cells,).

    Each pixel is counted in the cell ``rows + (its place in its run)``: a run of length j has a first, a second, ...,
    a j-th pixel, so that cell k of a level counts the runs that are at least k long.
    """
    starts = torch.ones_like(rows, dtype=torch.bool)
    before, here = neighbours(rows, offset)
    neighbours(starts, offset)[1].copy_(before != here)
    starts = starts.flatten(1)
    # In a flattened image a direction is a constant stride: cut into rows of that length and transposed, the pixels
    # of each line follow each other, and wherever a line leaves the image the next pixel is a start.
    stride = 0
    for step, side in zip(offset, rows.shape[1:]):
        stride = stride * side + step
    missing = -starts.shape[1] % stride
    lines = functional.pad(rows.flatten(1), (0, missing), value=n_cells).unflatten(1, (-1, stride)).mT.flatten()
    starts = functional.pad(starts, (0, missing), value=True).unflatten(1, (-1, stride)).mT.flatten()
    place = torch.arange(len(lines), dtype=torch.int32, device=rows.device)
    start = torch.cummax(place * starts, dim=0).values
    return torch.bincount(lines + (place - start + 1), minlength=n_cells + columns)[:n_cells]
