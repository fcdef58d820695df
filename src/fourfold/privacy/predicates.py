"""Predicates "this person has an image within r of that synthetic image", and how heavy they are.

A predicate isolates where exactly one of n persons satisfies it. One of weight w (the chance that a random person
does) isolates by luck with probability n w (1 - w)^(n - 1), which is 37 % at w = 1/n: to isolate is an attack only at
low weight. The radius that gives a predicate its weight is read from persons who take no part in judging it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from fourfold.neighbors import Neighbors, nearest
from fourfold.neighbors.distances import MetricName

__all__ = [
    "ANCHOR",
    "Calibration",
    "NearestPersons",
    "calibrate",
    "isolation_baseline",
    "isolation_in_cohort",
    "isolation_integral",
    "nearest_persons",
]

ANCHOR = 5
"""Persons that a radius is read from, at least; smaller weights are continued from there."""

_FAR = 20
"""Rank up to which the growth of the number of persons with the radius is read."""


def isolation_baseline(persons: float, weight: float) -> float:
    """Chance that a predicate chosen without looking at the data isolates.

    Parameters
    ----------
    persons : float
        n, at least 1.
    weight : float
        w, the chance that a random person satisfies it, in [0, 1].

    Returns
    -------
    float
        ``n w (1 - w)^(n - 1)``; largest at ``w = 1 / n``, where it tends to 1 / e.

    References
    ----------
    A. Cohen, K. Nissim, Proc. Natl. Acad. Sci. 117 (2020) 8344.

    Examples
    --------
    >>> round(isolation_baseline(1000, 1 / 1000), 3), round(isolation_baseline(1000, 0.1 / 1000), 3)
    (0.368, 0.09)
    """
    return float(persons * weight * (1 - weight) ** (persons - 1))


def isolation_integral(persons: int, weight: float) -> float:
    """Integral of `isolation_baseline` over weights from 0 to `weight`.

    Returns
    -------
    float
        ``(1 - (n w + 1) (1 - w)^n) / (n + 1)``, computed as an incomplete beta function, which keeps its digits
        where ``n w`` is small.

    Examples
    --------
    >>> round(isolation_integral(10, 1.0), 6)
    0.090909
    """
    return float(special.betainc(2, persons, weight) / (persons + 1))


def isolation_in_cohort(persons: int, cohort: int, most: int) -> np.ndarray:
    """Chance that exactly one of those who satisfy a predicate is in a random cohort.

    Averaging over all cohorts of one size makes sets of different sizes comparable without drawing any.

    Parameters
    ----------
    persons, cohort : int
        ``1 <= cohort <= persons``.
    most : int
        Hits up to which it is tabulated.

    Returns
    -------
    array of float64, shape (most + 1,)
        By the number of hits in the whole set: ``K C(n - K, c - 1) / C(n, c)``; for ``c = n`` it is 1 at one hit only.

    Examples
    --------
    >>> isolation_in_cohort(10, 10, 3).round(3).tolist(), isolation_in_cohort(10, 2, 3).round(3).tolist()
    ([0.0, 1.0, 0.0, 0.0], [0.0, 0.2, 0.356, 0.467])
    """
    hits = np.arange(most + 1)
    possible = np.minimum(hits, persons)
    return np.where(hits <= persons, stats.hypergeom.pmf(1, persons, possible, cohort), 0.0)


@dataclass(frozen=True)
class NearestPersons:
    """The persons nearest to each query, nearest first, each at the distance of their nearest image.

    Parameters
    ----------
    distances : array of float64, shape (M, k)
        Infinite where there are fewer persons.
    persons : array of int64, shape (M, k)
        -1 where there are fewer.
    """

    distances: np.ndarray
    persons: np.ndarray


def nearest_persons(
    queries: np.ndarray,
    images: np.ndarray,
    persons: np.ndarray,
    k: int,
    metric: MetricName = "euclidean",
    memory: int = 1 << 30,
    known: Neighbors | None = None,
) -> NearestPersons:
    """The `k` persons nearest to each query.

    Parameters
    ----------
    queries, images : arrays, shapes (M, d) and (N, d)
    persons : array of int, shape (N,)
        Whose image it is, at least 0.
    k : int
        At least 1.
    metric : str
        As for `fourfold.neighbors.nearest`.
    memory : int
        Bytes for the search.
    known : Neighbors or None
        The nearest images of each query, where they have been found; only queries whose list holds too few persons
        are searched.

    Returns
    -------
    NearestPersons

    Examples
    --------
    >>> images = np.array([[0.0], [0.1], [3.0], [9.0]])
    >>> nearest_persons(np.array([[1.0]]), images, np.array([7, 7, 8, 9]), 2).persons.tolist()
    [[7, 8]]
    """
    persons = np.asarray(persons, dtype=np.int64)
    found_distances = np.full((len(queries), k), np.inf)
    found_persons = np.full((len(queries), k), -1, dtype=np.int64)
    rows = np.arange(len(queries))
    each = len(persons) / max(len(np.unique(persons)), 1)
    width = min(len(images), int(np.ceil(1.5 * each * k)) if each > 1 else k)
    if known is not None:
        width = known.distances.shape[1]
    while rows.size and width:
        found = known or nearest(queries[rows], images, width, metric=metric, memory=memory)
        known = None
        owners = np.where(found.indices >= 0, persons[found.indices], -1)
        order = np.argsort(owners, axis=1, kind="stable")
        ordered = np.take_along_axis(owners, order, axis=1)
        fresh = np.ones_like(ordered, dtype=bool)
        fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        first = np.zeros_like(fresh)
        np.put_along_axis(first, order, fresh & (ordered >= 0), axis=1)
        place = np.cumsum(first, axis=1) - 1
        row, column = np.nonzero(first & (place < k))
        found_distances[rows[row], place[row, column]] = found.distances[row, column]
        found_persons[rows[row], place[row, column]] = owners[row, column]
        if width == len(images):
            break
        # A person with many images may fill the list: those rows look further.
        rows = rows[first.sum(axis=1) < k]
        width = min(len(images), 2 * width)
    return NearestPersons(found_distances, found_persons)


@dataclass(frozen=True)
class Calibration:
    """How many persons lie within a distance of each synthetic image.

    Parameters
    ----------
    distances : array of float64, shape (M, ranks)
        To the nearest calibration persons, nearest first.
    persons : int
        Number of calibration persons.
    inverse_dimension : float
        1/D, where the number of persons grows like r^D.
    """

    distances: np.ndarray
    persons: int
    inverse_dimension: float

    def radii(self, weight: float) -> tuple[np.ndarray, float]:
        """Radius of each predicate for a weight, shape (M,), and the weight that it has (whole persons are counted).

        A weight of ``ANCHOR`` persons or more is the distance to that person in the order. A smaller one is
        continued from the distance to the fifth as ``r_5 (k / 5)^(1/D)``.
        """
        rank = weight * (self.persons + 1)
        if rank >= ANCHOR:
            whole = min(round(rank), self.distances.shape[1])
            return self.distances[:, whole - 1], whole / (self.persons + 1)
        return self.distances[:, ANCHOR - 1] * (rank / ANCHOR) ** self.inverse_dimension, weight


def calibrate(found: NearestPersons, persons: int, without_judged: bool) -> Calibration:
    """Calibrate predicates on persons.

    Parameters
    ----------
    found : NearestPersons
        Of the calibration persons.
    persons : int
        Number of calibration persons.
    without_judged : bool
        Whether the calibration persons are also those judged. Each is then judged by a radius that was read from all
        the others. That is one radius for all who can be hit: leaving out any of the k nearest persons makes the
        (k + 1)-th of all the k-th of the others.

    Returns
    -------
    Calibration
        The dimension is that at which ranks 5 and 20 lie as far apart as in a locally homogeneous cloud, where
        ``D log(r_b / r_a)`` is ``sum_{i=a}^{b-1} 1/i`` on average (Renyi, Acta Math. Hung. 4, 1953, 191); the mean
        over images of the inverse (MacKay and Ghahramani's averaging).

    Raises
    ------
    ValueError
        Where there are too few calibration persons.
    """
    distances = found.distances[:, 1:] if without_judged else found.distances
    persons = persons - 1 if without_judged else persons
    far = min(_FAR, persons, distances.shape[1])
    if far < 2 * ANCHOR:
        raise ValueError(f"{persons} persons are too few to calibrate on; at least {2 * ANCHOR} are needed")
    near = distances[:, ANCHOR - 1]
    usable = near > 0
    spread = np.log(distances[usable, far - 1] / near[usable])
    expected = np.sum(1.0 / np.arange(ANCHOR, far))
    return Calibration(distances, persons, float(spread.mean() / expected) if usable.any() else 0.0)
