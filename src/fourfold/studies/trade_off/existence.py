"""Whether there is a set that is at once this and that: simultaneous intervals over all sets that could have been.

The best of many sets is chosen after the fact, so each interval has the confidence that makes all of them hold at once
(Bonferroni over the sets, or over the pairs of sets).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourfold.comparing.association import FEWEST_FAMILIES
from fourfold.comparing.ranks import told_apart
from fourfold.studies.trade_off.readings import OfSets

__all__ = ["Best", "Duel", "Wins", "best_duel", "best_of", "reach", "wins"]

_LEVEL = 0.05
_DRAWS = 2000


@dataclass(frozen=True)
class Best:
    """The set with the highest lower end.

    Parameters
    ----------
    place : int
        Of the set.
    value : float
    interval : (float, float)
        Simultaneous, 95 %.
    hopeless : bool
        Whether the interval of every set that was eligible lies below 0.
    eligible : int
        How many sets there were to choose from.
    """

    place: int
    value: float
    interval: tuple[float, float]
    hopeless: bool
    eligible: int


@dataclass(frozen=True)
class Duel:
    """Of all pairs that differ in fidelity the one in which the worse of the two is most surely the more useful.

    Parameters
    ----------
    worse, better : int
        Places of the two sets, by fidelity.
    value : float
        Utility of the worse less that of the better one.
    interval : (float, float)
        Simultaneous over the pairs, 95 %.
    hopeless : bool
        Whether the interval of every pair lies below 0.
    pairs : int
    """

    worse: int
    better: int
    value: float
    interval: tuple[float, float]
    hopeless: bool
    pairs: int


@dataclass(frozen=True)
class Wins:
    """Of the pairs that differ in fidelity and in utility: the share won by the one of lower fidelity."""

    share: float
    interval: tuple[float, float]
    pairs: int


def reach(statements: int) -> float:
    """Standard errors to either side for so many two-sided 95 % statements at once."""
    return float(stats.norm.ppf(1 - _LEVEL / (2 * max(statements, 1))))


def best_of(figures: OfSets, eligible: np.ndarray, candidates: int) -> Best | None:
    """The best of the eligible sets; None where none is.

    Parameters
    ----------
    figures : OfSets
    eligible : array of bool, shape (sets,)
    candidates : int
        Sets that could have been chosen.
    """
    places = np.flatnonzero(eligible & np.isfinite(figures.values))
    if not len(places):
        return None
    low, high = figures.lower(reach(candidates)), figures.upper(reach(candidates))
    place = int(places[np.argmax(low[places])])
    interval = (float(low[place]), float(high[place]))
    return Best(place, float(figures.values[place]), interval, bool((high[places] < 0).all()), len(places))


def ordered_pairs(fidelities: list[OfSets]) -> np.ndarray:
    """Pairs (worse, better) whose fidelity is told apart in every feature space, shape (pairs, 2)."""
    known = np.all([np.isfinite(one.values) for one in fidelities], axis=0)
    rows = np.flatnonzero(known)
    above = np.ones((len(rows), len(rows)), dtype=bool)
    for one in fidelities:
        above &= told_apart(one.values[rows], one.errors[rows])
    better, worse = np.nonzero(above)
    return np.stack([rows[worse], rows[better]], axis=1)


def best_duel(pairs: np.ndarray, useful: np.ndarray) -> Duel | None:
    """The surest win of lower fidelity.

    Parameters
    ----------
    pairs : array of int, shape (pairs, 2)
        From `ordered_pairs`.
    useful : array, shape (sets, seeds)
        Utility of each set and seed. What seeds have in common (the patients) is taken out: the error of a difference
        is that of an analysis of variance, sets by seeds, pooled over the sets.
    """
    freedom, error = _error_of_difference(useful)
    pairs = pairs[np.isfinite(useful[pairs]).all(axis=(1, 2))]
    if not len(pairs) or not freedom:
        return None
    differences = _differences(pairs, useful)
    half = float(stats.t.ppf(1 - _LEVEL / (2 * len(pairs)), freedom)) * error
    place = int(np.argmax(differences))
    value = float(differences[place])
    return Duel(
        int(pairs[place, 0]),
        int(pairs[place, 1]),
        value,
        (value - half, value + half),
        bool((differences + half < 0).all()),
        len(pairs),
    )


def wins(pairs: np.ndarray, useful: np.ndarray, families: np.ndarray) -> Wins | None:
    """How often lower fidelity wins, with an interval from a bootstrap of whole families.

    Parameters
    ----------
    pairs, useful
        As for `best_duel`.
    families : array, shape (sets,)

    Returns
    -------
    Wins or None
        None where the pairs that differ in utility beyond their own 95 % intervals are of too few families.
    """
    freedom, error = _error_of_difference(useful)
    pairs = pairs[np.isfinite(useful[pairs]).all(axis=(1, 2))]
    if not len(pairs) or not freedom:
        return None
    differences = _differences(pairs, useful)
    decided = np.abs(differences) > float(stats.t.ppf(1 - _LEVEL / 2, freedom)) * error
    if not decided.any():
        return None
    pairs, won = pairs[decided], (differences > 0)[decided]
    codes = np.unique(families, return_inverse=True)[1]
    involved = len(np.unique(codes[pairs]))
    if involved < FEWEST_FAMILIES:
        return None
    rng = np.random.default_rng([len(families), 31])
    groups = codes.max() + 1
    drawn = rng.multinomial(groups, np.full(groups, 1 / groups), size=_DRAWS)
    weights = (drawn[:, codes[pairs[:, 0]]] * drawn[:, codes[pairs[:, 1]]]).astype(np.float64)
    total = weights.sum(axis=1)
    low, high = np.quantile((weights @ won)[total > 0] / total[total > 0], [0.025, 0.975]).tolist()
    share = float(won.mean())
    # A bootstrap of pairs that all agree has no width; so many families that agree leave this much room (Clopper and
    # Pearson 1934).
    room = 1 - (_LEVEL / 2) ** (1 / involved)
    low, high = (low, max(high, room)) if share == 0 else (min(low, 1 - room), high) if share == 1 else (low, high)
    return Wins(share, (min(low, share), max(high, share)), len(pairs))


def _differences(pairs: np.ndarray, useful: np.ndarray) -> np.ndarray:
    """Utility of the worse set less that of the better one, over seeds, shape (pairs,)."""
    return (useful[pairs[:, 0]] - useful[pairs[:, 1]]).mean(axis=1)


def _error_of_difference(useful: np.ndarray) -> tuple[int, float]:
    """Degrees of freedom, and the standard error of the difference of two sets; (0, inf) with one seed."""
    whole = useful[np.isfinite(useful).all(axis=1)]
    freedom = (len(whole) - 1) * (useful.shape[1] - 1)
    if freedom < 1:
        return 0, float("inf")
    residuals = whole - whole.mean(axis=1, keepdims=True) - whole.mean(axis=0, keepdims=True) + whole.mean()
    variance = float((residuals**2).sum() / freedom)
    return freedom, float(np.sqrt(2 * variance / useful.shape[1]))
