"""Scores every group of a column by the functions that score the whole sets, on rows of the same features."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fourfold.answers import answers
from fourfold.comparison import Comparison, Progress, Role
from fourfold.errors import InputError
from fourfold.features import FeatureExtractor, ResultStore
from fourfold.opening import Opened
from fourfold.resampling import FEWEST
from fourfold.score import Metric, Score, does_not_apply
from fourfold.subgroups.columns import Column, known_columns
from fourfold.subgroups.groups import Group, Grouping, with_departures

__all__ = ["check_groups", "score_groups"]

Rows = dict[Role, np.ndarray]

# Where only the real images can be divided, a score of all synthetic images against one part of the real ones keeps
# its null if either the two real sets play the same part in it, or the one that stands for an ideal synthetic set is
# left whole. For each metric, the real sets that are divided.
_BOTH: tuple[Role, ...] = ("training", "holdout", "reference")
_DIVIDED: dict[str, tuple[Role, ...]] = {
    **{
        f"privacy/{name}": _BOTH
        for name in (
            "copies",
            "distance_share",
            "effective_patients",
            "exchangeability",
            "holdout_independence",
            "identical_match_share",
            "inference",
            "likelihood_gap",
            "linkage",
            "membership",
            "singling_out",
            "worst_case_membership",
        )
    },
    **{f"variety/{name}": ("training",) for name in ("coverage", "image_retrieval_score", "recall")},
    **{
        f"utility/{name}": ("holdout",)
        for name in (
            "real_plus_synthetic_gain",
            "real_plus_synthetic_gain_cnn",
            "train_synthetic_test_real",
            "train_synthetic_test_real_cnn",
        )
    },
}


def score_groups(
    column: Column,
    asked: Sequence[Metric],
    opened: Opened,
    comparisons: Mapping[str, Comparison],
    extractors: Sequence[FeatureExtractor],
    results: ResultStore | None,
    progress: Progress,
) -> Grouping:
    """Every metric that was asked for, for every group of a column.

    Parameters
    ----------
    column : Column
    asked : sequence of Metric
    opened : Opened
    comparisons : mapping of str to Comparison
        By feature space; rows are those of the sets.
    extractors : sequence of FeatureExtractor
        Behind the comparisons.
    results : ResultStore or None
        Where finished scores are kept.
    progress : callable
        Called with (task, done, total).

    Returns
    -------
    Grouping
        Groups of fewer than ten patients in a real set, or of fewer than ten synthetic images, are named with the
        reason why they were not scored.

    Raises
    ------
    InputError
        Where a real set lacks the column, or it has too many values to be one of subgroups.
    """
    members, notes, names = _members(column, opened)
    groups = []
    for place, name in enumerate(names):
        progress(f"groups by {column.name}", place, len(names))
        rows = {role: np.flatnonzero(own == name) for role, own in members.items()}
        group = Group(column.name, name, *_sizes(rows, opened))
        small = _too_small(group)
        if small is not None:
            groups.append(replace(group, reason=small))
            continue
        scores = _scores(rows, asked, opened, comparisons, extractors, results, progress)
        groups.append(replace(group, scores=tuple(replace(one, per_synthetic={}, per_training={}) for one in scores)))
    progress(f"groups by {column.name}", len(names), len(names))
    return Grouping(column.name, with_departures(groups), tuple(notes))


def check_groups(column: Column, opened: Opened) -> None:
    """Find out before the work, not after it, whether a column divides the sets; raises as `score_groups`."""
    _members(column, opened)


def _members(column: Column, opened: Opened) -> tuple[dict[Role, np.ndarray], list[str], list[str]]:
    """The group of each image of the sets that have the column, what limits them, and the groups in their order."""
    members: dict[Role, np.ndarray] = {}
    notes = []
    for role in opened.digests:
        images = getattr(opened.sets, role)
        cells = column.cells(images)
        if cells is None and role in ("training", "holdout"):
            known = ", ".join(known_columns(images)) or "none"
            raise InputError(
                f"the {role} set has no column {column.name!r} to group by; its columns are: {known}. "
                "Add it to the table of the set, or group by another one"
            )
        if cells is None:
            if role == "synthetic":
                notes.append(
                    f"The synthetic set has no column “{column.name}”: all of its images are held against each part "
                    "of the real ones, by the scores whose null allows it; the others do not apply."
                )
            continue
        members[role] = column.groups(cells)
        unstated = int((members[role] == "").sum())
        if unstated:
            notes.append(f"{unstated} of {len(images)} {role} images belong to no group by “{column.name}”.")
    names = column.order([name for role in members for name in members[role]])
    if not names:
        raise InputError(f"the column {column.name!r} holds no number that falls into a band; name its values instead")
    return members, notes, names


def _sizes(rows: Rows, opened: Opened) -> tuple[dict[Role, int], dict[Role, int]]:
    images = {role: len(rows[role]) if role in rows else len(getattr(opened.sets, role)) for role in opened.digests}
    patients = {
        role: len(np.unique(opened.patients[role][rows[role]]))
        for role in ("training", "holdout")
        if role in rows and opened.patients[role] is not None
    }
    return images, patients


def _too_small(group: Group) -> str | None:
    few = [f"{count} {role} patients" for role, count in group.patients.items() if count < FEWEST]
    if group.images["synthetic"] < FEWEST:
        few.append(f"{group.images['synthetic']} synthetic images")
    if not few:
        return None
    return f"too small: {' and '.join(few)}, where a null and an interval need at least {FEWEST} of each"


def _scores(
    rows: Rows,
    asked: Sequence[Metric],
    opened: Opened,
    comparisons: Mapping[str, Comparison],
    extractors: Sequence[FeatureExtractor],
    results: ResultStore | None,
    progress: Progress,
) -> list[Score]:
    if "synthetic" in rows:
        return _answered(rows, asked, opened, comparisons, extractors, results, progress)
    found: list[Score] = []
    for metric in asked:
        divided = _divided(metric, opened)
        if divided is None:
            reason = (
                "the synthetic set lacks the column, and all of its images cannot be judged by one part of the real"
            )
            found.append(does_not_apply(metric.axis, metric.name, reason, better=metric.better, source=metric.source))
            continue
        part = {role: own for role, own in rows.items() if role in divided}
        scores = _answered(part, [metric], opened, comparisons, extractors, results, progress)
        found += [score.with_details(sets_divided=sorted(part)) for score in scores]
    return found


def _divided(metric: Metric, opened: Opened) -> tuple[Role, ...] | None:
    """The real sets that may be divided for a metric while all synthetic images are kept; None where none may."""
    divided = _DIVIDED.get(metric.key)
    if metric.axis == "variety" and opened.sets.holdout is None:
        # The null would come from the very part that was chosen.
        return None
    if metric.key == "variety/coverage" and all(opened.patients.get(role) is None for role in ("training", "holdout")):
        # Its formula is for two samples of one distribution.
        return None
    return divided


def _answered(
    rows: Rows,
    asked: Sequence[Metric],
    opened: Opened,
    comparisons: Mapping[str, Comparison],
    extractors: Sequence[FeatureExtractor],
    results: ResultStore | None,
    progress: Progress,
) -> list[Score]:
    parts = {space: comparison.take(rows) for space, comparison in comparisons.items()}
    return answers(asked, _part(opened, rows), parts, extractors, results, progress)


def _part(opened: Opened, rows: Rows) -> Opened:
    """The chosen rows of some sets, the other sets whole, under digests of their own."""
    patients = dict(opened.patients)
    digests = dict(opened.digests)
    for role, own in rows.items():
        numbers = patients.get(role)
        patients[role] = None if numbers is None else numbers[own]
        digests[role] = hashlib.sha256(digests[role].encode() + own.astype("<i8").tobytes()).hexdigest()
    return replace(opened, sets=opened.sets.take(rows), patients=patients, digests=digests, notes=())
