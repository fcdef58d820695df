"""Classification: one class an image (two or more), or any number of findings, present, absent or unknown.

A network of MONAI is trained by AdamW under a one-cycle learning rate with a loss in which classes weigh equally; the
shares that they had in the training set are put back into its probabilities afterwards, so that these mean what they
say (Saerens, Latinne, Decaestecker 2002).

The headline is the area under the ROC curve, one class or finding against the rest, averaged over them. It looks at
the order of the images only, and a set whose classes are mixed otherwise than in life does not change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from fourfold.features.threads import one_thread
from fourfold.images.sets import ImageSet
from fourfold.utility.learning.accuracy import accuracies
from fourfold.utility.learning.calibration import calibration_error, top_calls
from fourfold.utility.learning.contract import Examples, Outcomes, Predictor, Progress, Task
from fourfold.utility.learning.labels import columns_of, names_of, numbered, subgroups
from fourfold.utility.learning.networks import CLASSIFIERS, build
from fourfold.utility.learning.optimisation import Scale, Schedule, learned
from fourfold.utility.network import BATCHES, balanced_loss, laid_out
from fourfold.utility.roc import area_under_curve

__all__ = ["Classification", "prior_shift"]

_AT_ONCE = 4_000_000
"""Weights of resampled test sets that are looked at together: 32 MB each for a handful of arrays."""


@dataclass(frozen=True)
class Classification(Task):
    """Learn the classes or findings of a set.

    Parameters
    ----------
    names : tuple of str
        K classes or findings.
    exclusive : bool
        One class an image.
    column : str or None
        A column of the metadata that holds the class instead of ``label``; for a second task on the same images.
    network : str
        One of `fourfold.utility.learning.networks.CLASSIFIERS`.
    learning_rate, weight_decay : float
    batch_size : int or None
        None for 64 images or 16 volumes.
    flips : tuple of int
        Spatial axes along which augmentation mirrors, 0 the first; anatomy has a left and a right, so none by itself.
    """

    kind: ClassVar[Literal["classification", "segmentation"]] = "classification"

    names: tuple[str, ...]
    exclusive: bool = True
    column: str | None = None
    network: str = "resnet"
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    batch_size: int | None = None
    flips: tuple[int, ...] = ()

    @classmethod
    def of(cls, images: ImageSet, *, column: str | None = None, **settings: object) -> Classification:
        """The task that the labels of a set pose.

        Parameters
        ----------
        images : ImageSet
            Usually the training set.
        column : str or None
            As for the class.
        **settings
            As for the class.

        Raises
        ------
        InputError
            Where there is nothing to tell apart.
        """
        names, exclusive = names_of(images, column)
        return cls(names, exclusive, column, **settings)  # type: ignore[arg-type]

    def examples(self, images: ImageSet) -> Examples:
        """As `Task.examples`."""
        targets = columns_of(images, self.names, self.exclusive, self.column)
        return Examples(images.load(), targets, numbered(images), subgroups(images))

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
        """As `Task.fit`."""
        shape = examples.images.shape[1:]
        batch = BATCHES[len(shape) - 1] if self.batch_size is None else self.batch_size
        targets = torch.from_numpy(examples.targets)
        network, scale = learned(
            lambda: build(CLASSIFIERS, self.network, shape, len(self.names), seed, initial),
            examples,
            balanced_loss(targets.to(device), self.exclusive),
            Schedule(steps, batch, self.learning_rate, self.weight_decay),
            seed=seed,
            device=device,
            augment=self.flips if augment else None,
            progress=progress,
        )
        return _Network(network, scale, prior_shift(targets, self.exclusive), self.exclusive, device)

    def outcomes(self, predicted: np.ndarray, examples: Examples) -> Outcomes:
        """As `Task.outcomes`: targets and probabilities."""
        if predicted.shape != examples.targets.shape:
            raise ValueError(f"predictions have the shape {predicted.shape} and targets {examples.targets.shape}")
        facts = {"targets": examples.targets, "probabilities": np.asarray(predicted, dtype=np.float64)}
        return Outcomes(facts, examples.patients)

    def metric(self, outcomes: Outcomes, weights: np.ndarray | None = None) -> dict[str, float]:
        """As `Task.metric`.

        Returns
        -------
        dict of str to float
            ``auc``, the mean over those classes or findings of which the whole of `outcomes` has both sides;
            ``accuracy``, ``balanced_accuracy``, ``ece`` and ``ece_null`` (what calibrated probabilities would get on
            as many images); ``auc/NAME`` each; for findings ``ece/NAME`` and ``ece_null/NAME`` too, whose means the
            two without a name are.
        """
        targets, probabilities = outcomes.facts["targets"], outcomes.facts["probabilities"]
        judged = _judged(targets)
        rows = slice(None) if weights is None else np.flatnonzero(weights)
        targets, probabilities = targets[rows], probabilities[rows]
        weights = None if weights is None else np.asarray(weights, dtype=np.float64)[rows]
        once = None if weights is None else weights[None]
        areas = [_area(targets[:, k], probabilities[:, k], once)[0] for k in range(len(self.names))]
        plain, balanced = accuracies(targets, probabilities, self.exclusive, weights)
        single = {f"auc/{name}": float(area) for name, area in zip(self.names, areas, strict=True)}
        if self.exclusive:
            error, null = calibration_error(*top_calls(targets, probabilities), weights)
        else:
            pairs = [calibration_error(probabilities[:, k], targets[:, k], weights) for k in range(len(self.names))]
            for name, (own, expected) in zip(self.names, pairs, strict=True):
                single |= {f"ece/{name}": own, f"ece_null/{name}": expected}
            error, null = (_mean_known([pair[side] for pair in pairs]) for side in (0, 1))
        return {
            "auc": float(np.mean([areas[k] for k in judged])) if len(judged) else float("nan"),
            "accuracy": plain,
            "balanced_accuracy": balanced,
            "ece": error,
            "ece_null": null,
            **single,
        }

    def headline(self, outcomes: Outcomes, weights: np.ndarray) -> np.ndarray:
        """As `Task.headline`: areas under the curve, shape (B,)."""
        targets, probabilities = outcomes.facts["targets"], outcomes.facts["probabilities"]
        judged = _judged(targets)
        if not len(judged):
            return np.full(len(weights), np.nan)
        block = max(_AT_ONCE // len(outcomes), 1)
        parts = [np.empty(0)]
        for start in range(0, len(weights), block):
            part = np.asarray(weights[start : start + block], dtype=np.float64)
            parts.append(np.mean([_area(targets[:, k], probabilities[:, k], part) for k in judged], axis=0))
        return np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class _Network:
    """A trained network as a `Predictor`."""

    network: nn.Module
    scale: Scale
    shift: Tensor
    exclusive: bool
    device: str

    def __call__(self, images: np.ndarray) -> np.ndarray:
        parts = []
        with one_thread(), torch.inference_mode():
            for start in range(0, len(images), 256):
                part = torch.from_numpy(np.ascontiguousarray(images[start : start + 256])).to(self.device)
                logits = self.network(laid_out(self.scale(part))).double().cpu() + self.shift
                parts.append(logits.softmax(dim=1) if self.exclusive else logits.sigmoid())
        return torch.cat(parts).numpy() if parts else np.empty((0, len(self.shift)))


def prior_shift(targets: Tensor, exclusive: bool) -> Tensor:
    """What to add to the logits of a network trained under `balanced_loss` so that they know the training shares.

    Parameters
    ----------
    targets : Tensor, shape (n, K)
        1 present, 0 absent, NaN unknown.
    exclusive : bool

    Returns
    -------
    Tensor, shape (K,)
        float64. Log shares of classes; log odds of findings, 0 where nothing is known of one. What never occurred
        counts as half an image.
    """
    present = (targets.nan_to_num() == 1).sum(dim=0).double().clamp(min=0.5)
    if exclusive:
        return (present / present.sum()).log()
    absent = (targets == 0).sum(dim=0).double().clamp(min=0.5)
    return (present / absent).log()


def _judged(targets: np.ndarray) -> np.ndarray:
    """Columns that have images of both sides, and so an area under the curve."""
    return np.flatnonzero((targets == 1).any(axis=0) & (targets == 0).any(axis=0))


def _area(present: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Area under the curve of one column on each test set; NaN where nothing is known of it."""
    return area_under_curve(present[:, None], scores[:, None], weights)


def _mean_known(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
