"""Which group an image belongs to, from a column of the metadata or from bands of its numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.images.sets import Entry

__all__ = ["MOST_GROUPS", "Column", "known_columns", "named_column", "named_columns"]

MOST_GROUPS = 30
"""Groups of a column, at most: more are no subgroups, and their names could be those of patients."""

# Ages of DICOM headers are written 063Y.
_NUMBER = re.compile(r"([-+]?\d+(?:\.\d+)?)\s*[Yy]?")
_TARGET = "label:"


@dataclass(frozen=True)
class Column:
    """A column of the metadata by which images are grouped.

    Parameters
    ----------
    name : str
        ``"label"`` for the class, ``"label:NAME"`` for a named target, or any free column.
    edges : tuple of float
        Rising limits of bands; empty where every value is a group.
    """

    name: str
    edges: tuple[float, ...] = ()

    def cells(self, images: ImageSet) -> list[str] | None:
        """What the metadata say of each image, ``""`` where nothing; None where the set has no such column."""
        found = [self._cell(entry) for entry in images.entries]
        return None if not any(found) else found

    def groups(self, cells: Sequence[str]) -> np.ndarray:
        """The group of each image, shape (N,), ``""`` where the cell is empty or, with bands, not a number.

        Examples
        --------
        >>> Column("age", (40.0, 60.0)).groups(["39", "063Y", "60", "unknown"]).tolist()
        ['under 40', '60 and over', '60 and over', '']
        """
        if not self.edges:
            return np.array(cells, dtype=object)
        names = self.bands()
        places = [_NUMBER.fullmatch(cell) for cell in cells]
        return np.array(
            ["" if one is None else names[np.searchsorted(self.edges, float(one[1]), side="right")] for one in places],
            dtype=object,
        )

    def bands(self) -> tuple[str, ...]:
        """Names of the bands, the lowest first; none where every value is a group."""
        if not self.edges:
            return ()
        limits = [f"{edge:g}" for edge in self.edges]
        between = [f"{low} to under {high}" for low, high in pairwise(limits)]
        return (f"under {limits[0]}", *between, f"{limits[-1]} and over")

    def order(self, names: Sequence[str]) -> list[str]:
        """The groups in the order in which a reader expects them.

        Raises
        ------
        InputError
            Where there are more than `MOST_GROUPS`.
        """
        present = set(names) - {""}
        if len(present) > MOST_GROUPS:
            raise InputError(
                f"the column {self.name!r} divides the images into {len(present)} groups, more than {MOST_GROUPS}; "
                f"name one with fewer values, or bands of its numbers, for example {self.name}:20,40,60"
            )
        return [name for name in self.bands() if name in present] or sorted(present, key=_natural)

    def _cell(self, entry: Entry) -> str:
        if self.name.startswith(_TARGET):
            value = entry.labels.get(self.name.removeprefix(_TARGET), math.nan)
            return "" if math.isnan(value) else f"{value:g}"
        if self.name == "label" and entry.label is not None:
            return entry.label
        return entry.columns.get(self.name, "")


def named_column(specification: str) -> Column:
    """The column of a specification.

    Parameters
    ----------
    specification : str
        ``"sex"``, ``"label"``, ``"label:effusion"``, or with the limits of bands, ``"age:20,40,60"``: a value belongs
        to the band whose lower limit it reaches.

    Raises
    ------
    InputError
        Where it names no column, or its limits do not rise.

    Examples
    --------
    >>> named_column("age:20,40,60").bands()
    ('under 20', '20 to under 40', '40 to under 60', '60 and over')
    """
    name, colon, limits = specification.strip().rpartition(":")
    if not colon or not re.fullmatch(r"[-+.\d\s,]+", limits):
        name, limits = specification.strip(), ""
    if not name:
        raise InputError(f"{specification!r} names no column to group by; write COLUMN or COLUMN:20,40,60")
    try:
        edges = tuple(float(part) for part in limits.split(",")) if limits else ()
    except ValueError as error:
        raise InputError(
            f"the limits in {specification!r} are no numbers; write for example {name}:20,40,60"
        ) from error
    if any(low >= high for low, high in pairwise(edges)):
        raise InputError(f"the limits in {specification!r} do not rise; write for example {name}:20,40,60")
    return Column(name, edges)


def named_columns(specifications: str | Sequence[str]) -> list[Column]:
    """The columns of several specifications; raises InputError where one is named twice."""
    asked = (specifications,) if isinstance(specifications, str) else specifications
    found = [named_column(one) for one in asked]
    names = [column.name for column in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"the column {twice[0]!r} is to be grouped by twice; name it once")
    return found


def known_columns(images: ImageSet) -> list[str]:
    """Every column that a set can be grouped by."""
    found = {name for entry in images.entries for name, cell in entry.columns.items() if cell}
    targets = {f"{_TARGET}{name}" for entry in images.entries for name in entry.labels}
    labelled = {"label"} if any(entry.label is not None for entry in images.entries) else set()
    return sorted(found | targets | labelled)


def _natural(name: str) -> tuple[float, str]:
    """Numbers by their size, before words."""
    found = _NUMBER.fullmatch(name)
    return (math.inf if found is None else float(found[1]), name)
