"""Grey level size zones (GLSZM): how large the connected areas of one level are."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.nn import functional

from fourfold.features.radiomics.emphasis import emphasis_features

__all__ = ["SIZE_ZONE", "size_zone_features", "size_zone_matrices"]

SIZE_ZONE = (
    "SmallAreaEmphasis",
    "LargeAreaEmphasis",
    "GrayLevelNonUniformity",
    "GrayLevelNonUniformityNormalized",
    "SizeZoneNonUniformity",
    "SizeZoneNonUniformityNormalized",
    "ZonePercentage",
    "GrayLevelVariance",
    "ZoneVariance",
    "ZoneEntropy",
    "LowGrayLevelZoneEmphasis",
    "HighGrayLevelZoneEmphasis",
    "SmallAreaLowGrayLevelEmphasis",
    "SmallAreaHighGrayLevelEmphasis",
    "LargeAreaLowGrayLevelEmphasis",
    "LargeAreaHighGrayLevelEmphasis",
)


def size_zone_matrices(levels: Tensor, n_levels: int) -> tuple[Tensor, Tensor]:
    """Counts of zones by level and size.

    A zone is a set of pixels of one level connected through sides or corners: 8 neighbours in a plane, 26 in a volume.

    Parameters
    ----------
    levels : Tensor, shape (B, *spatial)
        int32, 0 to `n_levels` - 1.
    n_levels : int

    Returns
    -------
    counts : Tensor, shape (B, n_levels, S)
        int64.
    sizes : Tensor, shape (S,)
        int64; the sizes that occur in the batch, ascending, one a column.
    """
    batch = len(levels)
    row, length, zone, n_zones = _zones(levels, n_levels)
    size = length.new_zeros(n_zones).index_add_(0, zone, length)
    # All runs of a zone belong to one level of one image, so whichever is written last is right.
    row_of_zone = row.new_zeros(n_zones).index_put_((zone,), row)

    occurs = torch.bincount(size) > 0
    sizes = occurs.nonzero().squeeze(1)
    column = (torch.cumsum(occurs, dim=0) - 1)[size]
    keys = row_of_zone * len(sizes) + column
    counts = torch.bincount(keys, minlength=batch * n_levels * len(sizes))
    return counts.reshape(batch, n_levels, len(sizes)), sizes


def size_zone_features(counts: Tensor, sizes: Tensor) -> Tensor:
    """The sixteen GLSZM features of pyradiomics.

    Parameters
    ----------
    counts : Tensor, shape (B, L, S)
    sizes : Tensor, shape (S,)
        Both from `size_zone_matrices`.

    Returns
    -------
    Tensor, shape (B, 16)
        float64, columns as in `SIZE_ZONE`.
    """
    return emphasis_features(counts, sizes)


def _zones(levels: Tensor, n_levels: int) -> tuple[Tensor, Tensor, Tensor, int]:
    """Runs along the last axis and the zones they form.

    Runs are the nodes of a graph, and an edge joins two runs of one level that touch; on smooth images that graph is
    many times smaller than that of the pixels.

    Returns
    -------
    row, length, zone : Tensor, shape (number of runs,)
        Image times `n_levels` plus level; pixels; zone.
    n_zones : int
    """
    spatial = levels.ndim - 1
    # A border of no level keeps rows apart and spares every look at a neighbour the question whether it exists.
    padded = functional.pad(levels.to(torch.int16), (1, 1) * spatial, value=-1).contiguous()
    flat = padded.flatten()
    change = flat[1:] != flat[:-1]
    begins = functional.pad(change & (flat[1:] >= 0), (1, 0))
    ends = functional.pad(change & (flat[:-1] >= 0), (0, 1))
    run = torch.cumsum(begins, dim=0, dtype=torch.int32) - 1
    tails, heads = [], []
    for offset in product((-1, 0, 1), repeat=spatial - 1):
        if offset <= (0,) * (spatial - 1):
            continue
        row_step = sum(one * stride for one, stride in zip(offset, padded.stride()[1:]))
        # Two runs in neighbouring rows touch where one of them begins, or corner to corner.
        for step in (row_step - 1, row_step, row_step + 1):
            first, second = slice(None, -step), slice(step, None)
            if step == row_step:
                meeting = begins[first] | begins[second]
            else:
                meeting = ends[first] & begins[second] if step > row_step else begins[first] & ends[second]
            pixel = (meeting & (flat[first] == flat[second])).nonzero().squeeze(1)
            tails.append(run[pixel])
            heads.append(run[pixel + step])
    start, end = begins.nonzero().squeeze(1), ends.nonzero().squeeze(1)
    n_zones, zone = _components(len(start), tails, heads)
    image = torch.div(start, padded[0].numel(), rounding_mode="floor")
    return image * n_levels + flat[start], end - start + 1, zone.to(levels.device), n_zones


def _components(n_nodes: int, tails: list[Tensor], heads: list[Tensor]) -> tuple[int, Tensor]:
    """Number of connected components of a graph, and that of each node."""
    if not tails:
        return n_nodes, torch.arange(n_nodes)
    tail, head = (torch.cat(ends).cpu().numpy() for ends in (tails, heads))
    graph = csr_matrix((np.ones(len(tail)), (tail, head)), shape=(n_nodes, n_nodes))
    n_components, component = connected_components(graph, directed=False)
    return int(n_components), torch.from_numpy(component).long()
