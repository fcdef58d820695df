"""The drawings of a comparison: every pair of axes with the front, and the leading scores along a ladder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from fourfold.report.compare_wording import compared_by, raw_figures, row_name
from fourfold.report.drawing import FAINT, INK, SETS, svg

if TYPE_CHECKING:
    from fourfold.comparing import Row, Standing

__all__ = ["ladder_plot", "pareto_plot"]

_STYLES = {
    "front": {"marker": "D", "markerfacecolor": SETS["synthetic"], "markeredgecolor": SETS["synthetic"]},
    "not told apart": {"marker": "s", "markerfacecolor": "none", "markeredgecolor": SETS["accent"]},
    "dominated": {"marker": "o", "markerfacecolor": "none", "markeredgecolor": INK, "alpha": 0.55},
}
_COLUMNS = 3
_REACH = float(norm.ppf(0.975))


def pareto_plot(rows: Sequence[Row], standings: Sequence[Standing], title: str) -> Markup:
    """A panel a pair of leading scores, a numbered mark a set.

    Parameters
    ----------
    rows : sequence of Row
        At least 2, each complete.
    standings : sequence of Standing
        One a set.
    title : str
        What a reader who cannot see the plot is told.
    """
    pairs = list(combinations(rows, 2))
    lines = -(-len(pairs) // _COLUMNS)

    def draw(figure: Figure) -> None:
        panels = figure.subplots(lines, min(_COLUMNS, len(pairs)), squeeze=False).ravel()
        for panel, (across, upwards) in zip(panels, pairs, strict=False):
            _plane(panel, across, upwards, standings)
        for panel in panels[len(pairs) :]:
            panel.set_axis_off()
        kinds = [kind for kind in _STYLES if any(one.place == kind for one in standings)]
        for kind in kinds:
            panels[0].plot([], [], linestyle="none", markersize=6, label=kind, **_STYLES[kind])
        panels[0].legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=len(kinds), borderaxespad=0.2, handletextpad=0.1
        )

    return svg(draw, (12.0, 3.6 * lines + 0.3), title)


def ladder_plot(rows: Sequence[Row], names: Sequence[str], places: Sequence[int], title: str) -> Markup:
    """A panel a leading score: its value at every rung with its interval.

    Parameters
    ----------
    rows : sequence of Row
    names : sequence of str
        Of the rungs.
    places : sequence of int
        Of the rungs among the sets.
    title : str
    """

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(rows), squeeze=False)[0]
        for panel, row in zip(panels, rows, strict=True):
            scores = [row.scores[place] for place in places]
            values = np.array([np.nan if one.value is None else one.value for one in scores])
            ends = np.array([(np.nan, np.nan) if one.interval is None else one.interval for one in scores])
            steps = np.arange(len(scores))
            panel.vlines(steps, *ends.T, color=SETS["synthetic"], linewidth=2)
            panel.plot(steps, values, color=SETS["synthetic"], marker="D", markersize=5, linewidth=1)
            nulls = [one.null for one in scores if one.null is not None]
            if nulls:
                panel.axhline(float(np.mean(nulls)), color=INK, linewidth=1, linestyle="--")
            panel.set_xticks(steps, names, rotation=30, ha="right")
            panel.set_title(row_name(row), loc="left")
            panel.grid(axis="y", color=FAINT, linewidth=0.4)
            panel.set_axisbelow(True)

    return svg(draw, (12.0, 3.4), title)


def _plane(panel: Axes, across: Row, upwards: Row, standings: Sequence[Standing]) -> None:
    x, y = raw_figures(across), raw_figures(upwards)
    panel.errorbar(
        x,
        y,
        xerr=_sides(across),
        yerr=_sides(upwards),
        linestyle="none",
        ecolor=INK,
        elinewidth=0.8,
        alpha=0.35,
        zorder=1,
    )
    for place, one in enumerate(standings):
        panel.plot(x[place], y[place], markersize=6, linestyle="none", **_STYLES[one.place])
        panel.annotate(str(place + 1), (x[place], y[place]), (4, 4), textcoords="offset points", fontsize=8, color=INK)
    panel.set_xlabel(f"{row_name(across)}\n{compared_by(across)}")
    panel.set_ylabel(f"{row_name(upwards)}\n{compared_by(upwards)}")


def _sides(row: Row) -> np.ndarray:
    """How far the interval of each set reaches below and above its mark, shape (2, n)."""
    if row.compared == "distance to null":
        return np.stack([_REACH * row.errors] * 2)
    ends = [(one.value, *one.interval) for one in row.scores if one.value is not None and one.interval is not None]
    value, low, high = np.array(ends, dtype=np.float64).T
    return np.stack([np.maximum(value - low, 0.0), np.maximum(high - value, 0.0)])
