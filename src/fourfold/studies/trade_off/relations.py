"""How two readings go together: over all sets, and within ladders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from fourfold.comparing.association import FEWEST_FAMILIES, associations
from fourfold.studies.study import Table
from fourfold.studies.trade_off.ladders import FRESH
from fourfold.studies.trade_off.readings import OfSets, Reading, by_seed, oriented, sets_of

__all__ = ["Relation", "over_sets", "side_of", "within_ladders"]

Side = Literal["below", "above", "neither"]


@dataclass(frozen=True)
class Relation:
    """A coefficient in [-1, 1] with its interval, 95 %; above 0 where the two rise together."""

    value: float
    interval: tuple[float, float]


def over_sets(figures: Mapping[str, OfSets], families: np.ndarray) -> dict[tuple[str, str], Relation]:
    """Spearman's rank correlation of every two readings over sets, whole families taken as one.

    Parameters
    ----------
    figures : mapping of str to OfSets
        Readings by a name; sets that one of them does not apply to are left out.
    families : array, shape (sets,)

    Returns
    -------
    dict of (str, str) to Relation
        Both orders of every pair; without pairs that nothing is told about.
    """
    values = np.stack([one.values for one in figures.values()])
    errors = np.stack([one.errors for one in figures.values()])
    known = np.isfinite(values).all(axis=0) & np.isfinite(errors).all(axis=0)
    if not known.any():
        return {}
    found = associations(values[:, known], errors[:, known], families[known])
    intervals = found.intervals()
    return {
        (first, second): Relation(float(found.values[i, j]), (float(intervals[i, j, 0]), float(intervals[i, j, 1])))
        for i, first in enumerate(figures)
        for j, second in enumerate(figures)
        if i != j and np.isfinite(intervals[i, j]).all()
    }


def within_ladders(table: Table, first: Reading, second: Reading, space: str) -> Relation | None:
    """Concordance along ladders: the mean sign of the product of both changes over pairs of rungs.

    -1 where every step that raises one lowers the other. The interval is Student's over ladders, each averaged over
    seeds; ladders that all agree are given the spread that one more ladder, which stays still, would cause.
    """
    found = concordances(table, first, second, space)
    if len(found) < FEWEST_FAMILIES:
        return None
    ladders = len(found)
    spread = max(float(np.std(found, ddof=1)), 1 / np.sqrt(ladders + 1))
    reach = float(stats.t.ppf(0.975, ladders - 1)) * spread / np.sqrt(ladders)
    value = float(np.mean(found))
    return Relation(value, (float(max(value - reach, -1.0)), float(min(value + reach, 1.0))))


def concordances(table: Table, first: Reading, second: Reading, space: str) -> np.ndarray:
    """One a ladder; ladders of changed images start at the images of fresh patients."""
    sets = sets_of(table)
    grids = [by_seed(table, oriented(table, reading, space)) for reading in (first, second)]
    found = []
    for family in dict.fromkeys(sets.families.tolist()):
        own = sets.families == family
        if family == FRESH:
            continue
        if (sets.kinds[own] == "changed").all():
            own |= sets.families == FRESH
        if own.sum() < 2:
            continue
        i, j = np.triu_indices(int(own.sum()), 1)
        steps = [np.sign(grid[own][j] - grid[own][i]) for grid in grids]
        product = steps[0] * steps[1]
        if np.isfinite(product).any():
            found.append(float(np.nanmean(product)))
    return np.array(found)


def side_of(intervals: list[tuple[float, float]], null: float) -> Side:
    """On which side of the null all of the intervals lie."""
    if all(high < null for _, high in intervals):
        return "below"
    return "above" if all(low > null for low, _ in intervals) else "neither"
