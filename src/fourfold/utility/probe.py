"""A linear probe: how well a straight cut through a feature space, learned from one set, sorts real patients.

Logistic regression on features standardised by the real training set (the same coordinates for every arm), classes
weighted to count equally, with a ridge penalty that does not depend on the number of features: the prior standard
deviation of a score is about 3.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Comparison
from fourfold.score import Metric, Score, register
from fourfold.utility.arms import Plan, limited
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
from fourfold.utility.tasks import Labelled, Labels, Task

__all__ = ["LinearProbe", "linear_probe"]

PRIOR_VARIANCE = 10.0
"""Variance a priori of the linear score of a standardised image: odds of 20 to 1 either way."""
REPEATS = 5
SPLITS = 10
MOST_IMAGES = 5000
"""Of each set: about 90 probes are fitted, and with this many images more hardly change one."""


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regression; a `Learner`."""

    seeded: bool = False
    counts_matter: bool = True
    workers: int = 1
    iterations: int = 300

    def __call__(self, images: np.ndarray, task: Labelled, repeats: float, test: np.ndarray, seed: int) -> np.ndarray:
        """Probabilities of the `test` rows, shape (H, K), learned from the rows `images`, shape (n, d)."""
        if task.exclusive:
            scores = self._fit(images, task.targets.argmax(axis=1), repeats, test, len(task.names))
            return scores / scores.sum(axis=1, keepdims=True)
        scores = np.full((len(test), len(task.names)), 0.5)
        for column in range(len(task.names)):
            known = np.flatnonzero(~np.isnan(task.targets[:, column]))
            present = task.targets[known, column].astype(int)
            if 0 < present.sum() < len(present):
                scores[:, column] = self._fit(images[known], present, repeats, test, 2)[:, 1]
        return scores

    def _fit(self, images: np.ndarray, codes: np.ndarray, repeats: float, test: np.ndarray, classes: int) -> np.ndarray:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(
            C=repeats * PRIOR_VARIANCE / images.shape[1], class_weight="balanced", max_iter=self.iterations
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(images, codes)
        scores = np.full((len(test), classes), 1e-12)
        scores[:, model.classes_] = model.predict_proba(test)
        return scores


def linear_probe(
    training: np.ndarray,
    training_labels: Labels,
    synthetic: np.ndarray,
    synthetic_labels: Labels,
    holdout: np.ndarray | None = None,
    holdout_labels: Labels | None = None,
    *,
    training_patients: np.ndarray | None = None,
    synthetic_patients: np.ndarray | None = None,
    holdout_patients: np.ndarray | None = None,
    splits: int = SPLITS,
    seed: int = 0,
) -> tuple[Score, Score]:
    """Usefulness of synthetic features for telling real patients apart.

    Parameters
    ----------
    training, synthetic, holdout : arrays, shapes (N, d), (M, d), (H, d)
        Features. Without a holdout each half of the training patients is tested on the other.
    training_labels, synthetic_labels, holdout_labels : arrays of shape (N,), (M,), (H,), or (N, K) of 0, 1, NaN
        One class an image, or any number of findings; a mapping of names to columns does for the latter.
    training_patients, synthetic_patients, holdout_patients : arrays, shapes (N,), (M,), (H,), or None
        What belongs together in draws and resampling.
    splits : int
        Cuts into halves that the interval rests on.
    seed : int

    Returns
    -------
    train_synthetic_test_real : Score
        Area under the ROC curve (macro, one against the rest), null: as many real images.
    real_plus_synthetic_gain : Score
        Gain over repeated real images, null 0.

    References
    ----------
    Esteban, Hyland, Ratsch 2017, arXiv:1706.02633; Ravuri and Vinyals 2019, arXiv:1905.10887.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> labels = np.repeat(["absent", "present"], 50)
    >>> sets = [random.normal(size=(100, 4)) + (labels == "present")[:, None] for _ in range(3)]
    >>> score, gain = linear_probe(sets[0], labels, sets[1], labels, sets[2], labels)
    >>> score.departs(), 0.8 < score.value <= 1.0
    ('no', True)
    """

    def make() -> Experiment:
        held = None
        if holdout is not None:
            held = Labelled.from_arrays("holdout", holdout_labels, holdout_patients, len(holdout))
        return _probe(
            Labelled.from_arrays("training", training_labels, training_patients, len(training)),
            Labelled.from_arrays("synthetic", synthetic_labels, synthetic_patients, len(synthetic)),
            held,
            (training, synthetic, holdout),
            splits,
            seed,
        )

    found = attempt(make)
    return substitution_score(found, _SUBSTITUTION, None), addition_score(found, _ADDITION, None)


def _probe(
    training: Labelled,
    synthetic: Labelled,
    holdout: Labelled | None,
    values: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    splits: int,
    seed: int,
) -> Experiment:
    most = dict.fromkeys(("training", "synthetic", "holdout"), MOST_IMAGES)
    task, cuts = limited(Task.of(training, synthetic, holdout), most, seed)
    learner = LinearProbe()
    real = np.asarray(values[0], dtype=np.float64)[task.rows["training"]]
    centre, spread = real.mean(axis=0), real.std(axis=0)
    spread = np.where(spread > 1e-12 * (1.0 + np.abs(centre)), spread, 1.0)

    def standardised(role: str, features: np.ndarray) -> np.ndarray:
        return (np.asarray(features, dtype=np.float64)[task.rows[role]] - centre) / spread

    held = None if holdout is None or values[2] is None else standardised("holdout", values[2])
    plan = Plan(REPEATS, splits, halves_of_sums=True, seed=seed)
    found = experiment(learner, task, (real - centre) / spread, standardised("synthetic", values[1]), held, plan)
    facts = {"classifier": "logistic regression", "steps": learner.iterations, "columns": real.shape[1]}
    return Experiment(found.found, "; ".join(filter(None, [found.reason, *cuts])) or None, {**found.facts, **facts})


_SUBSTITUTION = "train_synthetic_test_real"
_ADDITION = "real_plus_synthetic_gain"


def _of(comparison: Comparison) -> Experiment:
    def make() -> Experiment:
        holdout = comparison.holdout
        return _probe(
            Labelled.from_features("training", comparison.training),
            Labelled.from_features("synthetic", comparison.synthetic),
            None if holdout is None else Labelled.from_features("holdout", holdout),
            (comparison.training.values, comparison.synthetic.values, None if holdout is None else holdout.values),
            SPLITS,
            comparison.seed,
        )

    return attempt(make)


_latest = Latest(_of)

register(
    Metric(
        axis="utility",
        name=_SUBSTITUTION,
        kind="features",
        better="higher",
        summary="How well a linear probe learned from synthetic images sorts real patients (area under the ROC curve).",
        null="The same probe learned from as many real images.",
        cost="O((N + M) d) for each of about 90 fits",
        source=SUBSTITUTION_SOURCE,
        compute=lambda comparison: substitution_score(_latest(comparison), _SUBSTITUTION, comparison.space),
        needs=("labels",),
    )
)
register(
    Metric(
        axis="utility",
        name=_ADDITION,
        kind="features",
        better="higher",
        summary="What synthetic images add to the real ones for a linear probe (gain in area under the ROC curve).",
        null="0: nothing added, beside real images repeated to the same number.",
        cost="shared with train_synthetic_test_real",
        source=ADDITION_SOURCE,
        compute=lambda comparison: addition_score(_latest(comparison), _ADDITION, comparison.space),
        needs=("labels",),
    )
)
