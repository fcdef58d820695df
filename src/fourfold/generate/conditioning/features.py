"""Features: a few numbers that say what an image itself looks like ("pseudo-unconditional", diversity-aware).

A model that is told what each image is like covers what an unconditional one forgets. What it is told is rich enough
to single a patient out, so of the features only a few principal components reach it, none is kept, and new ones are
drawn from a Gaussian.

References
----------
M. Dombrowski, W. Zhang, S. Cechnicka, H. Reynaud, B. Kainz, "Image generation diversity issues and how to tame them",
CVPR 2025 (arXiv 2411.16171), for the condition and its unit norm.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.features import FeatureExtractor, extract, get
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning.aggregates import CELL, FEWEST_PATIENTS
from fourfold.generate.conditioning.gaussians import ClassGaussians
from fourfold.generate.conditioning.part import Part, Request
from fourfold.images import ImageSet

__all__ = ["FeaturesPart"]

_NOISE_STREAM = 2


class FeaturesPart(Part):
    """Where features come from, how they are reduced, and the Gaussians that new ones are drawn from.

    Parameters
    ----------
    specification : str
        Of the extractor, without the folders of its file.
    fingerprint : str
        Of the extractor.
    mean : array, shape (D,)
        Of the training set's features.
    projection : array, shape (D, d)
        Principal components of the centred (and, where the extractor asks for it, standardised) features, scaled so
        that the mean square of a component is 1.
    gaussians : ClassGaussians
        Of the reduced features before they are normalised.
    """

    kind: ClassVar[str] = "features"

    def __init__(
        self,
        specification: str,
        fingerprint: str,
        mean: np.ndarray,
        projection: np.ndarray,
        gaussians: ClassGaussians,
    ) -> None:
        self.specification = specification
        self.fingerprint = fingerprint
        self.mean = np.asarray(mean, dtype=np.float64)
        self.projection = np.asarray(projection, dtype=np.float64)
        self.gaussians = gaussians
        self._extractor: FeatureExtractor | None = None
        # Extraction takes its time, and the training set is read by fit and by whoever trains.
        self._last: tuple[weakref.ref[ImageSet], np.ndarray] | None = None

    @classmethod
    def fit(
        cls, images: ImageSet, patients: np.ndarray, request: Request, others: Mapping[str, np.ndarray]
    ) -> FeaturesPart:
        """As `Part.fit`: of at most a fifth as many components as there are patients, see `ClassGaussians`."""
        if request.private:
            raise InputError(
                "a private model cannot be conditioned on features: their components are measured on every patient "
                "without protection; train with --condition class or labels"
            )
        there = len(np.unique(patients))
        if there < FEWEST_PATIENTS:
            raise InputError(
                f"features need at least {FEWEST_PATIENTS} patients and there are {there}; add patients, or train "
                "without --condition features"
            )
        extractor = get(request.features)
        found = extract(images, extractor).astype(np.float64)
        mean = found.mean(axis=0)
        scale = found.std(axis=0) if extractor.standardise else np.ones_like(mean)
        # A column that is the same for every image says nothing; what rounding makes of it must not be blown up.
        weights = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 1e-6 * np.abs(found).max(axis=0))
        size = min(request.feature_size or len(mean), len(mean), there // FEWEST_PATIENTS)
        projection = weights[:, None] * _components((found - mean) * weights, size)
        reduced = (found - mean) @ projection
        spread = np.sqrt(np.mean(reduced**2))
        if not spread > 0:
            raise InputError(
                f"the features {extractor.name!r} are the same for every image and no condition; choose others"
            )
        gaussians = ClassGaussians.fit(reduced / spread, patients, others.get("class"))
        part = cls(_without_folders(request.features), extractor.fingerprint, mean, projection / spread, gaussians)
        part._extractor = extractor
        part._last = (weakref.ref(images), part._reduced(found))
        return part

    def read(self, images: ImageSet) -> np.ndarray:
        """As `Part.read`: float32, shape (n, d), each of norm sqrt(d)."""
        if self._last is None or self._last[0]() is not images:
            self._last = (weakref.ref(images), self._reduced(extract(images, self._needed())))
        return self._last[1].copy()

    def encode(self, column: np.ndarray) -> Condition:
        """As `Part.encode`: as they are."""
        return Condition(vector=torch.as_tensor(np.asarray(column, dtype=np.float32)))

    def draw(self, rng: np.random.Generator, others: Mapping[str, Any]) -> np.ndarray:
        """As `Part.draw`: from the Gaussian, the class's own where there is one."""
        return _normalised(self.gaussians.draw(rng, others.get("class")))

    def perturbed(self, column: np.ndarray, sigma: float, seeds: Sequence[int]) -> np.ndarray:
        """Features with noise, normalised again.

        Parameters
        ----------
        column : array, shape (n, d)
        sigma : float
            Standard deviation; the root mean square of a feature is 1.
        seeds : sequence of int, length n
            The noise of a row depends on its seed alone.

        Returns
        -------
        array, shape (n, d)
            float32.
        """
        size = (self.projection.shape[1],)
        noise = [np.random.default_rng([int(seed), _NOISE_STREAM]).standard_normal(size) for seed in seeds]
        return _normalised(column + sigma * np.array(noise).reshape(len(seeds), *size))

    def parse(self, text: str) -> np.ndarray:
        """As `Part.parse`: always refused."""
        raise InputError("features cannot be typed; leave them to be drawn, or give images with --conditions SET")

    def record(self) -> dict[str, Any]:
        """As `Part.record`."""
        return {
            "specification": self.specification,
            "fingerprint": self.fingerprint,
            "classes": list(self.gaussians.names),
        }

    def arrays(self) -> dict[str, Tensor]:
        """As `Part.arrays`."""
        own = {"mean": torch.from_numpy(self.mean), "projection": torch.from_numpy(self.projection).contiguous()}
        return own | self.gaussians.arrays()

    @classmethod
    def restore(cls, record: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> FeaturesPart:
        """As `Part.restore`."""
        return cls(
            record["specification"],
            record["fingerprint"],
            arrays["mean"].numpy(),
            arrays["projection"].numpy(),
            ClassGaussians.restore(record["classes"], arrays),
        )

    def locate(self, source: str) -> None:
        """As `Part.locate`: a specification of the same extractor."""
        found = get(source)
        if found.fingerprint != self.fingerprint:
            raise InputError(
                f"{source!r} is not the feature extractor that the model was trained with ({self.specification}); "
                "give the same file with the same options"
            )
        self._extractor = found

    def keys(self, column: np.ndarray) -> list[str]:
        """As `Part.keys`: features are alike in the same cell of a grid; the root mean square of a component is 1."""
        cells = np.rint(np.asarray(column, dtype=np.float64) / CELL).astype(np.int64)
        return [" ".join(map(str, row)) for row in cells.tolist()]

    @property
    def width(self) -> int:
        """As `Part.width`."""
        return self.projection.shape[1]

    def _needed(self) -> FeatureExtractor:
        if self._extractor is None:
            try:
                self.locate(self.specification)
            except InputError as error:
                raise InputError(
                    f"the model needs the feature extractor {self.specification!r}, which is not at hand; "
                    "say where its file lies with --condition-features"
                ) from error
        return self._extractor

    def _reduced(self, found: np.ndarray) -> np.ndarray:
        return _normalised((found.astype(np.float64) - self.mean) @ self.projection)


def _normalised(values: np.ndarray) -> np.ndarray:
    """Every vector with norm sqrt(d), as one-hot conditions of networks of constant magnitude have."""
    norms = np.linalg.norm(values, axis=-1, keepdims=True)
    return (np.sqrt(values.shape[-1]) * values / np.maximum(norms, 1e-12)).astype(np.float32)


def _components(centred: np.ndarray, size: int) -> np.ndarray:
    """The first principal directions of (N, D) rows, shape (D, size), signs fixed."""
    rows, columns = centred.shape
    if rows < columns:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        # Directions of no variance are not determined by it; they must not be divided by nothing.
        lengths = np.sqrt(np.maximum(values, 1e-12 * max(values[-1], 1e-30)))
        directions = centred.T @ (vectors / lengths)
    else:
        _, directions = np.linalg.eigh(centred.T @ centred)
    chosen = directions[:, ::-1][:, :size]
    largest = np.abs(chosen).argmax(axis=0)
    return chosen * np.where(chosen[largest, np.arange(chosen.shape[1])] < 0, -1.0, 1.0)


def _without_folders(specification: str) -> str:
    """A specification with the name of its file alone: where a file lies may say whose it is."""
    body, question, query = specification.strip().partition("?")
    prefix = re.match(r"(?:[A-Za-z0-9][A-Za-z0-9_.-]*=)?(?:mobilenet:)?", body).group()
    return f"{prefix}{Path(body.removeprefix(prefix)).name}{question}{query}"
