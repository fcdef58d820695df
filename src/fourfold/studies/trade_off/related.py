"""What the cells say of relations: are the axes bought from each other, and do they tell usefulness?"""

from __future__ import annotations

from fourfold.report import wording
from fourfold.score import Axis
from fourfold.studies.study import Finding, Table, Verdict
from fourfold.studies.trade_off.readings import (
    ADDED,
    CALIBRATED,
    OTHERS,
    PUBLISHED,
    SPACES,
    Reading,
    of_images,
    of_sets,
    sets_of,
    usefulness,
)
from fourfold.studies.trade_off.relations import Relation, over_sets, side_of, within_ladders

__all__ = ["PAIRS", "PREDICTORS", "predictions", "related", "trade_offs"]

PAIRS: tuple[tuple[Axis, Axis], ...] = (("fidelity", "variety"), ("fidelity", "privacy"), ("variety", "privacy"))
PREDICTORS: tuple[Reading, ...] = (
    OTHERS["fid"],
    PUBLISHED["fidelity"],
    CALIBRATED["fidelity"],
    OTHERS["size"],
    PUBLISHED["variety"],
    CALIBRATED["variety"],
)
"""What usefulness might be told by, named beforehand."""

# A coefficient below this one is called no help in choosing a set.
_WEAK = 0.3
_USE = "use"
_TOO_FEW = "There are too few sets or families to tell; run the study with all of its cells."


def related(table: Table) -> list[Finding]:
    """Findings of the claims "trade-off" and "prediction"."""
    return [*trade_offs(table), *predictions(table)]


def trade_offs(table: Table) -> list[Finding]:
    """Findings of the claim "trade-off": published and calibrated, over all sets and within ladders."""
    readings = [*PUBLISHED.values(), *CALIBRATED.values()]
    relations = [
        over_sets({one.column: of_sets(table, one, space) for one in readings}, sets_of(table).families)
        for space in SPACES
    ]
    found = []
    for first, second in PAIRS:
        for kind, readings in (("published", PUBLISHED), ("calibrated", CALIBRATED)):
            pair = readings[first], readings[second]
            quantity = f"{first} and {second}, {kind}"
            over = [one.get((pair[0].column, pair[1].column)) for one in relations]
            within = [within_ladders(table, *pair, space) for space in SPACES]
            found.append(_trade_off(f"{quantity}, over all sets", over, pair, "over all sets"))
            found.append(_trade_off(f"{quantity}, within ladders", within, pair, "within ladders"))
    return found


def _trade_off(quantity: str, relations: list[Relation | None], pair: tuple[Reading, Reading], place: str) -> Finding:
    """A trade-off is a relation below 0, in every feature space."""
    known = [one for one in relations if one is not None]
    if len(known) < len(relations):
        return Finding("trade-off", quantity, None, None, "not asked", _TOO_FEW, 0.0)
    side = side_of([one.interval for one in known], 0.0)
    verdict: Verdict = "holds" if side == "below" else "contradicted" if side == "above" else "not told apart"
    words = f"{pair[0].words} and {pair[1].words}"
    said = {
        "below": f"Sets with more of one have less of the other {place}: {words}",
        "above": f"Contradicted: {words} rise and fall together {place}",
        "neither": f"Not told {place}: {words}",
    }[side]
    value, interval = known[0].value, known[0].interval
    return Finding("trade-off", quantity, value, interval, verdict, f"{said}{_beside(known)}.", 0.0)


def predictions(table: Table) -> list[Finding]:
    """Findings of the claim "prediction", over sets whose images are what makes them useful or not."""
    table = of_images(table)
    families, use = sets_of(table).families, usefulness(table, ADDED)
    relations = [
        over_sets({**{one.column: of_sets(table, one, space) for one in PREDICTORS}, _USE: use}, families)
        for space in SPACES
    ]
    found = []
    for reading in PREDICTORS:
        asked = [one.get((reading.column, _USE)) for one in (relations if reading.in_spaces else relations[:1])]
        known = [one for one in asked if one is not None]
        quantity = f"{reading.words} and usefulness"
        if len(known) < len(asked):
            found.append(Finding("prediction", quantity, None, None, "not asked", _TOO_FEW, 0.0))
            continue
        intervals = [one.interval for one in known]
        verdict: Verdict = "not told apart"
        said = f"Whether sets of better {reading.axis} are more useful is not told"
        if side_of(intervals, 0.0) == "above":
            verdict, said = "contradicted", f"Contradicted: sets of better {reading.axis} add more to a few real images"
        elif side_of(intervals, _WEAK) == "below":
            verdict, said = "holds", f"Better {reading.axis} is no help in choosing the more useful set"
        value, interval = known[0].value, known[0].interval
        found.append(Finding("prediction", quantity, value, interval, verdict, f"{said}{_beside(known)}.", 0.0))
    return found


def _beside(relations: list[Relation]) -> str:
    """What the other feature spaces say."""
    return "".join(
        f" ({space}: {wording.number(one.value, 2)}, {wording.number(one.interval[0], 2)} to "
        f"{wording.number(one.interval[1], 2)})"
        for space, one in zip(SPACES[1:], relations[1:], strict=False)
    )
