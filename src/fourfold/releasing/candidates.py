"""The pool that a release is chosen from: images drawn by a model of ours, round by round, or any folder of images.

A model that is conditioned on features of single training images is asked for some candidates for every training image,
in shuffled order and with noise on the condition. Where the screen lets none of them pass, the condition is tried again
with less guidance, down to a floor and for so many rounds; then it is given up: dropped and counted, not forced.

Every other model, and every folder, has no sources: its candidates are one pool, drawn in one round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.comparison import Progress
from fourfold.errors import InputError
from fourfold.generate import Model
from fourfold.generate.batches import taken_rows
from fourfold.images import ImageSet, open_set

__all__ = ["CandidatePlan", "Pool", "draw_round", "has_sources", "joined", "pool_of"]

CONDITION_NOISE = 0.1
"""Noise on conditions where none was asked for; the root mean square of a component is 1."""

_SOURCED = "features"


@dataclass(frozen=True)
class CandidatePlan:
    """How candidates are drawn.

    Parameters
    ----------
    per_condition : int
        Candidates for each training image a round; without sources, for each image that is asked for.
    rounds : int
        At most, where there are sources.
    guidance : float or None
        Of the first round; None leaves it to the model, which then has no schedule.
    step, floor : float
        By how much guidance falls each round, and the least it falls to.
    condition_noise : float or None
        None for 0.1, where the model has such a knob.
    sampler, evaluations, temperature, truncation
        As for ``fourfold generate``.

    Raises
    ------
    InputError
        Where a number is out of range.
    """

    per_condition: int = 8
    rounds: int = 3
    guidance: float | None = None
    step: float = 0.1
    floor: float = 1.0
    condition_noise: float | None = None
    sampler: str | None = None
    evaluations: int | None = None
    temperature: float | None = None
    truncation: float | None = None

    def __post_init__(self) -> None:
        for name in ("per_condition", "rounds"):
            if getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', '-')} must be 1 or more, got {getattr(self, name)}")
        if not 0 <= self.floor < float("inf") or not 0 < self.step < float("inf"):
            raise InputError(f"guidance falls in steps above 0 to a floor of 0 or more, got {self.step}, {self.floor}")
        if self.guidance is not None and not self.floor <= self.guidance < float("inf"):
            raise InputError(f"the guidance of the first round must be the floor ({self.floor:g}) or more")

    def knobs(self, model: Model, turn: int) -> dict[str, Any]:
        """What `Model.generate` is told in round number `turn`, from 0."""
        named = ("sampler", "evaluations", "temperature", "truncation")
        found = {name: value for name in named if (value := getattr(self, name)) is not None}
        if self.guidance is not None:
            found["guidance"] = max(self.floor, round(self.guidance - turn * self.step, 6))
        if self.condition_noise is not None:
            found["condition_noise"] = self.condition_noise
        elif has_sources(model) and "condition_noise" in model.generator.knobs:
            found["condition_noise"] = CONDITION_NOISE
        return found


@dataclass(frozen=True)
class Pool:
    """Candidates with what is known about where they come from; this stays inside.

    Parameters
    ----------
    images : ImageSet
    sources : array of int64, shape (M,)
        The training image whose condition a candidate was drawn under; -1 where there is none.
    rounds : array of int64, shape (M,)
    """

    images: ImageSet
    sources: np.ndarray
    rounds: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


def has_sources(model: Model) -> bool:
    """Whether each candidate of a model is drawn under the condition of one training image."""
    return _SOURCED in model.generator.conditioning.kinds


def pool_of(images: ImageSet) -> Pool:
    """A pool of images from elsewhere."""
    return Pool(images, np.full(len(images), -1), np.zeros(len(images), dtype=np.int64))


def draw_round(
    model: Model,
    training: ImageSet,
    wanted: np.ndarray | int,
    turn: int,
    plan: CandidatePlan,
    folder: Path,
    *,
    seed: int,
    device: str,
    progress: Progress,
) -> Pool:
    """Draw one round of candidates; what is there already is read instead.

    Parameters
    ----------
    model : Model
    training : ImageSet
        Prepared or not; conditions are read from it where the model has sources.
    wanted : array of int or int
        Training rows to draw for, or how many images are asked for in all.
    turn : int
        Number of the round.
    plan : CandidatePlan
    folder : Path
        Where the rounds lie, each in a folder of its own.
    seed, device, progress
        As for `Model.generate`.
    """
    place = folder / f"round-{turn}"
    sourced = not isinstance(wanted, int)
    size = plan.per_condition * (len(wanted) if sourced else wanted)
    conditions = training.take(wanted) if sourced else None
    # A round of its own has a seed of its own, so that no noise is used twice.
    own_seed = seed + 7919 * (turn + 1)
    if not (place / "generation.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        model.generate(
            size,
            place,
            seed=own_seed,
            conditions=conditions,
            device=device,
            progress=progress,
            **plan.knobs(model, turn),
        )
    images = open_set(place, name="synthetic")
    rows = np.full(size, -1)
    if sourced:
        rows = np.asarray(wanted)[taken_rows(own_seed, len(wanted), range(size))]
    return Pool(images, rows, np.full(size, turn))


def joined(pools: Sequence[Pool]) -> Pool:
    """Several rounds as one pool."""
    if len(pools) == 1:
        return pools[0]
    first = pools[0].images
    # Paths of two rounds may be alike, which nothing minds: files tell them apart.
    entries = tuple(entry for pool in pools for entry in pool.images.entries)
    return Pool(
        replace(first, entries=entries, root=None),
        np.concatenate([pool.sources for pool in pools]),
        np.concatenate([pool.rounds for pool in pools]),
    )
