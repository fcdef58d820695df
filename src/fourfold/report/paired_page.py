"""What the page of pairs says, before it is HTML: `PairedSets` become plain records.

The internal edition shows images and names files; the shareable one holds the same numbers and no pixel, no file name
and no mark for a single image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fourfold.report import wording
from fourfold.report.bar import Bar, bar
from fourfold.report.evidence.plot import Plot
from fourfold.report.gallery import Tile, data_uri, difference, slice_of
from fourfold.report.page import Edition, Fact
from fourfold.report.paired_plots import distribution_plot, gain_plot
from fourfold.report.paired_wording import as_score, measure_name, sentences, standing, written_with
from fourfold.report.redaction import Redaction, plain
from fourfold.report.writer import rendered

if TYPE_CHECKING:
    from fourfold.pairing import Mean, PairedSets, PairedValues

__all__ = ["Example", "Group", "MeasureRow", "Page", "Shown", "build", "render_page"]

_WORST, _MIDDLE, _BEST, _LOST = 4, 2, 2, 4
_CALLED = {"inputs": "input", "restored": "restored", "targets": "target"}


@dataclass(frozen=True)
class MeasureRow:
    """A measure as a row of the table."""

    name: str
    direction: str
    source: str
    lies: str
    settings: str
    value: str
    interval: str
    untreated: str
    unrelated: str
    gain: str
    gain_interval: str
    lost: str
    standing: str
    departs: str
    bar: Bar | None


@dataclass(frozen=True)
class Example:
    """One pair: input, restored image, target, and their difference."""

    title: str
    facts: tuple[tuple[str, str], ...]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Group:
    """Some pairs and why they are shown."""

    title: str
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Shown:
    """The images behind a measure."""

    measure: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Page:
    """A whole page."""

    edition: Edition
    title: str
    subtitle: str
    null: str
    sentences: tuple[str, ...]
    rows: tuple[MeasureRow, ...]
    plots: tuple[Plot, ...]
    shown: tuple[Shown, ...]
    sets: tuple[tuple[str, str, str, str], ...]
    preparation: tuple[Fact, ...]
    settings: tuple[Fact, ...]
    notes: tuple[str, ...]


def build(paired: PairedSets, edition: Edition) -> Page:
    """The page of one edition.

    Parameters
    ----------
    paired : PairedSets
    edition : {"internal", "shareable"}
        Images are loaded for the first only.
    """
    internal = edition == "internal"
    said = str if internal else Redaction().text
    kind = "patients" if paired.identified else "groups of near-duplicates"
    return Page(
        edition=edition,
        title="How near are the restored images to their targets?",
        subtitle=f"{wording.count(len(paired))} pairs of {wording.count(paired.patients)} {kind}",
        null=paired.measures[0].null_source or "none",
        sentences=sentences(paired),
        rows=tuple(_row(one) for one in paired.measures),
        plots=_plots(paired, internal),
        shown=tuple(_shown(paired, one) for one in paired.measures) if internal else (),
        sets=tuple(
            (
                role,
                str(one.images.root or "memory") if internal else "",
                " × ".join(str(length) for length in one.images.shape),
                one.digest,
            )
            for role, one in paired.sets.items()
        ),
        preparation=_facts(paired.preparation),
        settings=_facts(paired.settings),
        notes=tuple(said(note) for note in paired.notes),
    )


def render_page(page: Page) -> str:
    """The page as HTML; see `fourfold.report.writer.rendered`."""
    return rendered("paired.html.j2", page)


def _row(one: PairedValues) -> MeasureRow:
    written = written_with(one)

    def mean(found: Mean | None) -> str:
        return "–" if found is None else written(found.value)

    def ends(found: Mean | None) -> str:
        return "" if found is None or found.interval is None else wording.interval(found.interval, written)

    settings = "; ".join(f"{fact.name}: {fact.value}" for fact in _facts(one.settings))
    return MeasureRow(
        name=measure_name(one),
        direction=f"{one.better} is better",
        source=one.source,
        lies=one.lies,
        settings=settings,
        value=mean(one.mean),
        interval=ends(one.mean),
        untreated="–" if one.untreated is None else mean(one.null),
        unrelated=mean(one.unrelated),
        gain=mean(one.gain),
        gain_interval=ends(one.gain),
        lost="–" if one.lost is None else f"{wording.count(len(one.lost))} of {wording.count(len(one.values))}",
        standing=standing(one),
        departs=one.standing or "unknown",
        bar=bar(as_score(one)),
    )


def _plots(paired: PairedSets, internal: bool) -> tuple[Plot, ...]:
    title = "How the values are distributed"
    plots = [
        Plot(
            title,
            distribution_plot(paired.measures, title),
            "The share of images that have a value up to the one on the axis. Where the curve of the restored images "
            "runs beside that of the untreated inputs, nothing was achieved; where it nears that of unrelated images, "
            "the patient is lost.",
            wide=True,
        )
    ]
    if internal and "inputs" in paired.sets:
        title = "Which images gained, and which lost"
        caption = (
            "A mark an image. On the broken line nothing changed; crosses are further from their targets than their "
            "untreated inputs are."
        )
        plots.append(Plot(title, gain_plot(paired.measures, title), caption, wide=True, shareable=False))
    return tuple(plots)


def _shown(paired: PairedSets, one: PairedValues) -> Shown:
    ranked = one.ranked
    middle = max(0, (len(ranked) - _MIDDLE) // 2)
    groups = [("The worst", ranked[:_WORST])]
    if len(ranked) > _WORST + _MIDDLE + _BEST:
        groups += [("The median", ranked[middle : middle + _MIDDLE]), ("The best", ranked[::-1][:_BEST])]
    if one.lost is not None and len(one.lost):
        groups.append(("Those that the treatment moved away most", one.lost[:_LOST]))
    return Shown(
        measure=measure_name(one),
        groups=tuple(Group(title, tuple(_example(paired, one, int(row)) for row in rows)) for title, rows in groups),
    )


def _example(paired: PairedSets, one: PairedValues, row: int) -> Example:
    written = written_with(one)
    loaded = {role: slice_of(found.images.load([row])[0]) for role, found in paired.sets.items()}
    paths = {role: found.images.paths[row] for role, found in paired.sets.items()}
    tiles = [
        Tile(uri=data_uri(loaded[role]), alt=f"{called} {paths[role]}", lines=(called,))
        for role, called in _CALLED.items()
        if role in loaded
    ]
    apart = difference(loaded["restored"], loaded["targets"])
    tiles.append(Tile(data_uri(apart), "restored image less target, grey where equal", ("restored less target",)))
    facts = [(measure_name(one), written(float(one.values[row])))]
    if one.untreated is not None:
        facts.append(("untreated", written(float(one.untreated[row]))))
    return Example(paths["restored"], tuple(facts), tuple(tiles))


def _facts(record: Any) -> tuple[Fact, ...]:
    said = Redaction().text
    return tuple(
        Fact(said(str(key)).replace("_", " "), said(wording.fact(value))) for key, value in plain(record).items()
    )
