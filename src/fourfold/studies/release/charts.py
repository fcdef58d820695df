"""The figures of the study of releases."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from fourfold.report.drawing import FAINT, INK, SETS
from fourfold.studies.judging import over_seeds
from fourfold.studies.release.arms import ARMS, FRESH, LEFT_OUT, ORDINARY, REAL, RELEASED, UNSCREENED
from fourfold.studies.release.judging import SPACES
from fourfold.studies.study import Table

__all__ = ["draw_excess", "draw_utility"]

_SHADES = {REAL: SETS["training"], FRESH: SETS["holdout"], RELEASED: SETS["accent"]}
_MARKS = {REAL: "o", FRESH: "s", ORDINARY: "v", UNSCREENED: "D", LEFT_OUT: "X", RELEASED: "*"}


def draw_excess(figure: Figure, table: Table) -> None:
    """A panel a space, a row an arm."""
    panels = np.atleast_1d(figure.subplots(1, len(SPACES), sharey=True))
    # The training images single out everybody, and would press all others together.
    shown = [name for name in ARMS if name != REAL]
    for axes, space in zip(panels, SPACES, strict=True):
        axes.axvline(0, color=FAINT)
        for place, name in enumerate(shown):
            values = table.where(arm=name).column(f"excess_{space}")
            values = values[np.isfinite(values)]
            shade = _SHADES.get(name, SETS["synthetic"])
            axes.plot(values, np.full(len(values), -place), "|", color=shade, markersize=10, alpha=0.6)
            over = over_seeds(values.tolist())
            if over is not None:
                axes.plot(over.interval, [-place, -place], color=shade, linewidth=2)
                axes.plot(over.mean, -place, _MARKS[name], color=shade, markersize=7)
        axes.set_yticks([-place for place in range(len(shown))], shown)
        axes.set_ylim(-len(shown) + 0.4, 0.6)
        axes.set_xlabel("isolated in excess of chance")
        axes.set_title(space)


def draw_utility(figure: Figure, table: Table) -> None:
    """A mark an arm and seed, a large one an arm."""
    axes = figure.subplots()
    axes.axvline(0, color=FAINT)
    for name in (one for one in ARMS if one != REAL):
        own = table.where(arm=name)
        excess, area = own.column(f"excess_{SPACES[0]}"), own.column("area")
        known = np.isfinite(excess) & np.isfinite(area)
        if not known.any():
            continue
        shade = _SHADES.get(name, SETS["synthetic"])
        axes.plot(excess[known], area[known], _MARKS[name], color=shade, markersize=4, alpha=0.5)
        mean = excess[known].mean(), area[known].mean()
        axes.plot(*mean, _MARKS[name], color=shade, markersize=10, label=name)
    real = table.where(arm=REAL).column("area")
    if np.isfinite(real).any():
        axes.axhline(float(np.nanmean(real)), color=INK, linestyle=(0, (1, 1.4)), label=f"{REAL} (area only)")
    axes.set_xlabel(f"isolated in excess of chance, {SPACES[0]}")
    axes.set_ylabel("area under the curve")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
