"""What the page of a study says, before it is HTML: a `StudyResult` becomes plain records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fourfold.report import wording
from fourfold.report.drawing import svg
from fourfold.report.evidence.plot import Plot
from fourfold.report.page import Fact
from fourfold.report.redaction import Redaction, plain
from fourfold.report.writer import rendered

if TYPE_CHECKING:
    from fourfold.studies import Finding, StudyResult

__all__ = ["ClaimRows", "FindingRow", "Page", "build", "render_page"]


@dataclass(frozen=True)
class FindingRow:
    """A finding as a row of the table."""

    quantity: str
    value: str
    null: str
    interval: str
    verdict: str
    sentence: str


@dataclass(frozen=True)
class ClaimRows:
    """A claim with its findings."""

    text: str
    source: str
    rows: tuple[FindingRow, ...]


@dataclass(frozen=True)
class Page:
    """A whole page; `table` has a row a cell, the first row the names of its columns."""

    title: str
    question: str
    subtitle: str
    claims: tuple[ClaimRows, ...]
    plots: tuple[Plot, ...]
    table: tuple[tuple[str, ...], ...]
    source: tuple[Fact, ...]
    settings: tuple[Fact, ...]


def build(result: StudyResult) -> Page:
    """The page of a study."""
    study, table = result.study, result.table
    names = table.names
    return Page(
        title=study.title,
        question=study.question,
        subtitle=f"{wording.count(len(table))} cells, {result.scale} size, on {result.source['name']}",
        claims=tuple(
            ClaimRows(claim.text, claim.source, tuple(_row(one) for one in result.findings if one.claim == claim.key))
            for claim in study.claims
        ),
        plots=tuple(
            Plot(chart.title, svg(chart.draw, chart.size, chart.title), chart.caption, wide=chart.size[0] > 6)
            for chart in study.charts(table)
        ),
        table=(
            tuple(wording.name(name) for name in names),
            *(tuple(_said(row.get(name)) for name in names) for row in table),
        ),
        source=_facts(result.source),
        settings=_facts(
            {**result.settings, "time of all cells": f"{result.seconds / 60:.1f} minutes", "version": study.version}
        ),
    )


def render_page(page: Page) -> str:
    """The page as HTML; see `fourfold.report.writer.rendered`."""
    return rendered("study.html.j2", page)


def _row(one: Finding) -> FindingRow:
    return FindingRow(
        quantity=one.quantity,
        value=wording.number(one.value),
        null=wording.number(one.null),
        interval="" if one.interval is None else wording.interval(one.interval),
        verdict=one.verdict,
        sentence=one.sentence,
    )


def _said(value: Any) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else wording.number(value)


def _facts(record: dict[str, Any]) -> tuple[Fact, ...]:
    said = Redaction().value(plain(record))
    return tuple(Fact(wording.name(name), wording.fact(value)) for name, value in said.items())
