"""Who counts as one patient.

Where a patient's images carry one identifier, they are one group. The same image filed under two identifiers, or a
set without identifiers, would hide copies: the copied image and its twin are equally near. Near-duplicates within
the training set are therefore joined into one group before anything is compared.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from fourfold.neighbors import Neighbors, nearest
from fourfold.neighbors.distances import MetricName

__all__ = ["NEAR_DUPLICATE", "NEIGHBOURS", "join_near_duplicates", "numbered"]

NEAR_DUPLICATE = 0.3
"""Share of the typical distance between patients below which two images are taken for the same image. On chest
radiographs no two patients come nearer than 0.55, and the same image filed twice is at 0. Joining too much is harmless:
the groups serve synthetic images and their null alike."""

NEIGHBOURS = 5


def numbered(training: np.ndarray | None, holdout: np.ndarray | None, sizes: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Patients as numbers shared by the training and the holdout set.

    Parameters
    ----------
    training, holdout : arrays of str or int, or None
        Identifiers; None where unknown: each image is then a patient of its own.
    sizes : (int, int)
        N and H.

    Returns
    -------
    (array of int64 of shape (N,), array of int64 of shape (H,))
    """
    if training is not None and (holdout is not None or sizes[1] == 0):
        both = np.concatenate([training, holdout if holdout is not None else training[:0]])
        numbers = np.unique(both, return_inverse=True)[1].astype(np.int64)
        return numbers[: sizes[0]], numbers[sizes[0] :]
    mine = np.arange(sizes[0]) if training is None else np.unique(training, return_inverse=True)[1]
    theirs = np.arange(sizes[1]) if holdout is None else np.unique(holdout, return_inverse=True)[1]
    return mine.astype(np.int64), theirs.astype(np.int64) + int(mine.max(initial=-1)) + 1


def join_near_duplicates(
    vectors: np.ndarray,
    groups: np.ndarray,
    share: float = NEAR_DUPLICATE,
    metric: MetricName = "euclidean",
    found: Neighbors | None = None,
    memory: int = 1 << 30,
) -> tuple[np.ndarray, Neighbors, float]:
    """Join the groups of images that are nearly the same.

    Parameters
    ----------
    vectors : array, shape (N, d)
    groups : array of int, shape (N,)
    share : float
        Share of the typical distance below which two images are taken for the same image.
    metric : str
        As for `fourfold.neighbors.nearest`.
    found : Neighbors or None
        The nearest training images of other groups, where they are known already.
    memory : int
        Bytes for the search.

    Returns
    -------
    joined : array of int64, shape (N,)
        Coarser groups, each numbered by one of its old numbers.
    found : Neighbors
        The five nearest training images of other joined groups.
    scale : float
        The typical distance before joining: the median over images of that to the fifth nearest, which is not
        small even where every image has a twin.
    """
    groups = np.asarray(groups, dtype=np.int64)
    if found is None:
        found = _others(vectors, groups, metric, memory)
    scale = _typical(found.distances)
    while True:
        rows, places = np.nonzero(found.distances < share * scale)
        if not len(rows):
            return groups, found, scale
        names, numbers = np.unique(groups, return_inverse=True)
        links = coo_matrix(
            (np.ones(len(rows)), (numbers[rows], numbers[found.indices[rows, places]])), shape=2 * (len(names),)
        )
        component = connected_components(links, directed=False)[1]
        first = np.empty(component.max() + 1, dtype=np.int64)
        first[component[::-1]] = names[::-1]
        groups = first[component][numbers]
        found = _others(vectors, groups, metric, memory)


def _others(vectors: np.ndarray, groups: np.ndarray, metric: MetricName, memory: int) -> Neighbors:
    return nearest(vectors, vectors, NEIGHBOURS, metric=metric, query_groups=groups, point_groups=groups, memory=memory)


def _typical(distances: np.ndarray) -> float:
    last = np.where(np.isfinite(distances), distances, -np.inf).max(axis=1, initial=-np.inf)
    last = last[np.isfinite(last)]
    return float(np.median(last)) if len(last) else 0.0
