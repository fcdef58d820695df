"""The plots of a study of utility: arms, differences, learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fourfold.report.drawing import FAINT, INK, MARKS, SETS, svg

__all__ = ["differences", "learning_curve", "levels"]

_STYLES = (("training", "--"), ("synthetic", "-"), ("accent", "-."), ("holdout", ":"))


def levels(
    names: Sequence[str],
    roles: Sequence[str],
    values: np.ndarray,
    intervals: np.ndarray,
    label: str,
    title: str,
) -> Markup:
    """One row an arm: its value and interval, coloured by what it was learned from.

    Parameters
    ----------
    names, roles : sequences of length n
    values : array, shape (n,)
        NaN where there is none.
    intervals : array, shape (n, 2)
    label, title : str
        Of the axis, and what a reader who cannot see the plot is told.
    """

    def draw(figure: Figure) -> None:
        panel = figure.add_subplot()
        _rows(panel, names, roles, values, intervals)
        panel.set_xlabel(label)

    return svg(draw, (12.0, 0.9 + 0.32 * len(names)), title)


def differences(
    names: Sequence[str],
    roles: Sequence[str],
    values: np.ndarray,
    intervals: np.ndarray,
    label: str,
    title: str,
) -> Markup:
    """One row a comparison, about a line at 0; parameters as in `levels`."""

    def draw(figure: Figure) -> None:
        panel = figure.add_subplot()
        panel.axvline(0, color=INK, linewidth=1.2, label="null: no difference")
        _rows(panel, names, roles, values, intervals)
        panel.set_xlabel(label)
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)

    return svg(draw, (12.0, 1.1 + 0.32 * len(names)), title)


def learning_curve(curves: Mapping[str, Sequence[tuple[int, float, float, float]]], label: str, title: str) -> Markup:
    """Values over the number of real images.

    Parameters
    ----------
    curves : mapping of str to sequence of (real images, value, low, high)
    label, title : str
    """

    def draw(figure: Figure) -> None:
        panel = figure.add_subplot()
        for place, (name, points) in enumerate(curves.items()):
            role, style = _STYLES[place % len(_STYLES)]
            real, value, low, high = np.array(sorted(points), dtype=np.float64).T
            # Beside each other rather than upon each other.
            shifted = real * (1 + 0.015 * (place - (len(curves) - 1) / 2))
            panel.vlines(shifted, low, high, color=SETS[role], linewidth=1.4)
            panel.plot(
                shifted, value, color=SETS[role], linestyle=style, marker=MARKS.get(role, "^"), markersize=6, label=name
            )
        sizes = sorted({real for points in curves.values() for real, *_ in points})
        panel.set_xscale("log")
        panel.set_xticks(sizes, [f"{size:,d}" for size in sizes])
        panel.minorticks_off()
        panel.set_xlabel("real images")
        panel.set_ylabel(label)
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)

    return svg(draw, (12.0, 4.0), title)


def _rows(panel: Axes, names: Sequence[str], roles: Sequence[str], values: np.ndarray, intervals: np.ndarray) -> None:
    for row, role in enumerate(roles):
        if not np.isnan(intervals[row]).any():
            panel.hlines(row, *intervals[row], color=SETS[role], linewidth=2.2)
        panel.plot(values[row], row, marker=MARKS.get(role, "^"), markersize=7, color=SETS[role], linestyle="none")
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color=FAINT, linewidth=0.4)
    panel.set_axisbelow(True)
