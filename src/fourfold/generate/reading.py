"""Real images as a recipe takes them: opened, prepared alike, conditioned, and checked before any time is spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Conditions, Request
from fourfold.generate.recipe import Recipe
from fourfold.generate.training_set import TrainingSet, patients_of
from fourfold.images import ImageSet
from fourfold.images.reading import Reading

__all__ = ["Reading", "open_training_set", "refuse_measured_range"]

# Ranges that a format promises rather than patients: whole numbers of so many bits.
_DEPTHS = (8, 10, 12, 14, 16)


def open_training_set(
    found: Recipe,
    training: Any,
    holdout: Any | None,
    condition: str | Sequence[str] | None,
    request: Request,
    reading: Reading,
    memory: int = 1 << 30,
) -> tuple[TrainingSet, list[str]]:
    """What a recipe is fitted to, checked by the recipe, and what must be said about it.

    Raises
    ------
    InputError
        Where a set cannot be read, does not fit the recipe or the conditions, or the holdout is no control.
    """
    sources = {"training": training} if holdout is None else {"training": training, "holdout": holdout}
    sets, said = reading.open(sources)
    images = sets["training"]
    patients, identified = patients_of(images)
    # Sizes and counts first, so that too few images are called that and nothing else.
    found.check(TrainingSet(images, Conditioning(), Conditions(len(images)), patients, identified))
    kinds = _kinds(found, condition, images)
    conditioning = Conditioning.fit(kinds, images, patients, request)
    held = sets.get("holdout")
    data = TrainingSet(
        images,
        conditioning,
        conditioning.read(images),
        patients,
        identified,
        held,
        None if held is None else conditioning.read(held),
        memory,
    )
    found.check(data)
    if not identified:
        said.append(
            "The training set has no patient identifiers: groups of near-duplicate images stand in for patients."
        )
    return data, said


def _kinds(found: Recipe, condition: str | Sequence[str] | None, images: ImageSet) -> tuple[str, ...]:
    """The kinds of condition that were asked for, or the usual ones as far as the set has them."""
    if condition is None:
        labels = images.labels
        classes = 0 if labels is None else len(np.unique(labels))
        return tuple(kind for kind in found.usual if kind != "class" or classes > 1)
    words = condition.split(",") if isinstance(condition, str) else list(condition)
    kinds = tuple(word.strip() for word in words if word.strip())
    if "none" in kinds and len(kinds) > 1:
        raise InputError(f"a model has no condition or some, got {', '.join(kinds)}")
    return () if kinds in ((), ("none",)) else kinds


def refuse_measured_range(reading: Reading, data: TrainingSet) -> None:
    """Raise InputError where the range of the values was measured on the patients, which no guarantee covers."""
    preparation = data.images.preparation
    fixed = preparation.low in (0.0, -1.0) and preparation.high in (1.0, *(float(2**bits - 1) for bits in _DEPTHS))
    if reading.scaling == "auto" and preparation.rule == "range" and not fixed:
        raise InputError(
            f"the range {preparation.low:g} to {preparation.high:g} was measured on the patients, which --epsilon does "
            "not cover; give a range that is known beforehand with --scaling LOW:HIGH, or --scaling per-image"
        )
