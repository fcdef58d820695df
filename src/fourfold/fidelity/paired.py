"""Distances of pairs: how far restored or translated images are from the images they should be.

Here image i of one set is compared with image i of the other, as in restoration or image-to-image translation; sets
without partners are compared by distributions. No such distance has an absolute meaning, so each comes with two
anchors: pairs of images of different patients, the worst that an image can be, and repeated acquisitions of one patient
(test and retest) where there are any, the best that can be asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fourfold.errors import InputError
from fourfold.fidelity.similarity import PairDistance
from fourfold.resampling import FEWEST, normal_interval
from fourfold.score import Score
from fourfold.statistics import variance_of_mean

__all__ = ["paired_distance", "unrelated_pairs"]


def paired_distance(
    x: np.ndarray,
    y: np.ndarray,
    distance: PairDistance,
    *,
    patients: ArrayLike | None = None,
    retest: tuple[np.ndarray, np.ndarray] | None = None,
    retest_patients: ArrayLike | None = None,
    seed: int = 0,
) -> Score:
    """Mean distance of pairs, with its anchors.

    Parameters
    ----------
    x, y : arrays, shape (N, C, H, W) or (N, C, D, H, W)
        In [0, 1]; x are the images that were made, y those they should be.
    distance : PairDistance
        From `fourfold.fidelity.similarity.DISTANCES`, or `PairDistance.by_layers`.
    patients : array, shape (N,), or None
        Equal entries are one patient; None where each pair is one.
    retest : (array, array) or None
        Two acquisitions each of some patients, with nothing changed between them.
    retest_patients : array or None
        Whose they are.
    seed : int
        Of which images are set against those of others.

    Returns
    -------
    Score
        The null is the mean over test and retest, or where there is none the mean over pairs of images of different
        patients; `null_source` says which. ``details["unrelated"]`` has the latter in any case, ``per_synthetic`` the
        value of each pair. Intervals hold the sampling of patients.

    Raises
    ------
    InputError
        Where shapes or counts do not agree, or values are not finite.
    """
    values = distance.measure(x, y)
    groups = _groups(patients, len(values), "pairs")
    unrelated = _unrelated(x, y, groups, distance, seed)
    reasons = (
        [] if unrelated is not None else ["most images are of one patient, so that none can be set against others"]
    )
    null, source = unrelated, "pairs of images of different patients"
    if retest is not None:
        again = distance.measure(*retest)
        null = _Mean.of(again, _groups(retest_patients, len(again), "test-retest pairs"))
        source = "test-retest pairs"
    own = _Mean.of(values, groups)
    interval = band = None
    if null is None:
        reasons.append("there is no null")
    if own.groups < FEWEST or (null is not None and null.groups < FEWEST):
        reasons.append(f"no interval: pairs of at least {FEWEST} patients are needed on both sides")
    elif null is not None:
        interval = normal_interval(own.value, own.variance, null.variance, limits=distance.limits)
        # Fresh pairs of as many patients scatter with the spread of these, and their mean is known no better than this.
        fresh = null.variance * null.groups / own.groups
        band = normal_interval(null.value, fresh, null.variance, limits=distance.limits)
    else:
        interval = normal_interval(own.value, own.variance, limits=distance.limits)
    return Score(
        axis="fidelity",
        name=distance.name,
        value=own.value,
        null=None if null is None else null.value,
        interval=interval,
        null_interval=band,
        better=distance.better,
        source=distance.source,
        null_source=None if null is None else source,
        reason="; ".join(reasons) or None,
        per_synthetic={distance.name: values},
        details={
            "pairs": len(values),
            "patients": own.groups,
            "unrelated": None if unrelated is None else unrelated.value,
        },
    )


@dataclass(frozen=True)
class _Mean:
    """A mean over clustered pairs."""

    value: float
    variance: float
    groups: int

    @classmethod
    def of(cls, values: np.ndarray, *groups: np.ndarray) -> _Mean:
        """With several groupings (two patients a pair) their variances add up, which is on the safe side."""
        variance = sum(variance_of_mean(values, one) for one in groups)
        return cls(float(values.mean()), float(variance), min(len(np.unique(one)) for one in groups))


def unrelated_pairs(groups: ArrayLike, seed: int = 0) -> tuple[np.ndarray, np.ndarray] | None:
    """Each image and one of another patient.

    Parameters
    ----------
    groups : array, shape (N,)
        Equal entries are one patient.
    seed : int

    Returns
    -------
    (array of int, shape (N,), array of int, shape (N,)) or None
        Row numbers: each image occurs once on either side. None where a patient has more than half of the images.

    Examples
    --------
    >>> rows, others = unrelated_pairs(["a", "a", "b", "c"])
    >>> sorted(rows.tolist()) == sorted(others.tolist()) == [0, 1, 2, 3]
    True
    """
    codes, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)[1:]
    largest = int(sizes.max())
    if 2 * largest > len(codes):
        return None
    # Patients in random order, images of each together: as many places on as the largest has, it is another's.
    order = np.lexsort((codes, np.random.default_rng([seed, 3]).permutation(len(sizes))[codes]))
    return order, np.roll(order, largest)


def _unrelated(x: np.ndarray, y: np.ndarray, groups: np.ndarray, distance: PairDistance, seed: int) -> _Mean | None:
    found = unrelated_pairs(groups, seed)
    if found is None:
        return None
    rows, others = found
    return _Mean.of(distance.measure(x[rows], y[others]), groups[rows], groups[others])


def _groups(patients: ArrayLike | None, count: int, what: str) -> np.ndarray:
    if patients is None:
        return np.arange(count)
    groups = np.asarray(patients)
    if groups.shape != (count,):
        raise InputError(f"there are {groups.size} patients for {count} {what}; give one a pair")
    return groups
