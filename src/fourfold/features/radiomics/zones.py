"""Grey level size zones (GLSZM): how large the connected areas of one level are."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from fourfold.features.radiomics.emphasis import emphasis_features
from fourfold.features.radiomics.grey_levels import directions, neighbours
from fourfold.features.radiomics.runs import run_starts

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
        int64, 0 to `n_levels` - 1.
    n_levels : int

    Returns
    -------
    counts : Tensor, shape (B, n_levels, S)
        int64.
    sizes : Tensor, shape (S,)
        int64; the sizes that occur in the batch, ascending, one a column.
    """
    batch = len(levels)
    runs, zone_of_run = _zones(levels)
    _, first_pixel = np.unique(zone_of_run, return_index=True)
    device = levels.device
    zone_of_run = torch.from_numpy(zone_of_run).long().to(device)
    positions = runs.nonzero().squeeze(1)
    lengths = torch.diff(positions, append=positions.new_tensor([len(runs)]))
    size = torch.zeros(len(first_pixel), dtype=torch.int64, device=device).index_add_(0, zone_of_run, lengths)
    place = positions[torch.from_numpy(first_pixel).to(device)]
    level = levels.flatten()[place]
    image = torch.div(place, levels[0].numel(), rounding_mode="floor")

    occurs = torch.bincount(size) > 0
    sizes = occurs.nonzero().squeeze(1)
    column = (torch.cumsum(occurs, dim=0) - 1)[size]
    keys = (image * n_levels + level) * len(sizes) + column
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


def _zones(levels: Tensor) -> tuple[Tensor, np.ndarray]:
    """Starts of runs along the last axis, flattened, and the zone that each run belongs to.

    Runs are the nodes of a graph, and an edge joins two runs of one level that touch; on smooth images that graph is
    many times smaller than that of the pixels.
    """
    shape = tuple(levels.shape[1:])
    last = (0,) * (len(shape) - 1) + (1,)
    starts = run_starts(levels, last)
    runs = (torch.cumsum(starts.flatten(), dim=0, dtype=torch.int32) - 1).reshape(levels.shape)
    tails, heads = [], []
    for offset in directions(shape):
        if offset == last:
            continue
        here, there = neighbours(levels, offset)
        first, second = neighbours(starts, offset)
        # Of the pairs that join the same two runs, the first one has the start of a run at one end, at least.
        joined = ((here == there) & (first | second)).flatten().nonzero().squeeze(1)
        first, second = neighbours(runs, offset)
        tails.append(first.flatten()[joined].cpu().numpy())
        heads.append(second.flatten()[joined].cpu().numpy())
    n_runs = int(runs.flatten()[-1]) + 1
    if not tails:
        return starts.flatten(), np.arange(n_runs, dtype=np.int32)
    tail, head = np.concatenate(tails), np.concatenate(heads)
    graph = csr_matrix((np.ones(len(tail), dtype=np.int8), (tail, head)), shape=(n_runs, n_runs))
    _, labels = connected_components(graph, directed=False)
    return starts.flatten(), labels
