"""A task with known truth that is learned in a fraction of a millisecond, and sets of it."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from fourfold.utility.learning.contract import Examples, Outcomes, Task
from fourfold.utility.roc import area_under_curve
from fourfold.utility.study import Problem

SHIFT = 0.6


@dataclass(frozen=True)
class MeansTask(Task):
    """Two classes told apart along the difference of their means, with a little noise from the seed."""

    names: tuple[str, ...] = ("healthy", "ill")
    exclusive: bool = True
    noise: float = 0.05
    kind = "classification"

    def examples(self, images):
        targets = np.eye(2, dtype=np.float32)[(images.labels == "ill").astype(int)]
        columns = {name for entry in images.entries for name in entry.columns}
        groups = {name: np.array([entry.columns[name] for entry in images.entries]) for name in columns}
        return Examples(images.load(), targets, np.unique(images.patients, return_inverse=True)[1], groups)

    def fit(self, examples, *, seed, steps, device="cpu", augment=False, initial=None, progress=None):
        flat = examples.images.reshape(len(examples), -1)
        ill = examples.targets[:, 1] == 1
        direction = (flat[ill].mean(axis=0) if ill.any() else 0) - (flat[~ill].mean(axis=0) if (~ill).any() else 0)
        direction = direction + self.noise * np.random.default_rng(seed).normal(size=flat.shape[1])

        def predict(images):
            ranked = images.reshape(len(images), -1) @ direction
            probability = 1 / (1 + np.exp(-(ranked - ranked.mean())))
            return np.stack([1 - probability, probability], axis=1)

        return predict

    def outcomes(self, predicted, examples):
        return Outcomes({"targets": examples.targets, "scores": predicted}, examples.patients)

    def metric(self, outcomes, weights=None):
        targets, scores = outcomes.facts["targets"], outcomes.facts["scores"]
        area = float(area_under_curve(targets, scores, None if weights is None else weights[None])[0])
        right = (scores.argmax(axis=1) == targets.argmax(axis=1)).astype(float)
        return {"auc": area, "accuracy": float(np.average(right, weights=weights))}

    def headline(self, outcomes, weights):
        return area_under_curve(outcomes.facts["targets"], outcomes.facts["scores"], weights)


def examples(patients, rng, each=1, shift=SHIFT, shuffled=False):
    """Noise of shape (n, 1, 4, 6), four of the 24 values raised in class 1; each patient has a mean of their own."""
    of_patient = np.repeat(np.arange(patients), each)
    ill = (rng.permutation(patients) < patients // 2)[of_patient]
    images = rng.normal(size=(len(of_patient), 24)) + 0.5 * rng.normal(size=(patients, 24))[of_patient]
    images[ill, :4] += shift
    if shuffled:
        ill = rng.permutation(ill)
    sex = np.where(rng.random(patients) < 0.5, "F", "M")[of_patient]
    return Examples(
        images.reshape(-1, 1, 4, 6).astype(np.float32),
        np.eye(2, dtype=np.float32)[ill.astype(int)],
        of_patient,
        {"sex": sex},
    )


@pytest.fixture(scope="session")
def known():
    """The task, and functions that make examples and problems of it."""

    def problem(seed, real=60, fresh=0, test=100, each=1, shift=SHIFT, **synthetic):
        rng = np.random.default_rng(seed)
        sources = {"real": examples(real, rng, each, shift)}
        sources |= {"fresh real": examples(fresh, rng, each, shift)} if fresh else {}
        sources |= {
            name: examples(count, rng, each, **{"shift": shift, **options})
            for name, (count, options) in synthetic.items()
        }
        return Problem("intra-task", MeansTask(), sources, examples(test, rng, each, shift))

    return SimpleNamespace(Task=MeansTask, examples=examples, problem=problem)
