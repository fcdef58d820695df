"""One row a score: its values over the sets, what they are compared by, and the ranks that this leaves possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from fourfold.comparing.ranks import rank_ranges, told_apart
from fourfold.comparing.results import ComparedSet, Row
from fourfold.score import AXES, Score, does_not_apply

__all__ = ["row_of", "rows_of", "standard_error"]

# Nulls that differ by less than this share of the intervals' half-width are one null.
_SAME_NULL = 0.1
_NOT_ASKED = "it was not asked of this set"


def rows_of(sets: Sequence[ComparedSet], seed: int = 0) -> tuple[Row, ...]:
    """Every score that any of the sets has, by axis, in the order of the first set.

    Parameters
    ----------
    sets : sequence of ComparedSet
    seed : int

    Returns
    -------
    tuple of Row
    """
    found: list[dict[str, Score]] = [{_key(score): score for score in one.scores} for one in sets]
    keys = dict.fromkeys(key for own in found for key in own)
    rows = []
    for key in keys:
        known = next(own[key] for own in found if key in own)
        missing = does_not_apply(known.axis, known.name, _NOT_ASKED, better=known.better, features=known.features)
        rows.append(row_of([own.get(key, missing) for own in found], seed))
    return tuple(sorted(rows, key=lambda row: AXES.index(row.axis)))


def row_of(scores: Sequence[Score], seed: int = 0) -> Row:
    """One score over all sets.

    Parameters
    ----------
    scores : sequence of Score
        One a set, of one metric and feature space.
    seed : int

    Returns
    -------
    Row
        Where the null is the same for all sets they are compared by the value. It is not where sets differ in size
        and the score depends on it; they are then compared by the value less the null. Scores that are best at their
        null are compared by their distance to it.
    """
    known = next((score for score in scores if score.applies), scores[0])
    values, nulls = (np.array([_number(getattr(one, name)) for one in scores]) for name in ("value", "null"))
    errors = np.array([standard_error(score) for score in scores])
    if known.better == "null":
        compared, figures = "distance to null", -np.abs(values - nulls)
    elif _one_null(nulls, errors):
        compared, figures = "value", values if known.better == "higher" else -values
    else:
        compared, figures = "value less null", (values - nulls) if known.better == "higher" else nulls - values
    ranked = np.flatnonzero(np.isfinite(figures) & np.isfinite(errors))
    better = np.zeros((len(scores), len(scores)), dtype=bool)
    ranks: list[tuple[int, int] | None] = [None] * len(scores)
    if len(ranked) > 1:
        own = told_apart(figures[ranked], errors[ranked], seed=seed)
        better[np.ix_(ranked, ranked)] = own
        for place, (first, last) in zip(ranked, rank_ranges(own).tolist(), strict=True):
            ranks[place] = (first, last)
    return Row(
        key=_key(known),
        axis=known.axis,
        name=known.name,
        features=known.features,
        better=known.better,
        source=known.source,
        scores=tuple(scores),
        compared=compared,
        figures=figures,
        errors=errors,
        better_than=better,
        ranks=tuple(ranks),
    )


def standard_error(score: Score) -> float:
    """Of a value, from the longer side of its 95 % interval, since intervals end at the limit of a range."""
    if score.value is None or score.interval is None:
        return float("nan")
    low, high = score.interval
    return max(high - score.value, score.value - low, 0.0) / float(norm.ppf(0.975))


def _one_null(nulls: np.ndarray, errors: np.ndarray) -> bool:
    """Whether all sets have the same null, or none is known."""
    known = nulls[np.isfinite(nulls)]
    if len(known) < 2 or np.ptp(known) == 0:
        return True
    widths = errors[np.isfinite(errors)] * norm.ppf(0.975)
    return bool(len(widths)) and bool(np.ptp(known) <= _SAME_NULL * np.median(widths))


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _key(score: Score) -> str:
    return f"{score.key}@{score.features}" if score.features else score.key
