"""Counts in balls from an approximate search, and what the approximation changes in the scores that rest on them.

A query lies in few balls, and those belong to points near it: its candidates are compared with their radii. Queries
all of whose candidates hold them are counted in full. A ball that is large and far away may be missed, radii may be
too long, and `effect_on_counts` tells how much either matters, on samples that are counted exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.errors import InputError
from fourfold.neighbors.approximate import candidates_of
from fourfold.neighbors.approximate_index import ApproximateIndex
from fourfold.neighbors.balls import with_centres
from fourfold.neighbors.blocks import checked, pairwise
from fourfold.neighbors.counts import ball_counts, radii_of
from fourfold.neighbors.exact import searched
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.tally import BallCounts
from fourfold.statistics import clopper_pearson

__all__ = ["CountsEffect", "Difference", "ball_counts_approximate", "effect_on_counts"]

# Candidates that are compared with their radii, for each query.
CANDIDATES = 64
# Rows of either set that are counted exactly, and radii that are searched exactly for it at most.
SAMPLE, _RADII = 256, 4096


@dataclass(frozen=True)
class Difference:
    """What an approximation adds to a score: the score as computed, less the score of an exact search.

    Parameters
    ----------
    value : float
        Mean over the sample.
    interval : (float, float)
        95 % interval.
    """

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class CountsEffect:
    """What an approximate search changed, on samples of queries and of points.

    Parameters
    ----------
    queries, points : int
        Sizes of the samples.
    radii : float
        Mean of (found - true) / true of the radii, at least 0.
    containing : Difference
        In the share of queries that lie in at least one ball (precision, or recall the other way).
    density : Difference
        In the mean number of balls a query lies in, over k.
    covered : Difference
        In the share of balls that hold at least one query (coverage).
    """

    queries: int
    points: int
    radii: float
    containing: Difference
    density: Difference
    covered: Difference


def ball_counts_approximate(
    queries: np.ndarray,
    index: ApproximateIndex,
    radii: np.ndarray,
    *,
    candidates: int = CANDIDATES,
    memory: int = 1 << 30,
) -> BallCounts:
    """Count the queries inside the balls around the points of an index, as far as it finds them.

    Parameters
    ----------
    queries : array, shape (n, d)
    index : ApproximateIndex
        Of the m points.
    radii : array, shape (m,)
    candidates : int
        Points that are looked at for each query, at least 1.
    memory : int
        Bytes to use above inputs, result and index.

    Returns
    -------
    BallCounts
        No count is larger than that of `ball_counts` with the same radii.

    Raises
    ------
    InputError
        As for `ball_counts`; where there are no candidates.
    """
    if candidates < 1:
        raise InputError(f"candidates must be at least 1, got {candidates}")
    points, metric = index.points, index.frame.metric
    queries, points = checked(queries, points, metric)
    radii = radii_of(radii, len(points))
    counts = BallCounts(np.zeros(len(queries), dtype=np.int64), np.zeros(len(points), dtype=np.int64))
    nobody = Excluded(None, None, False, len(queries), len(points))
    full = []
    for rows, found in candidates_of(queries, index, nobody, candidates, memory):
        i, place = np.nonzero(found >= 0)
        j = found[i, place]
        hit = pairwise(queries, points, i + rows[0], j, metric, memory) < radii[j]
        held = np.bincount(i[hit], minlength=len(found))
        # Where every candidate holds the query, others may as well.
        complete = (held < found.shape[1]) | (found.shape[1] == len(points))
        full.append(np.flatnonzero(~complete) + rows[0])
        kept = hit & complete[i]
        counts.containing[slice(*rows)] = np.where(complete, held, 0)
        counts.inside[:] += np.bincount(j[kept], minlength=len(points))
    rest = np.concatenate(full) if full else np.zeros(0, dtype=np.int64)
    if len(rest):
        exact = ball_counts(queries[rest], points, radii, metric=metric, memory=memory)
        counts.containing[rest] = exact.containing
        counts.inside[:] += exact.inside
    return counts


def effect_on_counts(
    queries: np.ndarray,
    points: np.ndarray,
    k: int,
    radii: np.ndarray,
    counts: BallCounts,
    *,
    metric: str = "euclidean",
    groups: np.ndarray | None = None,
    sample: int = SAMPLE,
    seed: int = 0,
    memory: int = 1 << 30,
) -> CountsEffect:
    """How far counts from approximate radii and an approximate search are from those of exact ones.

    Parameters
    ----------
    queries, points : arrays, shapes (n, d) and (m, d)
    k : int
        The radii reach to the k-th nearest other point.
    radii : array, shape (m,)
        As an approximate search found them: none shorter than the true one.
    counts : BallCounts
        As they were computed with these radii.
    metric : str
    groups : array of int, shape (m,), or None
        Points of one group are no neighbours of each other.
    sample : int
        Rows of either set that are counted exactly. Fewer queries are taken where they lie in very many balls.
    seed : int
    memory : int

    Returns
    -------
    CountsEffect

    Raises
    ------
    InputError
        As for `ball_counts`; where a set is empty or the sample is.
    """
    queries, points = checked(queries, points, metric)
    radii = radii_of(radii, len(points))
    if not len(queries) or not len(points) or sample < 1:
        raise InputError("the effect of an approximation needs queries, points and a sample of at least 1")
    excluded = Excluded(groups, groups, True, len(points), len(points))
    rng = np.random.default_rng([seed, len(queries), len(points)])
    # A query costs as many exact radii as balls hold it.
    most = max(1, min(sample, int(_RADII / max(float(counts.containing.mean()), 1.0))))
    rows = np.sort(rng.choice(len(queries), min(most, len(queries)), replace=False))
    columns = np.sort(rng.choice(len(points), min(sample, len(points)), replace=False))
    # True radii are no longer than those found, so no other ball holds these queries.
    near = np.flatnonzero(ball_counts(queries[rows], points, radii, metric=metric, memory=memory).inside)
    asked = np.union1d(near, columns)
    true = np.full(len(points), np.nan)
    found = searched(points[asked], points, k, metric, excluded.take(asked), False, memory).distances[:, -1]
    true[asked] = with_centres(found)
    held = ball_counts(queries[rows], points[near], true[near], metric=metric, memory=memory).containing
    inside = ball_counts(queries, points[columns], true[columns], metric=metric, memory=memory).inside
    got, ratio = counts.containing[rows], radii[columns] / true[columns]
    return CountsEffect(
        len(rows),
        len(columns),
        float(np.mean(ratio[np.isfinite(ratio)] - 1.0)) if np.isfinite(ratio).any() else 0.0,
        _of_shares(got > 0, held > 0),
        _of_means(got / k, held / k),
        _of_shares(counts.inside[columns] > 0, inside > 0),
    )


def _of_shares(got: np.ndarray, true: np.ndarray) -> Difference:
    """Of two shares of one sample: those gained less those lost, each with half of the level."""
    n = len(got)
    gained, lost = int((got & ~true).sum()), int((~got & true).sum())
    up, down = (clopper_pearson(number, n, 0.975) for number in (gained, lost))
    return Difference((gained - lost) / n, (up[0] - down[1], up[1] - down[0]))


def _of_means(got: np.ndarray, true: np.ndarray) -> Difference:
    change = got - true
    mean = float(change.mean())
    # By the normal distribution; a sample in which nothing changed has no spread to tell from.
    half = 1.96 * float(change.std(ddof=1)) / len(change) ** 0.5 if len(change) > 1 else float("inf")
    return Difference(mean, (mean - half, mean + half))
