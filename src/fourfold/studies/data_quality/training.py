"""One network of the study: what it learns from, and how it does on real patients.

The loss weighs images and not classes, as in the published experiment, since one that weighs classes leaves nothing for
balance to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.threads import one_thread
from fourfold.images import ImageSet
from fourfold.studies.seeds import Asked, in_memory, trained
from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.contract import Examples
from fourfold.utility.learning.networks import CLASSIFIERS, build
from fourfold.utility.learning.optimisation import Schedule, learned
from fourfold.utility.network import laid_out
from fourfold.utility.quality import Balance, Knob, balance, image_noise, label_noise

__all__ = ["AS_DRAWN", "BALANCES", "IMAGE_NOISE", "LABELS", "NEW", "NOISES", "NONE", "REAL", "REPEATED", "tested"]

# At the usual rate a network without class weights has hardly seen a rare class when its steps are over.
_RATE, _BATCH = 1e-2, 32

REAL = "real"
NONE, LABELS = "none", "labels .1"
IMAGE_NOISE = {"image .05": 0.05, "image .1": 0.1}
"""Standard deviation in units of the full range."""

NOISES: dict[str, Knob | None] = {
    NONE: None,
    **{name: image_noise(level) for name, level in IMAGE_NOISE.items()},
    LABELS: label_noise(0.1),
}
AS_DRAWN, REPEATED, NEW = "as drawn", "repeated", "drawn anew"
BALANCES: dict[str, Knob | None] = {AS_DRAWN: None, REPEATED: balance("over"), NEW: balance("fresh")}


def tested(asked: Asked, source: str, noise: str, kind: str) -> dict[str, float]:
    """Figures of the network that learned from one source under one noise and balance.

    Parameters
    ----------
    asked : Asked
    source : str
        `REAL`, or a recipe whose generator is fitted to the training patients of the seed.
    noise, kind : str
        Of `NOISES` and `BALANCES`.

    Returns
    -------
    dict
        ``images`` learned from; on the test patients ``area`` under the curve, ``balanced_accuracy``,
        ``worst_recall`` (of the class that is found worst) and ``calibration_error``.

    Raises
    ------
    InputError
        Where the images have no classes.
    """
    patients = _patients(asked)
    pool, rows = _pool(asked, source)
    knobs = [knob for knob in (NOISES[noise], BALANCES[kind]) if knob is not None]
    return _scores(
        patients.task, _altered(pool, rows, knobs, asked.seed), patients.test, int(asked["steps"]), asked.seed
    )


@dataclass(frozen=True)
class _Patients:
    """Training set, thinned, and test set of a seed."""

    task: Classification
    training: ImageSet
    test: Examples


@lru_cache(maxsize=1)
def _patients(asked: Asked) -> _Patients:
    sizes = {"training": int(asked["images"]), "test": int(asked["test_images"])}
    sets = in_memory(asked.source.deal(asked.seed, sizes))
    training = _thinned(sets["training"], float(asked["rarer"]), asked.seed)
    task = Classification.of(training, learning_rate=_RATE, batch_size=_BATCH)
    return _Patients(task, training, task.examples(sets["test"]))


@lru_cache(maxsize=1)
def _pool(asked: Asked, source: str) -> tuple[Examples, np.ndarray]:
    """Images to learn from, and which of them stand for the set as it was drawn.

    A generator gives more of each class than there are real images, to balance with.
    """
    patients = _patients(asked)
    task, labels = patients.task, patients.training.labels
    if source == REAL:
        return task.examples(patients.training), np.arange(len(patients.training))
    options = {"steps": int(asked["diffusion_steps"])} if source == "diffusion" else None
    model = trained(asked, patients.training, source, condition="class", options=options)
    each = -(-len(patients.training) // len(task.names))
    parts, numbers, first = [], [], []
    for place, name in enumerate(task.names):
        count = int(np.sum(labels == name))
        parts.append(
            model.draw(max(count, each), seed=100 * asked.seed + place, condition_value={"class": name}, batch=64)
        )
        numbers.append(np.full(len(parts[-1]), place))
        first.append(np.arange(len(parts[-1])) < count)
    targets = np.eye(len(parts), dtype=np.float32)[np.concatenate(numbers)]
    pool = Examples(np.concatenate(parts), targets, np.arange(len(targets)))
    return pool, np.flatnonzero(np.concatenate(first))


def _thinned(images: ImageSet, share: float, seed: int) -> ImageSet:
    """The set with so few images of its rarest class that they are at most this share of it."""
    labels = images.labels
    if labels is None or len(np.unique(labels)) < 2:
        raise InputError(
            f"the {images.name} set has no classes to tell apart, and this study balances classes; give images with a "
            "label column, or one folder a class"
        )
    names, counts = np.unique(labels, return_counts=True)
    rare = labels == names[counts.argmin()]
    kept = min(int(rare.sum()), round(int((~rare).sum()) * share / (1 - share)))
    chosen = np.random.default_rng([seed, 51]).permutation(np.flatnonzero(rare))[:kept]
    return images.take(np.sort(np.concatenate([np.flatnonzero(~rare), chosen])))


def _altered(pool: Examples, rows: np.ndarray, knobs: Sequence[Knob], seed: int) -> Examples:
    """The examples of a cell; errors come with the images, balance is what somebody does about the set as it is."""
    for knob in sorted(knobs, key=lambda knob: isinstance(knob, Balance)):
        generator = np.random.default_rng([seed, 52, *knob.name.encode()])
        if isinstance(knob, Balance):
            rows = knob.choose(pool, rows, generator)
        else:
            pool = knob.alter(pool, generator)
    return pool.take(rows)


def _scores(task: Classification, examples: Examples, test: Examples, steps: int, seed: int) -> dict[str, float]:
    shape = examples.images.shape[1:]
    schedule = Schedule(steps, task.batch_size or _BATCH, task.learning_rate, task.weight_decay)
    network, scaled = learned(
        lambda: build(CLASSIFIERS, task.network, shape, len(task.names), seed, None),
        examples,
        lambda logits, wanted: functional.cross_entropy(logits, wanted.argmax(dim=1)),
        schedule,
        seed=seed,
        device="cpu",
    )
    with one_thread(), torch.inference_mode():
        parts = torch.from_numpy(test.images).split(256)
        logits = torch.cat([network(laid_out(scaled(part))) for part in parts]).double()
    predicted = logits.softmax(dim=1).numpy()
    found = task.metric(task.outcomes(predicted, test))
    return {
        "images": len(examples),
        "area": found["auc"],
        "balanced_accuracy": found["balanced_accuracy"],
        "worst_recall": _worst_recall(predicted, test.targets),
        "calibration_error": found["ece"],
    }


def _worst_recall(predicted: np.ndarray, targets: np.ndarray) -> float:
    called, truth = predicted.argmax(axis=1), targets.argmax(axis=1)
    return float(min(np.mean(called[truth == one] == one) for one in np.unique(truth)))
