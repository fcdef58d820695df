"""Any classifier with scikit-learn's ``fit`` and ``predict_proba``, on the pixels of the images, as a task."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from fourfold.errors import InputError
from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.contract import Examples, Predictor, Progress

__all__ = ["EstimatorClassification"]


@dataclass(frozen=True)
class EstimatorClassification(Classification):
    """Classification by an estimator of scikit-learn's form.

    It decides itself when it has learned enough, so that the number of steps means nothing to it; all arms learn by
    the same rule. Findings are learned one by one, each from the images that tell about it.

    Parameters
    ----------
    estimator : type
        Made without arguments but ``random_state``, where it has one.
    """

    estimator: type[Any] | None = None

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
        """As `Task.fit`; raises InputError where augmentation or first weights are asked for."""
        if self.estimator is None:
            raise ValueError("there is no estimator to be fitted")
        if augment or initial is not None:
            raise InputError(
                f"{self.network} learns from the images as they are: leave out the arm with augmentation and first "
                "weights, or choose a network"
            )
        if not len(examples):
            raise InputError("there is no image to learn from")
        pixels = examples.images.reshape(len(examples), -1)
        if self.exclusive:
            fitted = [_fitted(self.estimator, pixels, examples.targets.argmax(axis=1), seed)]
        else:
            fitted = []
            for column in examples.targets.T:
                known = ~np.isnan(column)
                fitted.append(_fitted(self.estimator, pixels[known], column[known].astype(np.intp), seed))
        if progress is not None:
            progress(steps, steps)
        return _Fitted(tuple(fitted), len(self.names), self.exclusive)


@dataclass(frozen=True)
class _Fitted:
    """Fitted estimators as a `Predictor`; a float stands for one that saw a single answer."""

    estimators: tuple[Any, ...]
    outputs: int
    exclusive: bool

    def __call__(self, images: np.ndarray) -> np.ndarray:
        pixels = images.reshape(len(images), -1)
        if self.exclusive:
            return _probabilities(self.estimators[0], pixels, self.outputs)
        return np.stack([_probabilities(one, pixels, 2)[:, 1] for one in self.estimators], axis=1)


def _fitted(estimator: type[Any], pixels: np.ndarray, answers: np.ndarray, seed: int) -> Any:
    if len(np.unique(answers)) < 2:
        return int(answers[0]) if len(answers) else 0
    known = inspect.signature(estimator).parameters
    settings = {"random_state": seed} if "random_state" in known else {}
    return estimator(**settings).fit(pixels, answers)


def _probabilities(fitted: Any, pixels: np.ndarray, outputs: int) -> np.ndarray:
    """Shape (n, outputs); classes that the estimator never saw get 0."""
    found = np.zeros((len(pixels), outputs))
    if isinstance(fitted, int):
        found[:, fitted] = 1.0
    else:
        found[:, fitted.classes_] = fitted.predict_proba(pixels)
    return found
