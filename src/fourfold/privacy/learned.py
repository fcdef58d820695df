"""Nearest patients as a network sees them that was trained on the spot, cross-fitted.

A network knows the images it was trained on better than fresh ones: were it to search among them, training images
would be no null for anybody. The training patients are therefore halved. The network trained on one half searches for
sources in the other, which it has never seen, and so it treats holdout images and the training images of that other
half (without their own patient) alike. Each fold is a representation of its own, with its own null.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.features.contrastive import LEAST_IMAGES, ContrastiveNetwork
from fourfold.privacy.ratio import IDENTICAL, TwoNearest

__all__ = [
    "FOLDS",
    "FoldNetwork",
    "FoldSearch",
    "Trained",
    "cross_fitted_nearest",
    "cross_fitted_networks",
    "halves",
    "nearest_by_folds",
    "nearest_by_network",
]

FOLDS = 2

_LARGEST_BLOCK = 1024

Progress = Callable[[int, int], None]


class Trained(Protocol):
    """A trained network: `ContrastiveNetwork` or `ReidentificationNetwork`."""

    def embed(self, images: np.ndarray, views: bool = False) -> np.ndarray:
        """Unit vectors of working images, shape (n, d), or (n, 8, d) with their mirrored and turned views."""
        ...


Train = Callable[..., Trained]
"""Called as ``train(images, groups, seed=..., steps=..., device=..., progress=...)``."""


class FoldSearch(NamedTuple):
    """What the network of one fold found among the training images of the other.

    Parameters
    ----------
    nearest : TwoNearest
        For each query; rows count in the whole training set. Distances are 1 minus the cosine.
    eligible : array of bool, shape (n,)
        Queries that may serve as null: images of patients the network was not trained on, whose own patient was
        left out. Queries without a patient (-1) never may.
    """

    nearest: TwoNearest
    eligible: np.ndarray


def cross_fitted_nearest(
    training: np.ndarray,
    groups: np.ndarray,
    queries: np.ndarray,
    own_groups: np.ndarray,
    *,
    train: Train = ContrastiveNetwork.train,
    views: bool = True,
    seed: int = 0,
    steps: int | None = None,
    device: torch.device | str = "cpu",
    memory: int = 1 << 30,
    progress: Progress | None = None,
) -> list[FoldSearch]:
    """Search for the two nearest patients of each query, by networks that have not seen them.

    Parameters
    ----------
    training : array, shape (N, planes, side, side)
        Working images, float32 in [0, 1].
    groups : array of int, shape (N,)
        Their patients.
    queries : array, shape (n, planes, side, side)
        Holdout, training and synthetic images, in any order.
    own_groups : array of int, shape (n,)
        Patients of the queries, numbered alike, whose training images they must not see; negative for none.
    train : callable
        Trains a network.
    views : bool
        Search among training images as they are, mirrored and turned by quarters.
    seed, steps, device
        Of the training; see `ContrastiveNetwork.train`.
    memory : int
        Bytes for one block of the search.
    progress : callable or None
        Called with steps of training done and in all, over both networks.

    Returns
    -------
    list of two FoldSearch

    Raises
    ------
    InputError
        Where a half of the training patients has too few images to train on.
    """
    groups, own_groups = np.asarray(groups), np.asarray(own_groups)
    folds = cross_fitted_networks(
        training, groups, train=train, seed=seed, steps=steps, device=device, progress=progress
    )
    return nearest_by_folds(folds, training, groups, queries, own_groups, views=views, memory=memory)


class FoldNetwork(NamedTuple):
    """The network of one fold.

    Parameters
    ----------
    network : Trained
    seen, searched : arrays of int64
        Training rows that it was trained on, and those that it has not seen.
    """

    network: Trained
    seen: np.ndarray
    searched: np.ndarray


def cross_fitted_networks(
    training: np.ndarray,
    groups: np.ndarray,
    *,
    train: Train = ContrastiveNetwork.train,
    seed: int = 0,
    steps: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> list[FoldNetwork]:
    """Train a network on either half of the training patients.

    Parameters
    ----------
    training : array, shape (N, planes, side, side)
        Working images, float32 in [0, 1].
    groups : array of int, shape (N,)
        Their patients.
    train : callable
        Trains a network.
    seed, steps, device
        Of the training; see `ContrastiveNetwork.train`.
    progress : callable or None
        Called with steps of training done and in all, over both networks.

    Raises
    ------
    InputError
        Where a half of the training patients has too few images to train on.
    """
    groups = np.asarray(groups)
    parts = halves(groups, seed)
    smallest = int(np.bincount(parts, minlength=FOLDS).min())
    if smallest < LEAST_IMAGES:
        raise InputError(
            f"a network trained on half of the patients needs {LEAST_IMAGES} images in each half, "
            f"the smaller one has {smallest}; give more training images"
        )
    folds = []
    for fold in range(FOLDS):
        seen, searched = np.flatnonzero(parts == fold), np.flatnonzero(parts != fold)
        network = train(
            training[seen],
            groups[seen],
            seed=seed + fold,
            steps=steps,
            device=device,
            progress=None if progress is None else _shifted(progress, fold),
        )
        folds.append(FoldNetwork(network, seen, searched))
    return folds


def nearest_by_folds(
    folds: Sequence[FoldNetwork],
    training: np.ndarray,
    groups: np.ndarray,
    queries: np.ndarray,
    own_groups: np.ndarray,
    *,
    views: bool = True,
    memory: int = 1 << 30,
) -> list[FoldSearch]:
    """Search with networks that are trained already; parameters as for `cross_fitted_nearest`."""
    searches = []
    for network, seen, searched in folds:
        nearest = nearest_by_network(
            network, queries, training[searched], groups[searched], own_groups, views=views, memory=memory
        )
        rows = np.append(searched, -1)
        nearest = TwoNearest(rows[nearest.first], rows[nearest.second], nearest.first_distance, nearest.second_distance)
        searches.append(FoldSearch(nearest, (own_groups >= 0) & ~np.isin(own_groups, groups[seen])))
    return searches


def halves(groups: np.ndarray, seed: int) -> np.ndarray:
    """The half, 0 or 1, of each image: patients stay together, the images are shared out about equally.

    Examples
    --------
    >>> halves(np.array([4, 4, 5, 5, 6, 6, 7, 7]), seed=0).sum()
    np.int64(4)
    """
    names, numbers, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng([seed, 7]).permutation(len(names))
    before = np.empty(len(names))
    before[order] = np.cumsum(counts[order]) - counts[order] / 2
    return (before > len(numbers) / 2).astype(np.int64)[numbers]


def nearest_by_network(
    network: Trained,
    queries: np.ndarray,
    points: np.ndarray,
    groups: np.ndarray,
    own_groups: np.ndarray,
    *,
    views: bool = True,
    memory: int = 1 << 30,
) -> TwoNearest:
    """The two nearest patients of each query by the cosine of a network's vectors.

    Parameters
    ----------
    network : Trained
    queries, points : arrays, shapes (n, planes, side, side) and (N, planes, side, side)
        Working images.
    groups, own_groups : arrays of int, shapes (N,) and (n,)
        Patients of the points, and those whom a query must not see (negative for none).
    views : bool
        Compare with the points as they are, mirrored and turned by quarters; the nearest view counts.
    memory : int
        Bytes for one block of the search.

    Returns
    -------
    TwoNearest
        Distance 1 to or from an image without contrast, which is like no other.
    """
    bank = network.embed(points, views)
    bank = np.ascontiguousarray(bank.transpose(1, 0, 2)) if views else bank[None]
    sought = network.embed(queries)
    n = len(queries)
    found = TwoNearest(np.full(n, -1), np.full(n, -1), np.full(n, np.inf), np.full(n, np.inf))
    block = int(np.clip(memory // max(12 * len(points), 1), 1, _LARGEST_BLOCK))
    for start in range(0, n, block):
        rows = slice(start, min(start + block, n))
        nearness = sought[rows] @ bank[0].T
        for view in bank[1:]:
            np.maximum(nearness, sought[rows] @ view.T, out=nearness)
        nearness[own_groups[rows][:, None] == groups[None, :]] = -np.inf
        for where, distance in ((found.first, found.first_distance), (found.second, found.second_distance)):
            best = nearness.argmax(axis=1)
            valid = np.isfinite(nearness[np.arange(len(best)), best])
            where[rows] = np.where(valid, best, -1)
            distance[rows] = np.where(valid, _exact(sought[rows], bank[:, best]), np.inf)
            nearness[groups[best][:, None] == groups[None, :]] = -np.inf
    return found


def _exact(sought: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """1 minus the cosine, shape (n,), of unit vectors and the nearest of their views (views, n, d), in float64."""
    distance = ((sought[None].astype(np.float64) - bank) ** 2).sum(axis=2).min(axis=0) / 2
    empty = ~sought.any(axis=1) | ~bank.any(axis=(0, 2))
    return np.where(empty, 1.0, np.where(distance <= IDENTICAL, 0.0, distance))


def _shifted(progress: Progress, fold: int) -> Progress:
    return lambda done, total: progress(fold * total + done, FOLDS * total)
