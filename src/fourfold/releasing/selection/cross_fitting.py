"""A classifier that has never seen the patient whom it judges.

Training patients are dealt into folds, each class in proportion, and for every fold a classifier is learned from the
others. Under the classifier of fold f the training patients of fold f, other real patients and candidates are all new.

The classifier is a regularised logistic regression on the features of selection. It is not one of those by which
utility is judged later, which see pixels or other features: a set that was selected by its judge would look better
than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fourfold.utility.probe import LinearProbe
from fourfold.utility.tasks import Labelled

__all__ = ["FOLDS", "CrossFitted", "cross_fit", "fold_numbers"]

FOLDS = 5


@dataclass(frozen=True)
class CrossFitted:
    """Probabilities of the K classes or findings.

    Parameters
    ----------
    fold : array of int, shape (N,)
        Of each training image; images of a patient share it.
    own : array, shape (N, K)
        Of each training image, by the classifier of its fold.
    others : tuple of arrays, shape (F, M, K)
        Of every further set, by each of the F classifiers.
    """

    fold: np.ndarray
    own: np.ndarray
    others: tuple[np.ndarray, ...]


def cross_fit(
    training: np.ndarray, task: Labelled, others: Sequence[np.ndarray], *, folds: int = FOLDS, seed: int = 0
) -> CrossFitted:
    """Learn a classifier for every fold and ask it about whom it has not seen.

    Parameters
    ----------
    training : array, shape (N, d)
        Features.
    task : Labelled
        Their labels, at least two classes or one finding.
    others : sequence of arrays, shape (M, d)
        Features of images of nobody in the training set.
    folds : int
        F, at least 2.
    seed : int

    Returns
    -------
    CrossFitted
        Classes count equally in learning, so that a rare one is not called improbable for being rare. A class that
        the other folds lack gets a probability near 0, a finding one of 1/2.
    """
    fold = fold_numbers(task, folds, seed)
    learner = LinearProbe()
    own = np.empty((len(training), len(task.names)))
    asked: list[list[np.ndarray]] = [[] for _ in others]
    for number in range(folds):
        learned, left = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        values = np.asarray(training[learned], dtype=np.float64)
        centre, spread = values.mean(axis=0), values.std(axis=0)
        spread = np.where(spread > 1e-6, spread, 1.0)
        tests = [training[left], *others]
        together = (np.concatenate(tests) - centre) / spread
        found = learner((values - centre) / spread, task.take(learned), 1.0, together, seed)
        parts = np.split(found, np.cumsum([len(test) for test in tests])[:-1])
        own[left] = parts[0]
        for place, part in enumerate(parts[1:]):
            asked[place].append(part)
    return CrossFitted(fold, own, tuple(np.stack(parts) for parts in asked))


def fold_numbers(task: Labelled, folds: int, seed: int) -> np.ndarray:
    """Deal patients into folds, each class (or first finding) in proportion; shape (N,)."""
    patients, first, of_patient = np.unique(task.groups, return_index=True, return_inverse=True)
    rng = np.random.default_rng([seed, 31])
    order = np.lexsort((rng.random(len(patients)), task.strata[first]))
    dealt = np.empty(len(patients), dtype=np.int64)
    dealt[order] = np.arange(len(patients)) % folds
    return dealt[of_patient]
