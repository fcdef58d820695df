"""What share of copies a test of singling out would have seen, measured on the set that is tested.

Noisy copies of training images take the place of randomly chosen synthetic images, more and more of them, until the
test finds them in four of five repetitions. What the synthetic images themselves leak is taken out first, by reading
them under permuted labels; so a leaking set does not make its own test look sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fourfold.neighbors.distances import MetricName
from fourfold.privacy.isolation import Hits, tails
from fourfold.privacy.predicates import nearest_persons
from fourfold.statistics import holm

__all__ = ["NOISE", "POWER", "SHARES", "Detectable", "detectable_share", "noisy_copies"]

NOISE = 0.5
"""Distance of a planted copy from its source, as a share of the distance from there to the nearest other person."""

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
POWER = 0.8

_LEVEL = 0.05
_DRAWS = 20


@dataclass(frozen=True)
class Detectable:
    """The smallest detectable share of copies.

    Parameters
    ----------
    share : float or None
        None where even half of the set would have gone unseen.
    power : mapping of str to float
        Share of repetitions in which the copies were found, by their share of the set.
    """

    share: float | None
    power: dict[str, float]


def noisy_copies(
    images: np.ndarray,
    persons: np.ndarray,
    rows: np.ndarray,
    rng: np.random.Generator,
    metric: MetricName = "euclidean",
    memory: int = 1 << 30,
) -> np.ndarray:
    """Copies of chosen images, moved in a random direction.

    Parameters
    ----------
    images : array, shape (N, d)
        All real images.
    persons : array of int, shape (N,)
    rows : array of int, shape (P,)
        The images to copy.
    rng : Generator
    metric, memory
        As for `fourfold.neighbors.nearest`.

    Returns
    -------
    array, shape (P, d)
        float32; half as far from their source as the nearest other person is (in Euclidean distance).
    """
    sources = np.asarray(images[rows], dtype=np.float64)
    found = nearest_persons(images[rows], images, persons, 2, metric, memory)
    other = np.where(found.persons[:, 0] == persons[rows], found.persons[:, 1], found.persons[:, 0])
    # One image of that other person tells the length; which of them hardly matters.
    first = np.full(int(persons.max()) + 1, 0)
    first[persons[::-1]] = np.arange(len(persons))[::-1]
    gap = np.linalg.norm(np.asarray(images[first[other]], dtype=np.float64) - sources, axis=1)
    if metric == "euclidean":
        gap = np.minimum(gap, np.where(found.persons[:, 0] == persons[rows], found.distances[:, 1], gap))
    direction = rng.normal(size=sources.shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return (sources + NOISE * gap[:, None] * direction).astype(np.float32)


def detectable_share(
    release: Sequence[Hits], planted: Sequence[Hits], labels: np.ndarray, rng: np.random.Generator
) -> Detectable:
    """The smallest share of planted copies that the test finds in four of five repetitions.

    Parameters
    ----------
    release, planted : sequences of Hits
        By weight: of the synthetic images and of the planted copies.
    labels : array, shape (persons, B + 1)
        The truth and permutations of it, see `fourfold.privacy.isolation.labellings`.
    rng : Generator

    Returns
    -------
    Detectable
    """
    size, pool = release[0].matrix.shape[0], planted[0].matrix.shape[0]
    counts = np.unique([max(1, round(share * size)) for share in SHARES])
    edges = np.concatenate([[0], counts[:-1]])
    planted = [replace(other, scale=own.scale) for own, other in zip(release, planted, strict=True)]
    gains = [[np.subtract(*hits.isolations(labels)) for hits in part] for part in (release, planted)]
    found = np.zeros((_DRAWS, len(counts)), dtype=bool)
    for draw in range(_DRAWS):
        replaced = rng.permutation(size)[: counts[-1]]
        copies = rng.integers(0, pool, counts[-1])
        permuted = int(rng.integers(1, labels.shape[1]))
        p = []
        for own, other in zip(*gains, strict=True):
            left = own.sum(axis=0, dtype=np.float64) - np.cumsum(np.add.reduceat(own[replaced], edges), axis=0)
            added = np.cumsum(np.add.reduceat(other[copies], edges), axis=0)
            values = left + added
            values[:, 0] = left[:, permuted] + added[:, 0]
            p.append([tails(row)[0] for row in values])
        found[draw] = [holm(column)[0].any() for column in np.array(p).T]
    power = found.mean(axis=0)
    enough = np.flatnonzero(power >= POWER)
    return Detectable(
        float(counts[enough[0]] / size) if len(enough) else None,
        {f"{count / size:.3g}": float(share) for count, share in zip(counts, power, strict=True)},
    )
