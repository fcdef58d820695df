"""Grey level run lengths (GLRLM): how many pixels in a row, along each direction, share a level."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from fourfold.features.radiomics.emphasis import emphasis_features
from fourfold.features.radiomics.grey_levels import directions, neighbours

__all__ = ["RUN_LENGTH", "run_length_features", "run_length_matrices", "run_starts"]

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
        int64, 0 to `n_levels` - 1.
    n_levels : int

    Returns
    -------
    Tensor, shape (B, A, n_levels, longest side)
        int64; A directions as `directions` lists them, column j - 1 for runs of length j.
    """
    longest = max(levels.shape[1:])
    matrices = [_along(levels, offset, n_levels, longest) for offset in directions(tuple(levels.shape[1:]))]
    return torch.stack(matrices, dim=1)


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


def run_starts(levels: Tensor, offset: tuple[int, ...]) -> Tensor:
    """Whether each pixel begins a run along `offset`: no pixel before it, or one of another level."""
    starts = torch.ones_like(levels, dtype=torch.bool)
    before, here = neighbours(levels, offset)
    neighbours(starts, offset)[1].copy_(before != here)
    return starts


def _along(levels: Tensor, offset: tuple[int, ...], n_levels: int, longest: int) -> Tensor:
    """Run-length matrices along one direction, shape (B, n_levels, longest)."""
    batch, *shape = levels.shape
    starts = run_starts(levels, offset)
    # In a flattened image a direction is a constant stride: cut into rows of that length and transposed, the pixels
    # of each line follow each other, and wherever a line leaves the image the next pixel is a start.
    stride = 0
    for step, side in zip(offset, shape):
        stride = stride * side + step
    size = levels[0].numel()
    missing = -size % stride
    # Past the end, starts of an extra level close the last runs; its row is dropped.
    lines = functional.pad(levels.flatten(1), (0, missing), value=n_levels)
    starts = functional.pad(starts.flatten(1), (0, missing), value=True)
    lines = lines.reshape(batch, -1, stride).mT.flatten()
    positions = starts.reshape(batch, -1, stride).mT.flatten().nonzero().squeeze(1)
    lengths = torch.diff(positions, append=positions.new_tensor([len(lines)]))
    image = torch.div(positions, size + missing, rounding_mode="floor")
    keys = (image * (n_levels + 1) + lines[positions]) * (longest + 1) + lengths
    counts = torch.bincount(keys, minlength=batch * (n_levels + 1) * (longest + 1))
    return counts.reshape(batch, n_levels + 1, longest + 1)[:, :n_levels, 1:]
