"""Rank correlations of scores as a heat map: a cell two scores, with what it says in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fourfold.report.compare_wording import row_name

if TYPE_CHECKING:
    from fourfold.comparing import Matrix

__all__ = ["HeatCell", "HeatMap", "heat_map"]


@dataclass(frozen=True)
class HeatCell:
    """Two scores: where the cell stands, how strong it is (0 to 1), its sign, and what it says in words."""

    x: int
    y: int
    strength: str
    sign: str
    certain: bool
    words: str


@dataclass(frozen=True)
class HeatMap:
    """Rank correlations of the leading scores; names and cells in the same order."""

    names: tuple[str, ...]
    cells: tuple[HeatCell, ...]


def heat_map(matrix: Matrix, shown: set[str]) -> HeatMap:
    """The rank correlations of the scores whose keys are `shown`."""
    found = matrix.found
    places = [place for place, row in enumerate(matrix.rows) if row.key in shown]
    names = [row_name(matrix.rows[place]) for place in places]
    ends = found.intervals()
    cells = []
    for y, first in enumerate(places):
        for x, second in enumerate(places):
            if first == second:
                continue
            value, (low, high) = float(found.values[first, second]), ends[first, second].tolist()
            known = np.isfinite(low)
            interval = f" ({low:.2f} to {high:.2f})" if known else ", no interval"
            cells.append(
                HeatCell(
                    x,
                    y,
                    f"{abs(value):.2f}",
                    "plus" if value >= 0 else "minus",
                    bool(known and (low > 0 or high < 0)),
                    f"{names[y]} and {names[x]}: {value:.2f}{interval}".replace("-", "−"),
                )
            )
    return HeatMap(tuple(names), tuple(cells))
