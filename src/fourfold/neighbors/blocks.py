"""The matrix of squared distances, a block at a time, with a bound on the error of each block."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.neighbors.distances import METRICS, mapped, pair_distances

__all__ = ["Blocks", "Excluded", "checked", "pairwise"]

# Probabilistic bound on the rounding error of an inner product, lambda sqrt(d) u |a| |b| (Higham & Mary, 2019),
# with lambda = 8: it fails with probability below 1e-13 a pair.
_LAMBDA = 8.0


def checked(queries: np.ndarray, points: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of equal width and finite values, one object where they were one; raises InputError."""
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


class Excluded:
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
        self.own = np.arange(n) if exclude_self else None
        self.queries = self.points = None
        if query_groups is not None and point_groups is not None:
            self.queries, self.points = np.asarray(query_groups), np.asarray(point_groups)
            for name, groups, size in (("query_groups", self.queries, n), ("point_groups", self.points, m)):
                if groups.shape != (size,):
                    raise InputError(f"{name} must have shape ({size},), got {groups.shape}")

    def pairs(self, rows: slice, columns: slice) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Row and column numbers within the block."""
        i_parts, j_parts = [], []
        if self.own is not None:
            own = self.own[rows]
            within = np.flatnonzero((own >= columns.start) & (own < columns.stop))
            i_parts.append(within)
            j_parts.append(own[within] - columns.start)
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

    def take(self, rows: np.ndarray) -> Excluded:
        """The same for some of the queries."""
        chosen = copy(self)
        chosen.own = None if self.own is None else self.own[rows]
        chosen.queries = None if self.queries is None else self.queries[rows]
        return chosen

    def row(self, query: int, m: int) -> np.ndarray:
        """Which of the points are left out for one query."""
        left_out = np.zeros(m, dtype=bool)
        if self.own is not None:
            left_out[self.own[query]] = True
        if self.queries is not None and self.points is not None:
            left_out |= self.points == self.queries[query]
        return left_out


class Blocks:
    """Squared distances in the precision of `dtype`, a block at a time.

    For Euclidean, cosine and correlation the block is |a|^2 + |b|^2 - 2ab of the mapped and centred rows; for Hamming
    it is the number of differing positions. `doubt` bounds the error of a block's entries.
    """

    def __init__(
        self,
        queries: np.ndarray,
        points: np.ndarray,
        metric: str,
        memory: int,
        same: bool,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.metric, self.same, self.dtype = metric, same, dtype
        self.unit = torch.finfo(dtype).eps / 2
        self.width = queries.shape[1]
        self.n, self.m = len(queries), len(points)
        self._queries, self._points = queries, points
        self.step = self._block_rows(memory)
        self._centre = np.zeros(self.width)
        if metric != "hamming":
            for part in _parts(points):
                rows = part if metric == "euclidean" else mapped(part, metric)
                self._centre += rows.sum(axis=0, dtype=np.float64) / max(self.m, 1)
        fits = dtype.itemsize * self.width * (self.m + (0 if same else self.n)) <= memory // 16
        self._ready_points = self._rows(points, slice(0, self.m)) if fits else None
        self._ready_queries = None
        if fits:
            self._ready_queries = self._ready_points if same else self._rows(queries, slice(0, self.n))
        self.point_sizes = self._sizes(points, self._ready_points, self.m)
        self.query_sizes = self.point_sizes if same else self._sizes(queries, self._ready_queries, self.n)

    def _block_rows(self, memory: int) -> int:
        step = 1280
        while step > 64 and self.dtype.itemsize * step * (4 * step + 4 * self.width) > memory // 2:
            step //= 2
        return step

    def _rows(self, rows: np.ndarray, part: slice) -> torch.Tensor:
        if self.metric == "hamming":
            # Codes far from zero would lose their identity in float32.
            return torch.from_numpy(np.ascontiguousarray(rows[part]).astype(np.float64))
        values = np.empty(
            (part.stop - part.start, self.width), dtype=np.float32 if self.dtype == torch.float32 else float
        )
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

        Besides the product's rounding: that of the rounded rows themselves, of the three terms' sum and, for rows
        without direction, the half that `pair_distances` adds.
        """
        if self.metric == "hamming":
            return 0.25
        sizes = float(self.query_sizes[rows].max()), float(self.point_sizes[columns].max())
        error = (_LAMBDA * self.width**0.5 + 16) * self.unit * 2 * (sizes[0] + sizes[1])
        return error + (1.0 if self.metric != "euclidean" and self.directionless(rows, columns) else 0.0)

    def row_doubt(self) -> np.ndarray:
        """The largest error of an entry of each row, shape (n,)."""
        if self.metric == "hamming":
            return np.full(self.n, 0.25)
        sizes = self.query_sizes.numpy() + float(self.point_sizes.max())
        error = (_LAMBDA * self.width**0.5 + 16) * self.unit * 2 * sizes
        everything = slice(0, self.n), slice(0, self.m)
        return error + (1.0 if self.metric != "euclidean" and self.directionless(*everything) else 0.0)

    def directionless(self, rows: slice, columns: slice) -> bool:
        """Whether any row of the block has no direction."""
        return any(
            not mapped(chunk, self.metric).any(axis=1).all()
            for chunk in (*_parts(self._queries[rows], 1024), *_parts(self._points[columns], 1024))
        )

    def __iter__(self) -> Iterator[tuple[slice, slice, torch.Tensor]]:
        for i in range(0, self.n, self.step):
            rows = slice(i, min(i + self.step, self.n))
            left = self._ready_queries[rows] if self._ready_queries is not None else self._rows(self._queries, rows)
            twice = (left * -2.0).numpy()
            for j in range(i if self.same else 0, self.m, self.step):
                columns = slice(j, min(j + self.step, self.m))
                if self._ready_points is not None:
                    right = self._ready_points[columns]
                else:
                    right = self._rows(self._points, columns)
                if self.metric == "hamming":
                    yield rows, columns, torch.cdist(left, right, p=0.0).float()
                    continue
                # NumPy's product is the faster one on some processors, and nowhere the slower one by much.
                block = torch.from_numpy(twice @ right.numpy().T)
                block += self.point_sizes[columns].to(self.dtype)
                block += self.query_sizes[rows].to(self.dtype)[:, None]
                yield rows, columns, block


def pairwise(
    queries: np.ndarray, points: np.ndarray, i: np.ndarray, j: np.ndarray, metric: str, memory: int
) -> np.ndarray:
    """Distances of the pairs (i, j), a few at a time so that they stay in the cache."""
    chunk = max(1, min((1 << 20), memory // 8) // (8 * max(queries.shape[1], 1)))
    found = np.empty(len(i))
    for start in range(0, len(i), chunk):
        part = slice(start, start + chunk)
        found[part] = pair_distances(queries[i[part]], points[j[part]], metric)
    return found
