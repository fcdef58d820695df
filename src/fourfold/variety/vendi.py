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
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy import linalg
from scipy.linalg.blas import dtrmm

from fourfold.errors import InputError
from fourfold.statistics.scatter import Scatter, in_double

__all__ = ["Likeness", "vendi_influence", "vendi_score", "vendi_scores"]


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
    likeness = Likeness.of(features)
    return [likeness.score(order) for order in orders]


@dataclass(frozen=True)
class Likeness:
    """The similarities of all images of a set, in the smaller of two matrices that have the same eigenvalues.

    Parameters
    ----------
    count : int
        n.
    matrix : array, shape (n, n) or (d, d)
        K, or X^T X where n > d.
    silent : int
        Rows of zeros, where n > d: they are in K, each similar to itself only, and not in X^T X.
    """

    count: int
    matrix: np.ndarray
    silent: int = 0

    @classmethod
    def of(cls, features: np.ndarray) -> Likeness:
        """The similarities of the rows of an array, shape (n, d)."""
        features = _checked(features)
        if len(features) <= features.shape[1]:
            unit = np.array(features, dtype=np.float64)
            lengths = _to_unit(unit)
            kernel = unit @ unit.T
            kernel[lengths == 0, lengths == 0] = 1.0
            return cls(len(unit), kernel)
        scatter, silent = Scatter(features.shape[1]), 0
        for _, block in in_double(features):
            silent += int((_to_unit(block) == 0).sum())
            scatter.add(block)
        return cls(len(features), scatter.matrix, silent)

    @classmethod
    def of_parts(cls, parts: Sequence[Likeness]) -> Likeness:
        """The similarities of sets together, each of more images than features."""
        count, silent = sum(part.count for part in parts), sum(part.silent for part in parts)
        return cls(count, np.sum([part.matrix for part in parts], axis=0), silent)

    @property
    def dual(self) -> bool:
        """Whether it is X^T X that is kept."""
        return self.count > len(self.matrix)

    @cached_property
    def eigen(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues of the matrix over n, and its eigenvectors as columns."""
        values, vectors = torch.linalg.eigh(torch.from_numpy(self.matrix / self.count))
        return values.numpy(), vectors.numpy()

    def score(self, order: float) -> float:
        """Vendi score of that order."""
        if "eigen" in self.__dict__:
            values = self.eigen[0]
        else:
            values = torch.linalg.eigvalsh(torch.from_numpy(self.matrix / self.count)).numpy()
        values = values[values > values.size * np.finfo(np.float64).eps]
        values = np.append(values, np.full(self.silent, 1.0 / self.count))
        return _diversity(values / values.sum(), order)


def vendi_influence(features: np.ndarray, likeness: Likeness | None = None) -> tuple[float, np.ndarray]:
    """Vendi score of order 1 and what each image adds to it.

    Parameters
    ----------
    features : array, shape (n, d)
    likeness : Likeness or None
        Of these features, where it is known.

    Returns
    -------
    float
        The score.
    array, shape (n,)
        First-order influence: the derivative of the score when weight moves to the image, with mean 0.
        With C = X^T X / n it is VS (-x^T ln(C) x - H).
    """
    likeness = Likeness.of(features) if likeness is None else likeness
    (values, vectors), score = likeness.eigen, likeness.score(1.0)
    kept = values > values.size * np.finfo(np.float64).eps
    logs = np.log(np.minimum(values[kept], 1.0))
    if likeness.dual:
        surprise = _surprise(features, vectors[:, kept] * np.sqrt(-logs), math.log(likeness.count))
    else:
        # Row i of X expressed in the eigenvectors of C: sqrt(n l) times the i-th entry of the dual eigenvector.
        surprise = vectors[:, kept] ** 2 @ (-logs * values[kept] * likeness.count)
    return score, score * (surprise - math.log(score))


def _surprise(features: np.ndarray, root: np.ndarray, of_silent: float) -> np.ndarray:
    """-x^T ln(C) x of every row, where -ln(C) = root root^T."""
    # The triangle of a QR decomposition stands for the root at half the products.
    triangle = np.asfortranarray(linalg.qr(root.T, mode="r", check_finite=False)[0][: root.shape[1]])
    surprise = np.empty(len(features))
    square = triangle.shape[0] == triangle.shape[1]
    for rows, block in in_double(features):
        silent = _to_unit(block) == 0
        turned = dtrmm(1.0, triangle, block.T, overwrite_b=1) if square else triangle @ block.T
        surprise[rows] = np.where(silent, of_silent, np.einsum("ij,ij->j", turned, turned))
    return surprise


def _diversity(values: np.ndarray, order: float) -> float:
    if order == 1.0:
        return float(np.exp(-values @ np.log(values)))
    if math.isinf(order):
        return float(1.0 / values.max())
    return float(np.sum(values**order) ** (1.0 / (1.0 - order)))


def _to_unit(rows: np.ndarray) -> np.ndarray:
    """Brings rows to length 1 where they are, but for those of zeros, and gives their lengths, shape (n,)."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    rows /= np.where(lengths > 0, lengths, 1.0)[:, None]
    return lengths


def _checked(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features)
    if features.ndim != 2 or features.size == 0:
        raise InputError(f"features must have the shape (n, d) with at least one image, got {features.shape}")
    if not np.isfinite(features).all():
        raise InputError("features must be finite; remove the images whose features are NaN or infinite")
    return features
