"""Shares of right calls, with a weight per image.

Two rules turn probabilities into calls. *Accuracy* calls the likeliest class, and a finding at one half. *Balanced
accuracy* calls the class whose probability is largest beside its share among the tested images, and a finding where
its probability exceeds its share: for calibrated probabilities that is the rule under which the mean share of found
images is largest (Bayes under equal priors), and a rare class is not lost to a threshold that was never meant for it.
"""

from __future__ import annotations

import numpy as np

__all__ = ["accuracies"]


def accuracies(
    targets: np.ndarray, probabilities: np.ndarray, exclusive: bool, weights: np.ndarray | None = None
) -> tuple[float, float]:
    """Accuracy and balanced accuracy.

    Parameters
    ----------
    targets : array, shape (n, K)
        1 present, 0 absent, NaN unknown (left out of that finding).
    probabilities : array, shape (n, K)
    exclusive : bool
        One class an image, else findings, over which both are averaged.
    weights : array, shape (n,), or None
        How often each image counts.

    Returns
    -------
    accuracy, balanced accuracy : float
        In [0, 1]. Classes and findings that the images lack on one side are left out; NaN where nothing remains.
    """
    targets = np.asarray(targets, dtype=np.float64)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    weights = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weights.sum() <= 0:
        return float("nan"), float("nan")
    if exclusive:
        truth = targets.argmax(axis=1)
        shares = weights @ targets / weights.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            beside = np.where(shares > 0, probabilities / shares, -1.0)
        found = [_share(beside.argmax(axis=1) == truth, weights * (truth == k)) for k in range(targets.shape[1])]
        return _share(probabilities.argmax(axis=1) == truth, weights), _mean(found)
    plain, balanced = [], []
    for present, likely in zip(targets.T, probabilities.T, strict=True):
        counted = np.where(np.isnan(present), 0.0, weights)
        plain.append(_share((likely >= 0.5) == (present == 1), counted))
        called = likely >= _share(present == 1, counted)
        sides = [_share(called == bool(side), counted * (present == side)) for side in (0, 1)]
        balanced.append(_mean(sides) if not np.isnan(sides).any() else float("nan"))
    return _mean(plain), _mean(balanced)


def _share(right: np.ndarray, weights: np.ndarray) -> float:
    total = weights.sum()
    return float(weights @ right / total) if total > 0 else float("nan")


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
