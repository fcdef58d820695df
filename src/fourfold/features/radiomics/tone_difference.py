"""Neighbouring grey tone differences (NGTDM): how far each pixel is from the mean of its neighbours.

With n_i the number of pixels of level i, p_i their share, s_i the sum over them of |i - mean of the neighbours|.

References
----------
Amadasun, King, "Textural features corresponding to textural properties", IEEE Trans. SMC 19 (1989).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["TONE_DIFFERENCE", "tone_difference_features", "tone_differences"]

TONE_DIFFERENCE = ("Busyness", "Coarseness", "Complexity", "Contrast", "Strength")
# pyradiomics' value for an image without any difference.
_COARSENESS_OF_A_CONSTANT = 1e6


def tone_differences(levels: Tensor, n_levels: int) -> tuple[Tensor, Tensor]:
    """n_i and s_i of every level.

    Parameters
    ----------
    levels : Tensor, shape (B, *spatial)
        int32, 0 to `n_levels` - 1.
    n_levels : int

    Returns
    -------
    counts : Tensor, shape (B, n_levels)
        n_i, int64.
    differences : Tensor, shape (B, n_levels)
        s_i, float64.
    """
    batch = len(levels)
    total = _with_neighbours(levels) - levels
    around = _with_neighbours(torch.ones_like(levels[:1])) - 1
    # Sums of whole numbers, one for each number of neighbours, are exact in any order; divided only at the end.
    kinds = 3 ** (levels.ndim - 1)
    image = torch.arange(batch, dtype=levels.dtype, device=levels.device).reshape(-1, *(1,) * (levels.ndim - 1))
    keys = ((image * kinds + around) * n_levels + levels).flatten()
    cells = (batch, kinds, n_levels)
    distance = (levels * around - total).abs().flatten().double()
    counts = torch.bincount(keys, minlength=math.prod(cells)).reshape(cells)
    sums = torch.bincount(keys, weights=distance, minlength=math.prod(cells)).reshape(cells)
    divisor = torch.arange(kinds, dtype=torch.float64, device=levels.device).clamp(min=1)
    return counts.sum(dim=1), (sums / divisor[:, None]).sum(dim=1)


def tone_difference_features(counts: Tensor, differences: Tensor) -> Tensor:
    """The five NGTDM features of pyradiomics.

    A constant image has coarseness 1e6 and 0 for the rest.

    Parameters
    ----------
    counts, differences : Tensor, shape (B, L)
        From `tone_differences`.

    Returns
    -------
    Tensor, shape (B, 5)
        float64, columns as in `TONE_DIFFERENCE`.
    """
    n_pixels = counts.sum(dim=1).double()
    n_present = (counts > 0).sum(dim=1).double()
    p = counts.double() / n_pixels[:, None]
    s = differences
    i = torch.arange(1, p.shape[1] + 1, dtype=torch.float64, device=p.device)
    gap = (i[:, None] - i).abs()
    both = ((p > 0)[:, :, None] & (p > 0)[:, None, :]).double()
    s_total = s.sum(dim=1)
    p_s = p * s
    i_p = i * p

    weighted = p_s.sum(dim=1)
    spread = ((i_p[:, :, None] - i_p[:, None, :]).abs() * both).sum(dim=(1, 2))
    shares = (p[:, :, None] + p[:, None, :]) * both
    pairs = (p_s[:, :, None] + p_s[:, None, :]) * both
    squared = 2 * ((p @ i.square()) - (p @ i).square())
    columns = {
        "Busyness": _ratio(weighted, spread, 0.0),
        "Coarseness": _ratio(torch.ones_like(weighted), weighted, _COARSENESS_OF_A_CONSTANT),
        "Complexity": (gap * pairs / torch.where(shares > 0, shares, 1.0)).sum(dim=(1, 2)) / n_pixels,
        "Contrast": _ratio(squared * s_total / n_pixels, n_present * (n_present - 1), 0.0),
        "Strength": _ratio((shares * gap.square()).sum(dim=(1, 2)), s_total, 0.0),
    }
    return torch.stack([columns[name] for name in TONE_DIFFERENCE], dim=1)


def _with_neighbours(values: Tensor) -> Tensor:
    """Sum of each pixel and its neighbours at Chebyshev distance 1, inside the image."""
    for axis in range(1, values.ndim):
        length = values.shape[axis] - 1
        total = values.clone()
        total.narrow(axis, 1, length).add_(values.narrow(axis, 0, length))
        total.narrow(axis, 0, length).add_(values.narrow(axis, 1, length))
        values = total
    return values


def _ratio(numerator: Tensor, denominator: Tensor, otherwise: float) -> Tensor:
    """Quotient, and `otherwise` where the denominator is 0."""
    zero = denominator == 0
    return torch.where(zero, otherwise, numerator / torch.where(zero, 1.0, denominator))
