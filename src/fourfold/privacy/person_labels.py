"""The test of predicate singling out on plain arrays; `fourfold.privacy.singling_out` makes it a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fourfold.neighbors import Neighbors
from fourfold.neighbors.distances import MetricName
from fourfold.privacy.isolation import (
    GRID,
    LABELLINGS,
    Cell,
    Hits,
    NearestPerson,
    effective_predicates,
    labellings,
    nearest_person,
)
from fourfold.privacy.predicates import Calibration, NearestPersons, calibrate, nearest_persons

__all__ = ["SinglingOut", "deciding_hits", "isolation_test", "person_numbers"]

_DECIDING = 0.1
_FAR_RANKS = 21


@dataclass(frozen=True)
class SinglingOut:
    """Isolation of training persons against isolation of holdout persons.

    Parameters
    ----------
    cells : tuple of Cell
        By weight.
    nearest : NearestPerson
    hits : tuple of Hits
        Who satisfies the predicates, by weight.
    isolated : array of int64, shape (persons,)
        Synthetic images that single out each person: exactly one hit in the person's whole set, at n w <= 0.1.
        Training persons first.
    sizes : (int, int)
        Effective numbers of independent predicates at n w = 0.1, against training and holdout.
    calibration : Calibration
    found : NearestPersons
    """

    cells: tuple[Cell, ...]
    nearest: NearestPerson
    hits: tuple[Hits, ...]
    isolated: np.ndarray
    sizes: tuple[float, float]
    calibration: Calibration
    found: NearestPersons

    @property
    def deciding(self) -> Cell:
        """The cell at n w = 0.1."""
        return self.cells[deciding_hits(self.hits)]


def isolation_test(
    synthetic: np.ndarray,
    training: np.ndarray,
    holdout: np.ndarray,
    *,
    training_persons: np.ndarray | None = None,
    holdout_persons: np.ndarray | None = None,
    reference: np.ndarray | None = None,
    reference_persons: np.ndarray | None = None,
    draws: np.ndarray | None = None,
    known: Neighbors | None = None,
    grid: Sequence[float] = GRID,
    labels: int = LABELLINGS,
    metric: MetricName = "euclidean",
    seed: int = 0,
    memory: int = 1 << 30,
) -> SinglingOut:
    """Test whether synthetic images single out training persons.

    Parameters
    ----------
    synthetic, training, holdout : arrays, shapes (M, d), (N, d) and (H, d)
    training_persons, holdout_persons, reference_persons : arrays of int, or None
        Equal numbers are one person; None where each image is a person of its own.
    reference : array, shape (R, d), or None
        Other persons again, to calibrate on; None to calibrate on training and holdout.
    draws : array of int, shape (M,), or None
        Equal numbers are one draw of the generator, from 0 without gaps; None where each image is one.
    known : Neighbors or None
        The nearest images of each synthetic one among training and holdout images together, where they are known.
    grid : sequence of float
        Expected hits n w, among them 0.1.
    labels : int
        Permutations.
    metric, memory
        As for `fourfold.neighbors.nearest`.
    seed : int

    Returns
    -------
    SinglingOut
        Isolation is asked in the whole training set. A larger holdout is averaged over all its cohorts of that size;
        a smaller one is scaled up, see `fourfold.privacy.isolation.Hits`.

    Raises
    ------
    ValueError
        Where there are too few persons to calibrate on.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> training, holdout = rng.normal(size=(60, 8)), rng.normal(size=(60, 8))
    >>> found = isolation_test(training + 0.1 * rng.normal(size=(60, 8)), training, holdout)
    >>> found.deciding.training > 0.9, found.deciding.p_upper
    (True, 0.001)
    """
    mine, theirs = person_numbers(training_persons, len(training)), person_numbers(holdout_persons, len(holdout))
    n, h = int(mine.max()) + 1, int(theirs.max()) + 1
    images, persons = np.concatenate([training, holdout]), np.concatenate([mine, theirs + n])
    others = None if reference is None else person_numbers(reference_persons, len(reference))
    expected = max(grid) * (n + h) / n
    # Calibrated on the persons themselves, nobody beyond the calibrating rank can be hit.
    ranks = _FAR_RANKS + round(expected) if others is None else _FAR_RANKS + round(3 * expected)
    found = nearest_persons(synthetic, images, persons, min(ranks, n + h), metric, memory, known)
    if others is None or reference is None:
        calibration = calibrate(found, n + h, without_judged=True)
    else:
        size = int(others.max()) + 1
        far = min(size, max(_FAR_RANKS, round(max(grid) * (size + 1) / n)))
        calibration = calibrate(nearest_persons(synthetic, reference, others, far, metric, memory), size, False)
    hits = tuple(Hits.within(found, calibration, nw, n, h) for nw in grid)
    table = labellings(n, h, labels, np.random.default_rng([seed, 21]))
    draws = np.arange(len(synthetic)) if draws is None else draws
    deciding = hits[deciding_hits(hits)]
    alone = deciding.by_person()
    return SinglingOut(
        cells=tuple(Cell.test(one, table) for one in hits),
        nearest=nearest_person(found, n, table),
        hits=hits,
        isolated=_isolated(hits),
        sizes=(
            effective_predicates(alone[:, :n], n, draws),
            effective_predicates(alone[:, n:], h, draws, deciding.scale),
        ),
        calibration=calibration,
        found=found,
    )


def deciding_hits(hits: Sequence[Hits]) -> int:
    """Place of the hits at n w = 0.1."""
    return int(np.argmin([abs(one.nw - _DECIDING) for one in hits]))


def person_numbers(persons: np.ndarray | None, size: int) -> np.ndarray:
    """Persons numbered from 0 without gaps, shape (size,); each image a person of its own where they are unknown."""
    if persons is None:
        return np.arange(size)
    return np.unique(persons, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _isolated(hits: Sequence[Hits]) -> np.ndarray:
    """Synthetic images that single out each person of their set, at low weight."""
    counts = np.zeros(hits[0].training + hits[0].holdout, dtype=np.int64)
    rows = [one for one in hits if one.nw <= _DECIDING * 1.001]
    for start, stop in ((0, hits[0].training), (hits[0].training, len(counts))):
        # Image and person as one number, so that what isolates at several weights counts once.
        pairs = [np.zeros(0, dtype=np.int64)]
        for one in rows:
            part = one.matrix[:, start:stop].tocsr()
            single = np.flatnonzero(np.diff(part.indptr) == 1)
            pairs.append(single * (stop - start) + part.indices[part.indptr[single]])
        alone = np.unique(np.concatenate(pairs)) % (stop - start)
        counts[start:stop] = np.bincount(alone, minlength=stop - start)
    return counts
