"""Scores read as "higher is better", one figure a set: the mean over seeds with its standard error.

A published score is taken as it is. A calibrated one is what the set falls short of its null by: nothing is better
than fresh patients, so that what lies beyond the null (images drawn in, copies) counts as no merit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fourfold.score import Axis
from fourfold.studies.study import Table
from fourfold.studies.trade_off.ladders import BY_LABELS

__all__ = [
    "ADDED",
    "CALIBRATED",
    "IN_PLACE",
    "OTHERS",
    "PUBLISHED",
    "SPACES",
    "OfSets",
    "Reading",
    "Sets",
    "by_seed",
    "gaps",
    "of_images",
    "of_sets",
    "oriented",
    "sets_of",
    "usefulness",
]

SPACES = ("radiomics", "pixels")
"""The feature spaces, the leading one first."""

Kind = Literal["published", "calibrated"]


@dataclass(frozen=True)
class Reading:
    """How a column of the cells is read.

    Parameters
    ----------
    axis : str
    kind : {"published", "calibrated"}
    words : str
    column : str
        Without the feature space.
    higher : bool
        Whether a larger figure is the better one.
    in_spaces : bool
        Whether there is one a feature space.
    ratio : bool
        Whether the null is held against as a ratio, for scores that are at least 0 and span orders of magnitude.
    """

    axis: Axis
    kind: Kind
    words: str
    column: str
    higher: bool = True
    in_spaces: bool = True
    ratio: bool = False

    def name(self, space: str) -> str:
        """The column in a feature space."""
        return f"{space}_{self.column}" if self.in_spaces else self.column


PUBLISHED: dict[Axis, Reading] = {
    "fidelity": Reading("fidelity", "published", "precision", "precision"),
    "variety": Reading("variety", "published", "recall", "recall"),
    "privacy": Reading("privacy", "published", "the published privacy score", "legacy_privacy"),
}
CALIBRATED: dict[Axis, Reading] = {
    "fidelity": Reading("fidelity", "calibrated", "clipped density", "clipped_density"),
    "variety": Reading("variety", "calibrated", "coverage", "coverage"),
    "privacy": Reading("privacy", "calibrated", "membership", "membership", higher=False, in_spaces=False),
}
"""One score an axis, named beforehand."""

OTHERS: dict[str, Reading] = {
    "fid": Reading("fidelity", "published", "Fréchet distance", "frechet_distance", higher=False, ratio=True),
    "size": Reading(
        "variety", "published", "file size of the mean image", "mean_image_file_size", higher=False, in_spaces=False
    ),
}
"""Published scores that are asked beside those."""


ADDED, IN_PLACE = "added_to_few", "in_place_of_real"
"""The columns of usefulness: added to a few real images, and in place of as many real ones."""

# A Fréchet distance of this share of its null counts as the least there is.
_LEAST_RATIO = 0.01


@dataclass(frozen=True)
class OfSets:
    """One figure a set.

    Parameters
    ----------
    values, errors : arrays, shape (sets,)
        Mean over seeds; standard error: the larger of what seeds of the family and intervals of the cells show.
    """

    values: np.ndarray
    errors: np.ndarray

    def upper(self, reach: float) -> np.ndarray:
        """Upper ends of intervals of so many standard errors."""
        return self.values + reach * self.errors

    def lower(self, reach: float) -> np.ndarray:
        """Lower ends."""
        return self.values - reach * self.errors


@dataclass(frozen=True)
class Sets:
    """The sets of a table, in the order of their first cells.

    Parameters
    ----------
    names : tuple of str
    families : array of str, shape (sets,)
    kinds : array of str, shape (sets,)
        ``"changed"`` or ``"trained"``.
    """

    names: tuple[str, ...]
    families: np.ndarray
    kinds: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


def sets_of(table: Table) -> Sets:
    """Which sets there are."""
    first = {str(row["set"]): row for row in reversed(table.rows)}
    names = [str(name) for name in table.values("set")]
    return Sets(
        tuple(names),
        np.array([str(first[name]["family"]) for name in names]),
        np.array([str(first[name]["kind"]) for name in names]),
    )


def of_images(table: Table) -> Table:
    """The cells whose usefulness is that of their images, and not of wrong or rare labels."""
    return Table(tuple(row for row in table if row["family"] not in BY_LABELS))


def oriented(table: Table, reading: Reading, space: str) -> np.ndarray:
    """The reading of every cell, shape (rows,); calibrated ones at most 0."""
    if reading.kind == "calibrated":
        return np.minimum(_gap(table, reading, space), 0.0)
    if reading.ratio:
        return _gap(table, reading, space)
    figures = table.column(reading.name(space))
    return figures if reading.higher else -figures


def of_sets(table: Table, reading: Reading, space: str) -> OfSets:
    """The reading of every set."""
    return _averaged(table, oriented(table, reading, space), _errors(table, reading, space))


def gaps(table: Table, reading: Reading, space: str) -> OfSets:
    """How far every set lies from the null, above 0 on the good side, whatever the kind of the reading."""
    return _averaged(table, _gap(table, reading, space), _errors(table, reading, space))


def usefulness(table: Table, column: str) -> OfSets:
    """A measure of utility less its null: 0 is a set that adds nothing, or that serves as well as real images."""
    difference = table.column(column) - table.column(f"{column}_null")
    return _averaged(table, difference, table.column(f"{column}_error"))


def by_seed(table: Table, values: np.ndarray) -> np.ndarray:
    """Values of cells as an array of shape (sets, seeds); NaN where a cell is missing."""
    names, seeds = table.values("set"), table.values("seed")
    grid = np.full((len(names), len(seeds)), np.nan)
    for row, value in zip(table, values, strict=True):
        grid[names.index(row["set"]), seeds.index(row["seed"])] = value
    return grid


def _gap(table: Table, reading: Reading, space: str) -> np.ndarray:
    value, null = (table.column(reading.name(space) + end) for end in ("", "_null"))
    if reading.ratio:
        ratio = np.divide(value, null, out=np.full_like(value, np.nan), where=null > 0)
        gap = np.log(np.maximum(ratio, _LEAST_RATIO))
        return gap if reading.higher else -gap
    gap = value - null
    return gap if reading.higher else -gap


def _errors(table: Table, reading: Reading, space: str) -> np.ndarray:
    errors = table.column(reading.name(space) + "_error")
    if not reading.ratio:
        return errors
    # Below the null an error of the logarithm grows without bound, and says nothing about the distance to the null.
    return errors / np.fmax(table.column(reading.name(space)), table.column(reading.name(space) + "_null"))


def _averaged(table: Table, values: np.ndarray, errors: np.ndarray) -> OfSets:
    grid, within = by_seed(table, values), by_seed(table, errors)
    counts = np.maximum(np.isfinite(grid).sum(axis=1), 1)
    with_any = np.isfinite(grid).any(axis=1)
    means = np.full(len(grid), np.nan)
    means[with_any] = np.nanmean(grid[with_any], axis=1)
    between = _spread_of_seeds(grid, means, sets_of(table).families)
    squares = np.where(np.isfinite(within), within, 0.0) ** 2
    cells = np.sqrt(squares.sum(axis=1) / counts)
    return OfSets(means, np.maximum(between, cells) / np.sqrt(counts))


def _spread_of_seeds(grid: np.ndarray, means: np.ndarray, families: Sequence[str] | np.ndarray) -> np.ndarray:
    """Standard deviation between seeds, pooled over the sets of a family, shape (sets,); 0 with one seed."""
    residuals = grid - means[:, None]
    spread = np.zeros(len(grid))
    for name in np.unique(families):
        own = residuals[families == name]
        known = np.isfinite(own)
        freedom = known.sum() - known.any(axis=1).sum()
        if freedom > 0:
            spread[families == name] = np.sqrt(np.nansum(own**2) / freedom)
    return spread
