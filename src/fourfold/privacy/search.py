"""The search for the nearest training image of each query, and for the nearest one of another patient.

Every representation is searched on its own, exactly and in blocks of bounded memory. What the representations that
lead propose is then registered, pair by pair, and the registered pairs are searched in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from fourfold.privacy.ratio import IDENTICAL, TwoNearest
from fourfold.privacy.registration import register
from fourfold.privacy.representations import REGISTERED, Prepared, Representation

__all__ = ["Proposals", "registered_nearest", "search", "two_nearest"]

_LARGEST_BLOCK = 8192

_ROUNDING = 1e-6
"""Distances 1 - r that come from products in float32 are known to about this."""

Progress = Callable[[int, int], None]


class Proposals(NamedTuple):
    """Pairs to register.

    Parameters
    ----------
    rows : array of int64, shape (n, k)
        Training images for each query; -1 for none.
    matrices : array, shape (n, k, 2, 3)
        From places in the query to places in the training image.
    signs : array, shape (n, k)
        -1 where the query is inverted.
    """

    rows: np.ndarray
    matrices: np.ndarray
    signs: np.ndarray


def search(
    representations: Sequence[Representation],
    training: np.ndarray,
    queries: np.ndarray,
    groups: np.ndarray,
    own_groups: np.ndarray | None = None,
    *,
    aspect: float = 1.0,
    memory: int = 1 << 30,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, TwoNearest]:
    """Search every representation, and what they propose after registration.

    What is found for a query does not depend on the other queries.

    Parameters
    ----------
    representations : sequence of Representation
    training, queries : arrays, shapes (N, planes, side, side) and (n, planes, side, side)
        Working images.
    groups : array of int, shape (N,)
        Patients of the training images.
    own_groups : array of int, shape (n,), or None
        A patient whose training images a query must not see; negative for none.
    aspect : float
        Height of the original images by their width.
    memory : int
        Bytes for one block.
    progress : callable or None
        Called with a task, steps done and steps in all.

    Returns
    -------
    dict of str to TwoNearest
        By name, in the order of `representations`, then `REGISTERED` where any of them leads.
    """
    found, proposals = {}, []
    for one in representations:
        tell = _told(progress, f"copies: {one.name}")
        prepared = one.prepare(training, aspect)
        found[one.name], proposed = two_nearest(prepared, queries, groups, own_groups, one.leads, memory, tell)
        proposals.append(proposed)
    if any(one.leads for one in representations):
        tell = _told(progress, "copies: registration")
        found |= registered_nearest(queries, training, groups, proposals, tell)
    return found


def _told(progress: Callable[[str, int, int], None] | None, task: str) -> Progress | None:
    return None if progress is None else lambda done, total: progress(task, done, total)


def two_nearest(
    prepared: Prepared,
    queries: np.ndarray,
    groups: np.ndarray,
    own_groups: np.ndarray | None = None,
    leads: int = 0,
    memory: int = 1 << 30,
    progress: Progress | None = None,
) -> tuple[TwoNearest, Proposals]:
    """Search a representation for the two nearest patients of each query.

    Parameters
    ----------
    prepared : Prepared
        With the training images.
    queries : array, shape (n, planes, side, side)
        Working images.
    groups : array of int, shape (N,)
        Patients of the training images.
    own_groups : array of int, shape (n,), or None
        A patient whose training images a query must not see: its own, for training images that serve as null.
    leads : int
        Patients to propose for registration: the image of each that is nearest.
    memory : int
        Bytes for one block.
    progress : callable or None
        Called with queries done and queries in all.

    Returns
    -------
    found : TwoNearest
    proposals : Proposals
    """
    n, wanted = len(queries), max(2, leads)
    block = int(np.clip(memory // (4 * (prepared.slots + 1) * max(prepared.size, 1)), 1, _LARGEST_BLOCK))
    rows = np.full((n, wanted), -1)
    distances = np.full((n, wanted), np.inf)
    matrices, signs = np.zeros((n, leads, 2, 3)), np.ones((n, leads))
    for start in range(0, n, block):
        here = slice(start, min(start + block, n))
        own = None if own_groups is None else own_groups[here]
        # One object for all of these passes: a bank keeps what it made of it.
        asked = queries[here]
        rows[here], distances[here] = _nearest_patients(prepared.nearness(asked), groups, own, wanted)
        for place in range(2):
            exact = prepared.distances(asked, np.maximum(rows[here, place], 0))
            if exact is not None:
                known = np.where(exact <= IDENTICAL, 0.0, exact)
                distances[here, place] = np.where(rows[here, place] >= 0, known, np.inf)
        if leads:
            chosen = np.maximum(rows[here, :leads], 0)
            matrices[here], signs[here] = prepared.motions(asked, chosen)
        if progress is not None:
            progress(here.stop, n)
    return _ordered(rows, distances), Proposals(rows[:, :leads], matrices, signs)


def registered_nearest(
    queries: np.ndarray,
    training: np.ndarray,
    groups: np.ndarray,
    proposals: list[Proposals],
    progress: Progress | None = None,
) -> dict[str, TwoNearest]:
    """The two nearest patients of each query among registered pairs, by each of the names in `REGISTERED`.

    Parameters
    ----------
    queries, training : arrays, shapes (n, planes, side, side) and (N, planes, side, side)
        Working images.
    groups : array of int, shape (N,)
    proposals : list of Proposals
    progress : callable or None
        Called with pairs done and pairs in all.
    """
    rows = np.concatenate([one.rows for one in proposals], axis=1)
    matrices = np.concatenate([one.matrices for one in proposals], axis=1)
    signs = np.concatenate([one.signs for one in proposals], axis=1)
    n, k = rows.shape
    asked = np.repeat(np.arange(n), k)
    # The same pair from about the same place need be registered once only.
    keys = np.column_stack([asked, rows.ravel(), signs.ravel(), np.round(matrices.reshape(n * k, 6) / 0.15)])
    _, first, back = np.unique(keys.astype(np.int64), axis=0, return_index=True, return_inverse=True)
    first = first[rows.ravel()[first] >= 0]
    kept = np.full(n * k, -1)
    kept[first] = np.arange(len(first))
    representative = np.full(back.max(initial=-1) + 1, -1)
    representative[back.reshape(-1)[first]] = np.arange(len(first))
    place = representative[back.reshape(-1)].reshape(n, k)
    pairs = np.column_stack([asked[first], rows.ravel()[first]])
    found = register(queries, training, pairs, matrices.reshape(-1, 2, 3)[first], signs.ravel()[first], progress)
    result = {}
    for name, own in zip(REGISTERED, (found.fine, found.coarse, found.bent), strict=True):
        distance = np.where(place >= 0, np.maximum(1.0 - np.append(own, -1.0)[place], _ROUNDING), np.inf)
        best = distance.argmin(axis=1)
        at = np.arange(n)
        others = np.where(groups[rows] == groups[rows[at, best]][:, None], np.inf, distance)
        second = others.argmin(axis=1)
        pair = np.stack([rows[at, best], rows[at, second]], axis=1)
        gaps = np.stack([distance[at, best], others[at, second]], axis=1)
        result[name] = _ordered(np.where(np.isfinite(gaps), pair, -1), gaps)
    return result


def _nearest_patients(
    nearness: np.ndarray, groups: np.ndarray, own: np.ndarray | None, wanted: int
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest image of each of the nearest patients, and 1 minus its nearness; consumes `nearness`."""
    n = len(nearness)
    rows, distances = np.full((n, wanted), -1), np.full((n, wanted), np.inf)
    if own is not None:
        for row in np.flatnonzero(own >= 0):
            nearness[row, groups == own[row]] = -np.inf
    order = np.argsort(groups, kind="stable")
    bounds = np.searchsorted(groups[order], np.arange(groups.max(initial=0) + 2))
    at = np.arange(n)
    for place in range(wanted):
        best = nearness.argmax(axis=1)
        value = nearness[at, best]
        there = np.isfinite(value)
        rows[there, place] = best[there]
        distances[there, place] = np.maximum(1.0 - value[there].astype(np.float64), _ROUNDING)
        if place + 1 < wanted:
            for row, patient in zip(at, groups[best], strict=True):
                nearness[row, order[bounds[patient] : bounds[patient + 1]]] = -np.inf
    return rows, distances


def _ordered(rows: np.ndarray, distances: np.ndarray) -> TwoNearest:
    """The first two, the nearer first: differences in float64 may reverse what products in float32 found."""
    swapped = distances[:, 1] < distances[:, 0]
    first, second = np.where(swapped, 1, 0), np.where(swapped, 0, 1)
    at = np.arange(len(rows))
    return TwoNearest(rows[at, first], rows[at, second], distances[at, first], distances[at, second])
