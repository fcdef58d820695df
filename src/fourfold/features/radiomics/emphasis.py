"""The sixteen formulas that run lengths and zone sizes share.

With P(i, j) the number of runs (or zones) of level i and length (or size) j, N their number, N_p the number of pixels.

References
----------
Galloway, "Texture analysis using gray level run lengths", Computer Graphics and Image Processing 4 (1975).
Thibault et al., "Texture indexes and gray level size zone matrix", Pattern Recognition and Inf. Process. (2009).
"""

from __future__ import annotations

import torch
from torch import Tensor

from fourfold.features.radiomics.grey_levels import probability_entropy

__all__ = ["emphasis_features"]


def emphasis_features(counts: Tensor, sizes: Tensor) -> Tensor:
    """Emphasis, non-uniformity, variance and entropy of a matrix of levels against sizes.

    Parameters
    ----------
    counts : Tensor, shape (..., L, S)
        P(i, j), with i from 1 to L.
    sizes : Tensor, shape (S,)
        j of each column.

    Returns
    -------
    Tensor, shape (..., 16)
        float64: small emphasis, large emphasis; grey level non-uniformity, the same normalised; size non-uniformity,
        the same normalised; N / N_p; grey level variance; size variance; entropy; low and high grey level emphasis;
        small-low, small-high, large-low and large-high emphasis.
    """
    matrix = counts.double()
    j = sizes.double()
    i = torch.arange(1, matrix.shape[-2] + 1, dtype=torch.float64, device=matrix.device)
    by_level = matrix.sum(dim=-1)
    by_size = matrix.sum(dim=-2)
    n = by_level.sum(dim=-1)
    by_level, by_size = by_level / n[..., None], by_size / n[..., None]
    probabilities = matrix / n[..., None, None]

    low, high = i**-2, i**2
    small, large = j**-2, j**2
    mean_level, mean_size = by_level @ i, by_size @ j
    level_uniformity = by_level.square().sum(dim=-1)
    size_uniformity = by_size.square().sum(dim=-1)
    by_small, by_large = probabilities @ small, probabilities @ large
    return torch.stack(
        [
            by_size @ small,
            by_size @ large,
            level_uniformity * n,
            level_uniformity,
            size_uniformity * n,
            size_uniformity,
            1 / mean_size,
            (by_level * (i - mean_level[..., None]).square()).sum(dim=-1),
            (by_size * (j - mean_size[..., None]).square()).sum(dim=-1),
            probability_entropy(probabilities, (-2, -1)),
            by_level @ low,
            by_level @ high,
            by_small @ low,
            by_small @ high,
            by_large @ low,
            by_large @ high,
        ],
        dim=-1,
    )
