"""How many patients the images are worth, and which of them are there twice.

Images of one patient are alike and so tell less than images of as many patients. With the intraclass correlation
``ICC`` of the features, n images of m a patient are worth ``n / (1 + (m - 1) ICC)`` (Kish's design effect); every
limit on sample size in an audit is about this number. Duplicates within training matter twice: generators memorise
what they see often, and patients that look like two people hide copies of each other.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Features, Spaces
from fourfold.images.duplicates import NEAR, similar_pairs
from fourfold.images.sets import ImageSet
from fourfold.privacy.control import patients_are_known, thumbnails
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["Worth", "effective_patients", "effective_size", "intraclass_correlation"]

SOURCE = "design effect (Kish 1965); intraclass correlation of a one-way random-effects model (Fisher 1925)"

COMPONENTS = 10
LARGEST_DUPLICATES = 20_000


@dataclass(frozen=True)
class Worth:
    """What grouped images are worth.

    Parameters
    ----------
    images, patients : int
    correlation : float or None
        Intraclass correlation in [0, 1]; None where no patient has two images, or there is one patient.
    effective : float
        Images of as many different patients that would tell as much; between 1 and `images`.
    """

    images: int
    patients: int
    correlation: float | None
    effective: float


def intraclass_correlation(values: np.ndarray, groups: np.ndarray) -> float | None:
    """Share of the variance that lies between groups, in a one-way random-effects model.

    Parameters
    ----------
    values : array, shape (n, k)
        Columns are weighted by their variance.
    groups : array, shape (n,)

    Returns
    -------
    float or None
        ``(MSB - MSW) / (MSB + (m0 - 1) MSW)`` with ``m0 = (n - sum n_g^2 / n) / (G - 1)``, cut to [0, 1]. None where
        there is one group, or no group with two members, or nothing varies.

    Examples
    --------
    >>> intraclass_correlation(np.array([[1.0], [1.0], [2.0], [2.0], [4.0], [4.0]]), np.array([0, 0, 1, 1, 2, 2]))
    1.0
    """
    names, owner, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    n, count = len(values), len(names)
    if count < 2 or n == count:
        return None
    values = np.asarray(values, dtype=np.float64)
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, owner.reshape(-1), values)
    means = sums / sizes[:, None]
    within = float(((values - means[owner.reshape(-1)]) ** 2).sum()) / (n - count)
    between = float((sizes[:, None] * (means - values.mean(axis=0)) ** 2).sum()) / (count - 1)
    typical = (n - float(sizes @ sizes) / n) / (count - 1)
    total = between + (typical - 1) * within
    return float(np.clip((between - within) / total, 0.0, 1.0)) if total > 0 else None


def effective_size(values: np.ndarray, groups: np.ndarray) -> Worth:
    """What the images of one set are worth.

    Parameters
    ----------
    values : array, shape (n, d)
        Features; the correlation is that of their ten leading principal components.
    groups : array, shape (n,)
        Patients.

    Returns
    -------
    Worth
        The size of a group that counts is the one an image finds itself in, ``sum n_g^2 / n``.
    """
    sizes = np.unique(groups, return_counts=True)[1]
    correlation = intraclass_correlation(_leading(values), groups)
    together = float(sizes @ sizes) / len(values)
    effective = len(values) / (1 + (together - 1) * (correlation or 0.0))
    return Worth(len(values), len(sizes), correlation, effective)


def effective_patients(spaces: Spaces) -> Score:
    """What the training images are worth in patients, with the duplicates among them.

    Parameters
    ----------
    spaces : Spaces
        The leading space is asked.

    Returns
    -------
    Score
        ``details``: the same for the holdout, ``exact_duplicates`` and ``near_duplicates`` (training images that have
        an equal or nearly equal other one).
    """
    fields = {"better": "higher", "source": SOURCE}
    name, comparison = next(iter(spaces.comparisons.items()))
    sets = spaces.sets
    if len(sets.training) < 3:
        return does_not_apply("privacy", "effective_patients", "needs three training images", features=name, **fields)
    training = _worth(comparison.training)
    details = {"training": vars(training), **_duplicates(sets.training, sets.seed)}
    details["patients_known"] = patients_are_known(sets.training)
    if comparison.holdout is not None and len(comparison.holdout):
        details["holdout"] = vars(_worth(comparison.holdout))
    return Score(
        "privacy",
        "effective_patients",
        training.effective,
        features=name,
        reason=None if details["patients_known"] else "without patient identifiers this is an upper limit",
        details=details,
        **fields,
    )


def _worth(features: Features) -> Worth:
    groups = np.arange(len(features)) if features.patients is None else features.patients
    return effective_size(features.values, groups)


def _leading(values: np.ndarray) -> np.ndarray:
    centred = np.asarray(values, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    gram = centred.T @ centred if centred.shape[1] <= len(centred) else centred @ centred.T
    weights, vectors = np.linalg.eigh(gram)
    count = min(COMPONENTS, len(weights))
    if centred.shape[1] <= len(centred):
        return centred @ vectors[:, -count:]
    return vectors[:, -count:] * np.sqrt(np.maximum(weights[-count:], 0.0))


def _duplicates(training: ImageSet, seed: int) -> dict[str, int]:
    if len(training) > LARGEST_DUPLICATES:
        rows = np.random.default_rng([seed, 44]).choice(len(training), LARGEST_DUPLICATES, replace=False)
        training = training.take(np.sort(rows))
    small = thumbnails(training)
    contents = Counter(row.tobytes() for row in small)
    near = np.zeros(len(small), dtype=bool)
    for first, second, _ in similar_pairs(small, small, NEAR):
        near[first[first != second]] = True
    exact = np.array([contents[row.tobytes()] > 1 for row in small])
    return {
        "examined": len(small),
        "exact_duplicates": int(exact.sum()),
        "near_duplicates": int((near & ~exact).sum()),
    }


register(
    Metric(
        axis="privacy",
        name="effective_patients",
        kind="spaces",
        better="higher",
        summary="what the training images are worth in patients, and how many of them are duplicates",
        null="none: a count",
        cost="O(N^2 d)",
        source=SOURCE,
        compute=effective_patients,
    )
)
