"""What the page of a study of utility says, before it is HTML: a `UtilityStudy` becomes plain records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fourfold.report import wording
from fourfold.report.bar import Bar, bar
from fourfold.report.evidence.plot import Plot
from fourfold.report.page import Fact
from fourfold.report.redaction import Redaction
from fourfold.report.utility_figures import figures
from fourfold.report.utility_wording import as_score, measure, sentences, title
from fourfold.report.writer import rendered

if TYPE_CHECKING:
    from fourfold.utility.study import ArmResult, Contrast, Estimate, Findings, Subgroup, UtilityStudy

__all__ = ["ArmRow", "ContrastRow", "Page", "Part", "Question", "SetRow", "Task", "build", "render_page"]


@dataclass(frozen=True)
class ContrastRow:
    """An arm against its control, as a row."""

    subject: str
    arm: str
    control: str
    value: str
    interval: str
    null: str
    p: str
    standing: str
    departs: str
    share: str
    bar: Bar | None


@dataclass(frozen=True)
class Part:
    """One class, region, subgroup or further value of an arm against its control."""

    subject: str
    arm: str
    name: str
    value: str
    interval: str


@dataclass(frozen=True)
class Question:
    """The answers to one question, a row a set and size."""

    title: str
    rows: tuple[ContrastRow, ...]


@dataclass(frozen=True)
class ArmRow:
    """One arm with everything that was measured on it."""

    name: str
    images: str
    value: str
    interval: str
    seeds: str
    further: tuple[Fact, ...]


@dataclass(frozen=True)
class Task:
    """Everything about one task."""

    name: str
    anchor: str
    measure: str
    tested: str
    questions: tuple[Question, ...]
    arms: tuple[ArmRow, ...]
    parts: tuple[Part, ...]
    plots: tuple[Plot, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class SetRow:
    """A set in the table of sets."""

    name: str
    role: str
    images: str
    patients: str
    digest: str


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    subtitle: str
    sentences: tuple[str, ...]
    tasks: tuple[Task, ...]
    sets: tuple[SetRow, ...]
    preparation: tuple[Fact, ...]
    settings: tuple[Fact, ...]
    notes: tuple[str, ...]


def build(study: UtilityStudy) -> Page:
    """The page of a study; text that other rooms wrote goes through `Redaction`."""
    said = Redaction().text
    several = len(study.synthetic)
    test = study.sets["test"]
    return Page(
        title="Does it work on real patients?",
        subtitle=f"{several} synthetic set{'' if several == 1 else 's'}, tested on {wording.count(test.images)} images"
        + ("" if test.patients is None else f" of {wording.count(test.patients)} patients"),
        sentences=sentences(study),
        tasks=tuple(_task(findings) for findings in study.findings),
        sets=tuple(
            SetRow(said(name), _role(name), wording.count(one.images), wording.count(one.patients), one.digest)
            for name, one in study.sets.items()
        ),
        preparation=_facts(study.preparation),
        settings=_facts(study.settings),
        notes=tuple(said(note) for note in study.notes),
    )


def render_page(page: Page) -> str:
    """The page as HTML; see `fourfold.report.writer.rendered`."""
    return rendered("utility.html.j2", page)


def _task(findings: Findings) -> Task:
    questions = dict.fromkeys(one.question for one in findings.contrasts)
    settings = {name: value for name, value in findings.task.items() if name != "names"}
    return Task(
        name=findings.problem,
        anchor=findings.problem,
        measure=measure(findings.headline),
        tested=f"{wording.count(findings.test_images)} images of {wording.count(findings.test_patients)} patients",
        questions=tuple(
            Question(title(question), tuple(_row(one) for one in findings.of(question))) for question in questions
        ),
        arms=tuple(_arm(arm, findings.headline) for arm in findings.arms),
        parts=tuple(part for one in findings.contrasts for part in _parts(one)),
        plots=figures(findings),
        facts=(Fact("Classes, findings or regions", wording.fact(list(findings.task["names"]), 40)), *_facts(settings)),
    )


def _row(contrast: Contrast) -> ContrastRow:
    found = contrast.difference
    score = as_score(found, contrast.null_interval)
    written = wording.figures(score)
    departs = {"worse": "worse", "better": "better"}.get(contrast.standing, "")
    return ContrastRow(
        subject=contrast.subject,
        arm=contrast.arm,
        control=contrast.control,
        value=written(found.value),
        interval=wording.interval(found.interval, written),
        null="0" if contrast.null_interval is None else f"0 ({wording.interval(contrast.null_interval, written)})",
        p=wording.number(contrast.adjusted, 2),
        standing="cannot be told" if contrast.standing == "unknown" else contrast.standing,
        departs=departs,
        share="–" if contrast.share is None else f"{100 * contrast.share:.0f} %",
        bar=bar(score),
    )


def _arm(arm: ArmResult, headline: str) -> ArmRow:
    own = arm.values[headline]
    further = [_fact(measure(key), found) for key, found in arm.values.items() if key != headline]
    further += [_fact(_group(one), one.estimate) for one in arm.subgroups]
    return ArmRow(
        name=arm.name,
        images=wording.count(arm.total),
        value=wording.number(own.value),
        interval=wording.interval(own.interval),
        seeds=", ".join(wording.number(value) for value in arm.seeds),
        further=tuple(further),
    )


def _parts(contrast: Contrast) -> list[Part]:
    named = [(measure(key), found) for key, found in contrast.values.items()]
    named += [(_group(one), one.estimate) for one in contrast.subgroups]
    found = []
    for name, estimate in named:
        written = wording.figures(as_score(estimate))
        found.append(
            Part(
                contrast.subject,
                contrast.arm,
                name,
                written(estimate.value),
                wording.interval(estimate.interval, written),
            )
        )
    return found


def _group(one: Subgroup) -> str:
    return f"{one.column} = {one.value} ({wording.count(one.images)} images)"


def _fact(name: str, found: Estimate) -> Fact:
    interval = "" if found.interval is None else f" ({wording.interval(found.interval)})"
    return Fact(name, wording.number(found.value) + interval)


def _role(name: str) -> str:
    return {"real": "training", "test": "holdout", "fresh real": "holdout"}.get(name, "synthetic")


def _facts(record: Any) -> tuple[Fact, ...]:
    said = Redaction().text
    return tuple(Fact(wording.name(str(name)), said(wording.fact(value))) for name, value in record.items())
