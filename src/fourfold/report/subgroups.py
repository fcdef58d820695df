"""The groups of an evaluation as tables: a column of the metadata a table, a group a column of it.

The shareable edition leaves out the names of groups that were too small to be scored: a name with fewer than ten
patients behind it can point at one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from fourfold.report import wording
from fourfold.score import AXES, Axis, Score
from fourfold.subgroups import Group, Grouping

__all__ = ["GroupAxis", "GroupCell", "GroupHead", "GroupRow", "GroupTable", "group_tables"]


@dataclass(frozen=True)
class GroupHead:
    """A group at the head of its column: its name and how many images of how many patients it has."""

    name: str
    sizes: str


@dataclass(frozen=True)
class GroupCell:
    """One score of one group; `departs` is the class of its colour, `words` say the same."""

    value: str
    null: str
    interval: str
    departs: str
    words: str


@dataclass(frozen=True)
class GroupRow:
    """One score of every group."""

    name: str
    features: str
    cells: tuple[GroupCell, ...]


@dataclass(frozen=True)
class GroupAxis:
    """The scores of one axis."""

    axis: Axis
    rows: tuple[GroupRow, ...]


@dataclass(frozen=True)
class GroupTable:
    """Everything about one column of the metadata."""

    column: str
    sentence: str
    notes: tuple[str, ...]
    heads: tuple[GroupHead, ...]
    axes: tuple[GroupAxis, ...]


def group_tables(
    groupings: Mapping[str, Grouping], said: Callable[[str], str], *, internal: bool
) -> tuple[GroupTable, ...]:
    """A table a column.

    Parameters
    ----------
    groupings : mapping of str to Grouping
    said : callable
        What free text passes through before it is shown.
    internal : bool
        Whether groups that are too small may be named.
    """
    return tuple(_table(grouping, said, internal) for grouping in groupings.values())


def _table(grouping: Grouping, said: Callable[[str], str], internal: bool) -> GroupTable:
    scored = [group for group in grouping.groups if group.scores]
    left = [group for group in grouping.groups if not group.scores]
    notes = list(grouping.notes)
    if left and internal:
        notes += [f"{group.name}: {group.reason}." for group in left]
    elif left:
        notes.append(f"{_groups(len(left))} too small to be scored, and not named here.")
    return GroupTable(
        column=said(grouping.column),
        sentence=said(_sentence(grouping.column, scored)),
        notes=tuple(said(note) for note in notes),
        heads=tuple(GroupHead(said(group.name), _sizes(group)) for group in scored),
        axes=tuple(filter(lambda part: part.rows, (GroupAxis(axis, _rows(scored, axis)) for axis in AXES))),
    )


def _sentence(column: str, groups: list[Group]) -> str:
    if not groups:
        return f"No group by {column} is large enough to be scored."
    worse = [
        (departure.p, group, score)
        for group in groups
        for score in group.scores
        if (departure := group.departure(score)) is not None and departure.standing in ("worse", "different")
    ]
    if not worse:
        return f"No score of {_groups(len(groups))} departs from its null for the worse by more than chance explains."
    where = {group.name: sum(other is group for _, other, _ in worse) for _, group, _ in worse}
    counted = ", ".join(
        f"{name} ({count} score{'' if count == 1 else 's'})"
        for name, count in sorted(where.items(), key=lambda item: -item[1])
    )
    _, group, score = min(worse, key=lambda one: one[0])
    space = f" ({score.features})" if score.features else ""
    written = wording.figures(score)
    return (
        f"{len(where)} of {_groups(len(groups))} depart from their nulls for the worse: {counted}. The "
        f"clearest is {wording.name(score.name)}{space} of {group.name}, {written(score.value)} where fresh real "
        f"images would score {written(score.null)}."
    )


def _groups(count: int) -> str:
    return f"{count} group{'' if count == 1 else 's'}"


def _sizes(group: Group) -> str:
    parts = []
    for role in ("synthetic", "training", "holdout"):
        if role in group.images:
            of = f" of {wording.count(group.patients[role])} patients" if role in group.patients else ""
            parts.append(f"{wording.count(group.images[role])} {role}{of}")
    return ", ".join(parts)


def _rows(groups: list[Group], axis: Axis) -> tuple[GroupRow, ...]:
    """Scores that apply to at least one group, in the order in which they were asked."""
    keys = dict.fromkeys(
        (score.name, score.features) for group in groups for score in group.scores if score.axis == axis
    )
    rows = []
    for name, features in keys:
        found = [(group, _of(group.scores, axis, name, features)) for group in groups]
        if any(score is not None and score.applies for _, score in found):
            cells = tuple(_cell(group, score) for group, score in found)
            rows.append(GroupRow(wording.name(name), features or "images", cells))
    return tuple(rows)


def _of(scores: Iterable[Score], axis: Axis, name: str, features: str | None) -> Score | None:
    return next((score for score in scores if (score.axis, score.name, score.features) == (axis, name, features)), None)


def _cell(group: Group, score: Score | None) -> GroupCell:
    if score is None or not score.applies:
        return GroupCell("–", "", "", "unknown", "does not apply")
    written = wording.figures(score)
    departure = group.departure(score)
    standing = "unknown" if departure is None else departure.standing
    words = "" if standing in ("unknown", "no") else standing
    return GroupCell(
        value=written(score.value),
        null="" if score.null is None else written(score.null),
        interval="" if score.interval is None else wording.interval(score.interval, written),
        departs=standing,
        words=words,
    )
