"""Parts of a set that are as large as another set, for scores that depend on the number of images.

Which images a part has is known before neighbours are searched, so that the one pass over the pairs of two sets finds
what lies in the balls of every part, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fourfold.comparison.sets import Role
from fourfold.neighbors.balls import with_centres
from fourfold.statistics.parts import chunked, group_numbers

if TYPE_CHECKING:
    from fourfold.comparison.space import Comparison

__all__ = ["equal_parts", "held_by_parts", "part_radii"]


def equal_parts(comparison: Comparison, role: Role) -> list[np.ndarray]:
    """Row numbers of random parts of a set, as large as the smaller one of synthetic set and holdout.

    The whole set where there is no holdout, or no room for two parts.
    """
    one, holdout = comparison.set(role), comparison.holdout
    size = 0 if holdout is None else min(len(comparison.synthetic), len(holdout))
    if size == 0:
        return [np.arange(len(one))]
    # The first that a generator of this seed draws, as in `fourfold.resampling.calibrate`.
    rng = np.random.default_rng([comparison.seed, len(comparison.training), len(comparison.synthetic)])
    return chunked(group_numbers(one.patients, len(one)), size, rng)


def part_radii(comparison: Comparison, role: Role, k: int) -> np.ndarray:
    """Distance of each image of a set to its `k`-th neighbour within its part, shape (n,); 0 for images in none."""

    def found() -> np.ndarray:
        one = comparison.set(role)
        radii = np.zeros(len(one))
        for rows in equal_parts(comparison, role):
            radii[rows] = with_centres(comparison.among_themselves(one.take(rows), k).distances[:, -1])
        return radii

    return comparison.once(("radii in parts", role, k), found)


def held_by_parts(comparison: Comparison, role: Role, parts: Sequence[np.ndarray], k: int) -> list[np.ndarray] | None:
    """Which training images lie in balls around the images of each of some parts of a set.

    Parameters
    ----------
    comparison : Comparison
    role : {"synthetic", "holdout"}
    parts : sequence of arrays of int
        Their row numbers.
    k : int
        The balls reach to the k-th neighbour within the part.

    Returns
    -------
    list of arrays of bool, shape (N,), or None
        By part. None where these are not the `equal_parts` of the set, or the pass over the pairs did not look so far.
    """
    near, known = comparison.near_pairs(role), equal_parts(comparison, role)
    if near is None or len(known) != len(parts) or not all(map(np.array_equal, known, parts)):
        return None
    radii = part_radii(comparison, role, k)
    if not near.reach(radii):
        return None
    training, own = near.within(radii)
    part_of = np.zeros(len(radii), dtype=np.int64)
    held = np.zeros((len(parts), len(comparison.training)), dtype=bool)
    for number, rows in enumerate(parts):
        part_of[rows] = number
    held[part_of[own], training] = True
    return list(held)
