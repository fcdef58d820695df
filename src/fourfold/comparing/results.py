"""What a comparison of sets found: plain records, which the report draws and ``compare.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fourfold.comparing.association import Associations
from fourfold.comparing.fronts import Standing
from fourfold.comparing.ladders import Movement
from fourfold.score import Axis, Better, Score
from fourfold.verdicts import Verdict

__all__ = [
    "Claim",
    "ComparedSet",
    "ComparedSets",
    "Front",
    "Ladder",
    "Matrix",
    "Prediction",
    "RealSet",
    "Row",
    "Target",
]

Compared = Literal["value", "value less null", "distance to null"]
Claim = Literal["predicted", "contrary", "no claim"]


@dataclass(frozen=True)
class RealSet:
    """Size and SHA-256 of the training set or the holdout; `patients` is None where they are unknown."""

    images: int
    patients: int | None
    digest: str


@dataclass(frozen=True)
class ComparedSet:
    """One synthetic set with its answers.

    Parameters
    ----------
    name, family : str
        As its owner names it, and the generator family it belongs to.
    images : int
    digest : str
        SHA-256 over its contents.
    verdicts : mapping of axis to Verdict
    scores : tuple of Score
        Without the columns of single images.
    notes : tuple of str
        What limits its evaluation.
    """

    name: str
    family: str
    images: int
    digest: str
    verdicts: Mapping[Axis, Verdict]
    scores: tuple[Score, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One score over all sets; n is their number.

    Parameters
    ----------
    key : str
        ``"axis/name@features"``, without the last part for scores of no feature space.
    axis, name, features, better, source
        As in `Score`.
    scores : tuple of Score, length n
    compared : {"value", "value less null", "distance to null"}
        What the sets are compared by.
    figures : array, shape (n,)
        That, turned so that higher is better; NaN where there is none.
    errors : array, shape (n,)
        Standard errors of `figures`; NaN where there is no interval.
    better_than : array of bool, shape (n, n)
        True where the set of the row is better than that of the column beyond the intervals, all at once at 95 %.
    ranks : tuple of (int, int) or None, length n
        First and last possible rank among the sets that have one.
    """

    key: str
    axis: Axis
    name: str
    features: str | None
    better: Better
    source: str
    scores: tuple[Score, ...]
    compared: Compared
    figures: np.ndarray
    errors: np.ndarray
    better_than: np.ndarray
    ranks: tuple[tuple[int, int] | None, ...]

    @property
    def complete(self) -> bool:
        """Whether every set has a figure and an error."""
        return bool(np.isfinite(self.figures).all() and np.isfinite(self.errors).all())

    @property
    def varies(self) -> bool:
        """Whether the figures of the sets are not all the same."""
        known = self.figures[np.isfinite(self.figures)]
        return len(known) > 1 and bool((known != known[0]).any())


@dataclass(frozen=True)
class Front:
    """The Pareto front of the leading scores.

    Parameters
    ----------
    rows : tuple of Row
        One an axis that can be asked.
    standings : tuple of Standing, one a set
    missing : mapping of axis to str
        Why an axis does not count.
    """

    rows: tuple[Row, ...]
    standings: tuple[Standing, ...]
    missing: Mapping[Axis, str]


@dataclass(frozen=True)
class Matrix:
    """Rank correlations of the scores over the sets.

    Parameters
    ----------
    rows : tuple of Row
        The scores that every set has and that are not the same for all.
    found : Associations
        In the order of `rows`.
    left_out : tuple of str
        Keys of the other scores.
    reason : str or None
        Why there are no intervals.
    """

    rows: tuple[Row, ...]
    found: Associations
    left_out: tuple[str, ...]
    reason: str | None


@dataclass(frozen=True)
class Target:
    """The utility that scores are asked to predict.

    Parameters
    ----------
    row : Row
    measured : bool
        Whether a study of utility measured it; otherwise the probe of the evaluation stands in.
    words : str
        What it is, a noun phrase.
    """

    row: Row
    measured: bool
    words: str


@dataclass(frozen=True)
class Prediction:
    """Whether a score predicted the utility of these sets.

    Parameters
    ----------
    row : Row
    value : float or None
        Spearman's coefficient with the utility, both turned so that higher is better.
    interval : (float, float) or None
        95 %, of this score alone.
    adjusted : float or None
        Two-sided p after Holm over all scores that were asked.
    claim : {"predicted", "contrary", "no claim"}
        ``"predicted"``: better scores went with higher utility; ``"contrary"``: with lower utility. Both at 5 % after
        Holm.
    sets, families : int
        How many it rests on.
    reason : str or None
        Why there is no interval.
    """

    row: Row
    value: float | None
    interval: tuple[float, float] | None
    adjusted: float | None
    claim: Claim
    sets: int
    families: int
    reason: str | None


@dataclass(frozen=True)
class Ladder:
    """Sets in rising strength of one change, and how every score moves along them.

    `movements` holds the score's own direction (``"rises"``: its value grows), by its key.
    """

    name: str
    sets: tuple[str, ...]
    movements: Mapping[str, Movement]


@dataclass(frozen=True)
class ComparedSets:
    """Many synthetic sets side by side.

    Parameters
    ----------
    sets : tuple of ComparedSet
    rows : tuple of Row
        The scores, by axis.
    front : Front
    matrix : Matrix
    target : Target or None
        None where no utility is known.
    predictions : tuple of Prediction
    ladders : tuple of Ladder
    real : mapping of role to RealSet
    preparation, settings : mapping
    notes : tuple of str
        What limits the comparison, a sentence each.
    """

    sets: tuple[ComparedSet, ...]
    rows: tuple[Row, ...]
    front: Front
    matrix: Matrix
    target: Target | None
    predictions: tuple[Prediction, ...]
    ladders: tuple[Ladder, ...]
    real: Mapping[str, RealSet]
    preparation: Mapping[str, Any]
    settings: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sets."""
        return tuple(one.name for one in self.sets)

    @property
    def leading_rows(self) -> tuple[Row, ...]:
        """The scores in the leading feature space, and those of none."""
        spaces: Sequence[str] = self.settings["features"]
        return tuple(row for row in self.rows if row.features is None or row.features == spaces[0])

    def __getitem__(self, key: str) -> Row:
        """A score by ``"axis/name"`` (its first feature space) or ``"axis/name@features"``."""
        for row in self.rows:
            if key in (row.key, f"{row.axis}/{row.name}"):
                return row
        known = ", ".join(dict.fromkeys(f"{row.axis}/{row.name}" for row in self.rows))
        raise KeyError(f"no score {key!r}; there are: {known}")

    def report(self, folder: str | Path) -> Path:
        """Write ``index.html``, ``compare.json`` and ``scores.csv``; returns the first."""
        from fourfold.report.compare_files import write_comparison

        return write_comparison(self, folder)
