"""Neighbours in both directions between two parts of one set, from one pass over their pairs."""

from __future__ import annotations

import numpy as np

from fourfold.neighbors.blocks import Blocks
from fourfold.neighbors.exact import Neighbors, searched
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.narrowing import narrowed
from fourfold.neighbors.precision import DOUBLE, SINGLE
from fourfold.neighbors.pruning import Pruning, PruningChoice
from fourfold.neighbors.searching import Search
from fourfold.neighbors.selection import Smallest
from fourfold.neighbors.sides import Side

__all__ = ["both_ways"]

# Share of the rows that a bound from few components has to settle before a pass for each direction is the cheaper.
_MOST = 0.5


def both_ways(
    left: np.ndarray,
    right: np.ndarray,
    k: int,
    metric: str,
    groups: tuple[np.ndarray, np.ndarray] | None,
    memory: int,
    pruning: PruningChoice = "auto",
) -> tuple[Neighbors, Neighbors]:
    """Of each row on the left its `k` nearest on the right, and of each on the right its nearest on the left.

    Parameters
    ----------
    left, right : arrays, shapes (n, d) and (m, d)
        Checked, neither empty, no row in both.
    k : int
    metric : str
    groups : (array of int, array of int) or None
        Pairs with equal numbers are left out.
    memory : int
    pruning : {"auto", "always", "never"}

    Returns
    -------
    (Neighbors, Neighbors)
        The same as `nearest` one way and the other.
    """
    forth, back = groups or (None, None), (groups or (None, None))[::-1]
    excluded = Excluded(*forth, False, len(left), len(right)), Excluded(*back, False, len(right), len(left))
    forward = Search(left, right, k, metric, excluded[0], False, memory)
    spared = narrowed(forward, pruning)
    if spared.settled > _MOST:
        forward.run(SINGLE)
        backward = searched(right, left, k, metric, excluded[1], False, memory, pruning)
        return _neighbors(forward, spared), backward
    backward = Search(right, left, k, metric, excluded[1], False, memory, frame=forward.frame)
    kept = k + max(2, k // 2)
    smallest = [
        Smallest(len(asked), min(kept, len(among)), SINGLE.entries, forward.point_side(SINGLE).device)
        for asked, among in ((left, right), (right, left))
    ]
    blocks = Blocks(Side(left, forward.frame, 0), forward.point_side(SINGLE), memory // 2)
    for rows, columns, block in blocks:
        excluded[0].spare(rows, columns, block)
        smallest[0].take(rows, columns, block)
        smallest[1].take_transposed(columns, rows, block)
    forward.multiplications += blocks.multiplications
    for search, seen in zip((forward, backward), smallest, strict=True):
        search.settle(np.arange(len(search.queries)), seen)
        search.run(DOUBLE)
    return _neighbors(forward, spared), _neighbors(backward, Pruning())


def _neighbors(search: Search, spared: Pruning) -> Neighbors:
    return Neighbors(search.distances, search.indices, spared.measured(search.multiplications, search.whole))
