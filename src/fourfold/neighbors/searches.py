"""The ways to search, behind one set of calls: exact here, on an accelerator or over an engine, or approximate.

Whoever holds one asks for neighbours and counts as from `nearest`, `ball_counts` and `mutual_ball_counts`. Only the
approximate one changes results, and it keeps the measure of every search it did, for the report.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, get_args

import numpy as np
import torch

from fourfold.devices import enough_memory
from fourfold.engine import Engine
from fourfold.errors import InputError
from fourfold.neighbors.approximate import SearchQuality, nearest_approximate
from fourfold.neighbors.approximate_counts import ball_counts_approximate
from fourfold.neighbors.approximate_index import ApproximateIndex, IndexName, IndexOptions, indexed, the_library
from fourfold.neighbors.counts import ball_counts, mutual_ball_counts
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.exact import Neighbors, nearest
from fourfold.neighbors.sharded import nearest_sharded
from fourfold.neighbors.sharded_counts import ball_counts_sharded, mutual_ball_counts_sharded
from fourfold.neighbors.tally import BallCounts

__all__ = [
    "EXACT",
    "ApproximateSearch",
    "ExactSearch",
    "SearchName",
    "Searching",
    "ShardedSearch",
    "search_named",
]

SearchName = Literal["exact", "ivf", "hnsw"]

_REMEDY = "give a search less with --memory, or take the processor with --device cpu"


class Searching(ABC):
    """A way to search."""

    @abstractmethod
    def nearest(
        self,
        queries: np.ndarray,
        points: np.ndarray,
        k: int,
        *,
        metric: MetricName = "euclidean",
        query_groups: np.ndarray | None = None,
        point_groups: np.ndarray | None = None,
        exclude_self: bool = False,
        memory: int = 1 << 30,
    ) -> Neighbors:
        """As `fourfold.neighbors.nearest`."""

    @abstractmethod
    def ball_counts(
        self,
        queries: np.ndarray,
        points: np.ndarray,
        radii: np.ndarray,
        *,
        metric: MetricName = "euclidean",
        memory: int = 1 << 30,
    ) -> BallCounts:
        """As `fourfold.neighbors.ball_counts`."""

    @abstractmethod
    def mutual_ball_counts(
        self,
        left: np.ndarray,
        right: np.ndarray,
        left_radii: np.ndarray,
        right_radii: np.ndarray,
        *,
        metric: MetricName = "euclidean",
        memory: int = 1 << 30,
    ) -> tuple[BallCounts, BallCounts]:
        """As `fourfold.neighbors.mutual_ball_counts`."""


class ExactSearch(Searching):
    """In this process.

    Parameters
    ----------
    device : str
        Where products are done, as PyTorch names it; the results are the same.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def nearest(
        self, queries: np.ndarray, points: np.ndarray, k: int, *, memory: int = 1 << 30, **keywords: object
    ) -> Neighbors:
        """As `fourfold.neighbors.nearest`."""
        with enough_memory(_REMEDY):
            return nearest(queries, points, k, **self._place(memory), **keywords)

    def ball_counts(
        self, queries: np.ndarray, points: np.ndarray, radii: np.ndarray, *, memory: int = 1 << 30, **keywords: object
    ) -> BallCounts:
        """As `fourfold.neighbors.ball_counts`."""
        with enough_memory(_REMEDY):
            return ball_counts(queries, points, radii, **self._place(memory), **keywords)

    def mutual_ball_counts(
        self,
        left: np.ndarray,
        right: np.ndarray,
        left_radii: np.ndarray,
        right_radii: np.ndarray,
        *,
        memory: int = 1 << 30,
        **keywords: object,
    ) -> tuple[BallCounts, BallCounts]:
        """As `fourfold.neighbors.mutual_ball_counts`."""
        with enough_memory(_REMEDY):
            return mutual_ball_counts(left, right, left_radii, right_radii, **self._place(memory), **keywords)

    def _place(self, memory: int) -> dict[str, Any]:
        """Where products are done, and the bytes for them: on a GPU, which holds rows and blocks, half of its own."""
        if torch.device(self.device).type == "cuda":
            memory = torch.cuda.mem_get_info(self.device)[0] // 2
        return {"device": self.device, "memory": memory}


EXACT = ExactSearch()
"""Exact, in this process, on its processor."""


class ShardedSearch(Searching):
    """Over the workers of an engine, with the results of `EXACT`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def nearest(self, queries: np.ndarray, points: np.ndarray, k: int, **keywords: object) -> Neighbors:
        """As `fourfold.neighbors.nearest`."""
        return nearest_sharded(queries, points, k, engine=self._engine, **keywords)

    def ball_counts(self, queries: np.ndarray, points: np.ndarray, radii: np.ndarray, **keywords: object) -> BallCounts:
        """As `fourfold.neighbors.ball_counts`."""
        return ball_counts_sharded(queries, points, radii, engine=self._engine, **keywords)

    def mutual_ball_counts(
        self,
        left: np.ndarray,
        right: np.ndarray,
        left_radii: np.ndarray,
        right_radii: np.ndarray,
        **keywords: object,
    ) -> tuple[BallCounts, BallCounts]:
        """As `fourfold.neighbors.mutual_ball_counts`."""
        return mutual_ball_counts_sharded(left, right, left_radii, right_radii, engine=self._engine, **keywords)


class ApproximateSearch(Searching):
    """By an index, made once for each set of points.

    Parameters
    ----------
    index : {"ivf", "hnsw"}
    options : IndexOptions or None
    seed : int
        Of the queries that are searched exactly too.

    Attributes
    ----------
    qualities : list of SearchQuality
        Of every search so far.
    """

    def __init__(self, index: IndexName, options: IndexOptions | None = None, seed: int = 0) -> None:
        self.index, self.options, self.seed = index, options, seed
        self.qualities: list[SearchQuality] = []
        self._made: dict[tuple[int, str], tuple[np.ndarray, ApproximateIndex]] = {}

    def nearest(
        self, queries: np.ndarray, points: np.ndarray, k: int, *, metric: MetricName = "euclidean", **keywords: object
    ) -> Neighbors:
        """As `fourfold.neighbors.approximate.nearest_approximate`, whose measure is kept."""
        index = self._index(points, metric)
        found = nearest_approximate(queries, points, k, index=index, seed=self.seed, **keywords)
        self.qualities.append(found.quality)
        return found.neighbors

    def ball_counts(
        self,
        queries: np.ndarray,
        points: np.ndarray,
        radii: np.ndarray,
        *,
        metric: MetricName = "euclidean",
        memory: int = 1 << 30,
    ) -> BallCounts:
        """As `fourfold.neighbors.approximate_counts.ball_counts_approximate`."""
        return ball_counts_approximate(queries, self._index(points, metric), radii, memory=memory)

    def mutual_ball_counts(
        self,
        left: np.ndarray,
        right: np.ndarray,
        left_radii: np.ndarray,
        right_radii: np.ndarray,
        *,
        metric: MetricName = "euclidean",
        memory: int = 1 << 30,
    ) -> tuple[BallCounts, BallCounts]:
        """Either direction from the index of the set that the balls are around."""
        around_left = self.ball_counts(right, left, left_radii, metric=metric, memory=memory)
        return around_left, self.ball_counts(left, right, right_radii, metric=metric, memory=memory)

    def _index(self, points: np.ndarray, metric: MetricName) -> ApproximateIndex:
        key = id(points), metric
        if key not in self._made:
            # The points are kept with it, so that no other array takes their place in memory.
            self._made[key] = points, indexed(points, self.index, metric=metric, options=self.options)
        return self._made[key][1]


def search_named(
    name: SearchName, engine: Engine, options: IndexOptions | None = None, seed: int = 0, device: str = "cpu"
) -> Searching:
    """The way to search that a user asked for; an approximate one runs here, whatever the engine and device.

    Other engines search on the processors of their workers, and so do devices without float64.

    Raises
    ------
    InputError
        Where there is no such way.
    MissingExtra
        Where an approximate search was asked for and faiss is not installed.
    """
    if name not in get_args(SearchName):
        raise InputError(f"search must be one of {', '.join(get_args(SearchName))}, got {name!r}")
    if name != "exact":
        # Before the work: a metric that cannot search says so and gives no score.
        the_library()
        return ApproximateSearch(name, options, seed)
    if not engine.here:
        return ShardedSearch(engine)
    return ExactSearch(device) if torch.device(device).type == "cuda" else EXACT
