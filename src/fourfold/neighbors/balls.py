"""The balls around real points that stand for the manifold of real images: their radii, and how deep a point lies.

The ball around a point reaches to its k-th nearest other point. "Inside" is strict, as in the reference code of
density and coverage, with one exception: a point is inside any ball whose centre it equals. Otherwise the balls of
duplicated points, whose radius is 0, would not hold even their own centre, and two identical sets of constant images
would share nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.neighbors.blocks import Blocks, checked, pairwise
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.exact import nearest
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.selection import Smallest
from fourfold.neighbors.sides import Side
from fourfold.neighbors.tally import Tally

__all__ = ["Depths", "Held", "ball_radii", "depth_in_balls", "held_in_balls", "with_centres"]

# Candidates per row that are scored again in float64: the best one of float32 may not be the best.
_CANDIDATES = 4


def ball_radii(
    points: np.ndarray,
    k: int,
    *,
    metric: MetricName = "euclidean",
    groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> np.ndarray:
    """Distance of each point to its k-th nearest other point.

    Parameters
    ----------
    points : array, shape (n, d)
    k : int
        At least 1 and smaller than n.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    groups : array of int, shape (n,), or None
        Points of the same group (images of one patient) are not neighbours of each other.
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    array, shape (n,)
        float64. A radius of 0 is given as the smallest positive number, see `with_centres`.

    Raises
    ------
    InputError
        Where a point has fewer than `k` neighbours.

    Examples
    --------
    >>> import numpy as np
    >>> ball_radii(np.array([[0.0], [1.0], [3.0]]), k=1).tolist()
    [1.0, 1.0, 2.0]
    """
    distances = nearest(
        points, points, k, metric=metric, query_groups=groups, point_groups=groups, exclude_self=True, memory=memory
    ).distances
    radii = distances[:, -1]
    if not np.isfinite(radii).all():
        others = "images" if groups is None else "images of other patients"
        raise InputError(f"a radius to the {k}th neighbour needs more than {k} {others}, got a set of {len(points)}")
    return with_centres(radii)


def with_centres(radii: np.ndarray) -> np.ndarray:
    """Radii with every 0 replaced by the smallest positive number, so that a strict comparison keeps the centre."""
    return np.maximum(radii, np.finfo(np.float64).tiny)


def depth_in_balls(
    queries: np.ndarray,
    points: np.ndarray,
    radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    memory: int = 1 << 30,
) -> np.ndarray:
    """For each query, the largest ratio of radius to distance over all balls; above 1 inside of one.

    Parameters
    ----------
    queries : array, shape (n, d)
    points : array, shape (m, d)
    radii : array, shape (m,)
        Positive.
    metric, memory
        As for `ball_radii`.

    Returns
    -------
    array, shape (n,)
        float64; infinity for a query that equals a point.

    Examples
    --------
    >>> import numpy as np
    >>> depth_in_balls(np.array([[0.5]]), np.array([[0.0], [4.0]]), np.array([1.0, 14.0])).tolist()
    [4.0]
    """
    queries, points = checked(queries, points, metric)
    frame = Frame.around(points, metric, queries)
    depths = Depths(queries, points, frame, radii, memory)
    for rows, columns, squared in Blocks(Side(queries, frame, 0), Side(points, frame, memory // 4), memory // 2):
        depths.take(rows, columns, squared)
    return depths.found()


@dataclass(frozen=True)
class Held:
    """How a set lies in the balls around some points.

    Parameters
    ----------
    containing : array, shape (n,)
        For each row of the set, the number of balls that hold it.
    inside : array, shape (m,)
        For each point, the number of rows inside its ball.
    depths : array, shape (n,)
        For each row, the largest ratio of radius to distance over the balls of at most the median radius.
    """

    containing: np.ndarray
    inside: np.ndarray
    depths: np.ndarray


def held_in_balls(
    queries: np.ndarray,
    points: np.ndarray,
    radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    memory: int = 1 << 30,
) -> Held:
    """Everything about a set in the balls around some points, from one pass over the pairs.

    Parameters
    ----------
    queries, points : arrays, shapes (n, d) and (m, d)
    radii : array, shape (m,)
        Positive, see `ball_radii`.
    metric, memory
        As for `ball_radii`.

    Returns
    -------
    Held
        The same as `ball_counts` and `depth_in_balls`.
    """
    queries, points = checked(queries, points, metric)
    frame = Frame.around(points, metric, queries)
    tally = Tally(queries, points, frame, radii, None, memory)
    depths = Depths(queries, points, frame, np.where(radii <= np.median(radii), radii, 0.0), memory)
    blocks = Blocks(Side(queries, frame, 0), Side(points, frame, memory // 4), memory // 2)
    for rows, columns, block in blocks:
        tally.take(rows, columns, block, blocks.doubt(rows, columns))
        # The last to look: it overwrites the block.
        depths.take(rows, columns, block)
    return Held(tally.around_points.containing, tally.around_points.inside, depths.found())


class Depths:
    """How deep queries lie in the balls around points, filled while the blocks of their distances go by.

    Parameters
    ----------
    queries, points : arrays, shapes (n, d) and (m, d)
    frame : Frame
    radii : array, shape (m,)
        Positive; a ball of radius 0 is left out.
    memory : int
    """

    def __init__(self, queries: np.ndarray, points: np.ndarray, frame: Frame, radii: np.ndarray, memory: int) -> None:
        self._queries, self._points, self._frame, self._radii, self._memory = queries, points, frame, radii, memory
        self._smallest = Smallest(len(queries), min(_CANDIDATES, len(points)), torch.float32, torch.device("cpu"))
        squared = np.maximum(frame.squared(radii), np.finfo(np.float32).tiny)
        self._scale = torch.from_numpy(1.0 / squared).float()
        self._absent = torch.from_numpy(np.where(radii > 0, 0.0, np.inf)).float()

    def take(self, rows: slice, columns: slice, block: torch.Tensor) -> None:
        """Look through a block of bounds, which it overwrites."""
        block.clamp_(min=0.0).mul_(self._scale[columns]).add_(self._absent[columns])
        self._smallest.take(rows, columns, block)

    def found(self) -> np.ndarray:
        """Largest ratio of radius to distance by query, shape (n,); 0 where there is no ball."""
        indices = self._smallest.columns.numpy()
        rows = np.repeat(np.arange(len(indices)), indices.shape[1])
        distances = pairwise(self._queries, self._points, rows, indices.ravel(), self._frame.metric, self._memory)
        distances = distances.reshape(indices.shape)
        ratios = np.divide(self._radii[indices], distances, out=np.full(indices.shape, np.inf), where=distances > 0)
        return np.where(indices < 0, 0.0, ratios).max(axis=1, initial=0.0)
