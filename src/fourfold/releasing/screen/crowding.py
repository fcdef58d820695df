"""Whether single patients have more candidates around them than anybody should.

A pool may pass candidate by candidate and still show one patient fifty times. Each accepted candidate has its nearest
person among training and calibration persons together; some persons have many by nature (hubs), which the calibration
persons show. A negative binomial law of their counts (Poisson with gamma-distributed popularity) gives the number that
the most popular of all training persons stays below with probability 95 %; what a training person has beyond it, and
beyond the most popular calibration person, is dropped at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourfold.neighbors import nearest
from fourfold.releasing.screen.embeddings import Part

__all__ = ["Crowding", "crowding", "largest_count"]

_LEVEL = 0.05


@dataclass(frozen=True)
class Crowding:
    """Who is dropped, and why.

    Parameters
    ----------
    dropped : array of bool, shape (M,)
    largest, limit, calibration : int
        Candidates around the training person with most of them; what is allowed; around the calibration person with
        most of them. Over all parts.
    crowded : int
        Training persons with more than is allowed.
    """

    dropped: np.ndarray
    largest: int
    limit: int
    calibration: int
    crowded: int

    def figures(self) -> dict[str, int]:
        """Aggregates as JSON can hold them."""
        return {
            "dropped": int(self.dropped.sum()),
            "crowded_patients": self.crowded,
            "largest": self.largest,
            "limit": self.limit,
            "largest_of_calibration": self.calibration,
        }


def crowding(
    parts: list[Part],
    accepted: np.ndarray,
    persons: np.ndarray,
    calibration_persons: np.ndarray,
    *,
    rng: np.random.Generator,
    memory: int = 1 << 30,
) -> Crowding:
    """Drop the surplus around crowded training persons.

    Parameters
    ----------
    parts : list of Part
    accepted : array of bool, shape (M,)
        Candidates that are left.
    persons, calibration_persons : arrays of int, shapes (N,) and (C,)
    rng : Generator
        Chooses who is dropped.
    memory : int
        Bytes for the search.
    """
    dropped = np.zeros(len(accepted), dtype=bool)
    most = limit = others = crowded = 0
    for part in parts:
        rows = np.flatnonzero(accepted & ~dropped)
        if not len(rows):
            break
        mine = np.unique(persons[part.rows], return_inverse=True)[1].reshape(-1)
        theirs = np.unique(calibration_persons, return_inverse=True)[1].reshape(-1)
        trained, size = int(mine.max()) + 1, int(theirs.max()) + 1
        owners = np.concatenate([mine, theirs + trained])
        everyone = np.concatenate([part.training, part.calibration])
        found = nearest(part.candidates[rows], everyone, 1, memory=memory)
        owner = owners[found.indices[:, 0]]
        counts = np.bincount(owner, minlength=trained + size)
        allowed = largest_count(counts[trained:], trained)
        over = np.flatnonzero(counts[:trained] > allowed)
        for person in over:
            around = rows[owner == person]
            dropped[rng.permutation(around)[allowed:]] = True
        most, others = max(most, int(counts[:trained].max())), max(others, int(counts[trained:].max()))
        limit, crowded = max(limit, allowed), crowded + len(over)
    return Crowding(dropped, most, limit, others, crowded)


def largest_count(counts: np.ndarray, persons: int, level: float = _LEVEL) -> int:
    """The count that the largest of `persons` stays at or below with probability ``1 - level``.

    Parameters
    ----------
    counts : array of int, shape (c,)
        Of calibration persons; the result is never below the largest of them.
    persons : int
    level : float

    Examples
    --------
    >>> largest_count(np.array([0, 1, 1, 2, 3, 0, 1, 2]), 200)
    7
    """
    mean, variance = float(counts.mean()), float(counts.var(ddof=1)) if len(counts) > 1 else 0.0
    if mean == 0:
        return 0
    if variance > mean:
        shape = mean**2 / (variance - mean)
        bound = stats.nbinom.isf(level / persons, shape, shape / (shape + mean))
    else:
        bound = stats.poisson.isf(level / persons, mean)
    return int(max(bound, counts.max()))
