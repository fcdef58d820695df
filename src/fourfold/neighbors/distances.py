"""Distances in float64 between given pairs, and the maps that turn every metric into a squared Euclidean one.

With ``u`` the row as given: Euclidean uses ``u``; cosine uses ``u / |u|``, since ``|a - b|^2 / 2 = 1 - cos(a, b)``
for unit vectors; correlation is cosine after subtracting each row's own mean. Differences of float32 rows are exact
in float64, so equal rows are at distance 0, which the expanded form ``|a|^2 + |b|^2 - 2ab`` does not give.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

__all__ = ["METRICS", "MetricName", "mapped", "pair_distances"]

MetricName = Literal["euclidean", "cosine", "correlation", "hamming"]
METRICS: tuple[str, ...] = get_args(MetricName)


def mapped(rows: np.ndarray, metric: str) -> np.ndarray:
    """Rows in float64, mapped so that the squared Euclidean distance orders pairs as `metric` does.

    A row without direction (all zero, or constant for the correlation) stays zero: its distance to any row with a
    direction is then larger than 1/2 only through `pair_distances`, which gives it 1.
    """
    rows = np.asarray(rows, dtype=np.float64)
    if metric in ("euclidean", "hamming"):
        return rows
    if metric == "correlation":
        rows = rows - rows.mean(axis=1, keepdims=True)
    size = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.divide(rows, size, out=np.zeros_like(rows), where=size > 0)


def pair_distances(left: np.ndarray, right: np.ndarray, metric: str) -> np.ndarray:
    """Distance of row i of `left` to row i of `right`.

    Parameters
    ----------
    left, right : array, shape (n, d)
        As given by the user; mapped here.
    metric : {"euclidean", "cosine", "correlation", "hamming"}

    Returns
    -------
    array, shape (n,)
        float64. Euclidean: not squared. Cosine and correlation: 1 - similarity, in [0, 2]; rows without direction
        are at 1 from everything but each other (0). Hamming: the share of differing positions, in [0, 1].
    """
    if metric == "hamming":
        return np.mean(np.asarray(left) != np.asarray(right), axis=1, dtype=np.float64)
    if metric == "euclidean":
        # Without float64 copies of both sides, which would take as long as all the rest.
        difference = np.subtract(left, right, dtype=np.float64)
        return np.sqrt(np.einsum("ij,ij->i", difference, difference))
    left, right = mapped(left, metric), mapped(right, metric)
    difference = left - right
    squared = np.einsum("ij,ij->i", difference, difference)
    without = left.any(axis=1) != right.any(axis=1)
    return np.where(without, 1.0, squared / 2)
