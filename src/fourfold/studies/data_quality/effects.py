"""Effects of noise and balance on a network, by seed, and what they say about each claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fourfold.studies.data_quality.training import AS_DRAWN, IMAGE_NOISE, LABELS, NEW, NONE, REAL, REPEATED
from fourfold.studies.judging import Over, over_seeds
from fourfold.studies.study import Claim, Finding, Setting, Table, Verdict

__all__ = ["MEASURES", "Measure", "conclusions", "effects", "generators"]

METRICS = {"area": "area under the curve", "balanced_accuracy": "balanced accuracy"}

Settings = tuple[str, str]
"""Noise and balance."""


@dataclass(frozen=True)
class Measure:
    """What is done about a training set.

    Parameters
    ----------
    words : str
    pairs : tuple of (settings, settings)
        Those with it and those without it, alike in everything else.
    """

    words: str
    pairs: tuple[tuple[Settings, Settings], ...]


_NOISE = Measure(
    "noise in the images",
    tuple(((noise, kind), (NONE, kind)) for noise in IMAGE_NOISE for kind in (AS_DRAWN, REPEATED)),
)
_BALANCE = Measure(
    "classes balanced by repeating",
    tuple(((noise, REPEATED), (noise, AS_DRAWN)) for noise in (NONE, *IMAGE_NOISE)),
)
_NEW = Measure("classes balanced by drawing", (((NONE, NEW), (NONE, AS_DRAWN)),))
_WRONG = Measure("a tenth of the labels wrong", (((LABELS, AS_DRAWN), (NONE, AS_DRAWN)),))

MEASURES = (_NOISE, _BALANCE, _NEW, _WRONG)


def conclusions(table: Table, claims: Sequence[Claim]) -> list[Finding]:
    """Effects on either source and their difference; "not asked" where cells are missing."""
    found = [*_told(table, "real", REAL), *_control(table)]
    for generator in generators(table):
        found += [*_told(table, "synthetic", generator), *_told(table, "interaction", generator)]
    answered = {one.claim for one in found}
    missing = [claim.key for claim in claims if claim.key not in answered]
    reason = "Fewer than two seeds have the cells that it takes."
    return [*found, *(Finding(key, "", None, None, "not asked", reason) for key in missing)]


def generators(table: Table) -> list[str]:
    """Recipes that there are cells of."""
    return [str(name) for name in table.values("source") if name != REAL]


def effects(table: Table, measure: Measure, source: str, metric: str) -> dict[Setting, float]:
    """The effect by seed: the mean over the pairs of settings that differ in the measure alone.

    A seed that lacks a cell has none.
    """
    found = {}
    for seed in table.values("seed"):
        own = {(row["noise"], row["balance"]): row.get(metric) for row in table.where(source=source, seed=seed)}
        scores = [[own.get(settings) for settings in pair] for pair in measure.pairs]
        if all(score is not None for pair in scores for score in pair):
            found[seed] = float(np.mean([float(after) - float(before) for after, before in scores]))
    return found


def _told(table: Table, claim: str, source: str) -> list[Finding]:
    """The findings of one claim about one source."""
    cases = []
    for measure in (_NOISE, _BALANCE, *([_NEW] if claim == "synthetic" else [])):
        for metric in METRICS:
            own = effects(table, measure, source, metric)
            if claim == "interaction":
                real = effects(table, measure, REAL, metric)
                own = {seed: own[seed] - real[seed] for seed in own if seed in real}
            cases.append((measure, metric, list(own.values())))
    return _findings(claim, source, cases, towards=1 if claim == "real" else -1)


def _control(table: Table) -> list[Finding]:
    found = []
    for source in (REAL, *generators(table)):
        changes = list(effects(table, _WRONG, source, "area").values())
        found += _findings("control", source, [(_WRONG, "area", changes)], towards=-1)
    return found


def _findings(
    claim: str, source: str, cases: Sequence[tuple[Measure, str, list[float]]], towards: int
) -> list[Finding]:
    """Those that there are two seeds for; the claim says that the effect lies `towards` this side of 0."""
    found = []
    for measure, metric, values in cases:
        over = over_seeds(values, len(cases))
        if over is None:
            continue
        verdict: Verdict = "not told apart"
        if over.low > 0 or over.high < 0:
            verdict = "holds" if (over.low > 0) == (towards > 0) else "contradicted"
        said = _compared(verdict, source) if claim == "interaction" else _effect(verdict, over, source)
        change = f"{100 * over.mean:+.1f} points of {METRICS[metric]}"
        interval = f"95 % {100 * over.low:+.1f} to {100 * over.high:+.1f}"
        sentence = f"{measure.words[0].upper()}{measure.words[1:]}: {said}: {change} ({interval})."
        quantity = f"{measure.words}, {source}, {METRICS[metric]}"
        found.append(Finding(claim, quantity, over.mean, over.interval, verdict, sentence, 0.0))
    return found


def _where(source: str) -> str:
    return "real images" if source == REAL else f"images of the {source} generator"


def _effect(verdict: Verdict, over: Over, source: str) -> str:
    if verdict == "not told apart":
        return f"no effect on {_where(source)} that is told apart from none"
    against = ", against the claim" if verdict == "contradicted" else ""
    return f"{'helps' if over.low > 0 else 'harms'} on {_where(source)}{against}"


def _compared(verdict: Verdict, source: str) -> str:
    return {
        "holds": f"does less good, or more harm, on {_where(source)} than on real ones",
        "contradicted": f"does more good, or less harm, on {_where(source)} than on real ones, against the claim",
    }.get(verdict, f"not found to do anything else on {_where(source)} than on real ones")
