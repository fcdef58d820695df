"""What a task is to the study of arms: something that learns from examples, predicts, and is judged.

A `Task` holds no state: names and settings only. It turns a prepared image set into `Examples`, learns a `Predictor`
from them with a seed and a number of steps, and turns predictions on other examples into `Outcomes`: per image, the
facts that its metric needs. The metric then takes a weight per image, so that test sets resampled by patient, and
subgroups, cost no second prediction.

Any model of a user's own is a task where it does the same; see `fourfold.utility.learning.registry`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import numpy as np
from torch import Tensor

from fourfold.images.sets import ImageSet

__all__ = ["Examples", "Outcomes", "Predictor", "Progress", "Task"]

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


@dataclass(frozen=True)
class Examples:
    """A set as something to learn from or to be tested on, in memory.

    Parameters
    ----------
    images : array, shape (n, C, H, W) or (n, C, D, H, W)
        float32 in [0, 1].
    targets : array
        Classification: (n, K) float32, 1 present, 0 absent, NaN unknown. Segmentation: (n, *spatial) uint8 numbers of
        regions, 0 the background.
    patients : array of int, shape (n,)
        The unit of sampling; each image its own where patients are unknown.
    groups : mapping of str to array of str, shape (n,)
        Columns that divide the images into subgroups, e.g. sex or scanner; the empty text where unknown.

    Raises
    ------
    ValueError
        Where the lengths differ.
    """

    images: np.ndarray
    targets: np.ndarray
    patients: np.ndarray
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.images), len(self.targets), len(self.patients), *map(len, self.groups.values())}
        if len(lengths) > 1:
            raise ValueError(f"images, targets, patients and groups of examples differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Examples:
        """The chosen images in that order; a row may be chosen several times."""
        return Examples(
            self.images[rows],
            self.targets[rows],
            self.patients[rows],
            {name: column[rows] for name, column in self.groups.items()},
        )

    def digest(self) -> str:
        """SHA-256 of the images, what is to be learned from them, their patients and subgroups."""
        state = hashlib.sha256()
        columns = [column for name in sorted(self.groups) for column in (np.array([name]), self.groups[name])]
        for array in (self.images, self.targets, self.patients, *columns):
            array = np.ascontiguousarray(array)
            state.update(f"{array.dtype.str}{array.shape}".encode())
            state.update(array.reshape(-1).view(np.uint8))
        return state.hexdigest()

    @staticmethod
    def concatenate(parts: Sequence[Examples]) -> Examples:
        """Several sets as one.

        Patients of different parts are taken to be different people and numbered anew; subgroup columns that a part
        lacks are unknown for its images.

        Parameters
        ----------
        parts : sequence of Examples
            At least one, of one shape.
        """
        patients, taken = [], 0
        for part in parts:
            own = np.unique(part.patients, return_inverse=True)[1]
            patients.append(own + taken)
            taken += int(own.max(initial=-1)) + 1
        names = sorted({name for part in parts for name in part.groups})
        return Examples(
            np.concatenate([part.images for part in parts]),
            np.concatenate([part.targets for part in parts]),
            np.concatenate(patients),
            {name: np.concatenate([part.groups.get(name, np.full(len(part), "")) for part in parts]) for name in names},
        )


@dataclass(frozen=True)
class Outcomes:
    """How one predictor did on each test image; nothing but arrays, so that it can be kept on disk.

    Parameters
    ----------
    facts : mapping of str to array, shape (n, ...)
        What the metric of the task needs.
    patients : array of int, shape (n,)
    """

    facts: Mapping[str, np.ndarray]
    patients: np.ndarray

    def __len__(self) -> int:
        return len(self.patients)

    def take(self, rows: np.ndarray) -> Outcomes:
        """The chosen images in that order; a row may be chosen several times."""
        return Outcomes({name: fact[rows] for name, fact in self.facts.items()}, self.patients[rows])


class Predictor(Protocol):
    """What was learned."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Predictions for images of shape (n, C, *spatial), float32 in [0, 1].

        Returns
        -------
        array
            Classification: (n, K) probabilities. Segmentation: (n, *spatial) uint8 numbers of regions.
        """
        ...


class Task(ABC):
    """What is learned. A subclass keeps settings and no state, so that it may be used from several arms at once.

    Attributes
    ----------
    kind : {"classification", "segmentation"}
    names : tuple of str
        Classes or findings; regions without the background.
    exclusive : bool
        Whether an image (or a pixel) has exactly one of them, the background counting as one for pixels.
    """

    kind: ClassVar[Literal["classification", "segmentation"]]
    names: tuple[str, ...]
    exclusive: bool

    @abstractmethod
    def examples(self, images: ImageSet) -> Examples:
        """The images of a prepared set with what is to be learned from them.

        Raises
        ------
        fourfold.errors.InputError
            Where the set lacks what is to be learned.
        """

    @abstractmethod
    def fit(
        self,
        examples: Examples,
        *,
        seed: int,
        steps: int,
        device: str = "cpu",
        augment: bool = False,
        initial: Mapping[str, Tensor] | None = None,
        progress: Progress | None = None,
    ) -> Predictor:
        """Learn from scratch; equal arguments give an equal predictor on one kind of processor.

        Parameters
        ----------
        examples : Examples
        seed : int
        steps : int
            Optimiser steps, whatever the number of examples.
        device : str
            As torch names it.
        augment : bool
            Whether classical augmentation is applied to the training images.
        initial : mapping of str to Tensor, or None
            First weights for some of the layers, by the names in the network's ``state_dict``.
        progress : callable or None
        """

    @abstractmethod
    def outcomes(self, predicted: np.ndarray, examples: Examples) -> Outcomes:
        """Facts per test image, from the predictions of a `Predictor` on ``examples.images``."""

    @abstractmethod
    def metric(self, outcomes: Outcomes, weights: np.ndarray | None = None) -> dict[str, float]:
        """How good the predictions are.

        Parameters
        ----------
        outcomes : Outcomes
            Of n images.
        weights : array, shape (n,), or None
            How often each image counts; None for once each. 0 leaves an image out.

        Returns
        -------
        dict of str to float
            The headline first (``"auc"`` or ``"dice"``, higher is better), then whatever belongs beside it; values
            for one class or region are called ``"auc/NAME"``. NaN where the images allow no value.
        """

    def headline(self, outcomes: Outcomes, weights: np.ndarray) -> np.ndarray:
        """The first value of `metric` on many resampled test sets at once.

        Parameters
        ----------
        outcomes : Outcomes
            Of n images.
        weights : array, shape (B, n)
            How often each image counts in each of B test sets.

        Returns
        -------
        array, shape (B,)
            float64.
        """
        return np.array([next(iter(self.metric(outcomes, one).values())) for one in weights], dtype=np.float64)
