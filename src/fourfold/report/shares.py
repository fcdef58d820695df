"""Shares from 0 to 1 as horizontal bars: arrays in, one ``<svg>`` element out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fourfold.report.drawing import FAINT, INK, SETS, svg

__all__ = ["Bars", "shares", "shares_side_by_side"]


@dataclass(frozen=True)
class Bars:
    """Shares with their intervals.

    Parameters
    ----------
    names : sequence of str, length n
    values : array, shape (n,)
        In [0, 1].
    intervals : array, shape (n, 2)
        NaN where there is none.
    """

    names: Sequence[str]
    values: np.ndarray
    intervals: np.ndarray


def shares(
    bars: Bars,
    null: np.ndarray | float | None,
    label: str,
    title: str,
    *,
    null_name: str = "null",
    wide: bool = False,
) -> Markup:
    """Bars with their null.

    Parameters
    ----------
    bars : Bars
        n of them.
    null : array, shape (n,), float or None
    label : str
        Of the horizontal axis.
    title : str
        What a reader who cannot see the plot is told.
    null_name : str
        What the legend calls the null.
    wide : bool
        Whether the plot takes the width of the page.
    """

    def draw(figure: Figure) -> None:
        panel = figure.add_subplot()
        _draw(panel, bars, label)
        if null is not None:
            rows = np.arange(len(bars.names))
            at = np.broadcast_to(np.asarray(null, dtype=float), rows.shape)
            panel.vlines(at, rows - 0.42, rows + 0.42, color=INK, linewidth=1.4, label=null_name)
            panel.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)

    return svg(draw, (12.0 if wide else 6.0, 1.1 + 0.32 * len(bars.names)), title)


def shares_side_by_side(groups: Mapping[str, Bars], label: str, title: str) -> Markup:
    """Bars of several kinds on one scale, a panel a kind, as wide as the page.

    Parameters
    ----------
    groups : mapping of str to Bars
        By the heading of the panel; one or more.
    label, title : str
        As for `shares`.
    """
    most = max(len(bars.names) for bars in groups.values())

    def draw(figure: Figure) -> None:
        for panel, (name, bars) in zip(figure.subplots(1, len(groups), squeeze=False)[0], groups.items(), strict=True):
            _draw(panel, bars, label)
            # The same number of rows in each panel, so that bars are equally thick.
            panel.set_ylim(most - 0.4, -0.6)
            panel.set_title(name, loc="left")
            panel.grid(axis="x", color=FAINT, linewidth=0.4)
            panel.set_axisbelow(True)

    return svg(draw, (12.0, 1.1 + 0.26 * most), title)


def _draw(panel: Axes, bars: Bars, label: str) -> None:
    rows, color = np.arange(len(bars.names)), SETS["synthetic"]
    panel.barh(rows, bars.values, height=0.56, color=color, alpha=0.35, linewidth=0)
    known = ~np.isnan(bars.intervals).any(axis=1)
    panel.hlines(rows[known], bars.intervals[known, 0], bars.intervals[known, 1], color=color, linewidth=2)
    panel.plot(bars.values, rows, linestyle="none", marker="D", markersize=4.5, color=color)
    panel.set_xlim(0, 1.02)
    panel.set_yticks(rows, bars.names)
    panel.set_ylim(len(bars.names) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.set_xlabel(label)
