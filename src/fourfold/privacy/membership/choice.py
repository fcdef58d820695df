"""The attack is chosen on one half of the patients and reported on the other.

With tens of attacks the best of them looks better than it is, so the half on which it was found says nothing about it.
Patients, not images, are dealt, separately in training and holdout set. The two halves are not exchanged and averaged:
both results would rest on the same choice, and their covariance is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, mannwhitneyu

from fourfold.statistics import (
    RankedArea,
    control_threshold,
    epsilon_lower_bound,
    ranked_area,
    upper_bound,
)

__all__ = [
    "Epsilon",
    "OperatingPoint",
    "area_on",
    "best_attack",
    "epsilon_on_halves",
    "first_half",
    "operating_point",
    "patient_scores",
]

_UNEVEN = 0.01


def first_half(patients: np.ndarray, members: np.ndarray, seed: int) -> np.ndarray:
    """Which images belong to half A: that of half of the patients of each set, rounded down.

    Parameters
    ----------
    patients : array of int, shape (n,)
    members : array of bool, shape (n,)
    seed : int

    Returns
    -------
    array of bool, shape (n,)
    """
    rng = np.random.default_rng([seed, len(patients), int(np.sum(members))])
    chosen = np.zeros(len(patients), dtype=bool)
    for side in (members, ~members):
        names = np.unique(patients[side])
        taken = rng.permutation(names)[: len(names) // 2]
        chosen |= side & np.isin(patients, taken)
    return chosen


def area_on(scores: np.ndarray, patients: np.ndarray, members: np.ndarray, among: np.ndarray) -> RankedArea:
    """Area under the curve, members against others, among the chosen images, with patients as clusters."""
    inside, outside = among & members, among & ~members
    return ranked_area(scores[inside], scores[outside], patients[inside], patients[outside])


def best_attack(
    scores: Mapping[tuple[str, str], np.ndarray], patients: np.ndarray, members: np.ndarray, among: np.ndarray
) -> tuple[tuple[str, str], dict[tuple[str, str], float]]:
    """The attack with the largest area among the chosen images, and the areas of all.

    Parameters
    ----------
    scores : mapping of (str, str) to array, shape (n,)
        By feature space and attack.
    patients, members, among : arrays, shape (n,)
        `among` are the images to choose on; what is reported must lie outside of them.

    Returns
    -------
    best : (str, str)
        The first of equals.
    areas : dict of (str, str) to float
    """
    areas = {attack: area_on(values, patients, members, among).value for attack, values in scores.items()}
    return max(areas, key=lambda attack: areas[attack]), areas


def patient_scores(
    scores: np.ndarray, patients: np.ndarray, members: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """One score a patient: that of the image which gives the patient away most.

    The highest of many is higher than the highest of few. Where training and holdout patients differ in how many
    images they have (Mann-Whitney, 1 %), one image is drawn of each instead.

    Parameters
    ----------
    scores, patients, members : arrays, shape (n,)
    seed : int

    Returns
    -------
    scores : array of float64, shape (P,)
    patients : array of int, shape (P,)
        Sorted.
    members : array of bool, shape (P,)
    rule : {"highest image", "one image drawn"}
    """
    names, first, owner, counts = np.unique(patients, return_index=True, return_inverse=True, return_counts=True)
    sides = members[first]
    uneven = (
        counts.min() < counts.max()
        and mannwhitneyu(counts[sides], counts[~sides], alternative="two-sided").pvalue < _UNEVEN
    )
    if uneven:
        order = np.random.default_rng([seed, len(scores)]).permutation(len(scores))
        drawn = order[np.unique(patients[order], return_index=True)[1]]
        return scores[drawn], names, sides, "one image drawn"
    highest = np.full(len(names), -np.inf)
    np.maximum.at(highest, owner.reshape(-1), scores)
    return highest, names, sides, "highest image"


@dataclass(frozen=True)
class OperatingPoint:
    """An attacker who may accuse a fixed share of outsiders.

    Parameters
    ----------
    rate : float
        False-positive rate aimed at.
    threshold : float
        From the controls of half A, above which a patient is named.
    controls : int
        Holdout patients of half A that set it.
    named, members : int
        Training patients of half B above the threshold, and all of them.
    accused, others : int
        Holdout patients of half B above the threshold, and all of them.
    """

    rate: float
    threshold: float
    controls: int
    named: int
    members: int
    accused: int
    others: int

    @property
    def named_of_1000(self) -> int:
        """Of 1 000 members, how many the attacker would name at most (one-sided 95 % bound)."""
        return math.ceil(1000 * upper_bound(self.named, self.members) - 1e-9)


def operating_point(
    scores: np.ndarray, members: np.ndarray, in_first: np.ndarray, rate: float
) -> OperatingPoint | None:
    """The threshold from the controls of one half, and what exceeds it in the other.

    Parameters
    ----------
    scores, members, in_first : arrays, shape (P,)
        One row a patient.
    rate : float
        In (0, 1).

    Returns
    -------
    OperatingPoint or None
        None where half A has too few controls for that rate, see `fourfold.statistics.control_threshold`.
    """
    controls = scores[in_first & ~members]
    threshold = control_threshold(controls, rate)
    if threshold is None:
        return None
    inside, outside = scores[~in_first & members], scores[~in_first & ~members]
    return OperatingPoint(
        rate,
        threshold,
        len(controls),
        int((inside > threshold).sum()),
        len(inside),
        int((outside > threshold).sum()),
        len(outside),
    )


@dataclass(frozen=True)
class Epsilon:
    """A lower bound on epsilon and the counts behind it; valid where patients were assigned to the sets by chance.

    Parameters
    ----------
    lower : float
        95 % lower bound, delta = 0.
    threshold : float
    named, members, accused, others : int
        As for `OperatingPoint`.
    """

    lower: float
    threshold: float
    named: int
    members: int
    accused: int
    others: int


def epsilon_on_halves(scores: np.ndarray, members: np.ndarray, in_first: np.ndarray) -> Epsilon:
    """The bound of half B at the threshold that gives the highest bound on half A.

    Parameters
    ----------
    scores, members, in_first : arrays, shape (P,)
        One row a patient.

    Returns
    -------
    Epsilon
    """
    inside, outside = (np.sort(scores[in_first & side]) for side in (members, ~members))
    candidates = np.unique(np.quantile(scores[in_first], np.linspace(0, 1, 201)[:-1], method="lower"))
    named = len(inside) - np.searchsorted(inside, candidates, "right")
    accused = len(outside) - np.searchsorted(outside, candidates, "right")
    # As in `epsilon_lower_bound`, for all candidates at once; those that name nobody bound nothing.
    low = beta.ppf(0.025, np.maximum(named, 1), len(inside) - np.maximum(named, 1) + 1)
    high = beta.ppf(0.975, accused + 1, np.maximum(len(outside) - accused, 1))
    threshold = float(candidates[int(np.argmax(np.where(named > 0, low / high, 0.0)))])
    inside, outside = scores[~in_first & members], scores[~in_first & ~members]
    counts = (int((inside > threshold).sum()), len(inside), int((outside > threshold).sum()), len(outside))
    return Epsilon(epsilon_lower_bound(*counts), threshold, *counts)
