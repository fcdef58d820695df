"""Whether predicates read off the synthetic images isolate training persons more often than persons never seen.

Given the synthetic images, training and holdout persons are exchangeable where the images tell nothing about who was
in the training set beyond what they tell about people in general. Permuting the labels of persons therefore tests
singling out exactly, whatever the number of synthetic images, however alike they are, and whatever the radii, as long
as these treat both sets alike. The upper tail is singling out; the lower tail shows holes around training persons,
the trace of images that were rejected for being near them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from fourfold.privacy.predicates import (
    Calibration,
    NearestPersons,
    isolation_baseline,
    isolation_in_cohort,
)
from fourfold.statistics import holm

__all__ = [
    "GRID",
    "LABELLINGS",
    "Cell",
    "Hits",
    "NearestPerson",
    "adjusted",
    "effective_predicates",
    "labellings",
    "nearest_person",
    "tails",
]

GRID = (1.0, 0.3, 0.1, 0.03)
"""Expected hits n w at which isolation is tested. At n w = 1 alone a generator that copies everybody passes."""

LABELLINGS = 999
"""Permutations of the labels of persons."""

_SHARES = (0.01, 0.05, 0.1)


def labellings(training: int, holdout: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """The true labels of persons and permutations of them.

    Parameters
    ----------
    training, holdout : int
        Persons, in this order.
    count : int
    rng : Generator

    Returns
    -------
    array of float32, shape (training + holdout, count + 1)
        1 for training; the first column is the truth.
    """
    truth = np.repeat(np.array([1.0, 0.0], dtype=np.float32), [training, holdout])
    shuffled = rng.permuted(np.repeat(truth[None], count, axis=0), axis=1)
    return np.ascontiguousarray(np.vstack([truth[None], shuffled]).T)


@dataclass(frozen=True)
class Hits:
    """Who satisfies the predicates of one weight.

    Parameters
    ----------
    matrix : sparse array, shape (M, training + holdout)
        1 where the person satisfies the predicate of the synthetic image.
    training, holdout : int
        Persons.
    nw, weight : float
        Expected hits among as many persons as were trained on, and the weight.
    scale : float
        Isolations among the training persons for one among the holdout persons, were the labels dealt at random. 1
        where the holdout is not the smaller set: it is then averaged over all its cohorts of the training set's size.
        A smaller holdout holds fewer persons to isolate, and `scale` makes up for that.
    """

    matrix: sparse.csr_array
    training: int
    holdout: int
    nw: float
    weight: float
    scale: float

    @classmethod
    def within(cls, found: NearestPersons, calibration: Calibration, nw: float, training: int, holdout: int) -> Hits:
        """The persons nearer than the calibrated radius; `found` numbers training persons first."""
        radii, weight = calibration.radii(nw / training)
        row, column = np.nonzero(found.distances < radii[:, None])
        matrix = sparse.csr_array(
            (np.ones(len(row), dtype=np.float32), (row, found.persons[row, column])),
            shape=(len(found.distances), training + holdout),
        )
        scale = 1.0
        if holdout < training:
            hits = np.bincount(row)[np.unique(row)] if len(row) else np.array([1])
            # Both chances are those of one hit in the set, given all hits of the predicate.
            predicates = np.bincount(hits)
            chances = [
                predicates @ isolation_in_cohort(training + holdout, size, len(predicates) - 1)
                for size in (training, holdout)
            ]
            scale = float(chances[0] / chances[1])
        return cls(matrix, training, holdout, weight * training, weight, scale)

    def isolations(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which predicates isolate a training person, and how many would isolate one of as many holdout persons.

        Parameters
        ----------
        labels : array, shape (training + holdout, B)
            1 for training, 0 for holdout.

        Returns
        -------
        (array, array), shapes (M, B)
            float32, 0 or 1, and at least 0.
        """
        hit = np.asarray(self.matrix.sum(axis=1)).reshape(-1).astype(np.int64)
        most = int(hit.max(initial=0))
        cohort = min(self.training, self.holdout)
        among_holdout = self.scale * isolation_in_cohort(self.holdout, cohort, most)
        inside = np.rint(self.matrix @ labels).astype(np.int64)
        return (inside == 1).astype(np.float32), among_holdout.astype(np.float32)[hit[:, None] - inside]

    def gain(self, labels: np.ndarray) -> np.ndarray:
        """Isolations among training persons less those among holdout persons, summed over images, shape (B,)."""
        busy = np.flatnonzero(np.diff(self.matrix.indptr))
        if not len(busy):
            return np.zeros(labels.shape[1])
        hits = replace(self, matrix=self.matrix[busy])
        step = max(1, (1 << 22) // len(busy))
        parts = []
        for start in range(0, labels.shape[1], step):
            training, holdout = hits.isolations(labels[:, start : start + step])
            parts.append((training - holdout).sum(axis=0, dtype=np.float64))
        return np.concatenate(parts)

    def by_person(self) -> sparse.csr_array:
        """Isolation of each training and holdout person by each image, shape (M, training + holdout)."""
        truth = self.truth()
        training, holdout = self.isolations(truth)
        inside = np.asarray(self.matrix @ truth).reshape(-1)
        outside = np.asarray(self.matrix.sum(axis=1)).reshape(-1) - inside
        # In a cohort smaller than the set, those hit share the chance of being the one.
        share = (training[:, 0] / np.maximum(inside, 1), holdout[:, 0] / np.maximum(outside, 1))
        entries = self.matrix.tocoo()
        member = entries.col < self.training
        values = np.where(member, share[0][entries.row], share[1][entries.row])
        return sparse.csr_array((values, (entries.row, entries.col)), shape=self.matrix.shape)

    def truth(self) -> np.ndarray:
        """The true labels, shape (training + holdout, 1)."""
        return np.repeat(np.array([[1.0], [0.0]], dtype=np.float32), [self.training, self.holdout], axis=0)


@dataclass(frozen=True)
class Cell:
    """Isolation at one weight.

    Parameters
    ----------
    nw, weight : float
        Expected hits among as many persons as were trained on, and the weight that was calibrated.
    measured_weight : float
        Mean share of holdout persons that satisfy a predicate.
    baseline : float
        Isolations that predicates of the calibrated weight make by luck.
    training, holdout : float
        Share of synthetic images whose predicate isolates a training person, or one of as many holdout persons.
    p_upper, p_lower : float
        Of the permutation test of `training` against `holdout`, in either tail.
    band : (float, float)
        Where the difference lies in 95 % of the permutations.
    """

    nw: float
    weight: float
    measured_weight: float
    baseline: float
    training: float
    holdout: float
    p_upper: float
    p_lower: float
    band: tuple[float, float]

    @classmethod
    def test(cls, hits: Hits, labels: np.ndarray) -> Cell:
        """The permutation test; the first column of `labels` is the truth."""
        size = hits.matrix.shape[0]
        training, holdout = hits.isolations(labels[:, :1])
        gains = hits.gain(labels)
        p_upper, p_lower = tails(gains)
        outside = float(hits.matrix[:, hits.training :].sum())
        return cls(
            hits.nw,
            hits.weight,
            outside / (size * hits.holdout),
            isolation_baseline(hits.training, hits.weight),
            float(training.mean(dtype=np.float64)),
            float(holdout.mean(dtype=np.float64)),
            p_upper,
            p_lower,
            (float(np.quantile(gains[1:], 0.025)) / size, float(np.quantile(gains[1:], 0.975)) / size),
        )


def tails(values: np.ndarray) -> tuple[float, float]:
    """p-values of the first value against the others, upper and lower, each counting the value itself."""
    # Sums of float32 in another order differ in the last digits; equal counts must count as equal.
    slack = 1e-6 * max(1.0, float(np.abs(values).max()))
    count = len(values)
    return (
        float((1 + np.sum(values[1:] >= values[0] - slack)) / count),
        float((1 + np.sum(values[1:] <= values[0] + slack)) / count),
    )


def adjusted(cells: Sequence[Cell]) -> tuple[np.ndarray, np.ndarray]:
    """p-values of the cells after Holm's correction over them, upper and lower tail apart, shapes (cells,)."""
    return holm([cell.p_upper for cell in cells])[1], holm([cell.p_lower for cell in cells])[1]


def effective_predicates(isolated: sparse.csr_array, persons: int, draws: np.ndarray, scale: float = 1.0) -> float:
    """Independent predicates that would know the share of isolating ones as well as these do.

    Images that are near the same person are not independent evidence, nor are equal images: the variance of the
    share is that of a table of draws by persons with both as random (two-way clusters; Cameron, Gelbach, Miller,
    J. Bus. Econ. Stat. 29, 2011, 238), the part of persons never below 0.

    Parameters
    ----------
    isolated : sparse array, shape (M, persons)
        Isolation of each person by each image, times `scale`.
    persons : int
        Persons of the set.
    draws : array of int, shape (M,)
        Equal numbers are one draw of the generator, from 0 without gaps.
    scale : float
        What one isolation counts, see `Hits`.

    Returns
    -------
    float
        Within [1, number of draws]. Where nothing or everything isolates, which has no variance to measure, the
        smaller of the numbers of draws and persons (by `scale`).
    """
    size = isolated.shape[0]
    number = int(draws.max()) + 1
    share = float(isolated.sum()) / size
    if share <= 1e-9 or share >= 1 - 1e-9:
        return max(1.0, min(number, persons) / max(scale, 1.0))
    gather = sparse.csr_array((np.ones(size), (draws, np.arange(size))), shape=(number, size))
    table = gather @ isolated.astype(np.float64)
    per_draw = np.asarray(table.sum(axis=1)).reshape(-1) - share * np.bincount(draws)
    per_person = np.asarray(table.sum(axis=0)).reshape(-1)
    of_draws = number / max(number - 1, 1) * float(np.sum(per_draw**2))
    of_persons = float(np.sum((per_person - per_person.mean()) ** 2)) * persons / max(persons - 1, 1)
    of_pairs = float(np.sum(table.data**2))
    variance = (of_draws + max(of_persons - of_pairs, 0.0)) / size**2
    return float(np.clip(share * (1 - share) / variance, 1.0, number))


@dataclass(frozen=True)
class NearestPerson:
    """Whose person is nearest to each synthetic image: the end of the test at weight 0, without calibration.

    Parameters
    ----------
    share, null : float
        Share of synthetic images whose nearest person was trained on, and the share of persons who were.
    p_upper, p_lower : float
        Of the permutation test.
    precision : mapping of str to dict
        The same share among the images that tell their two nearest persons apart most clearly (d1 / d2), by the
        part of the images kept (``"0.01"``), with ``images``, ``precision`` and ``p``.
    """

    share: float
    null: float
    p_upper: float
    p_lower: float
    precision: dict[str, dict[str, float]]


def nearest_person(found: NearestPersons, training: int, labels: np.ndarray) -> NearestPerson:
    """The nearest-person test; `labels` as `labellings` gives them."""
    size, persons = len(found.persons), len(labels)
    nearest = found.persons[:, 0]
    near, next_ = found.distances[:, 0], found.distances[:, 1]
    margin = np.divide(near, next_, out=np.ones_like(near), where=next_ > 0)
    order = np.argsort(margin, kind="stable")
    # Whole numbers, which float32 holds exactly: a float64 copy of the labels would take as much memory again, twice.
    counts = (np.bincount(nearest, minlength=persons).astype(labels.dtype) @ labels).astype(np.float64)
    p_upper, p_lower = tails(counts)
    precision = {}
    for share in _SHARES:
        kept = nearest[order[: max(1, int(np.ceil(share * size)))]]
        hits = (np.bincount(kept, minlength=persons).astype(labels.dtype) @ labels).astype(np.float64)
        precision[f"{share:g}"] = {
            "images": len(kept),
            "precision": float(hits[0] / len(kept)),
            "p": tails(hits)[0],
        }
    return NearestPerson(float(counts[0] / size), training / persons, p_upper, p_lower, precision)
