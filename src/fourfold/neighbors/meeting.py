"""One pass over the pairs of two sets for everyone who asks about them.

Neighbours in both directions and counts in the balls of either set come from the same products. Where a bound from
few components settles most rows (see `fourfold.neighbors.pruning`), a pass for each question is cheaper than one pass
in full, and is what is done: the results are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fourfold.errors import InputError
from fourfold.neighbors.balls import Depths, depth_in_balls
from fourfold.neighbors.blocks import Blocks, Onlooker, checked
from fourfold.neighbors.counts import radii_of, tallied
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.exact import Neighbors, nearest
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.narrowing import narrowed
from fourfold.neighbors.pairs import ClosePairs
from fourfold.neighbors.precision import DOUBLE, SINGLE
from fourfold.neighbors.pruning import Pruning, PruningChoice
from fourfold.neighbors.searching import Search
from fourfold.neighbors.selection import Smallest
from fourfold.neighbors.sides import Side
from fourfold.neighbors.tally import BallCounts, Tally, turned

__all__ = ["Meeting", "meetings"]

# Share of the rows that the bound has to settle before each question gets a pass of its own: three short passes cost
# less than one in full where each is below a third of it.
_MOST = 0.9


@dataclass(frozen=True)
class Meeting:
    """What one set is to the points.

    Parameters
    ----------
    nearest_points : Neighbors
        Of each row of the set, the nearest points.
    nearest_queries : Neighbors
        Of each point, the nearest rows of the set.
    around_points : BallCounts or None
        How rows of the set fall into the balls around points; None where no radii of the points were given.
    around_queries : BallCounts or None
        How points fall into the balls around rows of the set; None where no radii of the set were given.
    close : ClosePairs or None
        The pairs behind `around_points`, for counts in smaller balls; None where there are no radii of the points, or
        too many pairs to keep.
    near : ClosePairs or None
        The pairs of a point and a row of the set, in this order, within the reach of the row; None where no reach was
        given, or there are too many pairs to keep.
    depths : array, shape (n,), or None
        How deep each row of the set lies in the balls around typical points, see `fourfold.neighbors.balls`; None
        where those were not asked for.
    """

    nearest_points: Neighbors
    nearest_queries: Neighbors
    around_points: BallCounts | None = None
    around_queries: BallCounts | None = None
    close: ClosePairs | None = None
    near: ClosePairs | None = None
    depths: np.ndarray | None = None


def meetings(
    sets: Mapping[str, np.ndarray],
    points: np.ndarray,
    k: int,
    *,
    back: int | None = None,
    metric: MetricName = "euclidean",
    point_radii: np.ndarray | None = None,
    set_radii: Mapping[str, np.ndarray] | None = None,
    set_reach: Mapping[str, np.ndarray] | None = None,
    typical_radii: np.ndarray | None = None,
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
    onlookers: Mapping[str, Onlooker] | None = None,
) -> dict[str, Meeting]:
    """Every question about some sets and the same points, in one pass a set over the points, which are prepared once.

    Parameters
    ----------
    sets : mapping of str to array, shape (n, d)
        For example the synthetic set and the holdout. None of them is the points: see `nearest` for that.
    points : array, shape (m, d)
        For example the training set.
    k : int
        Nearest points of each row of a set, at least 1.
    back : int or None
        Nearest rows of each set of each point, at least 1; None for as many.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    point_radii : array, shape (m,), or None
        Radii of the balls around points, as for `ball_counts`.
    set_radii : mapping of str to array, shape (n,), or None
        Radii of the balls around rows of those sets that are named.
    set_reach : mapping of str to array, shape (n,), or None
        Distances, none below the radius, up to which pairs with rows of those sets that are named are kept.
    typical_radii : array, shape (m,), or None
        Radii of the balls that depths are measured in, 0 for points without one; None for no depths.
    memory, pruning
        As for `nearest`.
    onlookers : mapping of str to Onlooker, or None
        See the products of those sets that are named, none of which are then left out.

    Returns
    -------
    dict of str to Meeting
        The same as `nearest` in both directions and `mutual_ball_counts`.

    Raises
    ------
    InputError
        As for `nearest` and `ball_counts`; where radii are given for a set that is not there.

    Examples
    --------
    >>> import numpy as np
    >>> training, synthetic = np.array([[0.0], [4.0]]), np.array([[0.5], [5.0], [9.0]])
    >>> met = meetings({"synthetic": synthetic}, training, 1, point_radii=np.array([1.0, 2.0]))["synthetic"]
    >>> met.nearest_points.indices.ravel().tolist(), met.nearest_queries.indices.ravel().tolist()
    ([0, 1, 1], [0, 1])
    >>> met.around_points.inside.tolist()
    [1, 1]
    """
    back = k if back is None else back
    if min(k, back) < 1:
        raise InputError(f"k must be at least 1, got {min(k, back)}")
    own, reach = dict(set_radii or {}), dict(set_reach or {})
    unknown = sorted(own.keys() - sets.keys()) + sorted(reach.keys() - own.keys())
    if unknown:
        raise InputError(f"radii are given for {', '.join(unknown)}, which is not among the sets")
    around, typical = (
        None if radii is None else radii_of(radii, len(points)) for radii in (point_radii, typical_radii)
    )
    points, _ = checked(points, points, metric)
    asked = {name: checked(queries, points, metric)[0] for name, queries in sets.items()}
    own, reach = ({name: radii_of(given, len(asked[name])) for name, given in by.items()} for by in (own, reach))
    side = Side(points, Frame.around(points, metric, *asked.values()), memory // 4)
    radii = {name: _Radii(around, own.get(name), reach.get(name), typical) for name in asked}
    return {
        name: _met(queries, points, side, (k, back), radii[name], memory, pruning, (onlookers or {}).get(name))
        for name, queries in asked.items()
    }


@dataclass(frozen=True)
class _Radii:
    points: np.ndarray | None
    queries: np.ndarray | None
    reach: np.ndarray | None
    typical: np.ndarray | None


def _met(
    queries: np.ndarray,
    points: np.ndarray,
    side: Side,
    sought: tuple[int, int],
    radii: _Radii,
    memory: int,
    pruning: PruningChoice,
    onlooker: Onlooker | None,
) -> Meeting:
    frame, nobody = side.frame, Excluded(None, None, False, len(queries), len(points))
    forward = Search(queries, points, sought[0], frame.metric, nobody, False, memory, points_as=side)
    nothing = not len(queries) or not len(points)
    spared = Pruning() if nothing else narrowed(forward, pruning if onlooker is None else "never")
    if nothing or spared.settled > _MOST:
        return _apart(forward, sought[1], spared, radii, pruning)
    back = Search(points, queries, sought[1], frame.metric, nobody, False, memory, frame=frame)
    by_query, by_point = (
        Smallest(len(asked), min(k + max(2, k // 2), len(among)), SINGLE.entries, side.device)
        for k, asked, among in zip(sought, (queries, points), (points, queries), strict=True)
    )
    tally = Tally(queries, points, frame, radii.points, radii.queries, memory, keep=True, query_reach=radii.reach)
    depths = None if radii.typical is None else Depths(queries, points, frame, radii.typical, memory)
    blocks = Blocks(Side(queries, frame, 0), side, memory // 2, onlooker=onlooker)
    for rows, columns, block in blocks:
        by_query.take(rows, columns, block)
        by_point.take_transposed(columns, rows, block)
        if radii.points is not None or radii.queries is not None:
            tally.take(rows, columns, block, blocks.doubt(rows, columns))
        if depths is not None:
            # The last to look: it overwrites the block.
            depths.take(rows, columns, block)
    forward.multiplications += blocks.multiplications
    for search, smallest in ((forward, by_query), (back, by_point)):
        search.settle(np.arange(len(search.queries)), smallest)
        search.run(DOUBLE)
    backward = Neighbors(back.distances, back.indices)
    return _as_meeting(forward, spared, backward, tally, None if depths is None else depths.found(), radii)


def _apart(forward: Search, back: int, spared: Pruning, radii: _Radii, pruning: PruningChoice) -> Meeting:
    """A pass for each question, where few rows are left to search."""
    queries, points, metric, memory = forward.queries, forward.points, forward.metric, forward.memory
    forward.run(SINGLE)
    backward = nearest(points, queries, back, metric=metric, memory=memory, pruning=pruning)
    around = radii.points, radii.queries
    tally, _ = tallied(
        queries, points, *around, metric, forward.excluded, memory, pruning, keep=True, query_reach=radii.reach
    )
    depths = None if radii.typical is None else _depths(forward, radii.typical)
    return _as_meeting(forward, spared, backward, tally, depths, radii)


def _depths(found: Search, radii: np.ndarray) -> np.ndarray:
    """Depths in balls from the nearest points, and by a search where others could be deeper."""
    queries, points = found.queries, found.points
    known = found.indices >= 0
    distances = np.where(known, found.distances, np.inf)
    own = np.where(known, radii[found.indices], 0.0)
    depths = np.divide(own, distances, out=np.where(own > 0, np.inf, 0.0), where=distances > 0).max(axis=1, initial=0.0)
    # No point beyond the k-th is nearer than it, and no radius is larger than the largest.
    furthest = distances[:, -1] if distances.shape[1] else np.zeros(len(queries))
    highest = np.divide(radii.max(initial=0.0), furthest, out=np.full(len(queries), np.inf), where=furthest > 0)
    rest = np.flatnonzero(depths < highest)
    if len(rest):
        balls = radii > 0
        depths[rest] = depth_in_balls(
            queries[rest], points[balls], radii[balls], metric=found.metric, memory=found.memory
        )
    return depths


def _as_meeting(
    forward: Search, spared: Pruning, backward: Neighbors, tally: Tally, depths: np.ndarray | None, radii: _Radii
) -> Meeting:
    spared = spared.measured(forward.multiplications, forward.whole)
    return Meeting(
        Neighbors(forward.distances, forward.indices, spared),
        backward,
        None if radii.points is None else tally.around_points,
        None if radii.queries is None else turned(tally.around_queries),
        tally.pairs,
        tally.pairs_around_queries,
        depths,
    )
