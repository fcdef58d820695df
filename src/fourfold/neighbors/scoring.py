"""What the screening let through, scored in float64 from the rows themselves, in the order of a brute-force search."""

from __future__ import annotations

import numpy as np

from fourfold.neighbors.blocks import pairwise
from fourfold.neighbors.distances import pair_distances
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.frames import Frame

__all__ = ["brute_force", "first_at_zero", "scored"]


def scored(
    queries: np.ndarray,
    points: np.ndarray,
    rows: np.ndarray,
    bounds: np.ndarray,
    candidates: np.ndarray,
    k: int,
    frame: Frame,
    memory: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest of the candidates of each row, nearest first, ties by row number.

    Parameters
    ----------
    queries, points : arrays, shapes (n, d) and (m, d)
    rows : array of int, shape (r,)
        The queries that are asked for.
    bounds : array, shape (r, c)
        Bounds from below on the squared distances in the frame, smallest first: a candidate whose bound exceeds the
        k-th distance so far is not scored.
    candidates : array of int, shape (r, c)
        Row numbers of points, -1 for none.
    k, frame, memory
        As for `nearest`.

    Returns
    -------
    (array of float64, array of int64), shapes (r, k)
        Infinity and -1 where there are fewer than `k` candidates.
    """
    count, width = candidates.shape
    found = np.full((count, k), np.inf), np.full((count, k), -1, dtype=np.int64)
    step = max(1, memory // (64 * width * 8))
    for start in range(0, count, step):
        part = slice(start, start + step)
        found[0][part], found[1][part] = _scored(
            queries, points, rows[part], bounds[part], candidates[part], k, frame, memory
        )
    return found


def _scored(
    queries: np.ndarray,
    points: np.ndarray,
    rows: np.ndarray,
    bounds: np.ndarray,
    candidates: np.ndarray,
    k: int,
    frame: Frame,
    memory: int,
) -> tuple[np.ndarray, np.ndarray]:
    distances = np.full(candidates.shape, np.inf)
    reach = np.full(len(rows), np.inf)
    start, stop = 0, min(k, candidates.shape[1])
    while start < candidates.shape[1]:
        band = candidates[:, start:stop]
        i, place = np.nonzero((band >= 0) & (bounds[:, start:stop] <= reach[:, None]))
        # Bounds ascend: where none of these can be nearer, none of those to come can.
        if not len(i):
            break
        distances[i, place + start] = pairwise(queries, points, rows[i], band[i, place], frame.metric, memory)
        if stop >= k:
            reach = frame.squared(np.partition(distances[:, :stop], k - 1, axis=1)[:, k - 1])
        start, stop = stop, min(candidates.shape[1], stop + max(2, k // 2))
    order = np.lexsort((np.where(candidates >= 0, candidates, len(points)), distances), axis=1)[:, :k]
    nearest, numbers = (np.take_along_axis(values, order, axis=1) for values in (distances, candidates))
    missing = ((0, 0), (0, k - order.shape[1]))
    nearest = np.pad(nearest, missing, constant_values=np.inf)
    return nearest, np.where(np.isfinite(nearest), np.pad(numbers, missing, constant_values=-1), -1)


def brute_force(
    queries: np.ndarray, points: np.ndarray, row: int, k: int, metric: str, excluded: Excluded
) -> tuple[np.ndarray, np.ndarray]:
    """One query against every point in float64, shapes (k,)."""
    found = np.concatenate([_to_all(queries, part, row, metric) for _, part in _chunks(points)])
    found[excluded.row(row, len(points))] = np.inf
    order = np.lexsort((np.arange(len(points)), found))[:k]
    distances, indices = found[order], np.where(np.isfinite(found[order]), order, -1)
    missing = k - len(order)
    return np.pad(distances, (0, missing), constant_values=np.inf), np.pad(indices, (0, missing), constant_values=-1)


def first_at_zero(
    queries: np.ndarray, points: np.ndarray, row: int, k: int, metric: str, excluded: Excluded
) -> np.ndarray:
    """The `k` points of the lowest row numbers at distance 0, where there are known to be as many."""
    left_out = excluded.row(row, len(points))
    found: list[int] = []
    for start, part in _chunks(points):
        same = (_to_all(queries, part, row, metric) == 0) & ~left_out[start : start + len(part)]
        found.extend((np.flatnonzero(same) + start).tolist())
        if len(found) >= k:
            break
    return np.array(found[:k], dtype=np.int64)


def _to_all(queries: np.ndarray, points: np.ndarray, row: int, metric: str) -> np.ndarray:
    return pair_distances(queries[row : row + 1], points, metric)


def _chunks(points: np.ndarray) -> list[tuple[int, np.ndarray]]:
    step = max(1, (1 << 20) // (8 * max(points.shape[1], 1)))
    return [(start, points[start : start + step]) for start in range(0, len(points), step)]
