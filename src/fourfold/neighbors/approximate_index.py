"""Indexes that find most of the nearest points of a query without looking at all of them, by faiss.

`ivf` sorts the points into lists around the centres of k-means and looks through the lists nearest to a query (Jégou,
Douze & Schmid 2011, "Product quantization for nearest neighbor search", IEEE PAMI 33; the lists, not the quantisation
of their rows). `hnsw` follows the links of a layered graph of neighbours (Malkov & Yashunin 2020, IEEE PAMI 42). Either
holds a copy of the points in memory, in float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from fourfold.errors import InputError, MissingExtra
from fourfold.neighbors.blocks import checked
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.rows import ranges

__all__ = ["ApproximateIndex", "IndexName", "IndexOptions", "indexed", "the_library"]

IndexName = Literal["ivf", "hnsw"]

# Lists as faiss advises for up to ten million rows, points that a list holds at least, and those it is trained on.
_LISTS_A_ROOT, _LEAST_IN_A_LIST, _TRAINED_ON = 4, 39, 64
# Rows brought into the frame at a time.
_STEP = 8192


@dataclass(frozen=True)
class IndexOptions:
    """How hard an index tries.

    Parameters
    ----------
    lists : int or None
        Lists of `ivf`; None for four times the square root of the number of points.
    probes : int
        Lists that are looked through for a query; all of them make the search exact.
    links : int
        Links of a point in the graph of `hnsw`.
    breadth : int
        Points that `hnsw` keeps in view, while it is built and for a query.
    seed : int
        Of the sample that lists are made from.
    threads : int or None
        Of faiss; None as it is set. With more than one the graph of `hnsw`, and so what it misses, may differ from
        run to run.
    """

    lists: int | None = None
    probes: int = 64
    links: int = 32
    breadth: int = 128
    seed: int = 0
    threads: int | None = None


@dataclass(frozen=True)
class ApproximateIndex:
    """Points, prepared for an approximate search.

    Parameters
    ----------
    name : {"ivf", "hnsw"}
    points : array, shape (m, d)
        As they were given.
    frame : Frame
    options : IndexOptions
        With the number of lists that there are.
    found : faiss.Index
    """

    name: IndexName
    points: np.ndarray
    frame: Frame
    options: IndexOptions
    found: Any

    def candidates(self, queries: np.ndarray, count: int) -> np.ndarray:
        """Row numbers of about the `count` nearest points of each query, shape (n, count), int64; -1 for none."""
        faiss = the_library()
        if self.name == "ivf":
            how = faiss.SearchParametersIVF(nprobe=min(self.options.probes, self.options.lists or 1))
        else:
            how = faiss.SearchParametersHNSW(efSearch=max(self.options.breadth, count))
        with _threads(self.options.threads):
            return self.found.search(self.frame.rows(queries, np.float32), count, params=how)[1]


def indexed(
    points: np.ndarray,
    name: IndexName = "ivf",
    *,
    metric: MetricName = "euclidean",
    options: IndexOptions | None = None,
) -> ApproximateIndex:
    """Prepare points for an approximate search.

    Parameters
    ----------
    points : array, shape (m, d)
        At least one row; may be mapped from a file.
    name : {"ivf", "hnsw"}
    metric : {"euclidean", "cosine", "correlation"}
    options : IndexOptions or None

    Raises
    ------
    MissingExtra
        Where faiss is not installed.
    InputError
        Where there are no points, values are not finite, or an option or the metric is out of range.
    """
    faiss = the_library()
    options = options or IndexOptions()
    if name not in get_args(IndexName):
        raise InputError(f"index must be one of {', '.join(get_args(IndexName))}, got {name!r}")
    if metric == "hamming":
        raise InputError("codes are only searched exactly: choose the search 'exact' for the metric 'hamming'")
    lowest = {"probes": options.probes, "links": options.links - 1, "breadth": options.breadth, "lists": options.lists}
    for field, value in lowest.items():
        if value is not None and value < 1:
            raise InputError(f"{field} of an index must be at least {2 if field == 'links' else 1}")
    points, _ = checked(points, points, metric)
    if not len(points):
        raise InputError("there are no points to search")
    frame = Frame.around(points, metric)
    with _threads(options.threads):
        if name == "ivf":
            return _lists(faiss, points, frame, options)
        found = faiss.IndexHNSWFlat(frame.width, options.links)
        found.hnsw.efConstruction = options.breadth
        _add(found, points, frame)
    return ApproximateIndex(name, points, frame, options, found)


def _lists(faiss: Any, points: np.ndarray, frame: Frame, options: IndexOptions) -> ApproximateIndex:
    m = len(points)
    advised = min(round(_LISTS_A_ROOT * math.sqrt(m)), max(1, m // _LEAST_IN_A_LIST))
    lists = min(options.lists or advised, m)
    quantiser = faiss.IndexFlatL2(frame.width)
    found = faiss.IndexIVFFlat(quantiser, frame.width, lists)
    found.cp.seed = options.seed + 1
    # The sample is drawn here; faiss would draw, and complain, once more.
    found.cp.min_points_per_centroid, found.cp.max_points_per_centroid = 1, _TRAINED_ON
    rng = np.random.default_rng([options.seed, m])
    sample = np.sort(rng.choice(m, min(m, _TRAINED_ON * lists), replace=False))
    found.train(frame.rows(points[sample], np.float32))
    _add(found, points, frame)
    made = IndexOptions(lists, options.probes, options.links, options.breadth, options.seed, options.threads)
    return ApproximateIndex("ivf", points, frame, made, found)


def _add(found: Any, points: np.ndarray, frame: Frame) -> None:
    for first, last in ranges(0, len(points), _STEP):
        found.add(frame.rows(points[first:last], np.float32))


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    faiss = the_library()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count or before)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def the_library() -> Any:
    """The module of faiss; raises MissingExtra where it is not installed."""
    try:
        import faiss
    except ImportError as error:
        raise MissingExtra("faiss-cpu", "faiss", "an approximate search") from error
    return faiss
