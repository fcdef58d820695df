"""Vendi score: the effective number of different images in a set.

With unit feature vectors as rows of X and K = X X^T their cosine similarities, the eigenvalues l of K / n sum to 1, and

    VS_q = exp H_q(l),    H_1 = -sum l ln l,    H_q = ln(sum l^q) / (1 - q),    H_inf = -ln max l

(Friedman & Dieng 2023; Pasarkar & Dieng 2024 for the order q). The eigenvalues that are not 0 are also those of the
d x d matrix X^T X / n, which is decomposed where d < n. The score lies between 1 and min(n, d), grows with n, and
rises with noise as with variety: compare it with real images in equal number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import linalg

from fourfold.errors import InputError

__all__ = ["vendi_score", "vendi_scores"]

# Rows converted to float64 at a time.
_BLOCK = 4096


def vendi_score(features: np.ndarray, order: float = 1.0) -> float:
    """Vendi score with the cosine kernel.

    Parameters
    ----------
    features : array, shape (n, d)
        n >= 1, finite; a row of zeros is similar to itself only.
    order : float
        q >= 0, infinity allowed. Small orders count rare kinds of images, large ones the common kinds.

    Returns
    -------
    float
        In [1, n].

    Raises
    ------
    InputError
        Where there is no image, a value is not finite, or the order is negative.

    References
    ----------
    Friedman & Dieng 2023, "The Vendi Score: a diversity evaluation metric for machine learning".

    Examples
    --------
    >>> import numpy as np
    >>> round(vendi_score(np.eye(4)), 12), round(vendi_score(np.ones((4, 2))), 12)
    (4.0, 1.0)
    """
    return vendi_scores(features, (order,))[0]


def vendi_scores(features: np.ndarray, orders: Sequence[float]) -> list[float]:
    """Vendi scores of several orders from one decomposition; see `vendi_score`."""
    wrong = next((order for order in orders if not order >= 0), None)
    if wrong is not None:
        raise InputError(f"the order of a Vendi score must be at least 0, got {wrong}")
    unit = _unit_rows(features)
    kernel = unit @ unit.T if len(unit) <= unit.shape[1] else _dual(unit)
    values = _spectrum(linalg.eigvalsh(kernel / len(unit), driver="ev", check_finite=False))
    return [_diversity(values, order) for order in orders]


def vendi_influence(features: np.ndarray) -> tuple[float, np.ndarray]:
    """Vendi score of order 1 and what each image adds to it.

    Parameters
    ----------
    features : array, shape (n, d)

    Returns
    -------
    float
        The score.
    array, shape (n,)
        First-order influence: the derivative of the score when weight moves to the image, with mean 0.
        With C = X^T X / n it is VS (-x^T ln(C) x - H).
    """
    unit = _unit_rows(features)
    if len(unit) <= unit.shape[1]:
        values, vectors = linalg.eigh(unit @ unit.T / len(unit), check_finite=False)
        # Row i of X expressed in the eigenvectors of C: sqrt(n l) times the i-th entry of the dual eigenvector.
        squares = vectors**2 * np.maximum(values, 0.0) * len(unit)
    else:
        values, vectors = linalg.eigh(_dual(unit) / len(unit), check_finite=False)
        squares = (unit @ vectors) ** 2
    kept = values > values.size * np.finfo(np.float64).eps
    logs = np.log(values[kept])
    score = _diversity(_spectrum(values), 1.0)
    surprise = -squares[:, kept] @ logs
    return score, score * (surprise - math.log(score))


def _spectrum(values: np.ndarray) -> np.ndarray:
    values = values[values > values.size * np.finfo(np.float64).eps]
    return values / values.sum()


def _diversity(values: np.ndarray, order: float) -> float:
    if order == 1.0:
        return float(np.exp(-values @ np.log(values)))
    if math.isinf(order):
        return float(1.0 / values.max())
    return float(np.sum(values**order) ** (1.0 / (1.0 - order)))


def _dual(unit: np.ndarray) -> np.ndarray:
    product = np.zeros((unit.shape[1], unit.shape[1]))
    for start in range(0, len(unit), _BLOCK):
        part = unit[start : start + _BLOCK].astype(np.float64)
        product += part.T @ part
    return product


def _unit_rows(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features)
    if features.ndim != 2 or features.size == 0:
        raise InputError(f"features must have the shape (n, d) with at least one image, got {features.shape}")
    if not np.isfinite(features).all():
        raise InputError("features must be finite; remove the images whose features are NaN or infinite")
    features = features.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", features, features))[:, None]
    unit = np.divide(features, lengths, out=features, where=lengths > 0)
    if not lengths.all():
        # A row without direction gets one of its own, orthogonal to all others.
        silent = np.flatnonzero(lengths[:, 0] == 0)
        own = np.zeros((len(unit), len(silent)))
        own[silent, np.arange(len(silent))] = 1.0
        unit = np.concatenate([unit, own], axis=1)
    return unit
