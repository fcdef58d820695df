"""The figures of the study of data quality."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from fourfold.report.drawing import FAINT, INK, SETS
from fourfold.studies.data_quality.effects import MEASURES, effects, generators
from fourfold.studies.data_quality.training import AS_DRAWN, IMAGE_NOISE, NONE, REAL, REPEATED
from fourfold.studies.judging import over_seeds
from fourfold.studies.study import Table

__all__ = ["draw_areas", "draw_effects"]

_SHADES, _MARKS = (SETS["training"], SETS["synthetic"], SETS["accent"]), "oDs"


def draw_effects(figure: Figure, table: Table) -> None:
    """A row a measure, a bar a source."""
    axes = figure.subplots()
    axes.axvline(0, color=FAINT)
    sources = [REAL, *generators(table)]
    for number, source in enumerate(sources):
        shade, mark = _SHADES[number % len(_SHADES)], _MARKS[number % len(_MARKS)]
        axes.plot([], [], mark, color=shade, label=f"on {source} images", markersize=6)
        for place, measure in enumerate(MEASURES):
            values = list(effects(table, measure, source, "area").values())
            height = 0.25 - place - 0.5 * number / max(len(sources) - 1, 1)
            axes.plot(values, [height] * len(values), "|", color=shade, markersize=9, alpha=0.6)
            # One seed has a value and no interval.
            over = over_seeds(values)
            if over is not None:
                axes.plot(over.interval, [height, height], color=shade, linewidth=2)
                axes.plot(over.mean, height, mark, color=shade, markersize=6)
    axes.set_yticks([-place for place in range(len(MEASURES))], [measure.words for measure in MEASURES])
    axes.set_ylim(-len(MEASURES) + 0.4, 0.6)
    axes.set_xlabel("change in area under the curve")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_areas(figure: Figure, table: Table) -> None:
    """A panel a source, a line a balance."""
    sources = [REAL, *generators(table)]
    panels = np.atleast_1d(figure.subplots(1, len(sources), sharey=True))
    for axes, source in zip(panels, sources, strict=True):
        for kind, dash, mark in ((AS_DRAWN, "solid", "o"), (REPEATED, (0, (5, 2)), "s")):
            areas = [_mean(table.where(source=source, noise=level, balance=kind)) for level in (NONE, *IMAGE_NOISE)]
            axes.plot([0.0, *IMAGE_NOISE.values()], areas, mark, linestyle=dash, color=INK, label=kind, markersize=5)
        axes.set_xlabel("noise in the training images")
        axes.set_title(source)
    panels[0].set_ylabel("area under the curve")
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="classes")


def _mean(rows: Table) -> float:
    areas = rows.column("area")
    return float(np.nanmean(areas)) if np.isfinite(areas).any() else float("nan")
