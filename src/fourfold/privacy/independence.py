"""Whether a holdout is a control at all: whether its patients are really others than those in training.

Other slices or films of training patients make a holdout useless: the null of every attack is then as near as a
copy. Where identifiers are missing or wrong, two signals of images betray it.

*Siblings*. The log-ratio ``u = log(d2 / d1)`` of a holdout image (d2: nearest training image of another patient than
the nearest) is compared with that of training images whose own patient is set aside, together with those beside them
in the order of file names where patients are not known: slices of a patient follow each other there. A ratio rather
than a distance, because a holdout that merely is more typical than the training set has smaller distances.

*Adjacency*. A holdout image is compared with the training images next to it in the common order of file names, and
with those a few places on. Among different patients neither is nearer; a difference means that patients run across
both sets. It sees faint likeness (films of one chest taken months apart) that no single nearest neighbour shows, and
says nothing where names carry no order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fourfold.neighbors import nearest
from fourfold.privacy.ratio import log_ratio
from fourfold.statistics import variance_of_mean

__all__ = ["Independence", "Signal", "holdout_signals", "merged_places", "natural_key"]

WINDOW = 10
"""Places before and after an image that may be slices of its patient; at most a fortieth of the set."""

LEAST = 50
"""Training images, and holdout images, below which nothing is measured."""

LEAST_PLACES = 60
"""Different places of the training order that the holdout must fall into for the order to tell anything."""

_BLOCK = 20
_STRETCH = 5
_NULL_SHARE, _NULL_COUNT = 0.01, 10
_NEAR = (-1, 0)
_FAR = (*range(-8, -3), *range(3, 8))


@dataclass(frozen=True)
class Signal:
    """A quantity of the holdout, and what it would be if no training patient were in it.

    Parameters
    ----------
    value, expected : float
        In [0, 1].
    standard_error : float
        Of ``value - expected``, with images of one patient, and those beside each other, as one observation.
    """

    value: float
    expected: float
    standard_error: float

    def beyond(self, errors: float) -> float:
        """The excess that is certain at so many standard errors; negative where none is."""
        return self.value - self.expected - errors * self.standard_error


@dataclass(frozen=True)
class Independence:
    """The signals of a holdout that shares patients with the training set.

    Parameters
    ----------
    siblings : Signal
        Share of the holdout images whose nearest training patient stands out as their own would.
    adjacency : Signal or None
        Probability that a training image next to a holdout image is nearer than one a few places on; 0.5 expected.
        None where the names of the two sets do not interleave.
    runs : Signal or None
        The same among training images: well above 0.5 where patients come in runs. No evidence against a holdout.
    sibling_like : array of bool, shape (H,)
        Which images.
    """

    siblings: Signal
    adjacency: Signal | None
    runs: Signal | None
    sibling_like: np.ndarray


def natural_key(name: str) -> tuple[str | int, ...]:
    """Sorts names as people do: numbers by value.

    Examples
    --------
    >>> sorted(["b10", "b9", "a"], key=natural_key)
    ['a', 'b9', 'b10']
    """
    return tuple(int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", name)))


def merged_places(training: Sequence[str], holdout: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Places of the images in the common natural order of their names.

    Parameters
    ----------
    training, holdout : sequences of str
        Paths. A folder that all paths of one set start with, and those of the other do not, is left out of account.

    Returns
    -------
    (array of int, shape (N,), array of int, shape (H,))
        Different numbers, 0 to N + H - 1.

    Examples
    --------
    >>> [places.tolist() for places in merged_places(["train/1.png", "train/10.png"], ["test/2.png"])]
    [[0, 2], [1]]
    """
    folders = [_common_folder(paths) for paths in (training, holdout)]
    cut = [0, 0] if folders[0] == folders[1] else [len(folder) for folder in folders]
    names = [
        "/".join(path.replace("\\", "/").split("/")[skip:])
        for paths, skip in ((training, cut[0]), (holdout, cut[1]))
        for path in paths
    ]
    order = sorted(range(len(names)), key=lambda row: natural_key(names[row]))
    places = np.empty(len(names), dtype=np.int64)
    places[order] = np.arange(len(names))
    return places[: len(training)], places[len(training) :]


def holdout_signals(
    training: np.ndarray,
    holdout: np.ndarray,
    training_places: np.ndarray,
    holdout_places: np.ndarray,
    *,
    training_patients: np.ndarray | None = None,
    holdout_patients: np.ndarray | None = None,
    known: bool = False,
    memory: int = 1 << 30,
) -> Independence | None:
    """Look for training patients in the holdout.

    Parameters
    ----------
    training, holdout : arrays, shapes (N, d) and (H, d)
        Features, or pixels; compared by their cosine after the mean of the training set was taken off.
    training_places, holdout_places : arrays of int, shapes (N,) and (H,)
        As `merged_places` gives them.
    training_patients, holdout_patients : arrays, shapes (N,) and (H,), or None
        Patients, or groups that stand in for them.
    known : bool
        Whether these are patients, and no stand-ins: images beside each other are then not taken for one patient.
    memory : int
        Bytes for the search.

    Returns
    -------
    Independence or None
        None with fewer than 50 images in either set.
    """
    n = len(training)
    if min(n, len(holdout)) < LEAST:
        return None
    order = np.argsort(training_places)
    training, ranks = training[order], training_places[order]
    groups = np.arange(n) if training_patients is None else np.unique(training_patients, return_inverse=True)[1][order]
    mean = training.mean(axis=0, dtype=np.float64).astype(np.float32)
    points, queries = _unit(training - mean), _unit(holdout - mean)
    informed = known and len(np.unique(groups)) < n
    window = 0 if informed else min(WINDOW, n // 40)
    own = _log_ratios(points, points, groups, window, own=True, memory=memory)
    fresh = _log_ratios(queries, points, groups, window, own=False, memory=memory)
    share = max(_NULL_SHARE, _NULL_COUNT / n)
    threshold = float(np.quantile(own, 1 - share))
    flags, null = fresh > threshold, own > threshold
    beside = np.empty(len(holdout), dtype=np.int64)
    beside[np.argsort(holdout_places)] = np.arange(len(holdout)) // _BLOCK
    error = _error(flags, [beside, holdout_patients])
    null_error = _error(null, [np.arange(n) // _BLOCK, groups])
    siblings = Signal(float(flags.mean()), float(null.mean()), math.hypot(error, null_error))
    at = np.searchsorted(ranks, holdout_places)
    adjacency = _nearer_beside(queries, points, at, _NEAR, at // _STRETCH) if _interleaved(at) else None
    step = np.arange(n)
    runs = _nearer_beside(points, points, step, (-1, 1), step // _STRETCH)
    return Independence(siblings, adjacency, runs, flags)


def _common_folder(paths: Sequence[str]) -> list[str]:
    folders = [path.replace("\\", "/").split("/")[:-1] for path in paths]
    low, high = min(folders, default=[]), max(folders, default=[])
    length = next((place for place, pair in enumerate(zip(low, high, strict=False)) if pair[0] != pair[1]), None)
    return low[: min(len(low), len(high))] if length is None else low[:length]


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


def _log_ratios(
    queries: np.ndarray, points: np.ndarray, groups: np.ndarray, window: int, *, own: bool, memory: int
) -> np.ndarray:
    """The ratio of each query; `own`: the queries are the points, and do not see their own patients."""
    count = min(len(points), 4 * window + 12)
    found = nearest(
        queries,
        points,
        count,
        query_groups=groups if own else None,
        point_groups=groups if own else None,
        exclude_self=own,
        memory=memory,
    )
    who = found.indices
    allowed = who >= 0
    if own:
        allowed &= np.abs(who - np.arange(len(queries))[:, None]) > window
    first = _first(found.distances, allowed)
    nearest_one = np.take_along_axis(who, allowed.argmax(axis=1)[:, None], axis=1)
    other = allowed & (np.abs(who - nearest_one) > window) & (groups[who] != groups[nearest_one])
    return log_ratio(first, _first(found.distances, other))


def _first(distances: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The first allowed distance of each row; the last one, which is a lower bound, where none is."""
    columns = np.where(allowed.any(axis=1), allowed.argmax(axis=1), distances.shape[1] - 1)
    return np.take_along_axis(distances, columns[:, None], axis=1)[:, 0]


def _interleaved(at: np.ndarray) -> bool:
    return len(np.unique(at)) >= LEAST_PLACES


def _nearer_beside(
    queries: np.ndarray, points: np.ndarray, at: np.ndarray, near: tuple[int, int], clusters: np.ndarray
) -> Signal | None:
    """How often a point beside a query is nearer than one a few places on."""
    offsets = np.array([*near, *_FAR])
    rows = at[:, None] + offsets[None, :]
    exists = (rows >= 0) & (rows < len(points))
    nearness = np.stack(
        [
            np.einsum("nd,nd->n", queries, points[np.clip(column, 0, len(points) - 1)], dtype=np.float32)
            for column in rows.T
        ],
        axis=1,
    )
    pairs = exists[:, : len(near), None] & exists[:, None, len(near) :]
    difference = nearness[:, : len(near), None] - nearness[:, None, len(near) :]
    wins = np.where(pairs, (np.sign(difference) + 1) / 2, 0.0).sum(axis=(1, 2))
    counts = pairs.sum(axis=(1, 2))
    known = counts > 0
    if not known.any():
        return None
    values = wins[known] / counts[known]
    return Signal(float(values.mean()), 0.5, _error(values, [clusters[known]]))


def _error(values: np.ndarray, clusterings: Sequence[np.ndarray | None]) -> float:
    """Standard error of a mean: the largest over several ways to tell what is one observation."""
    variances = [variance_of_mean(values, clusters) for clusters in clusterings if clusters is not None]
    # A share of 0 or 1 has no variance of its own.
    return math.sqrt(max([1 / len(values) ** 2, *(one for one in variances)]))
