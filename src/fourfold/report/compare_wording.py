"""What a comparison of sets found, a sentence an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fourfold.report import wording
from fourfold.report.redaction import Redaction
from fourfold.score import AXES

if TYPE_CHECKING:
    from fourfold.comparing import ComparedSets, Ladder, Movement, Prediction, Row

__all__ = ["compared_by", "moves", "prediction_sentence", "raw_figures", "row_name", "sentences"]

_PEOPLE = ("Fréchet", "Vendi")
_MOVES = {"rises": "rises", "falls": "falls", "turns": "moves both ways", "still": "does not move"}
_BETTER = {"higher": "higher is better", "lower": "lower is better"}


def row_name(row: Row) -> str:
    """A score with its feature space."""
    return wording.name(row.name) + (f" ({row.features})" if row.features else "")


def compared_by(row: Row) -> str:
    """What sets are compared by, with the good direction."""
    if row.compared == "distance to null":
        return "distance to the null, lower is better"
    return f"{'less its null, ' if row.compared == 'value less null' else ''}{_BETTER[row.better]}"


def raw_figures(row: Row) -> np.ndarray:
    """The figures of a row turned back to the direction of the score, shape (n,)."""
    return row.figures if row.better == "higher" else -row.figures


def sentences(compared: ComparedSets) -> tuple[str, ...]:
    """The leading answers: the front, the scores that predict utility, the ladders."""
    said = [*_verdicts(compared), *_front(compared)]
    if compared.matrix.reason is not None:
        said.append(f"No association of scores is claimed: {compared.matrix.reason}.")
    if compared.target is None:
        said.append("Nothing is said about the prediction of utility: no utility of these sets is known.")
    elif not compared.target.measured:
        said.append(
            "No measured utility was given: the utility probe of the evaluation stands in for it below, and a score "
            "that agrees with a probe has predicted no utility."
        )
    said += [prediction_sentence(one, compared) for one in compared.predictions]
    said += [_ladder(one, compared) for one in compared.ladders]
    return tuple(Redaction().text(text) for text in said)


def prediction_sentence(one: Prediction, compared: ComparedSets) -> str:
    """Whether one score predicted the utility."""
    name = row_name(one.row)
    target = compared.target
    of = "" if target is None else "the measured utility" if target.measured else "the utility probe"
    if one.value is None or one.interval is None:
        return f"{name}: no claim about {of}, since {one.reason}."
    found = (
        f"rank correlation {wording.number(one.value, 2)} ({wording.interval(one.interval, _two)}) over {one.sets} "
        f"sets of {one.families} families, p {wording.number(one.adjusted, 2)} after Holm"
    )
    own = (
        " It is a score of the utility axis itself, made by training a model on the set, so that agreement is "
        "nearly by construction."
        if one.row.axis == "utility"
        else ""
    )
    if one.claim == "predicted":
        return f"{name} predicted {of} of these sets: {found}.{own}"
    if one.claim == "contrary":
        return f"{name} misled about {of} of these sets, since better scores went with lower utility: {found}.{own}"
    return f"{name}: no claim about {of}, since the corrected interval covers 0: {found}.{own}"


def moves(movement: Movement, row: Row, sets: Sequence[str]) -> str:
    """How a score moves along a ladder, and from which rung on."""
    words = _MOVES[movement.direction]
    if movement.departs is None:
        return words
    good = {"rises": "higher", "falls": "lower"}.get(movement.direction)
    side = "" if good is None or row.better == "null" else " (better)" if row.better == good else " (worse)"
    return f"{words}{side} from {sets[movement.departs]} on"


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _verdicts(compared: ComparedSets) -> list[str]:
    whole = [
        one.name
        for one in compared.sets
        if one.verdicts and all(verdict.status == "pass" for verdict in one.verdicts.values())
    ]
    asked = [axis for axis in AXES if any(axis in one.verdicts for one in compared.sets)]
    if not whole:
        return [f"None of {len(compared.sets)} sets passes on {_listed(asked)}."] if asked else []
    return [f"{_listed(whole)} {'passes' if len(whole) == 1 else 'pass'} on {_listed(asked)}."]


def _front(compared: ComparedSets) -> list[str]:
    found = compared.front
    if not found.rows:
        return ["No axis has a leading score that every set has with an interval, so there is no Pareto front."]
    places = {
        place: [name for name, one in zip(compared.names, found.standings, strict=True) if one.place == place]
        for place in ("front", "not told apart", "dominated")
    }
    leaders = _listed([f"{_lower(row_name(row))} for {row.axis}" for row in found.rows])
    said = [f"By {leaders}, on the Pareto front: {_listed(places['front']) or 'no set for certain'}."]
    if places["not told apart"]:
        said.append(f"Not told apart from a set that may dominate: {_listed(places['not told apart'])}.")
    if places["dominated"]:
        by = [
            f"{name} (by {_few([compared.names[place] for place in one.by])})"
            for name, one in zip(compared.names, found.standings, strict=True)
            if one.place == "dominated"
        ]
        said.append(f"Dominated beyond the intervals: {_listed(by)}.")
    for axis, reason in found.missing.items():
        said.append(f"The axis {axis} does not count for the front: {reason}.")
    return said


def _ladder(ladder: Ladder, compared: ComparedSets) -> str:
    leading = [row for row in compared.front.rows if row.key in ladder.movements]
    told = [f"{_lower(row_name(row))} {moves(ladder.movements[row.key], row, ladder.sets)}" for row in leading]
    kinds = [one.direction for one in ladder.movements.values()]
    total = (
        f"{sum(kind in ('rises', 'falls') for kind in kinds)} of {len(kinds)} scores move one way, "
        f"{kinds.count('turns')} both ways, {kinds.count('still')} not at all"
    )
    return f"Along {ladder.name} ({' to '.join((ladder.sets[0], ladder.sets[-1]))}): {'; '.join([*told, total])}."


def _listed(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _few(words: Sequence[str], most: int = 3) -> str:
    """The first of them, and how many more there are."""
    return _listed(words) if len(words) <= most else f"{', '.join(words[:most])} and {len(words) - most} more"


def _lower(name: str) -> str:
    """A name within a sentence; initials and names of people keep their capitals."""
    first = name.split(" ")[0]
    return name if first.isupper() or first in _PEOPLE else name[:1].lower() + name[1:]
