"""What the page of a comparison says, before it is HTML: `ComparedSets` become plain records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fourfold.report import wording
from fourfold.report.compare_heat import HeatMap, heat_map
from fourfold.report.compare_plots import ladder_plot, pareto_plot
from fourfold.report.compare_wording import compared_by, moves, row_name, sentences
from fourfold.report.evidence.plot import Plot
from fourfold.report.page import Fact
from fourfold.report.redaction import Redaction
from fourfold.report.writer import rendered
from fourfold.score import AXES, Score

if TYPE_CHECKING:
    from fourfold.comparing import ComparedSets, Ladder, Prediction, Row

__all__ = ["Cell", "LadderPart", "Page", "ScoreRow", "SetRow", "build", "render_page"]

_CLAIMS = {"predicted": "predicted", "contrary": "contrary", "no claim": "no claim"}


@dataclass(frozen=True)
class SetRow:
    """A set with its four answers; `answers` are (axis, status, sentence)."""

    number: int
    name: str
    family: str
    images: str
    digest: str
    place: str
    by: str
    answers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Cell:
    """A score of one set."""

    value: str
    interval: str
    null: str
    rank: str
    departs: str
    reason: str


@dataclass(frozen=True)
class ScoreRow:
    """A score over all sets; `null` is empty where sets have nulls of their own."""

    axis: str
    name: str
    direction: str
    source: str
    null: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class PredictionRow:
    """Whether a score predicted utility."""

    name: str
    axis: str
    value: str
    interval: str
    p: str
    rests_on: str
    claim: str


@dataclass(frozen=True)
class LadderPart:
    """One ladder: the leading scores drawn, and how every score moves (axis, score, words, direction)."""

    name: str
    sets: tuple[str, ...]
    plot: Plot | None
    rows: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    subtitle: str
    sentences: tuple[str, ...]
    axes: tuple[str, ...]
    sets: tuple[SetRow, ...]
    leading: tuple[ScoreRow, ...]
    scores: tuple[ScoreRow, ...]
    further: tuple[ScoreRow, ...]
    pareto: Plot | None
    target: str
    predictions: tuple[PredictionRow, ...]
    heat: HeatMap
    no_intervals: str
    left_out: tuple[str, ...]
    ladders: tuple[LadderPart, ...]
    real: tuple[tuple[str, str, str, str], ...]
    preparation: tuple[Fact, ...]
    settings: tuple[Fact, ...]
    notes: tuple[str, ...]


def build(compared: ComparedSets) -> Page:
    """The page of a comparison; text that other rooms wrote goes through `Redaction`."""
    said = Redaction().text
    leading = {row.key for row in compared.front.rows}
    shown = {row.key for row in compared.leading_rows}
    return Page(
        title=f"{len(compared.sets)} synthetic sets side by side",
        subtitle=" and ".join(
            f"{wording.count(one.images)} {role} images"
            + ("" if one.patients is None else f" of {wording.count(one.patients)} patients")
            for role, one in compared.real.items()
        ),
        sentences=sentences(compared),
        axes=tuple(axis for axis in AXES if any(axis in one.verdicts for one in compared.sets)),
        sets=_sets(compared),
        leading=tuple(_row(row) for row in compared.front.rows),
        scores=tuple(_row(row) for row in compared.rows if row.key in shown and row.key not in leading),
        further=tuple(_row(row) for row in compared.rows if row.key not in shown and row.key not in leading),
        pareto=_pareto(compared),
        target="" if compared.target is None else compared.target.words,
        predictions=tuple(_prediction(one) for one in compared.predictions),
        heat=heat_map(compared.matrix, shown | leading),
        no_intervals=compared.matrix.reason or "",
        left_out=compared.matrix.left_out,
        ladders=tuple(_ladder(one, compared) for one in compared.ladders),
        real=tuple(
            (role, wording.count(one.images), wording.count(one.patients), one.digest)
            for role, one in compared.real.items()
        ),
        preparation=_facts(compared.preparation),
        settings=_facts(compared.settings),
        notes=tuple(said(note) for note in compared.notes),
    )


def render_page(page: Page) -> str:
    """The page as HTML; see `fourfold.report.writer.rendered`."""
    return rendered("compare.html.j2", page)


def _sets(compared: ComparedSets) -> tuple[SetRow, ...]:
    said = Redaction().text
    standings = compared.front.standings or (None,) * len(compared.sets)
    return tuple(
        SetRow(
            number=place + 1,
            name=said(one.name),
            family=said(one.family),
            images=wording.count(one.images),
            digest=one.digest,
            place="–" if standing is None else standing.place,
            by="" if standing is None else ", ".join(str(other + 1) for other in standing.by),
            answers=tuple(
                (axis, wording.status(one.verdicts[axis].status), said(one.verdicts[axis].sentence))
                for axis in AXES
                if axis in one.verdicts
            ),
        )
        for place, (one, standing) in enumerate(zip(compared.sets, standings, strict=True))
    )


def _row(row: Row) -> ScoreRow:
    written = wording.figures(next((score for score in row.scores if score.interval), row.scores[0]))
    nulls = {written(score.null) for score in row.scores if score.applies}
    return ScoreRow(
        axis=row.axis,
        name=row_name(row),
        direction=compared_by(row),
        source=row.source,
        null=nulls.pop() if len(nulls) == 1 else "",
        cells=tuple(
            _cell(score, rank, written, len(row.scores), own_null=bool(nulls))
            for score, rank in zip(row.scores, row.ranks, strict=True)
        ),
    )


def _cell(score: Score, rank: tuple[int, int] | None, written: Any, sets: int, *, own_null: bool) -> Cell:
    return Cell(
        value=written(score.value),
        interval="" if score.interval is None else wording.interval(score.interval, written),
        null=f"null {written(score.null)}" if own_null and score.null is not None else "",
        rank=rank_words(rank, sets),
        departs=score.departs() or "unknown",
        reason=Redaction().text(score.reason or ""),
    )


def rank_words(rank: tuple[int, int] | None, sets: int) -> str:
    """``"rank 1–3"``; nothing where every rank is possible or none is known."""
    if rank is None or rank == (1, sets):
        return ""
    first, last = rank
    return f"rank {first}" if first == last else f"rank {first}–{last}"


def _pareto(compared: ComparedSets) -> Plot | None:
    rows = compared.front.rows
    if len(rows) < 2:
        return None
    return Plot(
        "The leading scores against each other",
        pareto_plot(rows, compared.front.standings, "Every pair of leading scores, a mark a set"),
        "Numbers are those of the table of sets, lines 95 % intervals. A set is dominated where another one is at "
        "least as good by every leading score and better beyond the intervals by at least one.",
        wide=True,
    )


def _prediction(one: Prediction) -> PredictionRow:
    return PredictionRow(
        name=row_name(one.row),
        axis=one.row.axis,
        value=wording.number(one.value, 2),
        interval=wording.interval(one.interval, lambda value: wording.number(value, 2)),
        p=wording.number(one.adjusted, 2),
        rests_on=f"{one.sets} sets of {one.families} families",
        claim=_CLAIMS[one.claim],
    )


def _ladder(ladder: Ladder, compared: ComparedSets) -> LadderPart:
    places = [compared.names.index(name) for name in ladder.sets]
    drawn = [row for row in compared.front.rows if row.key in ladder.movements]
    plot = None
    if drawn:
        plot = Plot(
            f"The leading scores along {ladder.name}",
            ladder_plot(drawn, ladder.sets, places, f"The leading scores along {ladder.name}"),
            "Lines are 95 % intervals; a broken line is the null, what a perfect generator would score.",
            wide=True,
        )
    return LadderPart(
        ladder.name,
        ladder.sets,
        plot,
        tuple(
            (row.axis, row_name(row), _step(ladder, row), ladder.movements[row.key].direction)
            for row in _ordered(compared)
            if row.key in ladder.movements
        ),
    )


def _step(ladder: Ladder, row: Row) -> str:
    found = ladder.movements[row.key]
    steady = "" if found.monotone or found.direction in ("still", "turns") else ", values step back within the errors"
    return moves(found, row, ladder.sets) + steady


def _ordered(compared: ComparedSets) -> Sequence[Row]:
    return sorted(compared.rows, key=lambda row: AXES.index(row.axis))


def _facts(record: Any) -> tuple[Fact, ...]:
    said = Redaction().text
    return tuple(Fact(wording.name(str(name)), said(wording.fact(value))) for name, value in record.items())
