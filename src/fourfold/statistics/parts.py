"""Random parts of rows, those of one group kept together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

__all__ = ["chunked", "dealt", "group_numbers"]

# Chunks of a set that are averaged, at most; further ones add cost and little precision.
_CHUNKS = 8


def group_numbers(groups: np.ndarray | None, size: int) -> np.ndarray:
    """Groups numbered from 0, shape (size,); each row a group of its own where they are unknown."""
    return np.arange(size) if groups is None else np.unique(groups, return_inverse=True)[1]


def dealt(groups: np.ndarray, shares: tuple[float, ...], rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of disjoint random parts, ascending.

    Parameters
    ----------
    groups : array of int, shape (n,)
        Numbered from 0 without gaps.
    shares : tuple of float
        Share of the groups in each part; they sum to at most 1. A part has at least one group.
    rng : Generator

    Examples
    --------
    >>> first, second = dealt(np.array([0, 0, 1, 1]), (0.5, 0.5), np.random.default_rng(0))
    >>> sorted([first.tolist(), second.tolist()])
    [[0, 1], [2, 3]]
    """
    order = rng.permutation(groups.max(initial=-1) + 1)
    edges = np.round(np.cumsum((0.0, *shares)) * len(order)).astype(int)
    parts = []
    for low, high in pairwise(edges):
        chosen = np.zeros(len(order), dtype=bool)
        chosen[order[low : max(high, low + 1)]] = True
        parts.append(np.flatnonzero(chosen[groups]))
    return parts


def chunked(groups: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of disjoint random chunks of about `size` rows; all rows, and nothing drawn, where one fits."""
    count = max(1, round(len(groups) / size))
    if count == 1:
        return [np.arange(len(groups))]
    return dealt(groups, (1 / count,) * min(count, _CHUNKS), rng)
