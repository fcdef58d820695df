"""Random parts of the three sets around training images, met once for every score that balls decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.comparison import NEIGHBORS, Comparison, Features
from fourfold.neighbors.balls import Held, ball_radii, held_in_balls
from fourfold.resampling.draws import subsample, two_parts

__all__ = ["HeldParts", "held_parts"]


@dataclass(frozen=True)
class HeldParts:
    """One draw of parts.

    Parameters
    ----------
    contrasts : tuple of (Held, Held)
        Of two disjoint parts of the training set, each: a part of the synthetic set and one of the holdout.
    fresh : (Held, Held)
        Two disjoint parts of the holdout around one part of the training set.
    """

    contrasts: tuple[tuple[Held, Held], ...]
    fresh: tuple[Held, Held]


def held_parts(comparison: Comparison, share: float, draws: int) -> list[HeldParts]:
    """Draws of parts, the same ones whoever asks; there is a holdout.

    Parameters
    ----------
    comparison : Comparison
    share : float
        Of the patients (or images) of each set in a part.
    draws : int

    Returns
    -------
    list of HeldParts

    Raises
    ------
    InputError
        Where a part has too few images for balls.
    """
    training, synthetic, holdout = comparison.training, comparison.synthetic, comparison.set("holdout")

    def drawn() -> list[HeldParts]:
        rng = np.random.default_rng([comparison.seed, len(training), len(synthetic)])
        return [one_draw(rng) for _ in range(draws)]

    def one_draw(rng: np.random.Generator) -> HeldParts:
        parts = zip(*(two_parts(one, share, rng) for one in (training, synthetic, holdout)), strict=True)
        contrasts = tuple(_around(comparison, base, first, second) for base, first, second in parts)
        base = subsample(training, share, rng)
        return HeldParts(contrasts, _around(comparison, base, *two_parts(holdout, share, rng)))

    return comparison.once(("held parts", share, draws), drawn)


def _around(comparison: Comparison, training: Features, first: Features, second: Features) -> tuple[Held, Held]:
    settings = {"metric": comparison.distance, "memory": comparison.memory}
    radii = ball_radii(training.values, NEIGHBORS, groups=training.patients, **settings)
    found = (held_in_balls(one.values, training.values, radii, **settings) for one in (first, second))
    return next(found), next(found)
