"""The drawings of the study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from fourfold.report.drawing import FAINT, INK, MARKS, SETS
from fourfold.studies.study import Chart, Finding, Table
from fourfold.studies.trade_off.ladders import FRESH
from fourfold.studies.trade_off.readings import (
    ADDED,
    CALIBRATED,
    OTHERS,
    PUBLISHED,
    SPACES,
    OfSets,
    gaps,
    of_sets,
    sets_of,
    usefulness,
)
from fourfold.studies.trade_off.related import PAIRS, trade_offs

__all__ = ["charts"]

_KINDS = (
    ("trained", "trained generator", SETS["synthetic"], MARKS["synthetic"]),
    ("changed", "changed by dose", SETS["holdout"], MARKS["holdout"]),
)
_SPACING = stats.norm.ppf(0.975)


def charts(table: Table) -> list[Chart]:
    """Those that these cells can fill."""
    if len(sets_of(table)) < 2:
        return []
    return [
        Chart(
            "pairs",
            "Fidelity, variety and privacy of every set",
            f"Above as published, below as what a set falls short of fresh patients by; higher is better, in "
            f"{SPACES[0]}. Lines join the sets of a ladder, mild to strong. The circle is the set of fresh patients.",
            lambda figure: _pairs(table, figure),
            (12.0, 7.0),
        ),
        Chart(
            "relations",
            "Trade-offs with their intervals",
            "Left of 0 the two are bought from each other. Rank correlations over all sets, families taken as one, and "
            "concordance within ladders.",
            lambda figure: _relations(trade_offs(table), figure),
            (12.0, 4.2),
        ),
        Chart(
            "usefulness",
            "Fidelity, variety and usefulness",
            "What each set adds to a few real images, beside the same images repeated; 95 % intervals of single sets.",
            lambda figure: _usefulness(table, figure),
            (12.0, 4.2),
        ),
        Chart(
            "useful-and-private",
            "Useful and private?",
            "Upwards more useful, to the right easier to tell who was in the training set; 0.5 is chance. Trained "
            "generators are named.",
            lambda figure: _private(table, figure),
            (12.0, 4.6),
        ),
    ]


def _pairs(table: Table, figure: Figure) -> None:
    axes = figure.subplots(2, 3)
    for row, readings in zip(axes, (PUBLISHED, CALIBRATED), strict=True):
        for one, (first, second) in zip(row, PAIRS, strict=True):
            figures = [of_sets(table, readings[axis], SPACES[0]) for axis in (first, second)]
            _ladders(one, table, figures[0].values, figures[1].values)
            one.set_xlabel(f"{first} ({_axis_words(readings[first].words, readings[first].kind)})")
            one.set_ylabel(f"{second} ({_axis_words(readings[second].words, readings[second].kind)})")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)


def _axis_words(words: str, kind: str) -> str:
    return f"{words} less its null" if kind == "calibrated" else words.removeprefix("the ")


def _ladders(one: Axes, table: Table, across: np.ndarray, up: np.ndarray) -> None:
    sets = sets_of(table)
    fresh = sets.families == FRESH
    for family in dict.fromkeys(sets.families[~fresh].tolist()):
        own = sets.families == family
        start = fresh if (sets.kinds[own] == "changed").all() else np.zeros(len(sets), dtype=bool)
        places = np.concatenate([np.flatnonzero(start), np.flatnonzero(own)])
        one.plot(across[places], up[places], color=FAINT, linewidth=0.8, zorder=1)
    for kind, label, colour, mark in _KINDS:
        own = (sets.kinds == kind) & ~fresh
        one.plot(across[own], up[own], mark, color=colour, markersize=4, label=label, alpha=0.9)
    one.plot(across[fresh], up[fresh], "o", color=INK, markersize=6, label=FRESH)


def _relations(found: Sequence[Finding], figure: Figure) -> None:
    axes = figure.subplots(1, 2, sharey=True)
    rows = [f"{first} – {second}" for first, second in PAIRS]
    for one, way in zip(axes, ("over all sets", "within ladders"), strict=True):
        for shift, kind, colour, mark in (
            (-0.14, "published", SETS["holdout"], MARKS["holdout"]),
            (0.14, "calibrated", SETS["synthetic"], MARKS["synthetic"]),
        ):
            known = {item.quantity: item for item in found if item.claim == "trade-off" and item.value is not None}
            for place, (first, second) in enumerate(PAIRS):
                item = known.get(f"{first} and {second}, {kind}, {way}")
                if item is None or item.interval is None:
                    continue
                one.plot(item.interval, [place + shift] * 2, color=colour, linewidth=1.6)
                one.plot([item.value], [place + shift], mark, color=colour, label=kind if place == 0 else None)
        one.axvline(0.0, color=INK, linewidth=0.8)
        one.set_xlim(-1.05, 1.05)
        one.set_title(way)
        one.set_xlabel("bought from each other   ←   coefficient   →   rise together")
    axes[0].set_yticks(range(len(rows)), rows)
    axes[0].invert_yaxis()
    if axes[1].get_legend_handles_labels()[0]:
        axes[1].legend(loc="lower right")


def _usefulness(table: Table, figure: Figure) -> None:
    gain = usefulness(table, ADDED)
    for one, reading in zip(
        figure.subplots(1, 3, sharey=True), (OTHERS["fid"], CALIBRATED["fidelity"], CALIBRATED["variety"]), strict=True
    ):
        across = gaps(table, reading, SPACES[0])
        _bars(one, across, gain)
        _ladders(one, table, across.values, gain.values)
        one.axhline(0.0, color=INK, linewidth=0.8)
        one.axvline(0.0, color=INK, linewidth=0.8)
        words = f"logarithm of null over {reading.words}" if reading.ratio else f"{reading.words} less its null"
        one.set_xlabel(f"{reading.axis} ({words})")
    figure.axes[0].set_ylabel("gain over a few real images")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)


def _private(table: Table, figure: Figure) -> None:
    one = figure.subplots()
    sets = sets_of(table)
    gain, attack = usefulness(table, ADDED), gaps(table, CALIBRATED["privacy"], SPACES[0])
    across = OfSets(0.5 - attack.values, attack.errors)
    trained = sets.kinds == "trained"
    _bars(
        one, OfSets(across.values[trained], across.errors[trained]), OfSets(gain.values[trained], gain.errors[trained])
    )
    _ladders(one, table, across.values, gain.values)
    for place in np.flatnonzero(trained):
        if np.isfinite([across.values[place], gain.values[place]]).all():
            one.annotate(
                sets.names[place],
                (across.values[place], gain.values[place]),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=8,
                color=INK,
            )
    one.axhline(0.0, color=INK, linewidth=0.8)
    one.axvline(0.5, color=INK, linewidth=0.8)
    one.set_xlabel("attack on membership, area under the curve")
    one.set_ylabel("gain over a few real images")
    figure.legend(*one.get_legend_handles_labels(), loc="outside upper center", ncols=3)


def _bars(one: Axes, across: OfSets, up: OfSets) -> None:
    one.errorbar(
        across.values,
        up.values,
        _SPACING * up.errors,
        _SPACING * across.errors,
        fmt="none",
        ecolor=FAINT,
        elinewidth=0.8,
        zorder=0,
    )
