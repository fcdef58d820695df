"""How alike a classifier sees a candidate and the image it was drawn from: the ranking of the published pipeline.

Dombrowski & Kainz 2025 keep, for every source image, the candidate whose predictions are nearest to those of the
source. There the classifier that ranks is the one that judges afterwards; here it is the cross-fitted one of selection,
and each source is seen by the classifier that has not learned from it.
"""

from __future__ import annotations

import numpy as np

from fourfold.releasing.selection.cross_fitting import CrossFitted, cross_fit
from fourfold.utility.tasks import Labelled

__all__ = ["consistency", "source_consistency"]

_LEAST = 1e-6
"""Probabilities are kept this far from 0 and 1, so that no single output decides."""


def consistency(source: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """Mean binary cross-entropy between the predictions for a source image and for a candidate; lower is more alike.

    Parameters
    ----------
    source, candidate : arrays, shape (M, K)
        Probabilities of K classes or findings, in [0, 1]; the source's are what the candidate should have.

    Returns
    -------
    array, shape (M,)
        At least the entropy of the source's own predictions.

    Examples
    --------
    >>> import numpy as np
    >>> found = consistency(np.array([[0.5, 0.5]] * 2), np.array([[0.5, 0.5], [0.9, 0.1]]))
    >>> found.round(3).tolist()
    [0.693, 1.204]
    """
    wanted = np.clip(source, _LEAST, 1 - _LEAST)
    given = np.clip(candidate, _LEAST, 1 - _LEAST)
    return -(wanted * np.log(given) + (1 - wanted) * np.log1p(-given)).mean(axis=-1)


def source_consistency(
    candidates: np.ndarray, sources: np.ndarray, training: np.ndarray, task: Labelled, *, seed: int = 0
) -> np.ndarray:
    """Consistency of every candidate with the training image it was drawn from.

    Parameters
    ----------
    candidates : array, shape (M, d)
        Features of selection.
    sources : array of int, shape (M,)
        Training row of each candidate.
    training : array, shape (N, d)
    task : Labelled
        Labels of the training set.
    seed : int

    Returns
    -------
    array, shape (M,)
        By the classifier of the fold that holds the source.
    """
    found: CrossFitted = cross_fit(training, task, [candidates], seed=seed)
    seen = found.others[0][found.fold[sources], np.arange(len(candidates))]
    return consistency(found.own[sources], seen)
