"""Exact nearest neighbours and ball counts by blocked matrix products.

Each block of the matrix of squared distances is screened in float32 at the speed of the matrix product. What the
screening lets through is scored again in float64 from the rows themselves, and a bound on the error of the product
decides whether anything that it left out could have been nearer; where it could, the row is searched again without
the shortcut. So the result is that of a brute-force search in float64, and a verbatim copy is at distance 0.

Cost: 2 N M d floating-point operations (half of it for a set against itself), memory bounded by a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.neighbors.distances import METRICS, MetricName, mapped, pair_distances

__all__ = ["BallCounts", "Neighbors", "ball_counts", "count_within", "nearest"]

# Columns of a block are reduced in this many interleaved strips before the selection: the k smallest entries of a
# row lie in the k strips with the smallest minima, so the costly selection sees 1/STRIPS of the entries.
_STRIPS = 32
# Probabilistic bound on the rounding error of an inner product, lambda sqrt(d) u |a| |b| (Higham & Mary, 2019),
# with lambda = 8: it fails with probability below 1e-13 a pair.
_LAMBDA = 8.0
_UNIT = 2.0**-24


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


@dataclass(frozen=True)
class BallCounts:
    """How queries fall into the balls around points.

    Parameters
    ----------
    containing : array, shape (n,)
        For each query, the number of balls that contain it.
    inside : array, shape (m,)
        For each point, the number of queries inside its ball.
    """

    containing: np.ndarray
    inside: np.ndarray


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
    queries, points = _checked(queries, points, metric)
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    same = queries is points or (
        exclude_self and queries.shape == points.shape and np.shares_memory(queries, points)
    )
    excluded = _Excluded(query_groups, point_groups, exclude_self, len(queries), len(points))
    kept = min(len(points), k + max(2, k // 2))
    if len(queries) == 0 or kept == 0:
        return _empty(len(queries), k)
    blocks = _Blocks(queries, points, metric, memory, same)
    best, who = _screen(blocks, excluded, kept)
    distances, indices = _scored(queries, points, who, metric, memory)
    unsure = _unsure(blocks, best, distances, k, len(points))
    if unsure.size:
        exact_distances, exact_indices = _searched_again(queries, points, unsure, k, metric, excluded, memory)
    missing = k - indices.shape[1]
    if missing > 0:
        distances = np.pad(distances, ((0, 0), (0, missing)), constant_values=np.inf)
        indices = np.pad(indices, ((0, 0), (0, missing)), constant_values=-1)
    distances, indices = distances[:, :k].copy(), indices[:, :k].copy()
    if unsure.size:
        distances[unsure], indices[unsure] = exact_distances, exact_indices
    return Neighbors(distances, indices)


def ball_counts(
    queries: np.ndarray,
    points: np.ndarray,
    radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> BallCounts:
    """Count the queries strictly inside the balls around points.

    Parameters
    ----------
    queries : array, shape (n, d)
    points : array, shape (m, d)
    radii : array, shape (m,)
        Radius of the ball around each point, in the unit of `metric`. A query is inside where its distance is
        strictly smaller.
    metric, query_groups, point_groups, memory
        As for `nearest`.

    Returns
    -------
    BallCounts

    Raises
    ------
    InputError
        As for `nearest`.
    """
    queries, points = _checked(queries, points, metric)
    radii = np.asarray(radii, dtype=np.float64)
    if radii.shape != (len(points),):
        raise InputError(f"radii must have shape ({len(points)},), got {radii.shape}")
    excluded = _Excluded(query_groups, point_groups, False, len(queries), len(points))
    containing = np.zeros(len(queries), dtype=np.int64)
    inside = np.zeros(len(points), dtype=np.int64)
    if len(queries) == 0 or len(points) == 0:
        return BallCounts(containing, inside)
    blocks = _Blocks(queries, points, metric, memory, same=False)
    limits = torch.from_numpy(np.nan_to_num(blocks.squared(radii), posinf=np.finfo(np.float32).max))
    for rows, columns, squared in blocks:
        block_limits = limits[columns]
        doubt = float(blocks.doubt(rows, columns))
        left_out = excluded.pairs(rows, columns)
        if left_out is not None:
            squared[left_out] = torch.inf
        sure = squared < (block_limits - doubt).float()
        unsure = (squared <= (block_limits + doubt).float()) & ~sure
        containing[rows] += sure.sum(1).numpy()
        inside[columns] += sure.sum(0).numpy()
        i, j = (part.numpy() for part in torch.nonzero(unsure, as_tuple=True))
        i, j = i + rows.start, j + columns.start
        hit = _pairwise(queries, points, i, j, metric, memory) < radii[j]
        np.add.at(containing, i[hit], 1)
        np.add.at(inside, j[hit], 1)
    return BallCounts(containing, inside)


def count_within(
    queries: np.ndarray,
    points: np.ndarray,
    radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> np.ndarray:
    """For each query, the number of points whose ball contains it; see `ball_counts`."""
    return ball_counts(
        queries,
        points,
        radii,
        metric=metric,
        query_groups=query_groups,
        point_groups=point_groups,
        memory=memory,
    ).containing


def _checked(queries: np.ndarray, points: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    if metric not in METRICS:
        raise InputError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    same = queries is points
    queries = np.asarray(queries)
    points = queries if same else np.asarray(points)
    for name, array in (("queries", queries), ("points", points)):
        if array.ndim != 2:
            raise InputError(f"{name} must have shape (n, d), got {array.shape}")
        if array.dtype.kind == "f" and not all(np.isfinite(part).all() for part in _parts(array)):
            raise InputError(f"{name} hold NaN or infinite values")
    if queries.shape[1] != points.shape[1]:
        raise InputError(f"queries have {queries.shape[1]} columns and points have {points.shape[1]}")
    return queries, points


def _parts(array: np.ndarray, rows: int = 8192) -> Iterator[np.ndarray]:
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def _empty(n: int, k: int) -> Neighbors:
    return Neighbors(np.full((n, k), np.inf), np.full((n, k), -1, dtype=np.int64))


class _Excluded:
    """The pairs that a search leaves out, block by block."""

    def __init__(
        self,
        query_groups: np.ndarray | None,
        point_groups: np.ndarray | None,
        exclude_self: bool,
        n: int,
        m: int,
    ) -> None:
        if (query_groups is None) != (point_groups is None):
            raise InputError("give groups for queries and points, or for neither")
        self.exclude_self = exclude_self
        self.queries = self.points = None
        if query_groups is not None and point_groups is not None:
            self.queries, self.points = np.asarray(query_groups), np.asarray(point_groups)
            for name, groups, size in (("query_groups", self.queries, n), ("point_groups", self.points, m)):
                if groups.shape != (size,):
                    raise InputError(f"{name} must have shape ({size},), got {groups.shape}")

    def pairs(self, rows: slice, columns: slice) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Row and column numbers within the block."""
        i_parts, j_parts = [], []
        if self.exclude_self:
            both = np.arange(max(rows.start, columns.start), min(rows.stop, columns.stop))
            i_parts.append(both - rows.start)
            j_parts.append(both - columns.start)
        if self.queries is not None and self.points is not None:
            order = np.argsort(self.points[columns], kind="stable")
            in_order = self.points[columns][order]
            first = np.searchsorted(in_order, self.queries[rows], side="left")
            count = np.searchsorted(in_order, self.queries[rows], side="right") - first
            i = np.repeat(np.arange(len(count)), count)
            within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
            i_parts.append(i)
            j_parts.append(order[np.repeat(first, count) + within])
        if not i_parts:
            return None
        return torch.from_numpy(np.concatenate(i_parts)), torch.from_numpy(np.concatenate(j_parts))

    def row(self, query: int, m: int) -> np.ndarray:
        """Which of the points are left out for one query."""
        left_out = np.zeros(m, dtype=bool)
        if self.exclude_self:
            left_out[query] = True
        if self.queries is not None and self.points is not None:
            left_out |= self.points == self.queries[query]
        return left_out


class _Blocks:
    """Squared distances in float32, a block at a time.

    For Euclidean, cosine and correlation the block is |a|^2 + |b|^2 - 2ab of the mapped and centred rows; for Hamming
    it is the number of differing positions. `doubt` bounds the error of a block's entries.
    """

    def __init__(self, queries: np.ndarray, points: np.ndarray, metric: str, memory: int, same: bool) -> None:
        self.metric, self.same = metric, same
        self.width = queries.shape[1]
        self.n, self.m = len(queries), len(points)
        self._queries, self._points = queries, points
        self.step = self._block_rows(memory)
        self._centre = np.zeros(self.width)
        if metric != "hamming":
            for part in _parts(points):
                self._centre += mapped(part, metric).sum(axis=0) / max(self.m, 1)
        fits = 4 * self.width * (self.m + (0 if same else self.n)) <= memory // 2
        self._ready_points = self._rows(points, slice(0, self.m)) if fits else None
        self._ready_queries = None
        if fits:
            self._ready_queries = self._ready_points if same else self._rows(queries, slice(0, self.n))
        self.point_sizes = self._sizes(points, self._ready_points, self.m)
        self.query_sizes = self.point_sizes if same else self._sizes(queries, self._ready_queries, self.n)

    def _block_rows(self, memory: int) -> int:
        step = 4096
        while step > 64 and 4 * step * (4 * step + 4 * self.width) > memory // 2:
            step //= 2
        return step

    def _rows(self, rows: np.ndarray, part: slice) -> torch.Tensor:
        if self.metric == "hamming":
            # Codes far from zero would lose their identity in float32.
            return torch.from_numpy(np.ascontiguousarray(rows[part]).astype(np.float64))
        values = np.empty((part.stop - part.start, self.width), dtype=np.float32)
        for start in range(0, len(values), 1024):
            chunk = rows[part.start + start : min(part.start + start + 1024, part.stop)]
            values[start : start + len(chunk)] = mapped(chunk, self.metric) - self._centre
        return torch.from_numpy(values)

    def _sizes(self, rows: np.ndarray, ready: torch.Tensor | None, count: int) -> torch.Tensor:
        sizes = torch.empty(count, dtype=torch.float64)
        for start in range(0, count, self.step):
            part = slice(start, min(start + self.step, count))
            values = self._rows(rows, part) if ready is None else ready[part]
            sizes[part] = torch.linalg.vector_norm(values, dim=1, dtype=torch.float64) ** 2
        return sizes

    def squared(self, distances: np.ndarray) -> np.ndarray:
        """Distances of `metric` in the unit of the blocks."""
        if self.metric == "euclidean":
            return distances**2
        return distances * (self.width if self.metric == "hamming" else 2.0)

    def doubt(self, rows: slice, columns: slice) -> float:
        """The largest error of an entry of the block.

        Besides the product's rounding: that of the float32 rows themselves, of the three terms' sum and, for rows
        without direction, the half that `pair_distances` adds.
        """
        if self.metric == "hamming":
            return 0.25
        sizes = float(self.query_sizes[rows].max()), float(self.point_sizes[columns].max())
        error = (_LAMBDA * self.width**0.5 + 16) * _UNIT * 2 * (sizes[0] + sizes[1])
        return error + (1.0 if self.metric != "euclidean" and self._directionless(rows, columns) else 0.0)

    def _directionless(self, rows: slice, columns: slice) -> bool:
        return any(
            not mapped(chunk, self.metric).any(axis=1).all()
            for chunk in (*_parts(self._queries[rows], 1024), *_parts(self._points[columns], 1024))
        )

    def __iter__(self) -> Iterator[tuple[slice, slice, torch.Tensor]]:
        for i in range(0, self.n, self.step):
            rows = slice(i, min(i + self.step, self.n))
            left = self._ready_queries[rows] if self._ready_queries is not None else self._rows(self._queries, rows)
            for j in range(i if self.same else 0, self.m, self.step):
                columns = slice(j, min(j + self.step, self.m))
                if self._ready_points is not None:
                    right = self._ready_points[columns]
                else:
                    right = self._rows(self._points, columns)
                if self.metric == "hamming":
                    yield rows, columns, torch.cdist(left, right, p=0.0).float()
                    continue
                block = torch.addmm(self.point_sizes[columns].float(), left, right.T, alpha=-2.0)
                block += self.query_sizes[rows].float()[:, None]
                yield rows, columns, block


def _screen(blocks: _Blocks, excluded: _Excluded, kept: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `kept` smallest entries of each row in float32, and their columns."""
    best = torch.full((blocks.n, kept), torch.inf)
    who = torch.full((blocks.n, kept), -1, dtype=torch.int64)
    for rows, columns, squared in blocks:
        left_out = excluded.pairs(rows, columns)
        if left_out is not None:
            squared[left_out] = torch.inf
        _merge(best, who, rows, *_smallest(squared, kept), columns.start)
        if blocks.same and rows.start != columns.start:
            _merge(best, who, columns, *_smallest_by_column(squared, kept), rows.start)
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


def _pairwise(
    queries: np.ndarray, points: np.ndarray, i: np.ndarray, j: np.ndarray, metric: str, memory: int
) -> np.ndarray:
    """Distances of the pairs (i, j), a few at a time so that they stay in the cache."""
    chunk = max(1, min((1 << 20), memory // 8) // (8 * max(queries.shape[1], 1)))
    found = np.empty(len(i))
    for start in range(0, len(i), chunk):
        part = slice(start, start + chunk)
        found[part] = pair_distances(queries[i[part]], points[j[part]], metric)
    return found


def _scored(
    queries: np.ndarray, points: np.ndarray, who: torch.Tensor, metric: str, memory: int
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates with their distances in float64, nearest first."""
    indices = who.numpy()
    known = indices >= 0
    i, place = np.nonzero(known)
    distances = np.full(indices.shape, np.inf)
    distances[i, place] = _pairwise(queries, points, i, indices[i, place], metric, memory)
    order = np.lexsort((np.where(known, indices, len(points)), distances), axis=1)
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(indices, order, axis=1)


def _unsure(blocks: _Blocks, best: torch.Tensor, distances: np.ndarray, k: int, m: int) -> np.ndarray:
    """Rows where a point that the screening left out could be nearer than the k-th found."""
    kept = best.shape[1]
    if kept >= m:
        return np.empty(0, dtype=np.int64)
    reach = blocks.squared(distances[:, k - 1])
    last = best[:, -1].double().numpy()
    # Errors are bounded row by row: one far outlier must not make every other row unsure.
    largest = float(blocks.point_sizes.max())
    if blocks.metric == "hamming":
        doubt = np.full(blocks.n, 0.25)
    else:
        doubt = (_LAMBDA * blocks.width**0.5 + 16) * _UNIT * 2 * (blocks.query_sizes.numpy() + largest)
        if blocks.metric != "euclidean" and blocks._directionless(slice(0, blocks.n), slice(0, blocks.m)):
            doubt = doubt + 1.0
    return np.flatnonzero((reach > 0) & np.isfinite(last) & (last - doubt < reach))


def _searched_again(
    queries: np.ndarray,
    points: np.ndarray,
    rows: np.ndarray,
    k: int,
    metric: str,
    excluded: _Excluded,
    memory: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Brute force in float64 for the rows whose candidates could not be certified."""
    distances = np.full((len(rows), k), np.inf)
    indices = np.full((len(rows), k), -1, dtype=np.int64)
    everyone = np.arange(len(points))
    for place, row in enumerate(rows):
        found = _pairwise(queries, points, np.full(len(points), row), everyone, metric, memory)
        found[excluded.row(int(row), len(points))] = np.inf
        order = np.lexsort((everyone, found))[:k]
        order = order[np.isfinite(found[order])]
        distances[place, : len(order)] = found[order]
        indices[place, : len(order)] = order
    return distances, indices
