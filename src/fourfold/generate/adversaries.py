"""Two generators that an evaluation must see through: one copies its patients, one has three images to show.

They are fitted like any other recipe, and are there to try an audit before its answers are trusted: the copier must
come out worst on privacy, the collapsed one worst on variety.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.baselines.classes import class_names, class_numbers, rows_by_class
from fourfold.generate.baselines.components import fit_components
from fourfold.generate.baselines.law import Law, fit_gaussians
from fourfold.generate.baselines.stored import StoredImages, stored_record
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS
from fourfold.generate.generator import Drawing, Generator
from fourfold.generate.recipe import Family, Recipe, Run
from fourfold.generate.training_set import TrainingSet

__all__ = [
    "CollapsedGenerator",
    "CollapsedOptions",
    "CollapsedRecipe",
    "CopierGenerator",
    "CopierOptions",
    "CopierRecipe",
]

_CANDIDATES = 20
"""Draws of which one becomes a prototype."""


class _NoisyGenerator(Generator):
    """Shows one of the images that it holds, with white noise.

    Parameters
    ----------
    shape : tuple of int
    conditioning : Conditioning
    stored : StoredImages
    noise : float
        Standard deviation.
    """

    def __init__(self, shape: tuple[int, ...], conditioning: Conditioning, stored: StoredImages, noise: float) -> None:
        self.shape = tuple(shape)
        self.conditioning = conditioning
        self.stored = stored
        self.noise = noise

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        """As `Generator.draw`."""
        images = np.empty((len(seeds), *self.shape), dtype=np.float32)
        numbers = class_numbers(self.conditioning, conditions)
        for image, seed, number in zip(images, seeds, numbers, strict=True):
            rng = np.random.default_rng([int(seed)])
            shown = self.stored.images[self.stored.pick(int(number), rng)]
            noise = rng.standard_normal(self.shape, dtype=np.float32)
            image[...] = np.clip(shown + np.float32(self.noise) * noise, 0.0, 1.0)
        return images

    def arrays(self) -> dict[str, Tensor]:
        """As `Generator.arrays`."""
        return self.stored.arrays()

    def settings(self) -> dict[str, Any]:
        """As `Generator.settings`."""
        return {"noise": self.noise}

    @classmethod
    def restore(
        cls,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> _NoisyGenerator:
        """As `Generator.restore`."""
        stored = StoredImages.restore(arrays, len(class_names(conditioning)))
        return cls(shape, conditioning, stored, float(settings["noise"]))


class CopierGenerator(_NoisyGenerator):
    """Shows training images."""

    recipe: ClassVar[str] = "copier"


class CollapsedGenerator(_NoisyGenerator):
    """Shows a few prototypes, none of them a training image."""

    recipe: ClassVar[str] = "collapsed"


@dataclass(frozen=True)
class CopierOptions:
    """Options of `CopierRecipe`.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise, for images in [0, 1].
    """

    noise: float = 0.02

    def __post_init__(self) -> None:
        _check_noise(self.noise)


@dataclass(frozen=True)
class CollapsedOptions:
    """Options of `CollapsedRecipe`.

    Parameters
    ----------
    prototypes : int
        A class.
    noise : float
        Standard deviation of the noise, for images in [0, 1].
    """

    prototypes: int = 3
    noise: float = 0.02

    def __post_init__(self) -> None:
        if self.prototypes < 1:
            raise InputError(f"there is at least 1 prototype a class, got {self.prototypes}")
        _check_noise(self.noise)


class CopierRecipe(Recipe):
    """Fits `CopierGenerator`: stores the training set."""

    name: ClassVar[str] = "copier"
    family: ClassVar[Family] = "adversary"
    summary: ClassVar[str] = "copies of training images with slight noise, to try an audit with; the model holds them"
    source: ClassVar[str] = "the bootstrap, Efron 1979"
    conditions: ClassVar[tuple[str, ...]] = ("class",)
    holds_patients: ClassVar[bool] = True
    Options: ClassVar[type] = CopierOptions
    Generator: ClassVar[type[Generator]] = CopierGenerator

    def fit(self, data: TrainingSet, options: CopierOptions, run: Run) -> tuple[CopierGenerator, dict[str, Any]]:
        """As `Recipe.fit`."""
        return CopierGenerator(data.shape, data.conditioning, StoredImages.of(data), options.noise), stored_record()


class CollapsedRecipe(Recipe):
    """Fits `CollapsedGenerator`.

    Its prototypes are draws from the Gaussian of their class (the recipe ``gaussian``), of a few the one that is surest
    to be taken for its class, as a collapsed network shows a few good images of its own. Medoids would be copies, and
    means lie nearer to everybody than anybody does.
    """

    name: ClassVar[str] = "collapsed"
    family: ClassVar[Family] = "adversary"
    summary: ClassVar[str] = "three images a class over and over with slight noise, to try an evaluation with"
    source: ClassVar[str] = "mode collapse, Goodfellow 2016"
    conditions: ClassVar[tuple[str, ...]] = ("class",)
    fewest: ClassVar[int] = 8
    Options: ClassVar[type] = CollapsedOptions
    Generator: ClassVar[type[Generator]] = CollapsedGenerator

    def fit(self, data: TrainingSet, options: CollapsedOptions, run: Run) -> tuple[CollapsedGenerator, dict[str, Any]]:
        """As `Recipe.fit`."""
        classes = rows_by_class(data, self.name, patients=FEWEST_PATIENTS)
        components, coordinates = fit_components(data, 0.95, 64, run.seed)
        law, _ = fit_gaussians(coordinates, classes)
        rng = np.random.default_rng([run.seed])
        numbers = np.repeat(np.arange(len(classes)), options.prototypes)
        drawn = np.stack([components.decode(_surest(law, int(number), rng)) for number in numbers])
        prototypes = StoredImages(np.clip(drawn, 0.0, 1.0).reshape(-1, *data.shape), numbers, len(classes))
        generator = CollapsedGenerator(data.shape, data.conditioning, prototypes, options.noise)
        return generator, {"prototypes": options.prototypes * len(classes)}


def _surest(law: Law, number: int, rng: np.random.Generator) -> np.ndarray:
    """Of some draws from the Gaussian of a class the one that its class explains best, compared with the others."""
    points = np.stack([law.draw(number, rng) for _ in range(_CANDIDATES)])
    logarithms = []
    for mean, factor in zip(law.means[:, 0], law.factors[:, 0].astype(np.float64), strict=True):
        whitened = np.linalg.lstsq(factor, (points - mean).T)[0]
        logarithms.append(-np.square(whitened).sum(axis=0) / 2 - np.linalg.slogdet(factor)[1])
    own = logarithms.pop(number)
    return points[int(np.argmax(own - np.max(logarithms, axis=0)))] if logarithms else points[0]


def _check_noise(noise: float) -> None:
    if not 0 <= noise < float("inf"):
        raise InputError(f"noise is a standard deviation from 0 up, got {noise:g}")
