"""Kernel-density copies: a training image with noise of a bandwidth along the principal components.

Bandwidth 0 is the bootstrap, which copies; a large one forgets the image that it started from. So it is a scale of
memorisation with a known truth. The bandwidth is relative to the deviation of the data along each component.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.baselines.classes import class_names, class_numbers, rows_by_class
from fourfold.generate.baselines.components import PrincipalComponents, fit_components
from fourfold.generate.baselines.stored import StoredImages, stored_record
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.generator import Drawing, Generator
from fourfold.generate.recipe import Family, Recipe, Run
from fourfold.generate.training_set import TrainingSet

__all__ = ["KdeGenerator", "KdeOptions", "KdeRecipe", "likeliest_bandwidth", "silverman_bandwidth"]

BANDWIDTHS = np.geomspace(0.02, 2.0, 32)
"""Bandwidths among which the likelihood chooses."""

_MOST_QUERIES = 2000
_BLOCK = 256


class KdeGenerator(Generator):
    """Draws a stored image and adds noise along the components.

    Parameters
    ----------
    shape : tuple of int
    conditioning : Conditioning
    stored : StoredImages
    components : PrincipalComponents
    bandwidths : array, shape (K,)
        float32, one a class.
    """

    recipe: ClassVar[str] = "kde"
    knobs: ClassVar[tuple[str, ...]] = ("temperature",)

    def __init__(
        self,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        stored: StoredImages,
        components: PrincipalComponents,
        bandwidths: np.ndarray,
    ) -> None:
        self.shape = tuple(shape)
        self.conditioning = conditioning
        self.stored = stored
        self.components = components
        self.bandwidths = bandwidths

    def draw(self, seeds: Sequence[int], conditions: Conditions, drawing: Drawing) -> np.ndarray:
        """As `Generator.draw`; temperature scales the bandwidth."""
        temperature = np.float32(1.0 if drawing.temperature is None else drawing.temperature)
        numbers = class_numbers(self.conditioning, conditions)
        images = np.empty((len(seeds), *self.shape), dtype=np.float32)
        scaled = self.components.deviations
        for image, seed, number in zip(images, seeds, numbers, strict=True):
            rng = np.random.default_rng([int(seed)])
            chosen = self.stored.images[self.stored.pick(int(number), rng)]
            noise = rng.standard_normal(len(self.components), dtype=np.float32) * scaled
            change = temperature * self.bandwidths[number] * (noise @ self.components.directions)
            image[...] = np.clip(chosen + change.reshape(self.shape), 0.0, 1.0)
        return images

    def arrays(self) -> dict[str, Tensor]:
        """As `Generator.arrays`; patients' images among them."""
        return {
            **self.stored.arrays(),
            **self.components.arrays(),
            "bandwidths": torch.from_numpy(self.bandwidths),
        }

    @classmethod
    def restore(
        cls,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> KdeGenerator:
        """As `Generator.restore`."""
        stored = StoredImages.restore(arrays, len(class_names(conditioning)))
        components = PrincipalComponents.restore(arrays)
        return cls(shape, conditioning, stored, components, arrays["bandwidths"].numpy())


@dataclass(frozen=True)
class KdeOptions:
    """Options of `KdeRecipe`.

    Parameters
    ----------
    bandwidth : float or None
        In units of the deviation along each component, 0 for plain copies; None chooses by `rule`. In tens of
        dimensions either rule gives nearly 1, and images with nearly twice the real variance.
    rule : {"likelihood", "silverman"}
        Likelihood of each patient's images under the kernels of all others, or Silverman's rule, which is made for one
        Gaussian.
    share : float
        Share of the variance that the components hold. What they do not hold stays as it is in the source image.
    most : int
        Components at most.
    """

    bandwidth: float | None = None
    rule: Literal["likelihood", "silverman"] = "likelihood"
    share: float = 0.95
    most: int = 64

    def __post_init__(self) -> None:
        if self.bandwidth is not None and not 0 <= self.bandwidth < float("inf"):
            raise InputError(f"a bandwidth is a number from 0 up, got {self.bandwidth:g}")


class KdeRecipe(Recipe):
    """Fits `KdeGenerator`."""

    name: ClassVar[str] = "kde"
    family: ClassVar[Family] = "baseline"
    summary: ClassVar[str] = "training images with noise of a bandwidth; the model holds them all"
    source: ClassVar[str] = "Parzen 1962; Silverman 1986"
    conditions: ClassVar[tuple[str, ...]] = ("class",)
    fewest: ClassVar[int] = 4
    holds_patients: ClassVar[bool] = True
    Options: ClassVar[type] = KdeOptions
    Generator: ClassVar[type[Generator]] = KdeGenerator

    def fit(self, data: TrainingSet, options: KdeOptions, run: Run) -> tuple[KdeGenerator, dict[str, Any]]:
        """As `Recipe.fit`."""
        chooses = options.bandwidth is None and options.rule == "likelihood"
        classes = rows_by_class(data, self.name, patients=2 if chooses else 1)
        run.progress("principal components", 0, 1)
        components, coordinates = fit_components(data, options.share, options.most, run.seed)
        run.progress("principal components", 1, 1)
        found = []
        for done, rows in enumerate(classes.values()):
            run.progress("bandwidth", done, len(classes))
            if options.bandwidth is not None:
                found.append(options.bandwidth)
            elif options.rule == "silverman":
                found.append(silverman_bandwidth(len(rows), len(components)))
            else:
                found.append(likeliest_bandwidth(coordinates[rows], data.patients[rows], run.seed))
        run.progress("bandwidth", len(classes), len(classes))
        generator = KdeGenerator(
            data.shape, data.conditioning, StoredImages.of(data), components, np.array(found, dtype=np.float32)
        )
        held = {"components": len(components), "share_held": components.share}
        asked = [min(len(rows), _MOST_QUERIES) for rows in classes.values()] if chooses else []
        chosen = {"bandwidths": [float(one) for one in found], "bandwidth_images": asked}
        return generator, {**held, **chosen, **stored_record()}


def silverman_bandwidth(n: int, d: int) -> float:
    """``(4 / (n (d + 2))) ** (1 / (d + 4))``, for n points of d coordinates of variance 1.

    References
    ----------
    B. W. Silverman, Density Estimation for Statistics and Data Analysis, 1986, equation 4.14.

    Examples
    --------
    >>> round(silverman_bandwidth(100, 1), 4)
    0.4217
    """
    return float((4 / (n * (d + 2))) ** (1 / (d + 4)))


def likeliest_bandwidth(coordinates: np.ndarray, patients: np.ndarray, seed: int = 0) -> float:
    """The bandwidth of `BANDWIDTHS` under which each patient's images are likeliest given those of all others.

    Parameters
    ----------
    coordinates : array, shape (n, d)
        Of variance 1 or so.
    patients : array of int, shape (n,)
        Two or more patients.
    seed : int
        Beyond 2000 images, a random 2000 of them are asked how likely they are, under the kernels of all.
    """
    rng = np.random.default_rng([seed])
    n, size = coordinates.shape
    queries = np.arange(n) if n <= _MOST_QUERIES else np.sort(rng.choice(n, _MOST_QUERIES, replace=False))
    points = coordinates.astype(np.float64)
    norms = np.square(points).sum(axis=1)
    totals = np.zeros(len(BANDWIDTHS))
    for start in range(0, len(queries), _BLOCK):
        rows = queries[start : start + _BLOCK]
        squared = norms[rows, None] + norms - 2 * points[rows] @ points.T
        other = patients[rows, None] != patients
        squared = np.where(other, np.maximum(squared, 0.0), np.inf)
        smallest = squared.min(axis=1, keepdims=True)
        for place, width in enumerate(BANDWIDTHS):
            # The nearest is taken out of the sum, which else underflows for small bandwidths.
            sums = np.exp((smallest - squared) / (2 * width**2)).sum(axis=1) / other.sum(axis=1)
            totals[place] += (np.log(sums) - smallest[:, 0] / (2 * width**2) - size * np.log(width)).sum()
    return float(BANDWIDTHS[int(np.argmax(totals))])
