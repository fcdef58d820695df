"""Lays evaluated sets side by side: rows, front, agreement, prediction and ladders from their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fourfold.comparing.association import associations, too_few_sets
from fourfold.comparing.ladders import movement
from fourfold.comparing.leading import front
from fourfold.comparing.measured import MeasuredUtility
from fourfold.comparing.prediction import predictions, predictors
from fourfold.comparing.results import ComparedSet, ComparedSets, Ladder, Matrix, RealSet, Row, Target
from fourfold.comparing.table import row_of, rows_of
from fourfold.errors import InputError
from fourfold.report.utility_wording import measure
from fourfold.score import Score, does_not_apply

__all__ = ["check_ladders", "side_by_side"]

_PROBES = ("train_synthetic_test_real", "train_synthetic_test_real_cnn")


def side_by_side(
    sets: Sequence[ComparedSet],
    *,
    real: Mapping[str, RealSet],
    preparation: Mapping[str, Any],
    settings: Mapping[str, Any],
    ladders: Mapping[str, Sequence[str]] | None = None,
    measured: MeasuredUtility | None = None,
    leading: Mapping[str, str] | None = None,
    predict_by: Sequence[str] | None = None,
) -> ComparedSets:
    """What a comparison finds in the scores of sets, however these were evaluated.

    Parameters
    ----------
    sets : sequence of ComparedSet
        Evaluated against the same real images, in the same feature spaces.
    real, preparation
        As in `ComparedSets`.
    settings : mapping
        ``seed``, and ``features``: the names of the feature spaces, the leading one first.
    ladders, leading, predict_by
        As for `fourfold.compare`.
    measured : MeasuredUtility or None

    Returns
    -------
    ComparedSets

    Raises
    ------
    InputError
        Where a ladder or a score that was named is not there.
    """
    names = [one.name for one in sets]
    check_ladders(ladders or {}, names)
    seed, space = settings["seed"], settings["features"][0]
    families = [one.family for one in sets]
    rows = rows_of(sets, seed)
    if measured is not None:
        rows = (*rows, _measured_row(measured, names, seed))
    target = _target(rows, space, measured)
    asked = [] if target is None else predictors(rows, space, predict_by, target)
    return ComparedSets(
        sets=tuple(sets),
        rows=rows,
        front=front(rows, space, leading, seed=seed),
        matrix=_matrix(rows, families, seed),
        target=target,
        predictions=() if target is None else predictions(asked, target, families, seed=seed),
        ladders=tuple(_ladder(name, tuple(rungs), rows, names, seed) for name, rungs in (ladders or {}).items()),
        real=real,
        preparation=preparation,
        settings=settings,
        notes=_notes(sets, rows, measured),
    )


def check_ladders(ladders: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    """Raise InputError where a ladder names a set that is not there, or has fewer than 3 rungs."""
    for name, rungs in ladders.items():
        unknown = [rung for rung in rungs if rung not in names]
        if unknown:
            raise InputError(
                f"the ladder {name!r} names the set {unknown[0]!r}, which is not compared; the sets are "
                f"{', '.join(map(repr, names))}"
            )
        if len(rungs) < 3 or len(set(rungs)) < len(rungs):
            raise InputError(f"the ladder {name!r} needs at least 3 different sets, got {', '.join(rungs)}")


def _measured_row(measured: MeasuredUtility, names: Sequence[str], seed: int) -> Row:
    missing = does_not_apply("utility", "measured_utility", "the study of utility did not measure this set")
    scores: list[Score] = [measured.scores.get(name, missing) for name in names]
    return row_of(scores, seed)


def _target(rows: Sequence[Row], space: str, measured: MeasuredUtility | None) -> Target | None:
    if measured is not None:
        row = next(row for row in rows if row.name == "measured_utility")
        words = (
            f"the measured utility ({measure(measured.measure)}: learned from the set, less learned from real images)"
        )
        return Target(row, True, words)
    for name in _PROBES:
        for row in rows:
            if row.name == name and row.features in (None, space) and np.isfinite(row.figures).sum() > 1:
                return Target(row, False, "the utility probe of the evaluation")
    return None


def _matrix(rows: Sequence[Row], families: Sequence[str], seed: int) -> Matrix:
    whole = tuple(row for row in rows if row.complete and row.varies)
    left_out = tuple(row.key for row in rows if not (row.complete and row.varies))
    n = len(families)
    figures = np.stack([row.figures for row in whole]) if whole else np.empty((0, n))
    errors = np.stack([row.errors for row in whole]) if whole else np.empty((0, n))
    return Matrix(whole, associations(figures, errors, families, seed=seed), left_out, too_few_sets(families))


def _ladder(name: str, rungs: tuple[str, ...], rows: Sequence[Row], names: Sequence[str], seed: int) -> Ladder:
    places = [names.index(rung) for rung in rungs]
    movements = {}
    for row in rows:
        values = np.array([np.nan if row.scores[at].value is None else row.scores[at].value for at in places])
        errors = row.errors[places]
        if np.isfinite(values).all() and np.isfinite(errors).all():
            movements[row.key] = movement(values, errors, seed=seed)
    return Ladder(name, rungs, movements)


def _notes(sets: Sequence[ComparedSet], rows: Sequence[Row], measured: MeasuredUtility | None) -> tuple[str, ...]:
    notes = []
    sizes = {one.images for one in sets}
    if len(sizes) > 1:
        excess = [row.key for row in rows if row.compared == "value less null"]
        notes.append(
            f"The sets differ in size ({min(sizes):,d} to {max(sizes):,d} images), so that values of "
            f"{len(excess)} scores are not comparable; these are compared by the value less the null of each size."
        )
    twins: dict[str, list[str]] = {}
    for one in sets:
        twins.setdefault(one.digest, []).append(one.name)
    notes += [f"{' and '.join(map(repr, same))} hold the same images." for same in twins.values() if len(same) > 1]
    if measured is not None:
        absent = [one.name for one in sets if one.name not in measured.scores]
        if absent:
            notes.append(f"The study of utility did not measure {', '.join(map(repr, absent))}.")
    for note in dict.fromkeys(note for one in sets for note in one.notes):
        having = [one.name for one in sets if note in one.notes]
        notes.append(note if len(having) == len(sets) else f"{', '.join(having)}: {note}")
    return tuple(notes)
