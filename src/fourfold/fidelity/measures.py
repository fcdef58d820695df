"""A distance between two sets, and the shorter ways to it that null and interval take.

They ask for the same distance between a hundred parts of the same images: what those share is summed once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from fourfold.comparison import Comparison, Role
from fourfold.fidelity.extrapolation import (
    extrapolated,
    frechet_distance_infinity,
    frechet_distance_infinity_of_parts,
)
from fourfold.fidelity.frechet import FrechetReference, frechet_distance, frechet_distance_of_parts

__all__ = ["Distance", "Measure", "OfRows", "frechet", "frechet_infinity", "measured"]

Distance = Callable[[np.ndarray, np.ndarray], float]
# Row numbers in one set and row numbers in another to the distance between those rows.
OfRows = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Measure:
    """A distance, by three ways to the same number.

    Parameters
    ----------
    of_sets : callable
        Two arrays (N, d) and (M, d) to a number; may raise InputError for small sets.
    of_parts : callable
        Two arrays, which may be one object, to the distance between rows of the one and rows of the other.
    of_role : callable
        ``"synthetic"`` or ``"holdout"`` to the distance of that whole set from the training set.
    """

    of_sets: Distance
    of_parts: Callable[[np.ndarray, np.ndarray], OfRows]
    of_role: Callable[[Role], float]


def measured(distance: Distance, comparison: Comparison) -> Measure:
    """A distance that has no shorter ways."""

    def of_parts(x: np.ndarray, y: np.ndarray) -> OfRows:
        return lambda first, second: distance(x[first], y[second])

    def of_role(role: Role) -> float:
        return distance(comparison.training.values, comparison.set(role).values)

    return Measure(distance, of_parts, of_role)


def frechet(comparison: Comparison) -> Measure:
    """The Frechet distance."""

    def of_role(role: Role) -> float:
        return _reference(comparison).distance(comparison.set(role).values)

    return Measure(frechet_distance, frechet_distance_of_parts, of_role)


def frechet_infinity(comparison: Comparison) -> Measure:
    """The Frechet distance extrapolated to infinitely many synthetic images."""
    seed = comparison.seed

    def of_role(role: Role) -> float:
        return extrapolated(_reference(comparison), comparison.set(role).values, seed=seed)

    return Measure(
        partial(frechet_distance_infinity, seed=seed), partial(frechet_distance_infinity_of_parts, seed=seed), of_role
    )


def _reference(comparison: Comparison) -> FrechetReference:
    """The training set prepared once for both distances."""
    return comparison.once("frechet reference", lambda: FrechetReference(comparison.training.values))
