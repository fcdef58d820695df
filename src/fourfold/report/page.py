"""What a page says, before it is HTML: an `Evaluation` becomes a `Page` of plain records.

The internal edition names files and shows images. The shareable edition holds the same scores, plots and
method with no image, no path and no identifier; whatever text other rooms wrote goes through `Redaction`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from fourfold.privacy import judge
from fourfold.report import evidence, wording
from fourfold.report.bar import Bar, bar
from fourfold.report.endpoints import EndpointRow, endpoint_rows
from fourfold.report.evidence import Plot
from fourfold.report.gallery import Gallery, Pair
from fourfold.report.redaction import Redaction, plain
from fourfold.report.subgroups import GroupTable, group_tables
from fourfold.score import AXES, Axis, Score, metrics

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation, Verdict

__all__ = ["Answer", "Edition", "Fact", "MetricRows", "Page", "Row", "Section", "SetRow", "build"]

Edition = Literal["internal", "shareable"]

QUESTIONS: dict[Axis, str] = {
    "fidelity": "Do the images look real?",
    "variety": "Do they show the range of real patients?",
    "privacy": "Is anyone's image in them?",
    "utility": "Do they serve in place of real images?",
}
SKIPPED_LISTED = 500
_UNANSWERED = "Not asked: no score of this axis was computed."


@dataclass(frozen=True)
class Fact:
    """A name and what it is."""

    name: str
    value: str


@dataclass(frozen=True)
class Row:
    """A score as a row of a table."""

    name: str
    summary: str
    features: str
    value: str
    null: str
    interval: str
    null_interval: str
    null_source: str
    standing: str
    departs: str
    direction: str
    source: str
    reason: str
    bar: Bar | None
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class MetricRows:
    """One metric with its scores, a row a feature space."""

    name: str
    summary: str
    direction: str
    source: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Answer:
    """One of the four: a status, a sentence, and the score it leads with."""

    axis: Axis
    question: str
    status: str
    sentence: str
    row: Row | None


@dataclass(frozen=True)
class Section:
    """Everything about one axis."""

    answer: Answer
    metrics: tuple[MetricRows, ...]
    plots: tuple[Plot, ...]
    galleries: tuple[Gallery, ...]
    pairs_note: str
    pairs: tuple[Pair, ...]
    endpoints: tuple[EndpointRow, ...] = ()


@dataclass(frozen=True)
class SetRow:
    """A set in the table of sets; `path` is empty in the shareable edition."""

    role: str
    path: str
    images: str
    patients: str
    labels: str
    shape: str
    digest: str
    skipped: tuple[Fact, ...]
    skipped_count: int


@dataclass(frozen=True)
class Page:
    """A whole report."""

    edition: Edition
    title: str
    subtitle: str
    sections: tuple[Section, ...]
    sets: tuple[SetRow, ...]
    preparation: tuple[Fact, ...]
    extractors: tuple[tuple[str, tuple[Fact, ...]], ...]
    settings: tuple[Fact, ...]
    notes: tuple[str, ...]
    references: tuple[str, ...]
    groups: tuple[GroupTable, ...] = ()


def build(evaluation: Evaluation, edition: Edition, plots: Mapping[Axis, tuple[Plot, ...]]) -> Page:
    """The page of one edition.

    Parameters
    ----------
    evaluation : Evaluation
    edition : {"internal", "shareable"}
    plots : mapping of axis to plots
        From `evidence.figures`; those of the other edition are left out.
    """
    internal = edition == "internal"
    said: Callable[[str], str] = str if internal else Redaction.of(evaluation).text
    rows = {id(score): _row(score, said) for score in evaluation.scores}
    synthetic = evaluation.summaries.get("synthetic")
    folder = PurePath(synthetic.path).name if internal and synthetic is not None else ""
    name = f"“{folder}”" if folder else "the synthetic set"
    return Page(
        edition=edition,
        title=f"Four answers about {name}",
        subtitle=_subtitle(evaluation),
        sections=_sections(evaluation, rows, said, edition, plots),
        sets=tuple(_set(evaluation, role, internal) for role in evaluation.summaries),
        preparation=_facts(evaluation.preparation, said),
        extractors=tuple((space, _facts(record, said)) for space, record in evaluation.extractors.items()),
        settings=_facts(evaluation.settings, said),
        notes=tuple(said(note) for note in evaluation.notes),
        references=tuple(sorted({score.source for score in evaluation.scores if score.source})),
        groups=group_tables(evaluation.groups, said, internal=internal),
    )


def _sections(
    evaluation: Evaluation,
    rows: dict[int, Row],
    said: Callable[[str], str],
    edition: Edition,
    plots: Mapping[Axis, tuple[Plot, ...]],
) -> tuple[Section, ...]:
    """A section an axis; images are loaded for the internal edition only."""
    internal = edition == "internal"
    galleries = evidence.galleries(evaluation) if internal else {}
    note, pairs = evidence.pairs(evaluation) if internal else ("", ())
    return tuple(
        Section(
            answer=_answer(evaluation, axis, rows, said),
            metrics=_by_metric([rows[id(score)] for score in evaluation.axis(axis)]),
            plots=tuple(plot for plot in plots.get(axis, ()) if getattr(plot, edition)),
            galleries=galleries.get(axis, ()),
            pairs_note=note if axis == "privacy" else "",
            pairs=pairs if axis == "privacy" else (),
            endpoints=_endpoints(evaluation, said) if axis == "privacy" else (),
        )
        for axis in AXES
    )


def _endpoints(evaluation: Evaluation, said: Callable[[str], str]) -> tuple[EndpointRow, ...]:
    return endpoint_rows(judge(evaluation.axis("privacy"), evaluation.policy).endpoints, said)


def _by_metric(rows: Sequence[Row]) -> tuple[MetricRows, ...]:
    """Rows of one name together, in the order of their first."""
    names = dict.fromkeys((row.name, row.direction, row.source, row.summary) for row in rows)
    return tuple(
        MetricRows(
            name=name,
            summary=summary,
            direction=direction,
            source=source,
            rows=tuple(row for row in rows if (row.name, row.direction, row.source) == (name, direction, source)),
        )
        for name, direction, source, summary in names
    )


def _answer(evaluation: Evaluation, axis: Axis, rows: dict[int, Row], said: Callable[[str], str]) -> Answer:
    verdict = evaluation.verdicts.get(axis)
    leading = _leading(evaluation, axis, verdict)
    return Answer(
        axis=axis,
        question=QUESTIONS[axis],
        status="inconclusive" if verdict is None else wording.status(verdict.status),
        sentence=_UNANSWERED if verdict is None else said(verdict.sentence),
        row=None if leading is None else rows[id(leading)],
    )


def _leading(evaluation: Evaluation, axis: Axis, verdict: Verdict | None) -> Score | None:
    """The first score the verdict rests on that has a value, else the first of the axis, with a value if any."""
    scores = evaluation.axis(axis)
    named = [
        score
        for key in (verdict.scores if verdict is not None else ())
        for score in scores
        if key in (score.key, f"{score.key}@{score.features}")
    ]
    ranked = [*named, *scores]
    return next((score for score in ranked if score.applies), ranked[0] if ranked else None)


def _row(score: Score, said: Callable[[str], str]) -> Row:
    summary = next((metric.summary for metric in metrics() if metric.key == score.key), "")
    written = wording.figures(score)
    return Row(
        name=wording.name(score.name),
        summary=summary[:1].upper() + summary[1:].removesuffix("."),
        features=score.features or "images",
        value=written(score.value),
        null=written(score.null),
        interval=wording.interval(score.interval, written),
        null_interval="" if score.null_interval is None else wording.interval(score.null_interval, written),
        null_source=said(score.null_source or ""),
        standing=wording.standing(score),
        departs=score.departs() or "unknown",
        direction=wording.direction(score),
        source=score.source,
        reason=said(score.reason or ""),
        bar=bar(score),
        # The endpoints have a table of their own.
        facts=_facts({key: value for key, value in score.details.items() if key != "endpoints"}, said),
    )


def _facts(record: Any, said: Callable[[str], str]) -> tuple[Fact, ...]:
    entries = plain(record).items()
    return tuple(Fact(said(str(key)).replace("_", " "), said(wording.fact(value))) for key, value in entries)


def _set(evaluation: Evaluation, role: Any, internal: bool) -> SetRow:
    summary = evaluation.summaries[role]
    labels = sorted(summary.labels.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{label} {wording.count(total)}" for label, total in labels[:12])
    more = f" and {len(labels) - 12} more" if len(labels) > 12 else ""
    return SetRow(
        role=role,
        path=summary.path if internal else "",
        images=wording.count(summary.images),
        patients=wording.count(summary.patients),
        labels=f"{shown}{more}" or "none",
        shape=" × ".join(str(length) for length in summary.shape),
        digest=summary.digest,
        skipped=tuple(Fact(path, why) for path, why in summary.skipped[:SKIPPED_LISTED]) if internal else (),
        skipped_count=len(summary.skipped),
    )


def _subtitle(evaluation: Evaluation) -> str:
    """How many images of how many patients were compared, in a sentence."""

    def said(role: Any) -> str:
        summary = evaluation.summaries[role]
        patients = "" if summary.patients is None else f" of {wording.count(summary.patients)} patients"
        return f"{wording.count(summary.images)} {role} images{'' if role == 'synthetic' else patients}"

    parts = [said(role) for role in ("synthetic", "training", "holdout") if role in evaluation.summaries]
    if "holdout" not in evaluation.summaries:
        parts.append("no holdout")
    if len(parts) < 2:
        return "".join(parts)
    return f"{parts[0]}, compared with {' and '.join(parts[1:])}"
