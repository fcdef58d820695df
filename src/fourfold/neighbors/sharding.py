"""How the pairs of two sets are cut into pieces that workers do one by one, each in bounded memory.

A piece is a block of queries against a range of points. It holds row numbers only: the worker reaches for the rows
themselves, a shard at a time. A set against itself is cut into the pieces on and above the diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fourfold.engine import Engine, Shared
from fourfold.neighbors.blocks import checked
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.pruning import PruningChoice
from fourfold.neighbors.rows import FileRows, Given, Rows, ranges, reachable

__all__ = ["Pairs", "Piece", "pairs_of", "part_of", "pieces", "shared"]

# Pieces a worker gets at least, so that the last ones to finish are not waited for long; and rows that a block is not
# cut below for it.
_PIECES, _LEAST = 4, 512
# Of a worker's memory, the share of the search itself, and of that what the rows of a block and of a shard take each.
_SEARCH, _PART = 0.5, 0.25
# Bytes of a candidate from the screening to the result.
_CANDIDATE = 64


@dataclass(frozen=True)
class Pairs:
    """What all pieces of one search or count have in common.

    Parameters
    ----------
    queries, points : Rows
    metric : str
    query_groups, point_groups : Shared or None
    exclude_self : bool
    halved : bool
        Both are one set, and a pair is left out in both directions or in neither.
    step : int
        Rows of a block, and of a shard, at most.
    memory : int
        For the search in a shard.
    pruning : {"auto", "always", "never"}
    """

    queries: Rows
    points: Rows
    metric: str
    query_groups: Shared | None
    point_groups: Shared | None
    exclude_self: bool
    halved: bool
    step: int
    memory: int
    pruning: PruningChoice


@dataclass(frozen=True)
class Piece:
    """A block of queries and a range of points, as row numbers: first, and last excluded."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def size(self) -> float:
        """Number of its pairs."""
        return float((self.rows[1] - self.rows[0]) * (self.columns[1] - self.columns[0]))

    def shards(self, pairs: Pairs) -> Iterator[tuple[tuple[int, int], np.ndarray, np.ndarray, Excluded]]:
        """The block against its points, a shard at a time: row numbers, queries, points and the pairs left out."""
        nobody = np.empty((0, pairs.queries.shape[1]))
        block, _ = checked(pairs.queries.part(*self.rows), nobody, pairs.metric)
        of_block = part_of(pairs.query_groups, self.rows)
        for columns in ranges(*self.columns, pairs.step):
            # One object on the diagonal of a set against itself: that is how a search knows to do half.
            diagonal = pairs.halved and columns == self.rows
            shard = block if diagonal else checked(nobody, pairs.points.part(*columns), pairs.metric)[1]
            of_shard = of_block if diagonal else part_of(pairs.point_groups, columns)
            sizes, first = (len(block), len(shard)), self.rows[0] - columns[0]
            yield columns, block, shard, Excluded(of_block, of_shard, pairs.exclude_self, *sizes, first=first)


def pairs_of(
    queries: Given,
    points: Given,
    *,
    engine: Engine,
    metric: str,
    query_groups: np.ndarray | None,
    point_groups: np.ndarray | None,
    exclude_self: bool,
    memory: int,
    pruning: PruningChoice,
    candidates: int = 1,
) -> Pairs:
    """Two sets made reachable, and the size of the blocks that fit into a worker's memory.

    Raises InputError where shapes do not agree, or a file cannot be read.
    """
    asked = reachable(queries, engine, "queries")
    among = asked if points is queries else reachable(points, engine, "points")
    same = among is asked or (isinstance(among, FileRows) and among == asked)
    checked(np.empty((0, asked.shape[1])), np.empty((0, among.shape[1])), metric)
    excluded = Excluded(query_groups, point_groups, exclude_self, asked.shape[0], among.shape[0])
    halved = same and excluded.symmetric
    of_queries = shared(query_groups, engine)
    of_points = of_queries if halved else shared(point_groups, engine)
    inner = memory * _SEARCH
    widest = max(asked.shape[1] * max(asked.dtype.itemsize, among.dtype.itemsize, 4), _CANDIDATE * candidates)
    step = max(1, int(inner * _PART) // max(widest, 1))
    if halved and engine.workers > 1:
        # b blocks make b (b + 1) / 2 pieces.
        blocks = math.isqrt(2 * _PIECES * engine.workers) + 1
        step = min(step, max(_LEAST, -(-asked.shape[0] // blocks)))
    return Pairs(asked, among, metric, of_queries, of_points, exclude_self, halved, step, int(inner), pruning)


def pieces(pairs: Pairs, workers: int) -> list[Piece]:
    """All pairs once, in an order that keeps the pieces of one block of queries together."""
    blocks = list(ranges(0, pairs.queries.shape[0], pairs.step))
    if pairs.halved:
        return [Piece(rows, columns) for i, rows in enumerate(blocks) for columns in blocks[i:]]
    count = pairs.points.shape[0]
    spans = 1 if workers == 1 else max(1, -(-_PIECES * workers // max(1, len(blocks))))
    span = max(min(_LEAST, count), -(-count // spans), 1)
    return [Piece(rows, columns) for rows in blocks for columns in ranges(0, count, span)]


def shared(array: np.ndarray | None, engine: Engine) -> Shared | None:
    """An array that every worker needs some rows of; None stays None."""
    return None if array is None else engine.share(np.asarray(array))


def part_of(array: Shared | None, rows: tuple[int, int]) -> np.ndarray | None:
    """Those rows of a shared array, within a worker; None stays None."""
    return None if array is None else array.get()[slice(*rows)]
