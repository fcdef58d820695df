"""The pairs that a search leaves out: a row and itself, images of one patient."""

from __future__ import annotations

from copy import copy

import numpy as np
import torch

from fourfold.errors import InputError

__all__ = ["Excluded"]


class Excluded:
    """The pairs that a search leaves out, block by block.

    Parameters
    ----------
    query_groups, point_groups : arrays of int, shapes (n,) and (m,), or None
        Pairs with equal numbers are left out.
    exclude_self : bool
        Leave out pairs of equal row numbers.
    n, m : int
        Numbers of queries and points.
    first : int
        Row number of the first query where the first point has 0; for parts of larger sets.
    """

    def __init__(
        self,
        query_groups: np.ndarray | None,
        point_groups: np.ndarray | None,
        exclude_self: bool,
        n: int,
        m: int,
        *,
        first: int = 0,
    ) -> None:
        if (query_groups is None) != (point_groups is None):
            raise InputError("give groups for queries and points, or for neither")
        self.own = np.arange(first, first + n) if exclude_self else None
        self.queries = self.points = None
        if query_groups is not None and point_groups is not None:
            self.queries, self.points = (np.asarray(query_groups), np.asarray(point_groups))
            for name, groups, size in (("query_groups", self.queries, n), ("point_groups", self.points, m)):
                if groups.shape != (size,):
                    raise InputError(f"{name} must have shape ({size},), got {groups.shape}")

    @property
    def symmetric(self) -> bool:
        """Whether a pair of one set is left out in both directions or in neither."""
        return self.queries is self.points or np.array_equal(self.queries, self.points)

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

    def spare(self, rows: slice, columns: slice, block: torch.Tensor) -> None:
        """Put the excluded pairs of a block of distances at infinity."""
        pairs = self.pairs(rows, columns)
        if pairs is not None:
            block[pairs] = torch.inf

    def among(self, rows: slice, candidates: np.ndarray) -> np.ndarray:
        """Which of the candidates of each row, point numbers of shape (rows, c), are left out."""
        left_out = np.zeros(candidates.shape, dtype=bool)
        if self.own is not None:
            left_out |= candidates == self.own[rows, None]
        if self.queries is not None and self.points is not None:
            left_out |= self.points[candidates] == self.queries[rows, None]
        return left_out

    def take(self, rows: np.ndarray) -> Excluded:
        """The same for some of the queries."""
        chosen = copy(self)
        chosen.own = None if self.own is None else self.own[rows]
        chosen.queries = None if self.queries is None else self.queries[rows]
        return chosen

    def row(self, query: int, m: int) -> np.ndarray:
        """Which of the points are left out for one query."""
        left_out = np.zeros(m, dtype=bool)
        if self.own is not None and 0 <= self.own[query] < m:
            left_out[self.own[query]] = True
        if self.queries is not None and self.points is not None:
            left_out |= self.points == self.queries[query]
        return left_out
