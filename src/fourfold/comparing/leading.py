"""The score an axis is led by, and the Pareto front that the leading scores span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fourfold.comparing.fronts import standings
from fourfold.comparing.ranks import told_apart
from fourfold.comparing.results import Front, Row
from fourfold.errors import InputError
from fourfold.score import AXES, Axis

__all__ = ["LEADING", "front"]

# The first of an axis that every set has; named beforehand, so that no set is favoured by the choice.
LEADING: dict[Axis, tuple[str, ...]] = {
    "fidelity": ("frechet_distance", "kernel_distance", "precision"),
    "variety": ("coverage", "recall", "vendi_score"),
    "privacy": ("membership", "copies", "exposure", "copy_count"),
    "utility": ("measured_utility", "train_synthetic_test_real", "train_synthetic_test_real_cnn"),
}
_LEVEL = 0.95


def front(rows: Sequence[Row], leading_space: str, chosen: Mapping[str, str] | None = None, *, seed: int = 0) -> Front:
    """The Pareto front over the axes.

    Parameters
    ----------
    rows : sequence of Row
        All scores, the measured utility among them where there is one.
    leading_space : str
    chosen : mapping of axis to str, or None
        The key of the score that leads an axis, where it is not the one of `LEADING`.
    seed : int

    Returns
    -------
    Front
        All statements about all axes hold at once at 95 % (Bonferroni over the axes).

    Raises
    ------
    InputError
        Where a chosen score is not there, or not every set has it.
    """
    leaders: dict[Axis, Row] = {}
    missing: dict[Axis, str] = {}
    unknown = sorted(set(chosen or {}) - set(AXES))
    if unknown:
        raise InputError(f"there is no axis {unknown[0]!r} to lead; axes are {', '.join(AXES)}")
    for axis in AXES:
        asked = (chosen or {}).get(axis)
        own = [row for row in rows if row.axis == axis]
        found = _chosen(own, asked, axis) if asked else _default(own, axis, leading_space)
        if found is None:
            missing[axis] = "it was not asked" if not own else "no leading score has an interval for every set"
        else:
            leaders[axis] = found
    if not leaders:
        return Front((), (), missing)
    level = 1 - (1 - _LEVEL) / len(leaders)
    better = [told_apart(row.figures, row.errors, level=level, seed=seed) for row in leaders.values()]
    return Front(
        rows=tuple(leaders.values()),
        standings=standings(np.stack([row.figures for row in leaders.values()]), np.stack(better)),
        missing=missing,
    )


def _default(rows: Sequence[Row], axis: Axis, space: str) -> Row | None:
    for name in LEADING[axis]:
        own = [row for row in rows if row.name == name and row.complete]
        # A score of several feature spaces leads in the leading one, if it is asked there at all.
        own.sort(key=lambda row: row.features not in (None, space))
        if own:
            return own[0]
    return None


def _chosen(rows: Sequence[Row], asked: str, axis: Axis) -> Row:
    found = [row for row in rows if asked in (row.key, f"{row.axis}/{row.name}", row.name)]
    if not found:
        known = ", ".join(dict.fromkeys(row.name for row in rows)) or "none"
        raise InputError(f"there is no score {asked!r} to lead {axis}; there are: {known}")
    whole = [row for row in found if row.complete]
    if not whole:
        raise InputError(f"{asked!r} cannot lead {axis}: not every set has it with an interval; choose another score")
    return whole[0]
