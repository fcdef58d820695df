"""The figures of the study: over the size of the training set, over the course of training, and model by model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from fourfold.report.drawing import FAINT, INK, SETS
from fourfold.studies.memorisation.contrasts import sizes_of, watched_sizes
from fourfold.studies.memorisation.findings import NAMES
from fourfold.studies.memorisation.models import DIFFUSION, GAN, RECIPES
from fourfold.studies.study import Chart, Table

__all__ = ["charts_of"]

_STYLES = {
    DIFFUSION: {"color": SETS["synthetic"], "marker": "D"},
    GAN: {"color": SETS["accent"], "marker": "o"},
}
_NULL = {"color": INK, "linestyle": "--", "linewidth": 1}


def charts_of(table: Table) -> Sequence[Chart]:
    """The charts that these cells allow."""
    return [
        Chart(
            "size",
            "Memorisation over the size of the training set",
            "A mark a model, a line the mean over seeds; dashed: what holdout images score that copy nobody.",
            lambda figure: _over_sizes(figure, table),
            (12.0, 4.0),
        ),
        Chart(
            "course",
            "Memorisation in the course of training",
            "Share of draws that are nearer to a training patient than to any of as many holdout patients, a line a "
            "training; dashed: one half, where nobody is copied. A filled mark is the snapshot of the onset.",
            lambda figure: _courses(figure, table),
            (12.0, 3.8),
        ),
        Chart(
            "correlation",
            "The published score beside the list of copies",
            "A mark a model, larger for larger training sets. The dotted line is how far blur alone takes holdout "
            "images beyond themselves.",
            lambda figure: _scores(figure, table),
            (12.0, 4.0),
        ),
    ]


def _over_sizes(figure: Figure, table: Table) -> None:
    panels = figure.subplots(1, 3)
    shown = (
        ("copies", "copies_null", "share listed as copies"),
        ("correlation", "correlation_null", "highest correlation, mean"),
        ("extreme", "extreme_null", "share beyond 99 % of the holdout"),
    )
    for axes, (name, null, label) in zip(panels, shown, strict=True):
        for recipe in RECIPES:
            cells = table.where(recipe=recipe)
            axes.plot(cells.column("size"), cells.column(name), linestyle="none", markersize=4, **_hollow(recipe))
            axes.plot(*_means(cells, name), linewidth=1.2, markersize=0, label=NAMES[recipe], **_STYLES[recipe])
        axes.plot(*_means(table, null), label="holdout", **_NULL)
        _over(axes, table, label)
    panels[0].legend()


def _courses(figure: Figure, table: Table) -> None:
    sizes = watched_sizes(table) or sizes_of(table)
    shown = [sizes[0], sizes[-1]] if len(sizes) > 1 else sizes
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, size in zip(panels, shown, strict=True):
        for recipe in RECIPES:
            for place, row in enumerate(table.where(recipe=recipe, size=size)):
                count = int(row.get("snapshots") or 0)
                if not count:
                    continue
                passes = np.arange(1, count + 1) / count * float(row["passes"])
                shares = [row.get(f"nearer_{look}") for look in range(1, count + 1)]
                label = NAMES[recipe] if place == 0 else None
                axes.plot(passes, shares, linewidth=1, markersize=4, label=label, **_hollow(recipe))
                if row.get("began"):
                    look = min(count, max(1, round(float(row["onset"]) * count)))
                    axes.plot(passes[look - 1], shares[look - 1], markersize=6, **_STYLES[recipe])
        axes.axhline(0.5, **_NULL)
        axes.set_xlabel("passes over the training set")
        axes.set_title(f"{size:,d} images", loc="left")
        axes.set_xlim(0, None)
        axes.set_ylim(-0.03, 1.03)
    panels[0].set_ylabel("share nearer to training")
    if panels[0].get_legend_handles_labels()[0]:
        panels[0].legend()


def _scores(figure: Figure, table: Table) -> None:
    panels = figure.subplots(1, 3)
    shown: tuple[tuple[str, str, Callable[[np.ndarray], np.ndarray]], ...] = (
        ("correlation", "highest correlation, as published", lambda value: value),
        ("excess_correlation", "highest correlation beyond the holdout's", lambda value: value),
        ("frechet", "Fréchet distance of radiomics, logarithm to base 10", lambda value: np.log10(value)),
    )
    sizes = sizes_of(table)
    for axes, (name, label, seen) in zip(panels, shown, strict=True):
        for recipe in RECIPES:
            for place, size in enumerate(sizes):
                cells = table.where(recipe=recipe, size=size)
                label_here = NAMES[recipe] if place == 0 else None
                mark = 4 + 5 * place / max(len(sizes) - 1, 1)
                values = seen(cells.column(name))
                axes.plot(
                    values,
                    cells.column("copies"),
                    linestyle="none",
                    markersize=mark,
                    label=label_here,
                    **_hollow(recipe),
                )
        axes.set_xlabel(label)
        axes.set_ylim(-0.03, None)
    blurred = table.column("excess_correlation_blurred")
    if np.isfinite(blurred).any():
        panels[1].axvline(float(np.nanmean(blurred)), color=INK, linestyle=":", linewidth=1)
    nulls = table.column("frechet_null")
    if (nulls > 0).any():
        panels[2].axvline(float(np.nanmean(np.log10(nulls[nulls > 0]))), **_NULL)
    panels[0].set_ylabel("share listed as copies")
    panels[0].legend()


def _hollow(recipe: str) -> dict[str, str]:
    return {**_STYLES[recipe], "markerfacecolor": "none"}


def _means(cells: Table, name: str) -> tuple[list[int], list[float]]:
    values, at = cells.column(name), cells.column("size")
    known = [size for size in sizes_of(cells) if np.isfinite(values[at == size]).any()]
    return known, [float(np.nanmean(values[at == size])) for size in known]


def _over(axes: Axes, table: Table, label: str) -> None:
    axes.set_xscale("log")
    sizes = sizes_of(table)
    axes.set_xticks(sizes, [f"{size:,d}" for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training images")
    axes.set_ylabel(label)
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
