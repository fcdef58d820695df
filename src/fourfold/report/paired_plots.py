"""The drawings of pairs: how values are distributed, and which images gained or lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fourfold.report.drawing import FAINT, INK, SETS, svg
from fourfold.report.paired_wording import measure_name

if TYPE_CHECKING:
    from fourfold.pairing import PairedValues

__all__ = ["distribution_plot", "gain_plot"]

_COLUMNS = 3
_SHARES = np.linspace(0, 1, 101)
_MOST_MARKS = 2000


def distribution_plot(measures: Sequence[PairedValues], title: str) -> Markup:
    """A panel a measure: the share of images up to each value, as percentiles and so with no mark for an image.

    Parameters
    ----------
    measures : sequence of PairedValues
    title : str
        What a reader who cannot see the plot is told.
    """

    def draw(figure: Figure) -> None:
        for panel, one in zip(_panels(figure, len(measures)), measures, strict=True):
            curves = (
                (one.strangers, {"color": INK, "linestyle": (0, (1, 1.4)), "label": "unrelated images"}),
                (one.untreated, {"color": SETS["holdout"], "linestyle": (0, (5, 2)), "label": "untreated inputs"}),
                (one.values, {"color": SETS["synthetic"], "linestyle": "solid", "label": "restored images"}),
            )
            for values, style in curves:
                if values is not None:
                    panel.plot(np.quantile(values, _SHARES), _SHARES, linewidth=1.6, **style)
            panel.set_xlabel(f"{measure_name(one)}, {one.better} is better")
            panel.set_ylabel("share of images")
            panel.grid(color=FAINT, linewidth=0.4)
            panel.set_axisbelow(True)
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)

    return svg(draw, (12.0, 3.2 * _lines(len(measures)) + 0.3), title)


def gain_plot(measures: Sequence[PairedValues], title: str) -> Markup:
    """A panel a measure: a mark an image, its input across and the restored image upwards.

    Parameters
    ----------
    measures : sequence of PairedValues
        With inputs.
    title : str
        As for `distribution_plot`.
    """

    def draw(figure: Figure) -> None:
        for panel, one in zip(_panels(figure, len(measures)), measures, strict=True):
            if one.untreated is None:
                continue
            step = -(-len(one.values) // _MOST_MARKS)
            before, after = one.untreated[::step], one.values[::step]
            worse = np.isin(np.arange(len(one.values)), one.lost)[::step]
            style = {"linestyle": "none", "alpha": 0.6}
            panel.plot(
                before[~worse], after[~worse], marker="o", markersize=3, color=SETS["training"], label="nearer", **style
            )
            panel.plot(
                before[worse], after[worse], marker="x", markersize=5, color=SETS["synthetic"], label="further", **style
            )
            ends = [min(before.min(), after.min()), max(before.max(), after.max())]
            panel.plot(ends, ends, color=INK, linewidth=0.8, linestyle="--")
            panel.set_xlabel(f"{measure_name(one)} of the untreated input")
            panel.set_ylabel("of the restored image")
            panel.grid(color=FAINT, linewidth=0.4)
            panel.set_axisbelow(True)
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)

    return svg(draw, (12.0, 3.6 * _lines(len(measures)) + 0.3), title)


def _lines(count: int) -> int:
    return -(-count // _COLUMNS)


def _panels(figure: Figure, count: int) -> list[Axes]:
    panels = figure.subplots(_lines(count), min(max(count, 2), _COLUMNS), squeeze=False).ravel().tolist()
    for panel in panels[count:]:
        panel.set_axis_off()
    return panels[:count]
