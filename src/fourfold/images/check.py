"""What is in image sets, what is broken, and what they share that they must not share.

A holdout image or patient that is also in training is leakage: every comparison of training against holdout is then
worthless, so it is the first thing the report says.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from fourfold.errors import FourfoldError, UnreadableImage
from fourfold.images.duplicates import NEAR, Facts, group_facts, similar_pairs, survey
from fourfold.images.formats import FileDecoder
from fourfold.images.sets import ImageSet, Skipped
from fourfold.images.sources import open_set

__all__ = ["CheckReport", "SetReport", "Shared", "check_sets"]

_LISTED = 5


@dataclass(frozen=True)
class SetReport:
    """One set.

    Parameters
    ----------
    name : str
    images : int
        How many can be read.
    shapes, dtypes, classes : mapping of str to int
        How many images have each spatial shape with channels, type of values, class.
    low, high : float or None
        Smallest and largest value of the set; None where nothing can be read.
    patients : int or None
        None where there are no identifiers.
    broken : tuple of Skipped
        Files that cannot be read, with the reason.
    ignored : tuple of Skipped
        Files that are not taken for images.
    constant : tuple of str
        Images whose values are all equal.
    exact, near : tuple of tuples of str
        Groups of images with equal pixels, and of those that are nearly the same (chains of similar pairs).
    """

    name: str
    images: int
    shapes: Mapping[str, int]
    dtypes: Mapping[str, int]
    classes: Mapping[str, int]
    low: float | None
    high: float | None
    patients: int | None
    broken: tuple[Skipped, ...]
    ignored: tuple[Skipped, ...]
    constant: tuple[str, ...]
    exact: tuple[tuple[str, ...], ...]
    near: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Shared:
    """An image or patient that two sets have in common.

    Parameters
    ----------
    kind : {"exact", "near", "patient"}
    first_set, first_path, second_set, second_path : str
        Where it is found; for a patient, one image of each set.
    correlation : float or None
        Of the thumbnails, for images.
    """

    kind: str
    first_set: str
    first_path: str
    second_set: str
    second_path: str
    correlation: float | None = None


@dataclass(frozen=True)
class CheckReport:
    """What `check_sets` found.

    Parameters
    ----------
    sets : tuple of SetReport
    shared : tuple of Shared
        What two sets have in common: each image of the second set once, with its most similar one of the first, and
        each patient once.
    differences : tuple of str
        Why the sets cannot be compared as they are: sizes, channels, scaling.
    """

    sets: tuple[SetReport, ...]
    shared: tuple[Shared, ...]
    differences: tuple[str, ...] = ()

    @property
    def leakage(self) -> tuple[Shared, ...]:
        """What two sets of real images share; a synthetic set may hold copies, which is no leakage but a finding."""
        return tuple(item for item in self.shared if "synthetic" not in (item.first_set, item.second_set))

    @property
    def leaks(self) -> bool:
        """Whether two sets of real images share an image or a patient."""
        return bool(self.leakage)

    @property
    def broken(self) -> tuple[Skipped, ...]:
        """The files of all sets that cannot be read."""
        return tuple(item for report in self.sets for item in report.broken)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            "schema": "fourfold.check/1",
            "leaks": self.leaks,
            "near_correlation": NEAR,
            "sets": [asdict(report) for report in self.sets],
            "shared": [asdict(item) for item in self.shared],
            "differences": list(self.differences),
        }

    def sentences(self) -> list[str]:
        """The report in words, what matters most first."""
        lines = [_sentence_of_sharing(pair, items) for pair, items in _by_pair(self.shared)]
        lines.extend(self.differences)
        for report in self.sets:
            lines.extend(_sentences_of_set(report))
        return lines


def check_sets(
    sources: Mapping[str, ImageSet | str | os.PathLike[str] | Any],
    *,
    columns: Mapping[str, str | None] | None = None,
    root: str | os.PathLike[str] | None = None,
    volumes: bool = False,
    slices: bool = False,
    workers: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> CheckReport:
    """Look at every image of the sets once and report.

    Parameters
    ----------
    sources : mapping of str to ImageSet or anything `open_set` takes
        By name; a set called ``"synthetic"`` is never part of a leakage.
    columns, root, volumes, slices
        As for `open_set`.
    workers : int
        Processes that decode.
    progress : callable or None
        Called with (task, done, total).

    Returns
    -------
    CheckReport

    Raises
    ------
    InputError
        Where a set cannot be opened at all. Broken files do not raise: they are listed.
    """
    how = {"columns": columns, "root": root, "volumes": volumes, "slices": slices}
    sets = {name: _opened(name, source, how) for name, source in sources.items()}
    reports, facts = [], {}
    for name, image_set in sets.items():
        found = list(survey(image_set, workers=workers, progress=progress))
        rows = [row for row, item in enumerate(found) if isinstance(item, Facts)]
        broken = (*image_set.skipped, *(item for item in found if isinstance(item, Skipped)))
        sets[name] = image_set.take(rows)
        facts[name] = [found[row] for row in rows]
        reports.append(_report(name, sets[name], facts[name], broken, image_set.ignored))
    shared: list[Shared] = []
    for first, second in combinations(sets, 2):
        shared.extend(_shared_images(first, facts[first], second, facts[second]))
        shared.extend(_shared_patients(first, sets[first], second, sets[second]))
    return CheckReport(tuple(reports), tuple(shared), _differences(sets))


def _opened(name: str, source: Any, how: Mapping[str, Any]) -> ImageSet:
    """The set; a single file that cannot be read is an empty one that lists it."""
    if isinstance(source, ImageSet):
        return source
    try:
        return open_set(source, name=name, **how)
    except UnreadableImage as error:
        broken = (Skipped(error.path, error.problem),)
        return ImageSet(name=name, entries=(), decode=FileDecoder(), skipped=broken)


def _report(
    name: str, image_set: ImageSet, facts: list[Facts], broken: tuple[Skipped, ...], ignored: tuple[Skipped, ...]
) -> SetReport:
    labels, patients = image_set.labels, image_set.patients
    exact, near = _duplicates(facts)
    return SetReport(
        name=name,
        images=len(facts),
        shapes=_counts(" x ".join(map(str, item.shape[1:])) + (" grey" if item.grey else " RGB") for item in facts),
        dtypes=_counts(item.dtype for item in facts),
        classes={} if labels is None else _counts(labels.tolist()),
        low=min((item.low for item in facts), default=None),
        high=max((item.high for item in facts), default=None),
        patients=None if patients is None else len(set(patients.tolist())),
        broken=broken,
        ignored=ignored,
        constant=tuple(item.path for item in facts if item.constant),
        exact=exact,
        near=near,
    )


def _counts(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _duplicates(facts: list[Facts]) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Groups of equal pixels, and groups of similar images that hold more than one picture."""
    same: dict[str, list[str]] = {}
    for item in facts:
        same.setdefault(item.digest, []).append(item.path)
    exact = tuple(tuple(paths) for paths in same.values() if len(paths) > 1)
    if not facts:
        return exact, ()
    members: dict[int, list[Facts]] = {}
    for item, group in zip(facts, group_facts(facts).tolist(), strict=True):
        members.setdefault(group, []).append(item)
    near = tuple(
        tuple(item.path for item in group) for group in members.values() if len({item.digest for item in group}) > 1
    )
    return exact, near


def _shared_images(first: str, ours: list[Facts], second: str, theirs: list[Facts]) -> list[Shared]:
    known = {item.digest: item.path for item in reversed(ours)}
    best: dict[int, tuple[float, int]] = {}
    for size in {item.thumbnail.size for item in ours} & {item.thumbnail.size for item in theirs}:
        rows = [row for row, item in enumerate(theirs) if item.thumbnail.size == size and item.digest not in known]
        columns = [column for column, item in enumerate(ours) if item.thumbnail.size == size]
        if not rows:
            continue
        asked = np.stack([theirs[row].thumbnail for row in rows])
        among = np.stack([ours[column].thumbnail for column in columns])
        for places, others, correlations in similar_pairs(asked, among):
            for place, other, correlation in zip(places, others, correlations.tolist(), strict=True):
                row = rows[place]
                best[row] = max(best.get(row, (0.0, 0)), (correlation, columns[other]))
    shared = []
    for row, item in enumerate(theirs):
        if item.digest in known:
            shared.append(Shared("exact", first, known[item.digest], second, item.path, 1.0))
        elif row in best:
            correlation, column = best[row]
            shared.append(Shared("near", first, ours[column].path, second, item.path, round(min(correlation, 1.0), 4)))
    return shared


def _shared_patients(first: str, ours: ImageSet, second: str, theirs: ImageSet) -> list[Shared]:
    if ours.patients is None or theirs.patients is None:
        return []
    known = {
        patient: entry.path for patient, entry in zip(reversed(ours.patients), reversed(ours.entries), strict=True)
    }
    shared: dict[str, Shared] = {}
    for patient, entry in zip(theirs.patients, theirs.entries, strict=True):
        if patient in known and patient not in shared:
            shared[patient] = Shared("patient", first, known[patient], second, entry.path)
    return list(shared.values())


def _differences(sets: Mapping[str, ImageSet]) -> tuple[str, ...]:
    from fourfold.images.prepare import prepare

    try:
        readable = {name: image_set for name, image_set in sets.items() if len(image_set)}
        if readable:
            prepare(readable)
    except FourfoldError as error:
        return (str(error),)
    return ()


def _by_pair(shared: tuple[Shared, ...]) -> list[tuple[tuple[str, str, str], list[Shared]]]:
    pairs: dict[tuple[str, str, str], list[Shared]] = {}
    for item in shared:
        pairs.setdefault((item.kind, item.first_set, item.second_set), []).append(item)
    return sorted(pairs.items(), key=lambda pair: "synthetic" in pair[0])


def _sentence_of_sharing(pair: tuple[str, str, str], items: list[Shared]) -> str:
    kind, first, second = pair
    opening = "COPIES" if "synthetic" in (first, second) else "LEAKAGE"
    noun = _count(len(items), "patient" if kind == "patient" else "image")
    what = {"exact": "with equal pixels", "near": "nearly the same", "patient": ""}[kind]
    examples = ", ".join(f"{item.first_path} = {item.second_path}" for item in items[:_LISTED])
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    what = f" {what}" if what else ""
    return f"{opening}: the {first} and the {second} set share {noun}{what} ({examples}{more})."


def _sentences_of_set(report: SetReport) -> list[str]:
    lines = [_summary(report)]
    for title, items in (("that cannot be read", report.broken), ("left aside", report.ignored)):
        if items:
            listed = ", ".join(f"{item.path}: {item.reason}" for item in items[:_LISTED])
            lines.append(f"{report.name}: {_count(len(items), 'file')} {title} ({listed}{_more(len(items))}).")
    if report.constant:
        listed = ", ".join(report.constant[:_LISTED])
        lines.append(
            f"{report.name}: {_count(len(report.constant), 'constant image')} ({listed}{_more(len(report.constant))})."
        )
    for title, groups in (("equal", report.exact), ("nearly equal", report.near)):
        if groups:
            listed = "; ".join(
                " = ".join(group[:3]) + (" = ..." if len(group) > 3 else "") for group in groups[:_LISTED]
            )
            count = sum(map(len, groups))
            lines.append(
                f"{report.name}: {count} images {title} to another, in {_count(len(groups), 'group')} "
                f"({listed}{_more(len(groups))})."
            )
    return lines


def _summary(report: SetReport) -> str:
    if not report.images:
        return f"{report.name}: no image can be read."
    shapes = ", ".join(f"{count} of {shape}" for shape, count in list(report.shapes.items())[:_LISTED])
    line = f"{report.name}: {_count(report.images, 'image')} ({shapes}{_more(len(report.shapes))})"
    line += f", values {report.low:g} to {report.high:g} ({', '.join(report.dtypes)})"
    if report.classes:
        classes = ", ".join(f"{label} {count}" for label, count in list(report.classes.items())[:_LISTED])
        line += f", {_count(len(report.classes), 'class', 'es')} ({classes}{_more(len(report.classes))})"
    line += ", no patient identifiers" if report.patients is None else f", {_count(report.patients, 'patient')}"
    return line + "."


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"


def _more(count: int) -> str:
    return f" and {count - _LISTED} more" if count > _LISTED else ""
