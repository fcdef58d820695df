"""Train on synthetic, test on real, with a small network on the images themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fourfold.comparison import Sets
from fourfold.images.sets import ImageSet
from fourfold.score import Metric, Score, register
from fourfold.utility.arms import Plan, limited
from fourfold.utility.network import SIDES, SmallNetwork, shrink
from fourfold.utility.scores import (
    ADDITION_SOURCE,
    SUBSTITUTION_SOURCE,
    Experiment,
    Latest,
    addition_score,
    attempt,
    experiment,
    substitution_score,
)
from fourfold.utility.tasks import Labelled, Task

__all__ = ["network_experiment", "small_network"]

REPEATS = 2
SPLITS = 4
MOST_TESTED = 4000
"""Test images: more would cost time and no longer narrow the interval."""

_NAMES = ("train_synthetic_test_real_cnn", "real_plus_synthetic_gain_cnn")


def small_network(
    sets: Sets, learner: SmallNetwork | None = None, *, repeats: int = REPEATS, splits: int = SPLITS
) -> tuple[Score, Score]:
    """Usefulness of synthetic images for training a small network that sorts real patients.

    Parameters
    ----------
    sets : Sets
        Prepared and labelled. Without a holdout each half of the training patients is tested on the other.
    learner : SmallNetwork or None
        None for the default: 120 steps of 64 images, of 16 volumes in 3-D.
    repeats : int
        Seeds of each arm.
    splits : int
        Cuts of the real and of the synthetic set into halves; the interval rests on them.

    Returns
    -------
    train_synthetic_test_real_cnn : Score
        Area under the ROC curve (macro, one against the rest), null: as many real images.
    real_plus_synthetic_gain_cnn : Score
        Gain over repeated real images, null 0.

    References
    ----------
    Esteban, Hyland, Ratsch 2017, arXiv:1706.02633; Ravuri and Vinyals 2019, arXiv:1905.10887.
    """
    found = attempt(
        lambda: network_experiment(sets, learner or SmallNetwork.suited(sets.training.shape), repeats, splits)
    )
    return substitution_score(found, _NAMES[0], None), addition_score(found, _NAMES[1], None)


def network_experiment(sets: Sets, learner: SmallNetwork, repeats: int, splits: int) -> Experiment:
    """The experiment behind `small_network`; raises `NoTaskError` where there is nothing to learn."""
    roles = {"training": sets.training, "synthetic": sets.synthetic, "holdout": sets.holdout}
    labelled = {role: Labelled.from_images(role, images) for role, images in roles.items() if images is not None}
    task = Task.of(labelled["training"], labelled["synthetic"], labelled.get("holdout"))
    shape = sets.training.shape
    bytes_each = 4 * shape[0] * min(int(np.prod(shape[1:])), SIDES[len(shape) - 1] ** (len(shape) - 1))
    # Three sets, and an arm of two for each network in training.
    held = max(sets.memory // ((3 + 2 * learner.workers) * bytes_each), 1)
    # A network never sees more images than it takes steps.
    seen = learner.steps * learner.batch_size
    task, cuts = limited(
        task,
        {"training": min(held, seen), "synthetic": min(held, seen), "holdout": min(held, MOST_TESTED)},
        sets.seed,
    )
    values = {
        role: _small(
            images, task.rows[role], lambda done, total, role=role: sets.progress(f"reading {role}", done, total)
        )
        for role, images in roles.items()
        if images is not None
    }
    centre, spread = values["training"].mean(), values["training"].std()
    for images in values.values():
        # The real training set gives one scale for all: in place, they are large.
        images -= centre
        images /= max(spread, 1e-6)
    found = experiment(
        learner,
        task,
        values["training"],
        values["synthetic"],
        values.get("holdout"),
        Plan(repeats, splits, halves_of_sums=False, seed=sets.seed),
        lambda done, total: sets.progress("training networks", done, total),
    )
    facts: dict[str, Any] = {
        "classifier": "MONAI ResNet, one block a stage",
        "steps": learner.steps,
        "batch_size": learner.batch_size,
        "image_shape": list(values["training"].shape[1:]),
        "original_shape": list(shape),
        "resampling": "area" if values["training"].shape[1:] != tuple(shape) else "none",
    }
    reason = "; ".join(filter(None, [found.reason, *cuts])) or None
    return Experiment(found.found, reason, {**found.facts, **facts})


def _small(images: ImageSet, rows: np.ndarray, progress: Callable[[int, int], None], batch: int = 256) -> np.ndarray:
    """The chosen images, shrunk, decoded a batch at a time."""
    parts = []
    for start in range(0, len(rows), batch):
        parts.append(shrink(images.load(rows[start : start + batch])))
        progress(min(start + batch, len(rows)), len(rows))
    return np.concatenate(parts)


_latest = Latest(
    lambda sets: attempt(lambda: network_experiment(sets, SmallNetwork.suited(sets.training.shape), REPEATS, SPLITS))
)

register(
    Metric(
        axis="utility",
        name=_NAMES[0],
        kind="images",
        better="higher",
        summary="How well a small network trained on synthetic images sorts real patients (area under the ROC curve).",
        null="The same network trained on as many real images.",
        cost="about 24 trainings of 120 steps of 64 images, at most 64 pixels wide",
        source=SUBSTITUTION_SOURCE,
        compute=lambda sets: substitution_score(_latest(sets), _NAMES[0], None),
        needs=("labels",),
    )
)
register(
    Metric(
        axis="utility",
        name=_NAMES[1],
        kind="images",
        better="higher",
        summary="What synthetic images add to the real ones for a small network (gain in area under the ROC curve).",
        null="0: nothing added, beside real images repeated to the same number.",
        cost="shared with train_synthetic_test_real_cnn",
        source=ADDITION_SOURCE,
        compute=lambda sets: addition_score(_latest(sets), _NAMES[1], None),
        needs=("labels",),
    )
)
