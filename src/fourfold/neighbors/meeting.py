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
from fourfold.neighbors.blocks import Blocks, checked
from fourfold.neighbors.counts import BallCounts, Tally, balls, radii_of, turned
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.exact import Neighbors, nearest
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.narrowing import narrowed
from fourfold.neighbors.precision import DOUBLE, SINGLE
from fourfold.neighbors.pruning import Pruning, PruningChoice
from fourfold.neighbors.searching import Search
from fourfold.neighbors.selection import Smallest
from fourfold.neighbors.sides import Side

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
    """

    nearest_points: Neighbors
    nearest_queries: Neighbors
    around_points: BallCounts | None = None
    around_queries: BallCounts | None = None


def meetings(
    sets: Mapping[str, np.ndarray],
    points: np.ndarray,
    k: int,
    *,
    metric: MetricName = "euclidean",
    point_radii: np.ndarray | None = None,
    set_radii: Mapping[str, np.ndarray] | None = None,
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
) -> dict[str, Meeting]:
    """Every question about some sets and the same points, in one pass a set over the points, which are prepared once.

    Parameters
    ----------
    sets : mapping of str to array, shape (n, d)
        For example the synthetic set and the holdout. None of them is the points: see `nearest` for that.
    points : array, shape (m, d)
        For example the training set.
    k : int
        Neighbours in both directions, at least 1.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    point_radii : array, shape (m,), or None
        Radii of the balls around points, as for `ball_counts`.
    set_radii : mapping of str to array, shape (n,), or None
        Radii of the balls around rows of those sets that are named.
    memory, pruning
        As for `nearest`.

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
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    radii = dict(set_radii or {})
    unknown = sorted(radii.keys() - sets.keys())
    if unknown:
        raise InputError(f"radii are given for {', '.join(unknown)}, which is not among the sets")
    around = None if point_radii is None else radii_of(point_radii, len(points))
    points, _ = checked(points, points, metric)
    asked = {name: checked(queries, points, metric)[0] for name, queries in sets.items()}
    own = {name: radii_of(given, len(asked[name])) for name, given in radii.items()}
    side = Side(points, Frame.around(points, metric, *asked.values()), memory // 4)
    return {
        name: _met(queries, points, side, k, around, own.get(name), memory, pruning) for name, queries in asked.items()
    }


def _met(
    queries: np.ndarray,
    points: np.ndarray,
    side: Side,
    k: int,
    point_radii: np.ndarray | None,
    query_radii: np.ndarray | None,
    memory: int,
    pruning: PruningChoice,
) -> Meeting:
    frame, nobody = side.frame, Excluded(None, None, False, len(queries), len(points))
    metric, counted = frame.metric, (point_radii is not None, query_radii is not None)
    forward = Search(queries, points, k, metric, nobody, False, memory, points_as=side)
    nothing = not len(queries) or not len(points)
    spared = Pruning() if nothing else narrowed(forward, pruning)
    if nothing or spared.settled > _MOST:
        forward.run(SINGLE)
        backward = nearest(points, queries, k, metric=metric, memory=memory, pruning=pruning)
        counts = balls(queries, points, point_radii, query_radii, metric, nobody, memory, pruning)
        return _as_meeting(forward, spared, backward, counts, counted)
    back = Search(points, queries, k, metric, nobody, False, memory, frame=frame)
    kept = k + max(2, k // 2)
    by_query, by_point = (
        Smallest(len(asked), min(kept, len(among)), SINGLE.entries, side.device)
        for asked, among in ((queries, points), (points, queries))
    )
    tally = Tally(queries, points, frame, point_radii, query_radii, memory)
    blocks = Blocks(Side(queries, frame, 0), side, memory // 2)
    for rows, columns, block in blocks:
        by_query.take(rows, columns, block)
        by_point.take_transposed(columns, rows, block)
        if any(counted):
            tally.take(rows, columns, block, blocks.doubt(rows, columns))
    forward.multiplications += blocks.multiplications
    for search, smallest in ((forward, by_query), (back, by_point)):
        search.settle(np.arange(len(search.queries)), smallest)
        search.run(DOUBLE)
    backward = Neighbors(back.distances, back.indices)
    return _as_meeting(forward, spared, backward, (tally.around_points, tally.around_queries), counted)


def _as_meeting(
    forward: Search,
    spared: Pruning,
    backward: Neighbors,
    counts: tuple[BallCounts, BallCounts],
    counted: tuple[bool, bool],
) -> Meeting:
    spared = spared.measured(forward.multiplications, forward.whole)
    return Meeting(
        Neighbors(forward.distances, forward.indices, spared),
        backward,
        counts[0] if counted[0] else None,
        turned(counts[1]) if counted[1] else None,
    )
