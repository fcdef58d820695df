"""Batches of new images: where their seeds and conditions come from, and how they are drawn.

Batches are always full, the last one too, whose surplus is cut off. So image k depends on the seed of the set, on k and
on the size of a batch, to the last bit, and never on how many images were asked for.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fourfold.devices import check_device, enough_memory
from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.generator import Drawing
from fourfold.generate.provenance import seed_of
from fourfold.generate.training_set import TrainingSet
from fourfold.images import ImageSet, open_set

if TYPE_CHECKING:
    from fourfold.generate.models import Model

__all__ = ["BATCH", "Drawn", "Origin", "Plan", "drawn_batches", "origin_of", "taken_rows"]

BATCH = 64

_ORDER_STREAM = 2
# Kinds that are typed as the name of a file, which no record may hold.
_FILES = {"mask"}
# Kinds that are read from a table, so that a whole set of them is checked before anything is drawn.
_LIGHT = {"class", "labels", "attributes", "text"}


class Origin(ABC):
    """Where the conditions of new images come from."""

    @abstractmethod
    def conditions(self, seed: int, places: Sequence[int], seeds: Sequence[int]) -> Conditions:
        """One row an image.

        Parameters
        ----------
        seed : int
            Of the set.
        places, seeds : sequence of int, length n
            Number and seed of each image.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The origin as JSON can hold it, without a name of anything."""


class _Law(Origin):
    """Drawn anew by the law that was learned, some of them the same for every image."""

    def __init__(self, conditioning: Conditioning, fixed: Mapping[str, str]) -> None:
        self._conditioning, self._fixed = conditioning, dict(fixed)

    def conditions(self, seed: int, places: Sequence[int], seeds: Sequence[int]) -> Conditions:
        """As `Origin.conditions`."""
        return self._conditioning.draw(seeds, self._fixed)

    def describe(self) -> dict[str, Any]:
        """As `Origin.describe`."""
        fixed = {kind: self._said(kind, text) for kind, text in self._fixed.items()}
        return {"origin": "law" if self._conditioning.kinds else "none", "fixed": fixed}

    def _said(self, kind: str, text: str) -> str:
        """What was typed; for a mask, of which a file was named, its digest."""
        part = self._conditioning.part(kind)
        if kind not in _FILES or part is None:
            return text
        return f"sha256:{hashlib.sha256(np.ascontiguousarray(part.parse(text)).tobytes()).hexdigest()}"


class _Taken(Origin):
    """Taken from a set, each once in shuffled order, in another order each time around."""

    def __init__(self, model: Model, source: Any) -> None:
        images = source if isinstance(source, ImageSet) else open_set(source, name="conditions")
        self._conditioning = model.generator.conditioning
        self._images = replace(images, preparation=replace(model.preparation, resized=True, converted=True))
        as_trained = replace(images, preparation=model.preparation)
        self._digest = TrainingSet(as_trained, Conditioning(), Conditions(0), np.zeros(0, dtype=int)).digest()
        self._of_training = self._digest == model.record["data"]["digest"]
        self._all = self._conditioning.read(self._images) if set(self._conditioning.kinds) <= _LIGHT else None

    def conditions(self, seed: int, places: Sequence[int], seeds: Sequence[int]) -> Conditions:
        """As `Origin.conditions`."""
        rows = taken_rows(seed, len(self._images), places)
        return self._conditioning.read(self._images.take(rows)) if self._all is None else self._all.take(rows)

    def describe(self) -> dict[str, Any]:
        """As `Origin.describe`."""
        return {
            "origin": "set",
            "digest": self._digest,
            "images": len(self._images),
            "the_training_set": self._of_training,
        }


def taken_rows(seed: int, count: int, places: Sequence[int]) -> list[int]:
    """Which image of a set of `count` each image of a new set takes its conditions from.

    Each once in shuffled order, in another order each time around.

    Parameters
    ----------
    seed : int
        Of the new set.
    count : int
        At least 1.
    places : sequence of int
        Numbers of the new images.

    Examples
    --------
    >>> sorted(taken_rows(0, 3, range(3))), sorted(taken_rows(0, 3, range(3, 6)))
    ([0, 1, 2], [0, 1, 2])
    """
    rows = []
    for around in sorted({place // count for place in places}):
        order = np.random.default_rng([abs(seed), _ORDER_STREAM, around]).permutation(count)
        rows += [int(order[place % count]) for place in places if place // count == around]
    return rows


def origin_of(model: Model, fixed: Mapping[str, str] | None, source: Any) -> Origin:
    """The origin for conditions that were typed, or for a set of them.

    Parameters
    ----------
    model : Model
    fixed : mapping of str to str or None
    source : set or None
        Whatever `fourfold.images.open_set` opens.

    Raises
    ------
    InputError
        Where the model has no such condition, the set lacks one, or both are given.
    """
    if source is None:
        return _Law(model.generator.conditioning, fixed or {})
    if fixed:
        raise InputError("conditions are either typed (--condition-value) or taken from a set (--conditions); give one")
    if not model.generator.conditioning.kinds:
        raise InputError("the model has no condition, so there is nothing to take from a set; leave --conditions out")
    return _Taken(model, source)


@dataclass(frozen=True)
class Plan:
    """What decides every image of a set, beside the model.

    Parameters
    ----------
    seed : int
    batch : int
        Images drawn at once.
    drawing : Drawing
    origin : Origin
    """

    seed: int
    batch: int
    drawing: Drawing
    origin: Origin

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise InputError(f"at least 1 image is drawn at once (--batch), got {self.batch}")

    def describe(self) -> dict[str, Any]:
        """The plan as JSON can hold it."""
        return {
            "seed": self.seed,
            "batch": self.batch,
            "drawing": self.drawing.given(),
            "conditions": self.origin.describe(),
        }


@dataclass(frozen=True)
class Drawn:
    """One batch.

    Parameters
    ----------
    start : int
        Number of its first image.
    seeds : tuple of int, length n
    conditions : Conditions
        n rows.
    images : array, shape (n, C, H, W) or (n, C, D, H, W)
        float32 in [0, 1].
    """

    start: int
    seeds: tuple[int, ...]
    conditions: Conditions
    images: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


def drawn_batches(model: Model, n: int, plan: Plan, device: str = "cpu", start: int = 0) -> Iterator[Drawn]:
    """Images number `start` to `n` - 1, a batch at a time.

    Parameters
    ----------
    model : Model
    n : int
    plan : Plan
    device : str
    start : int
        A multiple of the batch.

    Raises
    ------
    InputError
        Where a knob is not the model's, memory does not suffice, or what is drawn are no images.
    """
    if n < 1:
        raise InputError(f"at least 1 image is drawn, got {n}")
    check_device(device)
    model.generator.check_drawing(plan.drawing)
    generator = model.generator.to(device)
    for first in range(start, n, plan.batch):
        places = range(first, first + plan.batch)
        seeds = [seed_of(plan.seed, place) for place in places]
        conditions = plan.origin.conditions(plan.seed, places, seeds)
        with enough_memory(f"draw fewer images at once than {plan.batch} (--batch)"), torch.no_grad():
            images = generator.draw(seeds, conditions, plan.drawing)
        _check(images, (plan.batch, *generator.shape))
        kept = min(plan.batch, n - first)
        yield Drawn(first, tuple(seeds[:kept]), conditions.take(range(kept)), images[:kept])


def _check(images: np.ndarray, shape: tuple[int, ...]) -> None:
    if images.shape != shape or images.dtype != np.float32:
        raise InputError(
            f"the recipe drew an array of {images.dtype} and shape {images.shape} where images of float32 and shape "
            f"{shape} are due; its package is at fault (fourfold recipes --check NAME shows it)"
        )
    if not np.isfinite(images).all():
        raise InputError(
            "the model draws images that are not finite (NaN or infinity); draw with other knobs, or train it again "
            "with a lower learning rate"
        )
