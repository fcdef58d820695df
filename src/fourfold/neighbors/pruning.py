"""Products that need not be done: a bound on distances from a few leading components.

With P the projection on p leading axes of the points and r the length of what is left of a row, the triangle
inequality in the space of what is left gives

    |x - y|^2 >= |Px - Py|^2 + (|r_x| - |r_y|)^2,

which is itself a squared distance, of the rows (Px, |r_x|) of length p + 1. So the screening of a search can run on
those, at the price of p + 1 columns in place of d, and every row whose k-th distance (scored in full) is below the
bounds of all points that were left out is settled. It pays where the spectrum of the features decays; a trial on a
few rows tells, and the first rows of the search itself tell again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from fourfold.neighbors.frames import Frame

__all__ = ["Axes", "Pruning", "PruningChoice", "cheapest", "cheapest_count", "leading_axes", "pays", "sampled"]

PruningChoice = Literal["auto", "always", "never"]

# Numbers of components that are tried; at most a quarter of the columns.
_STEPS = (16, 32, 64, 128, 256)
# What the choice among the entries of a block costs, and a comparison of each, in columns of a product; what a pair
# scored in float64 costs, in products of one pair; what a projection in float64 costs over one in float32. A plan has
# to be this much cheaper than none.
_CHOICE, _COMPARISON, _SCORE, _PROJECTION, _GAIN = 150.0, 50.0, 100.0, 2.0, 0.8
# Points that axes are found from, and directions that are followed beyond the axes wanted.
_SAMPLE, _SPARE = 1536, 8
# Rows projected at a time.
_STEP = 256


@dataclass(frozen=True)
class Pruning:
    """What the bound spared a search.

    Parameters
    ----------
    components : tuple of int
        Numbers of components that the bound was tried with, in turn; none where no bound was used.
    skipped : float
        Share of the multiplications of the search without a bound that were not done, in [0, 1); below 0 where the
        bound cost more than it spared.
    settled : float
        Share of the queries whose neighbours the bound alone certified, in [0, 1].
    seconds : float
        Wall time of the trial, the axes and the projections.
    reason : str or None
        Why no bound was used, or why it was given up.
    """

    components: tuple[int, ...] = ()
    skipped: float = 0.0
    settled: float = 0.0
    seconds: float = 0.0
    reason: str | None = None

    def measured(self, done: float, whole: float) -> Pruning:
        """The same with the share that was skipped, of the multiplications of a search without a bound."""
        return replace(self, skipped=1.0 - done / whole) if self.components else self


@dataclass(frozen=True)
class Axes:
    """Leading axes of a set of points.

    Parameters
    ----------
    frame : Frame
        That rows are brought to first.
    vectors : array, shape (d, p)
        Orthonormal to rounding, the leading one first; float64.
    """

    frame: Frame
    vectors: np.ndarray

    def coordinates(self, rows: np.ndarray, count: int) -> np.ndarray:
        """(Px, |r_x|) of the leading `count` axes, float32, shape (n, count + 1)."""
        made = np.empty((len(rows), count + 1), dtype=np.float32)
        vectors = np.ascontiguousarray(self.vectors[:, :count])
        for start in range(0, len(rows), _STEP):
            moved = self.frame.rows(rows[start : start + _STEP])
            along = moved @ vectors
            left = np.einsum("ij,ij->i", moved, moved) - np.einsum("ij,ij->i", along, along)
            made[start : start + len(moved), :count] = along
            made[start : start + len(moved), count] = np.sqrt(np.maximum(left, 0.0))
        return made

    def slack(self, count: int) -> float:
        """Error of a squared distance of `coordinates` over the sum of the two squared lengths.

        Rounded coordinates z' are off by at most h |x|, with h the rounding to float32, that of the float64 sums and
        the square root of what r^2 loses to cancellation and to axes that are not quite orthonormal. Then
        |x - y| >= |z'_x - z'_y| - h (|x| + |y|), and squared |x - y|^2 >= |z'_x - z'_y|^2 - 4 h (|x|^2 + |y|^2).
        The product of few columns is bounded with certainty, term by term, where `Precision.rounding` does not.
        """
        width, unit = self.vectors.shape[0], np.finfo(np.float64).eps / 2
        skew = float(np.linalg.norm(self.vectors.T @ self.vectors - np.eye(self.vectors.shape[1])))
        h = (
            np.finfo(np.float32).eps / 2
            + np.sqrt(2 * skew + 4 * (width + count) * unit)
            + 2 * width * count**0.5 * unit
        )
        return 4.01 * h + (count + 1) * np.finfo(np.float32).eps / 2

    @property
    def count(self) -> int:
        """Number of axes."""
        return self.vectors.shape[1]


def leading_axes(points: np.ndarray, frame: Frame) -> Axes:
    """Axes along which a sample of the points spreads the most, by subspace iteration.

    They need not be the best ones: any orthonormal axes give a bound.
    """
    rng = np.random.default_rng([len(points), frame.width])
    count = max(step for step in _STEPS if step <= max(frame.width // 4, _STEPS[0]))
    moved = frame.rows(points[sampled(points)], np.float32)
    wide = min(count + _SPARE, frame.width, len(moved))
    directions = moved.T @ rng.normal(size=(len(moved), wide)).astype(np.float32)
    directions = moved.T @ (moved @ np.linalg.qr(directions)[0])
    basis = np.linalg.qr(directions.astype(np.float64))[0]
    along = moved @ basis.astype(np.float32)
    _, turn = np.linalg.eigh((along.T @ along).astype(np.float64))
    return Axes(frame, basis @ turn[:, ::-1][:, : min(count, wide)])


def cheapest(
    axes: Axes,
    queries: np.ndarray,
    points: np.ndarray,
    reach: np.ndarray,
    kept: int,
    sizes: tuple[int, int],
    without: float,
) -> tuple[int, ...]:
    """The numbers of components to try in turn for a search, at most two; none where the bound does not pay.

    Parameters
    ----------
    axes : Axes
    queries : array, shape (q, d)
        A few of the queries.
    points : array, shape (s, d)
        A few of the points.
    reach : array, shape (q,)
        Squared distances of those queries to their k-th nearest of all points, in the frame.
    kept : int
        Points that the screening keeps for each query.
    sizes : (int, int)
        Numbers of all queries and points.
    without : float
        Pairs that are multiplied where no bound is used.
    """
    n, m = sizes
    settled, search = {}, {}
    for count, bounds in _bounds(axes, queries, points):
        near = (bounds <= reach[:, None]).mean(axis=1) * m
        settled[count] = float((near <= kept).mean())
        scored = float(np.minimum(near, kept).mean())
        search[count] = n * (m * (count + _CHOICE) / axes.frame.width + scored * _SCORE)
    best, plan = _GAIN * without, ()
    for chain in [*((one,) for one in search), *combinations(search, 2)]:
        cost, share = 0.0, 1.0
        for count in chain:
            cost += share * search[count] + _PROJECTION * count * (share * n + m)
            share = min(share, 1.0 - settled[count])
        cost += min(share * n * m, without)
        if cost < best:
            best, plan = cost, chain
    return plan


def cheapest_count(
    axes: Axes, queries: np.ndarray, points: np.ndarray, reach: np.ndarray, sizes: tuple[int, int], without: float
) -> int:
    """The number of components for a count of pairs within a reach; 0 where the bound does not pay.

    Parameters
    ----------
    axes, queries, points, sizes, without
        As for `cheapest`.
    reach : array, shape (q, s)
        Squared distance below which each pair counts, in the frame.
    """
    n, m = sizes
    best, chosen = _GAIN * without, 0
    for count, bounds in _bounds(axes, queries, points):
        pairs = without * ((count + _COMPARISON) / axes.frame.width + float((bounds <= reach).mean()) * _SCORE)
        cost = pairs + _PROJECTION * count * (n + m)
        if cost < best:
            best, chosen = cost, count
    return chosen


def _bounds(axes: Axes, queries: np.ndarray, points: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The bound on each pair of squared distances from more and more components, in float64."""
    asked, among = (axes.coordinates(rows, axes.count).astype(np.float64) for rows in (queries, points))
    squared, start = np.zeros((len(asked), len(among))), 0
    # Squared lengths of what lies beyond the components so far.
    beyond = [np.square(rows).sum(axis=1) for rows in (asked, among)]
    for count in [step for step in _STEPS if step <= axes.count] or [axes.count]:
        some = [rows[:, start:count] for rows in (asked, among)]
        lengths = [np.square(rows).sum(axis=1) for rows in some]
        squared += lengths[0][:, None] + lengths[1] - 2.0 * some[0] @ some[1].T
        beyond = [np.maximum(whole - part, 0.0) for whole, part in zip(beyond, lengths, strict=True)]
        yield count, squared + (np.sqrt(beyond[0])[:, None] - np.sqrt(beyond[1])) ** 2
        start = count


def pays(count: int, width: int, settled: float) -> bool:
    """Whether settling this share of the rows is worth the search with `count` components among `width` columns."""
    return count + _CHOICE < settled * width


def sampled(rows: np.ndarray, count: int = _SAMPLE) -> np.ndarray:
    """Row numbers of a sample without replacement, ascending; the same for sets of one size."""
    rng = np.random.default_rng([len(rows), count])
    return np.sort(rng.choice(len(rows), min(count, len(rows)), replace=False))
