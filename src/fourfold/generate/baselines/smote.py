"""Mixing: a point on the segment between a training image and one of its nearest neighbours of another patient.

Published as a remedy for rare classes and often used as a generator. Every image that it draws lies between two real
ones, at worst on one of them, so it is also a measure of how much a privacy audit sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.baselines.classes import class_names, class_numbers, rows_by_class
from fourfold.generate.baselines.stored import StoredImages, stored_record
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.generator import Drawing, Generator
from fourfold.generate.recipe import Family, Recipe, Run
from fourfold.generate.training_set import TrainingSet
from fourfold.neighbors import nearest

__all__ = ["SmoteGenerator", "SmoteOptions", "SmoteRecipe"]


class SmoteGenerator(Generator):
    """Mixes stored images.

    Parameters
    ----------
    shape : tuple of int
    conditioning : Conditioning
    stored : StoredImages
    neighbours : array of int, shape (N, k)
        Rows of each image's neighbours, nearest first, -1 where there are fewer.
    """

    recipe: ClassVar[str] = "smote"

    def __init__(
        self, shape: tuple[int, ...], conditioning: Conditioning, stored: StoredImages, neighbours: np.ndarray
    ) -> None:
        self.shape = tuple(shape)
        self.conditioning = conditioning
        self.stored = stored
        self.neighbours = neighbours

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        """As `Generator.draw`."""
        numbers = class_numbers(self.conditioning, conditions)
        images = np.empty((len(seeds), *self.shape), dtype=np.float32)
        for image, seed, number in zip(images, seeds, numbers, strict=True):
            rng = np.random.default_rng([int(seed)])
            row = self.stored.pick(int(number), rng)
            others = self.neighbours[row][self.neighbours[row] >= 0]
            other = int(others[rng.integers(len(others))])
            first, second = self.stored.images[row], self.stored.images[other]
            image[...] = np.clip(first + np.float32(rng.random()) * (second - first), 0.0, 1.0)
        return images

    def arrays(self) -> dict[str, Tensor]:
        """As `Generator.arrays`; patients' images among them."""
        return {**self.stored.arrays(), "neighbours": torch.from_numpy(self.neighbours)}

    @classmethod
    def restore(
        cls,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> SmoteGenerator:
        """As `Generator.restore`."""
        stored = StoredImages.restore(arrays, len(class_names(conditioning)))
        return cls(shape, conditioning, stored, arrays["neighbours"].numpy())


@dataclass(frozen=True)
class SmoteOptions:
    """Options of `SmoteRecipe`.

    Parameters
    ----------
    neighbours : int
        Of how many nearest images of other patients one is chosen.
    """

    neighbours: int = 5

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise InputError(f"mixing needs at least 1 neighbour, got {self.neighbours}")


class SmoteRecipe(Recipe):
    """Fits `SmoteGenerator`."""

    name: ClassVar[str] = "smote"
    family: ClassVar[Family] = "baseline"
    summary: ClassVar[str] = "mixes of a training image with a near one of another patient; the model holds them all"
    source: ClassVar[str] = "Chawla et al. 2002"
    conditions: ClassVar[tuple[str, ...]] = ("class",)
    fewest: ClassVar[int] = 4
    holds_patients: ClassVar[bool] = True
    Options: ClassVar[type] = SmoteOptions
    Generator: ClassVar[type[Generator]] = SmoteGenerator

    def fit(self, data: TrainingSet, options: SmoteOptions, run: Run) -> tuple[SmoteGenerator, dict[str, Any]]:
        """As `Recipe.fit`."""
        classes = rows_by_class(data, self.name, patients=2)
        stored = StoredImages.of(data)
        flat = stored.images.reshape(len(data), -1)
        neighbours = np.full((len(data), options.neighbours), -1, dtype=np.int64)
        for done, rows in enumerate(classes.values()):
            run.progress("nearest neighbours", done, len(classes))
            points, groups = flat[rows], data.patients[rows]
            found = nearest(
                points, points, options.neighbours, query_groups=groups, point_groups=groups, memory=data.memory
            )
            neighbours[rows] = np.where(found.indices >= 0, rows[found.indices], -1)
        run.progress("nearest neighbours", len(classes), len(classes))
        return SmoteGenerator(data.shape, data.conditioning, stored, neighbours), stored_record()
