"""How well scores rank the images of a class above the others, on any number of resampled test sets at once."""

from __future__ import annotations

import numpy as np

__all__ = ["area_under_curve", "balanced_accuracy", "patient_weights"]


def area_under_curve(targets: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve, one class or finding against the rest, averaged over them (macro).

    The probability that an image of the class scores higher than another image, ties counting half (Hanley and
    McNeil 1982).

    Parameters
    ----------
    targets : array, shape (H, K)
        1 present, 0 absent, NaN unknown (left out of that column).
    scores : array, shape (H, K)
        Higher means more likely present.
    weights : array, shape (B, H), or None
        How often each image counts in each of B resampled test sets; None for once each.

    Returns
    -------
    array, shape (B,)
        NaN where a resampled test set lacks a class, or nothing is known of a column. Without weights B is 1.

    Examples
    --------
    >>> import numpy as np
    >>> targets = np.array([[1.0], [1.0], [0.0], [0.0]])
    >>> area_under_curve(targets, np.array([[0.9], [0.4], [0.5], [0.1]]))
    array([0.75])
    """
    targets, scores = np.asarray(targets, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    weights = np.ones((1, len(targets))) if weights is None else np.asarray(weights, dtype=np.float64)
    # Two exclusive classes with complementary scores give the same area twice.
    mirrored = targets.shape[1] == 2 and np.array_equal(targets.sum(axis=1), np.ones(len(targets)))
    columns = [1] if mirrored and np.allclose(scores.sum(axis=1), 1.0) else range(targets.shape[1])
    return np.mean([_one_area(targets[:, k], scores[:, k], weights) for k in columns], axis=0)


def _one_area(present: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    known = np.flatnonzero(~np.isnan(present))
    if not len(known):
        return np.full(len(weights), np.nan)
    order = known[np.argsort(scores[known], kind="stable")]
    ties = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    ordered = weights[:, order]
    positive = ordered * present[order]
    negative = ordered - positive
    if len(ties) < len(order):
        positive = np.add.reduceat(positive, ties, axis=1)
        negative = np.add.reduceat(negative, ties, axis=1)
    below = np.cumsum(negative, axis=1)
    pairs = positive.sum(axis=1) * below[:, -1]
    below -= 0.5 * negative
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, np.einsum("bg,bg->b", positive, below) / pairs, np.nan)


def balanced_accuracy(targets: np.ndarray, scores: np.ndarray, exclusive: bool) -> float:
    """Mean share of each class that is found; for findings the mean over findings of sensitivity and specificity.

    Parameters
    ----------
    targets, scores : arrays, shape (H, K)
        As in `area_under_curve`; scores are probabilities.
    exclusive : bool
        One class an image: the highest score wins; else a finding is called at 0.5.

    Returns
    -------
    float
        0 to 1; 1 / K (classes) or 1 / 2 (findings) by chance.
    """
    if exclusive:
        truth, called = np.argmax(targets, axis=1), np.argmax(scores, axis=1)
        return float(np.mean([np.mean(called[truth == k] == k) for k in np.unique(truth)]))
    shares = [
        np.mean((scores[targets[:, k] == side, k] >= 0.5) == side)
        for k in range(targets.shape[1])
        for side in (0, 1)
        if np.any(targets[:, k] == side)
    ]
    return float(np.mean(shares))


def patient_weights(groups: np.ndarray, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Bootstrap over patients: how often each image counts in each resampled test set.

    Parameters
    ----------
    groups : array of int, shape (H,)
        Numbers from 0 to P - 1, one a patient.
    draws : int
        B.
    generator : numpy.random.Generator

    Returns
    -------
    array, shape (B, H)
        float64 counts, equal for the images of a patient.
    """
    patients = int(groups.max()) + 1
    counts = generator.multinomial(patients, np.full(patients, 1.0 / patients), size=draws)
    return counts[:, groups].astype(np.float64)
