"""The figures of the study: lines over the number of network calls, a sampler a mark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from fourfold.generate.frameworks import FRAMEWORKS
from fourfold.generate.sampling import SAMPLERS
from fourfold.report.drawing import FAINT, INK, SETS
from fourfold.studies.steps.grid import BOUND, COPIES, HOME, LEARNED, MIXTURE, ODE
from fourfold.studies.study import Chart, Table

__all__ = ["charts_of"]

_MARKS = dict(zip(SAMPLERS, "o^vsDPXd*", strict=True))
_TITLES = {MIXTURE: "exact, a mixture", COPIES: "exact, copies", LEARNED: "trained"}


@dataclass(frozen=True)
class _Panel:
    """One figure of one denoiser; `by_null` divides it by what fresh images score."""

    denoiser: str
    figure: str
    label: str
    by_null: bool = False
    logarithmic: bool = False
    level: float | None = None


def charts_of(table: Table) -> Sequence[Chart]:
    """The charts that these cells allow."""
    quality = [
        _Panel(MIXTURE, "sliced", "Wasserstein distance / null", by_null=True, logarithmic=True, level=1.0),
        _Panel(COPIES, "frechet", "Fréchet distance / null, pixels", by_null=True, logarithmic=True, level=1.0),
        _Panel(LEARNED, "frechet", "Fréchet distance / null, pixels", by_null=True, logarithmic=True, level=1.0),
        _Panel(
            LEARNED, "frechet_texture", "Fréchet distance / null, texture", by_null=True, logarithmic=True, level=1.0
        ),
    ]
    variety = [
        _Panel(MIXTURE, "rare", "error of the rare mode's mass"),
        _Panel(LEARNED, "coverage", "coverage"),
        _Panel(LEARNED, "recall", "recall"),
        _Panel(LEARNED, "spread", "variance / real", level=1.0),
    ]
    memorisation = [
        _Panel(COPIES, "copied", "share that are copies"),
        _Panel(LEARNED, "nearer_training", "share nearer to training", level=0.5),
        _Panel(LEARNED, "correlation", "highest correlation"),
    ]
    lines = "A line a sampler, mean over seeds: solid without noise on the way, dashed with it. "
    return [
        Chart(
            "quality",
            "Quality against network calls",
            lines + "Distances in units of what fresh images score (the level line).",
            _drawn(table, quality),
            (12.0, 4.4),
        ),
        Chart(
            "variety",
            "Variety against network calls",
            lines + "The level line is what fresh images score.",
            _drawn(table, variety),
            (12.0, 4.4),
        ),
        Chart(
            "memorisation",
            "Memorisation against network calls",
            lines + "The level line is what draws of the law score, or holdout images in place of the training ones.",
            _drawn(table, memorisation),
            (12.0, 4.4),
        ),
        Chart(
            "likelihood",
            "Likelihood against network calls",
            "Of unseen draws and images. Left: the density of the flow, a mark a framework; the level line is true. "
            "Right: the bound of DDPM's chain; the level line is the flow.",
            lambda figure: _likelihoods(figure, table),
            (12.0, 3.8),
        ),
    ]


def _drawn(table: Table, panels: Sequence[_Panel]) -> Callable[[Figure], None]:
    def draw(figure: Figure) -> None:
        places = np.atleast_1d(figure.subplots(1, len(panels)))
        for axes, panel in zip(places, panels, strict=True):
            _panel(axes, table, panel)
        handles, labels = places[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)

    return draw


def _panel(axes: Axes, table: Table, panel: _Panel) -> None:
    own = table.where(denoiser=panel.denoiser)
    for sampler, home in HOME.items():
        cells = own.where(sampler=sampler, framework=home)
        calls, means = _means(cells, panel.figure, panel.by_null)
        noisy = SAMPLERS[sampler].stochastic
        axes.plot(
            calls,
            means,
            marker=_MARKS[sampler],
            markersize=4,
            linewidth=1,
            linestyle=(0, (4, 2)) if noisy else "solid",
            color=INK if sampler == "ddpm" else SETS["accent" if noisy else "synthetic"],
            label=sampler,
        )
    level = panel.level if panel.level is not None else _level(own, panel.figure)
    if level is not None:
        axes.axhline(level, color=FAINT, zorder=0)
    _over_calls(axes, own, panel.label)
    if panel.logarithmic:
        _logarithmic(axes)
    axes.set_title(_TITLES[panel.denoiser])


def _means(cells: Table, figure: str, by_null: bool) -> tuple[list[int], list[float]]:
    values = cells.column(figure)
    if by_null:
        values = values / cells.column(f"{figure}_null")
    calls = cells.column("calls")
    found = [int(one) for one in np.unique(calls[np.isfinite(values)])]
    return found, [float(np.nanmean(values[calls == one])) for one in found]


def _level(own: Table, figure: str) -> float | None:
    nulls = own.column(f"{figure}_null")
    return float(np.nanmean(nulls)) if np.isfinite(nulls).any() else None


def _over_calls(axes: Axes, own: Table, label: str) -> None:
    counts = sorted(int(one) for one in own.values("calls"))
    if counts:
        axes.set_xscale("log")
    axes.set_xticks(counts, [f"{one:,d}" for one in counts], rotation=60)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("network calls")
    axes.set_ylabel(label)


def _likelihoods(figure: Figure, table: Table) -> None:
    places = figure.subplots(1, 4)
    for place, denoiser in enumerate((MIXTURE, LEARNED)):
        own = table.where(denoiser=denoiser)
        _flow(places[place], own.where(sampler=ODE), denoiser)
        _bound(places[2 + place], own, denoiser)
    handles, labels = places[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=7)


def _flow(axes: Axes, own: Table, denoiser: str) -> None:
    for name, mark in zip(FRAMEWORKS, "os^vDP", strict=True):
        calls, means = _means(own.where(framework=name), "bits", by_null=False)
        axes.plot(calls, means, marker=mark, markersize=5, linewidth=1, color=SETS["synthetic"], label=name)
    true = own.column("bits_true")
    if np.isfinite(true).any():
        axes.axhline(float(np.nanmean(true)), color=FAINT, zorder=0, label="true")
    _over_calls(axes, own, "bits a dimension")
    axes.set_title(f"flow: {_TITLES[denoiser]}")


def _bound(axes: Axes, own: Table, denoiser: str) -> None:
    cells = own.where(sampler=BOUND)
    calls, means = _means(cells, "bits", by_null=False)
    axes.plot(calls, means, marker="X", linestyle=(0, (4, 2)), linewidth=1, color=INK)
    flow = own.where(sampler=ODE, framework="edm")
    if len(flow):
        most = flow.column("calls").max()
        axes.axhline(float(np.nanmean(flow.where(calls=most).column("bits"))), color=FAINT, zorder=0)
    _over_calls(axes, cells, "bits a dimension")
    _logarithmic(axes)
    axes.set_title(f"bound: {_TITLES[denoiser]}")


def _logarithmic(axes: Axes) -> None:
    """A logarithmic axis whose numbers are written out, since pages know no powers; left as it is without data."""
    if not any(len(line.get_xdata()) for line in axes.get_lines() if line.get_marker() not in ("None", None)):
        return
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    wide = high > 30 * low
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
