"""Which scores predicted the utility of the sets, and which of them nothing is said about.

A claim needs an interval that excludes 0 after Holm's correction over all scores that were asked. The scores that are
asked by default are few and named beforehand: with many sets of many recipes more of them can be told.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fourfold.comparing.association import associations, too_few_sets
from fourfold.comparing.results import Claim, Prediction, Row, Target
from fourfold.errors import InputError
from fourfold.statistics import holm

__all__ = ["PREDICTORS", "predictions", "predictors"]

PREDICTORS = (
    "fidelity/frechet_distance",
    "fidelity/density",
    "variety/coverage",
    "variety/recall",
    "privacy/exposure",
    "utility/train_synthetic_test_real",
)
_LEVEL = 0.05


def predictors(rows: Sequence[Row], leading_space: str, asked: Sequence[str] | None, target: Target) -> list[Row]:
    """The scores that are asked whether they predict the utility.

    Parameters
    ----------
    rows : sequence of Row
        All scores.
    leading_space : str
    asked : sequence of str or None
        Keys, with or without the feature space; ``"all"`` for every score. None for those of `PREDICTORS` in the
        leading feature space, or of none.
    target : Target
        Where the probe stands in for a measured utility, no score of the utility axis is asked.

    Raises
    ------
    InputError
        Where a score that was asked for is not there.
    """
    if asked is None:
        chosen = [row for row in rows if _plain(row) in PREDICTORS and row.features in (None, leading_space)]
    elif list(asked) == ["all"]:
        chosen = list(rows)
    else:
        unknown = [key for key in asked if not any(key in (row.key, _plain(row)) for row in rows)]
        if unknown:
            known = ", ".join(dict.fromkeys(map(_plain, rows)))
            raise InputError(f"there is no score {unknown[0]!r} to predict utility by; there are: {known}")
        chosen = [row for row in rows if row.key in asked or _plain(row) in asked]
    return [row for row in chosen if target.measured or row.axis != "utility"]


def predictions(
    asked: Sequence[Row], target: Target, families: Sequence[str], *, seed: int = 0
) -> tuple[Prediction, ...]:
    """Whether each score predicted the utility.

    Parameters
    ----------
    asked : sequence of Row
    target : Target
    families : sequence of str
        Of the sets, in their order.
    seed : int

    Returns
    -------
    tuple of Prediction
    """
    found = [_one(row, target, np.asarray(families), seed) for row in asked]
    tested = [place for place, (_, p) in enumerate(found) if p is not None]
    adjusted: list[float | None] = [None] * len(found)
    if tested:
        for place, p in zip(tested, holm([found[place][1] for place in tested], _LEVEL)[1].tolist(), strict=True):
            adjusted[place] = p
    return tuple(_claimed(one, p) for (one, _), p in zip(found, adjusted, strict=True))


def _one(row: Row, target: Target, families: np.ndarray, seed: int) -> tuple[Prediction, float | None]:
    """The association of one score with the utility, and its p-value."""
    figures = np.stack([row.figures, target.row.figures])
    errors = np.stack([row.errors, target.row.errors])
    both = np.isfinite(figures).all(axis=0) & np.isfinite(errors).all(axis=0)
    sets, groups = int(both.sum()), len(np.unique(families[both]))
    reason = too_few_sets(families[both])
    if sets < 3:
        return Prediction(row, None, None, None, "no claim", sets, groups, reason), None
    found = associations(figures[:, both], errors[:, both], families[both], seed=seed)
    value = float(found.values[0, 1])
    if not np.isfinite(value):
        why = f"{'the score' if not row.varies else 'the utility'} is the same for all sets"
        return Prediction(row, None, None, None, "no claim", sets, groups, why), None
    if reason is not None:
        return Prediction(row, value, None, None, "no claim", sets, groups, reason), None
    low, high = found.intervals()[0, 1].tolist()
    return Prediction(row, value, (low, high), None, "no claim", sets, groups, None), float(found.p_values()[0, 1])


def _claimed(one: Prediction, adjusted: float | None) -> Prediction:
    if adjusted is None or one.value is None:
        return one
    claim: Claim = "no claim" if adjusted > _LEVEL else "predicted" if one.value > 0 else "contrary"
    return Prediction(one.row, one.value, one.interval, adjusted, claim, one.sets, one.families, one.reason)


def _plain(row: Row) -> str:
    return f"{row.axis}/{row.name}"
