"""What a study is: claims that somebody published, cells that are computed once each, findings with intervals.

A cell is one setting and one seed. It holds numbers and short words, nothing of a patient, and is written to disk when
it is done, so that a study goes on where it stopped. Findings are statistics over all cells.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from matplotlib.figure import Figure

from fourfold.comparison import Progress
from fourfold.studies.sources import Source

__all__ = ["Cell", "Chart", "Claim", "Figures", "Finding", "Scale", "ScaleName", "Setting", "Study", "Table", "Verdict"]

Setting = float | int | str
Figures = Mapping[str, float | int | str | None]
ScaleName = Literal["quick", "full"]
Verdict = Literal["holds", "contradicted", "not told apart", "not asked"]


@dataclass(frozen=True)
class Claim:
    """What was published.

    Parameters
    ----------
    key : str
        For example ``"trade-off"``; unique in its study.
    text : str
        The claim in a sentence of ours.
    source : str
        Paper and year.
    """

    key: str
    text: str
    source: str


@dataclass(frozen=True)
class Scale:
    """How large a study is.

    Parameters
    ----------
    minutes : float
        Expected on two cores, as measured.
    settings : mapping of str to int or float
        Images, patients, steps and whatever else the study reads.
    seeds : int
        Repetitions of every setting.
    """

    minutes: float
    settings: Mapping[str, int | float]
    seeds: int = 3

    def __getitem__(self, name: str) -> int | float:
        return self.settings[name]


@dataclass(frozen=True)
class Cell:
    """One setting and one seed.

    Parameters
    ----------
    key : str
        Name of its file: letters, digits, dots, hyphens and underscores.
    settings : mapping of str to float, int or str
        What makes it different from the others; ``"seed"`` among them.
    """

    key: str
    settings: Mapping[str, Setting]

    @property
    def seed(self) -> int:
        """Every draw of the cell depends on it and on its settings."""
        return int(self.settings["seed"])


@dataclass(frozen=True)
class Finding:
    """What this run says about a claim.

    Parameters
    ----------
    claim : str
        Key of the claim.
    quantity : str
        What was measured, in a few words.
    value : float or None
        None where it could not be asked; `sentence` then says why.
    interval : (float, float) or None
        95 %.
    null : float or None
        What `value` would be if there were nothing to find.
    verdict : {"holds", "contradicted", "not told apart", "not asked"}
    sentence : str
        Plain, and no longer than two lines.
    """

    claim: str
    quantity: str
    value: float | None
    interval: tuple[float, float] | None
    verdict: Verdict
    sentence: str
    null: float | None = None


@dataclass(frozen=True)
class Chart:
    """A figure of a study.

    Parameters
    ----------
    name : str
        Of its files, without an ending.
    title, caption : str
    draw : callable
        Draws on a matplotlib figure; colours are those of `fourfold.report.drawing`.
    size : (float, float)
        In inches; 12 is the width of the page, 6 of half of it.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Figure], None]
    size: tuple[float, float] = (12.0, 4.0)


@dataclass(frozen=True)
class Table:
    """All cells that are done: a row a cell, settings and figures as columns.

    Examples
    --------
    >>> table = Table(({"seed": 0, "blur": 1.0, "score": 0.5}, {"seed": 1, "blur": 1.0, "score": None}))
    >>> table.column("score").tolist(), table.where(seed=0).column("blur").tolist()
    ([0.5, nan], [1.0])
    """

    rows: tuple[Figures, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Figures]:
        return iter(self.rows)

    def where(self, **settings: Setting) -> Table:
        """The rows with these settings."""
        return Table(tuple(row for row in self.rows if all(row.get(name) == value for name, value in settings.items())))

    def column(self, name: str) -> np.ndarray:
        """A column of numbers, shape (rows,), float64; NaN where a row has none."""
        values = [row.get(name) for row in self.rows]
        return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)

    def words(self, name: str) -> list[str]:
        """A column of words; empty where a row has none."""
        return ["" if row.get(name) is None else str(row[name]) for row in self.rows]

    def values(self, name: str) -> list[Setting]:
        """What a setting takes, in the order of its first appearance."""
        return list(dict.fromkeys(row[name] for row in self.rows if row.get(name) is not None))

    @property
    def names(self) -> list[str]:
        """All columns, in the order of their first appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row))


class Study(ABC):
    """Claims, cells, findings. A subclass holds no state; `fourfold.studies.run` does the work.

    Attributes
    ----------
    name : str
        As in ``fourfold study NAME``.
    title, question : str
    claims : tuple of Claim
    scales : mapping of {"quick", "full"} to Scale
    version : int
        Raised whenever the same cell would give other numbers; cells of another version are computed anew.
    source : str
        What images it is asked of where the user brings none: ``"chest"`` or ``"brain"`` phantoms.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]
    claims: ClassVar[tuple[Claim, ...]]
    scales: ClassVar[Mapping[ScaleName, Scale]]
    version: ClassVar[int] = 1
    source: ClassVar[Literal["chest", "brain"]] = "chest"

    @abstractmethod
    def cells(self, scale: Scale) -> Sequence[Cell]:
        """Every cell, in the order in which they are computed; cells of one seed share its patients."""

    @abstractmethod
    def compute(self, cell: Cell, scale: Scale, source: Source, work: Path, progress: Progress) -> Figures:
        """The figures of one cell.

        `work` is a folder that is kept between cells and runs: models and sets that several cells share lie there,
        each written whole or not at all.
        """

    @abstractmethod
    def findings(self, table: Table) -> Sequence[Finding]:
        """One finding a claim, or several; a claim that cells are missing for is "not asked"."""

    @abstractmethod
    def charts(self, table: Table) -> Sequence[Chart]:
        """The figures that can be drawn from these cells."""
