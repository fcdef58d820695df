"""The two utility scores of one experiment, and the experiment itself from task to outcome."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourfold.score import Score, does_not_apply
from fourfold.utility.arms import Fold, Learner, Plan, draw, run
from fourfold.utility.evidence import Outcome, outcome, pooled
from fourfold.utility.tasks import NoTaskError, Task

__all__ = ["Experiment", "Latest", "addition_score", "attempt", "experiment", "substitution_score"]

SUBSTITUTION_SOURCE = "train on synthetic, test on real: Esteban et al. 2017 (arXiv:1706.02633)"
ADDITION_SOURCE = (
    "classification accuracy with synthetic data added: Ravuri and Vinyals 2019 (arXiv:1905.10887); "
    "control with repeated real images"
)
_NO_HOLDOUT = (
    "no holdout: each half of the training patients was tested on the other half, whom the generator has seen, "
    "so the synthetic arms may look better than on new patients"
)


@dataclass(frozen=True)
class Experiment:
    """What was found, on what, or why there is nothing.

    Parameters
    ----------
    found : Outcome or None
    reason : str or None
        Why there is no outcome, or what limits it.
    facts : dict
        Sizes, seeds, steps and settings, as JSON can hold them.
    """

    found: Outcome | None
    reason: str | None
    facts: dict[str, Any]


def experiment(
    learner: Learner,
    task: Task,
    training: np.ndarray,
    synthetic: np.ndarray,
    holdout: np.ndarray | None,
    plan: Plan,
    progress: Callable[[int, int], None] | None = None,
) -> Experiment:
    """Train and test every arm.

    Parameters
    ----------
    learner : Learner
    task : Task
    training, synthetic, holdout : arrays, shapes (N, ...), (M, ...), (H, ...)
        Features or images of the rows of `task`. Without a holdout each half of the training patients is tested on
        the other.
    plan : Plan
    progress : callable or None
        Called with (trained, total).

    Returns
    -------
    Experiment
    """
    folds, reasons = [], []
    if holdout is not None and task.holdout is not None:
        folds.append(Fold(training, task.training, synthetic, task.synthetic, holdout, task.holdout))
    else:
        reasons.append(_NO_HOLDOUT)
        halves = draw(task.training, len(training) // 2, np.random.default_rng([plan.seed, 3]))
        halves = _whole_patients(task.training.groups, *halves)
        for learned, tested in (halves, halves[::-1]):
            folds.append(
                Fold(
                    training[learned],
                    task.training.take(learned),
                    synthetic,
                    task.synthetic,
                    training[tested],
                    task.training.take(tested).regrouped(),
                )
            )
    if task.left_out:
        reasons.append(f"left out, too few real images: {', '.join(task.left_out)}")
    outcomes = []
    for number, fold in enumerate(folds):

        def trained(done: int, total: int, number: int = number) -> None:
            if progress is not None:
                progress(number * total + done, len(folds) * total)

        found = run(learner, fold, plan, trained)
        generator = np.random.default_rng([plan.seed, 4, number])
        outcomes.append(outcome(found, fold.test_task, (len(fold.training), len(fold.synthetic)), generator))
    together = pooled(outcomes)
    sizes = {(len(fold.training), len(fold.synthetic)) for fold in folds}
    if any(n != m for n, m in sizes):
        reasons.append(f"real and synthetic images compared at equal number, {together.size}, drawn by patient")
    tests = [fold.test_task for fold in folds]
    facts = {
        "classes" if task.exclusive else "findings": list(task.names),
        "training_images": len(training),
        "synthetic_images": len(synthetic),
        "images_per_arm": together.size,
        "test_images": sum(len(test) for test in tests),
        "test_patients": sum(int(test.groups.max()) + 1 for test in tests),
        "seeds": plan.repeats if learner.seeded else 1,
        "splits": plan.splits,
        "half_of_real": together.half_of_real,
        "arms": {
            name: {"auc": arm.auc, "accuracy": arm.accuracy, "interval": list(arm.interval)}
            for name, arm in together.arms.items()
        },
    }
    return Experiment(together, "; ".join(reasons) or None, facts)


class Latest:
    """Remembers the experiment of the last comparison, so that two scores of it train once."""

    def __init__(self, make: Callable[[Any], Experiment]) -> None:
        self._make = make
        self._asked: weakref.ref[Any] | None = None
        self._found: Experiment | None = None

    def __call__(self, asked: Any) -> Experiment:
        """The experiment on `asked`, which is compared by identity."""
        if self._found is None or self._asked is None or self._asked() is not asked:
            self._found = self._make(asked)
            self._asked = weakref.ref(asked)
        return self._found


def attempt(make: Callable[[], Experiment]) -> Experiment:
    """The experiment, or the reason why there is none."""
    try:
        return make()
    except NoTaskError as no_task:
        return Experiment(None, str(no_task), {})


def substitution_score(found: Experiment, name: str, features: str | None) -> Score:
    """Train on synthetic, test on real: the area under the curve beside that of as many real images."""
    if found.found is None:
        return does_not_apply("utility", name, found.reason or "", features=features, source=SUBSTITUTION_SOURCE)
    result = found.found.substitution
    return Score(
        axis="utility",
        name=name,
        value=result.value,
        null=result.control,
        interval=_around(result.value, result.half_width, 0.0),
        null_interval=_around(result.control, result.null_half_width, 0.0),
        better="higher",
        features=features,
        source=SUBSTITUTION_SOURCE,
        null_source="as many real images",
        reason=found.reason,
        details=found.facts,
    )


def addition_score(found: Experiment, name: str, features: str | None) -> Score:
    """What synthetic images add to the real ones: the gain in area under the curve over repeated real images."""
    if found.found is None:
        return does_not_apply("utility", name, found.reason or "", features=features, source=ADDITION_SOURCE)
    result = found.found.addition
    return Score(
        axis="utility",
        name=name,
        value=result.gain,
        null=0.0,
        interval=_around(result.gain, result.half_width, -1.0),
        better="higher",
        features=features,
        source=ADDITION_SOURCE,
        null_source="repeated real images: a gain of 0 is nothing added",
        reason=found.reason,
        details=found.facts,
    )


def _around(centre: float, half_width: float, lowest: float) -> tuple[float, float]:
    return max(centre - half_width, lowest), min(centre + half_width, 1.0)


def _whole_patients(groups: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move the patient that the cut went through to the first half."""
    split = np.isin(groups[second], groups[first])
    return np.concatenate([first, second[split]]), second[~split]
