"""Exact nearest neighbours and ball counts by blocked matrix products.

Each block of the matrix of squared distances is screened in float32 at the speed of the matrix product. What the
screening lets through is scored again in float64 from the rows themselves, and a bound on the error of the product
decides whether anything that it left out could have been nearer; where it could, the row is searched again without
the shortcut. So the result is that of a brute-force search in float64, and a verbatim copy is at distance 0.

Cost: 2 N M d floating-point operations (half of it for a set against itself), memory bounded by a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.neighbors.blocks import Blocks, Excluded, checked, pairwise
from fourfold.neighbors.distances import MetricName

__all__ = ["Neighbors", "nearest"]

# Columns of a block are reduced in this many interleaved strips before the selection: the k smallest entries of a
# row lie in the k strips with the smallest minima, so the costly selection sees 1/STRIPS of the entries.
_STRIPS = 32


@dataclass(frozen=True)
class Neighbors:
    """The nearest points of each query, nearest first.

    Parameters
    ----------
    distances : array, shape (n, k)
        float64; infinity where there are fewer than k points.
    indices : array, shape (n, k)
        int64 row numbers of the points; -1 where there are fewer.
    """

    distances: np.ndarray
    indices: np.ndarray


def nearest(
    queries: np.ndarray,
    points: np.ndarray,
    k: int,
    *,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    exclude_self: bool = False,
    memory: int = 1 << 30,
) -> Neighbors:
    """For each query, its `k` nearest points.

    Parameters
    ----------
    queries : array, shape (n, d)
    points : array, shape (m, d)
    k : int
        At least 1.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    query_groups, point_groups : arrays of int, shapes (n,) and (m,), or None
        Pairs with equal numbers are left out (for example images of one patient). Both or neither.
    exclude_self : bool
        Leave out pairs of equal row numbers; for a set searched in itself.
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    Neighbors
        Ties are ordered by row number among the candidates that the search kept.

    Raises
    ------
    InputError
        Where shapes do not agree, values are not finite, or `k` or `metric` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> found = nearest(np.array([[0.0], [10.0]]), np.array([[1.0], [9.5], [4.0]]), k=2)
    >>> found.indices.tolist()
    [[0, 2], [1, 2]]
    >>> found.distances.tolist()
    [[1.0, 4.0], [0.5, 6.0]]
    """
    queries, points = checked(queries, points, metric)
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    same = queries is points or (exclude_self and queries.shape == points.shape and np.shares_memory(queries, points))
    excluded = Excluded(query_groups, point_groups, exclude_self, len(queries), len(points))
    kept = min(len(points), k + max(2, k // 2))
    distances = np.full((len(queries), k), np.inf)
    indices = np.full((len(queries), k), -1, dtype=np.int64)
    if kept == 0:
        return Neighbors(distances, indices)
    rows = np.arange(len(queries))
    for dtype in (torch.float32, torch.float64):
        if not rows.size:
            break
        # A set against itself needs half the products, but only while all its rows are asked for.
        whole = len(rows) == len(queries)
        asked = queries if whole else queries[rows]
        left_out = excluded if whole else excluded.take(rows)
        blocks = Blocks(asked, points, metric, memory, same and whole, dtype)
        best, who = _screen(blocks, left_out, kept)
        found, numbers = _scored(asked, points, who, metric, memory)
        width = min(k, kept)
        distances[rows, :width], indices[rows, :width] = found[:, :width], numbers[:, :width]
        rows = rows[_unsure(blocks, best, distances[rows, k - 1], len(points))]
    for row in rows:
        distances[row], indices[row] = _brute_force(queries, points, int(row), k, metric, excluded, memory)
    return Neighbors(distances, indices)


def _screen(blocks: Blocks, excluded: Excluded, kept: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `kept` smallest entries of each row, and their columns."""
    best = torch.full((blocks.n, kept), torch.inf, dtype=blocks.dtype)
    who = torch.full((blocks.n, kept), -1, dtype=torch.int64)
    for rows, columns, squared in blocks:
        left_out = excluded.pairs(rows, columns)
        if left_out is not None:
            squared[left_out] = torch.inf
        _merge(best, who, rows, *_smallest(squared, kept), columns.start)
        if blocks.same and rows.start != columns.start:
            _merge(best, who, columns, *_smallest_by_column(squared, kept), rows.start)
    # An excluded pair may fill a place that no allowed pair took.
    who[torch.isinf(best)] = -1
    return best, who


def _merge(
    best: torch.Tensor, who: torch.Tensor, rows: slice, values: torch.Tensor, places: torch.Tensor, offset: int
) -> None:
    together = torch.cat([best[rows], values], dim=1)
    numbers = torch.cat([who[rows], places + offset], dim=1)
    best[rows], order = torch.topk(together, best.shape[1], dim=1, largest=False)
    who[rows] = numbers.gather(1, order)


def _smallest(block: torch.Tensor, kept: int) -> tuple[torch.Tensor, torch.Tensor]:
    height, width = block.shape
    strip = width // _STRIPS
    if strip <= 2 * kept:
        return torch.topk(block, min(kept, width), dim=1, largest=False)
    minima = block[:, : strip * _STRIPS].view(height, _STRIPS, strip).amin(dim=1)
    strips = torch.topk(minima, kept, dim=1, largest=False).indices
    columns = (strips[:, :, None] + torch.arange(_STRIPS) * strip).view(height, -1)
    rest = torch.arange(strip * _STRIPS, width).expand(height, -1)
    columns = torch.cat([columns, rest], dim=1)
    values, order = torch.topk(block.gather(1, columns), kept, dim=1, largest=False)
    return values, columns.gather(1, order)


def _smallest_by_column(block: torch.Tensor, kept: int) -> tuple[torch.Tensor, torch.Tensor]:
    height, width = block.shape
    strip = height // _STRIPS
    if strip <= 2 * kept:
        values, places = torch.topk(block, min(kept, height), dim=0, largest=False)
        return values.T, places.T
    minima = block[: strip * _STRIPS].view(_STRIPS, strip, width).amin(dim=0)
    strips = torch.topk(minima.T.contiguous(), kept, dim=1, largest=False).indices
    rows = (strips[:, :, None] + torch.arange(_STRIPS) * strip).view(width, -1)
    rest = torch.arange(strip * _STRIPS, height).expand(width, -1)
    rows = torch.cat([rows, rest], dim=1)
    candidates = block[rows, torch.arange(width)[:, None]]
    values, order = torch.topk(candidates, kept, dim=1, largest=False)
    return values, rows.gather(1, order)


def _scored(
    queries: np.ndarray, points: np.ndarray, who: torch.Tensor, metric: str, memory: int
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates with their distances in float64, nearest first."""
    indices = who.numpy()
    known = indices >= 0
    i, place = np.nonzero(known)
    distances = np.full(indices.shape, np.inf)
    distances[i, place] = pairwise(queries, points, i, indices[i, place], metric, memory)
    order = np.lexsort((np.where(known, indices, len(points)), distances), axis=1)
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(indices, order, axis=1)


def _unsure(blocks: Blocks, best: torch.Tensor, furthest: np.ndarray, m: int) -> np.ndarray:
    """Rows where a point that the screening left out could be nearer than the k-th found."""
    if best.shape[1] >= m:
        return np.empty(0, dtype=np.int64)
    reach = blocks.squared(furthest)
    last = best[:, -1].double().numpy()
    # A k-th neighbour at distance 0 cannot be beaten, whatever the screening left out.
    return np.flatnonzero((reach > 0) & np.isfinite(last) & (last - blocks.row_doubt() < reach))


def _brute_force(
    queries: np.ndarray, points: np.ndarray, row: int, k: int, metric: str, excluded: Excluded, memory: int
) -> tuple[np.ndarray, np.ndarray]:
    """One query against every point in float64."""
    everyone = np.arange(len(points))
    found = pairwise(queries, points, np.full(len(points), row), everyone, metric, memory)
    found[excluded.row(row, len(points))] = np.inf
    order = np.lexsort((everyone, found))[:k]
    distances, indices = found[order], np.where(np.isfinite(found[order]), order, -1)
    missing = k - len(order)
    return np.pad(distances, (0, missing), constant_values=np.inf), np.pad(indices, (0, missing), constant_values=-1)
