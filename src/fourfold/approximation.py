"""What an approximate search cost in truth: sentences for the report, and the error of each score that rests on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fourfold.comparison import NEIGHBORS, Comparison, Role
from fourfold.neighbors.approximate_counts import CountsEffect, effect_on_counts
from fourfold.neighbors.searches import ApproximateSearch
from fourfold.score import Score

__all__ = ["said_of_searches", "with_errors"]

# Which part of an effect is the error of which score, and around whose images the balls lie.
_BALLS: dict[str, tuple[Role, Role, str]] = {
    "fidelity/precision": ("synthetic", "training", "containing"),
    "fidelity/density": ("synthetic", "training", "density"),
    "variety/coverage": ("synthetic", "training", "covered"),
    "variety/recall": ("training", "synthetic", "containing"),
}


def said_of_searches(comparisons: Mapping[str, Comparison]) -> list[str]:
    """How much of the truth the approximate searches found, a sentence a feature space; nothing for exact ones."""
    said = []
    for space, comparison in comparisons.items():
        searching = comparison.searching
        if not isinstance(searching, ApproximateSearch) or not searching.qualities:
            continue
        worst = min(searching.qualities, key=lambda one: one.recall)
        low, high = worst.interval
        said.append(
            f"Neighbours in {space} were searched approximately ({searching.index}), in {len(searching.qualities)} "
            f"searches. In the worst of them, on {worst.sample} queries that were searched exactly too, "
            f"{worst.recall:.1%} of the true neighbours were found ({low:.1%} to {high:.1%}), the very nearest for "
            f"{min(one.first for one in searching.qualities):.1%}; distances are never too short, and "
            f"{max(one.excess for one in searching.qualities):.2%} too long on average at most. A copy that was missed "
            "is not listed: ask privacy with an exact search."
        )
    return said


def with_errors(scores: Sequence[Score], comparisons: Mapping[str, Comparison]) -> list[Score]:
    """Scores that rest on balls with what the approximation changed in them; others as they are.

    Returns
    -------
    list of Score
        ``details["approximation"]`` holds ``error``, the score less what an exact search would have given, on a sample,
        and its 95 % ``interval``.
    """
    effects: dict[tuple[str, Role, Role], CountsEffect] = {}
    found = []
    for score in scores:
        comparison = comparisons.get(score.features or "")
        if score.key not in _BALLS or score.value is None or comparison is None:
            found.append(score)
            continue
        if not isinstance(comparison.searching, ApproximateSearch):
            found.append(score)
            continue
        queries, points, part = _BALLS[score.key]
        key = (comparison.space, queries, points)
        if key not in effects:
            effects[key] = _effect(comparison, queries, points)
        error = getattr(effects[key], part)
        found.append(score.with_details(approximation={"error": error.value, "interval": list(error.interval)}))
    return found


def _effect(comparison: Comparison, queries: Role, points: Role) -> CountsEffect:
    asked, among = comparison.set(queries), comparison.set(points)
    return effect_on_counts(
        asked.values,
        among.values,
        NEIGHBORS,
        comparison.radii(points, NEIGHBORS),
        comparison.balls(queries, points, NEIGHBORS),
        metric=comparison.distance,
        groups=among.patients,
        seed=comparison.seed,
        memory=comparison.memory,
    )
