"""What a factorial study found: effects of every knob on every source, and whether they differ between sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourfold.errors import InputError
from fourfold.statistics import holm
from fourfold.utility.quality.design import Cell, Design
from fourfold.utility.quality.effects import Effect, crossed_effect
from fourfold.utility.quality.units import Unit

__all__ = ["QualityStudy", "conclude"]


@dataclass(frozen=True)
class QualityStudy:
    """What a factorial study found.

    Parameters
    ----------
    sources : tuple of str
        The first is what the others are compared with.
    cells, knobs : tuple of str
        ``"as is"`` is the cell with every knob off.
    headline : str
        The metric of effects.
    metrics : mapping of (source, cell) to mapping of str to float
        Means over the seeds, on all test patients.
    effects : mapping of (knob, source) to Effect
    main : mapping of knob to Effect
        The mean of the effects over the sources.
    interactions : mapping of (knob, source) to Effect
        The effect on that source less the effect on the first one.
    adjusted : mapping of (knob, source) to float
        p-values of the interactions, adjusted for their number (Holm).
    """

    sources: tuple[str, ...]
    cells: tuple[str, ...]
    knobs: tuple[str, ...]
    headline: str
    metrics: Mapping[tuple[str, str], Mapping[str, float]]
    effects: Mapping[tuple[str, str], Effect]
    main: Mapping[str, Effect]
    interactions: Mapping[tuple[str, str], Effect]
    adjusted: Mapping[tuple[str, str], float]

    def answer(self, knob: str, source: str, level: float = 0.05) -> str:
        """One sentence: what the knob does on the first source, on this one, and whether the two are told apart."""
        first = self.sources[0]
        own = [(one, self.effects[knob, one]) for one in (first, source)]
        found = [f"{effect.verdict} on {one} ({_words(effect)})" for one, effect in own]
        p = self.adjusted[knob, source]
        apart = "the two effects differ" if p < level else "no evidence that the two effects differ"
        return f"{knob}: {', '.join(found)}; {apart} ({_words(self.interactions[knob, source])}, p {p:.2g})"

    def describe(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            "headline": self.headline,
            "sources": list(self.sources),
            "cells": [
                {"source": source, "cell": cell, "metrics": dict(values)}
                for (source, cell), values in self.metrics.items()
            ],
            "effects": [
                {"knob": knob, "source": source, **_described(found)} for (knob, source), found in self.effects.items()
            ],
            "main": [{"knob": knob, **_described(found)} for knob, found in self.main.items()],
            "interactions": [
                {"knob": knob, "source": source, **_described(found), "adjusted_p": self.adjusted[knob, source]}
                for (knob, source), found in self.interactions.items()
            ],
        }


def conclude(
    sources: tuple[str, ...], design: Design, found: Mapping[tuple[int, int, int], Unit], patients: int
) -> QualityStudy:
    """What the units say.

    Parameters
    ----------
    sources : tuple of str
    design : Design
    found : mapping of (source, cell, seed) to Unit
        By their numbers, in ascending order.
    patients : int
        Who were tested.

    Raises
    ------
    InputError
        Where the test patients allow no score.
    """
    names = tuple(" ".join(knob.name for knob in cell) or "as is" for cell in design.cells)
    headline = next(iter(found[0, 0, 0].metrics))
    shape = (len(sources), len(design.cells), design.seeds)
    whole = np.array([unit.metrics[headline] for unit in found.values()]).reshape(shape)
    resampled = np.stack([unit.scores for unit in found.values()]).reshape(*shape, -1)

    def effect(contrast: tuple[np.ndarray, np.ndarray]) -> Effect:
        try:
            return crossed_effect(*contrast, patients)
        except ValueError as error:
            raise InputError(
                f"the test patients allow no {headline} with an interval; give more of them, of every class"
            ) from error

    effects, main, interactions = {}, {}, {}
    for knob in (knob.name for knob in design.knobs):
        on, off = _pairs(design.cells, knob)
        # Differences first: equal scores are no effect, to the last bit.
        change = [(whole[:, on] - whole[:, off]).mean(axis=1), (resampled[:, on] - resampled[:, off]).mean(axis=1)]
        for place, source in enumerate(sources):
            effects[knob, source] = effect((change[0][place], change[1][place]))
            if place:
                interactions[knob, source] = effect((change[0][place] - change[0][0], change[1][place] - change[1][0]))
        main[knob] = effect((change[0].mean(axis=0), change[1].mean(axis=0)))
    adjusted = holm([effect.p for effect in interactions.values()])[1]
    metrics = {
        (source, cell): {
            name: float(np.mean([found[i, j, seed].metrics.get(name, np.nan) for seed in range(design.seeds)]))
            for name in found[i, j, 0].metrics
        }
        for i, source in enumerate(sources)
        for j, cell in enumerate(names)
    }
    return QualityStudy(
        sources,
        names,
        tuple(knob.name for knob in design.knobs),
        headline,
        metrics,
        effects,
        main,
        interactions,
        dict(zip(interactions, adjusted.tolist(), strict=True)),
    )


def _pairs(cells: Sequence[Cell], knob: str) -> tuple[list[int], list[int]]:
    """Numbers of the cells with a knob, and of those that differ from them in this knob alone."""
    keys = [frozenset(one.name for one in cell) for cell in cells]
    on = [place for place, key in enumerate(keys) if knob in key and key - {knob} in keys]
    return on, [keys.index(keys[place] - {knob}) for place in on]


def _words(effect: Effect) -> str:
    return f"{effect.value:+.3f} [{effect.interval[0]:+.3f}, {effect.interval[1]:+.3f}]"


def _described(effect: Effect) -> dict[str, Any]:
    return {
        "value": effect.value,
        "interval": list(effect.interval),
        "p": effect.p,
        "by_seed": list(effect.by_seed),
        "verdict": effect.verdict,
    }
