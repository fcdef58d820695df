"""Distance share: how many synthetic images lie nearer to the training set than to the holdout.

A diagnostic only. Passing it says nothing about membership or copies (Yao et al., "The DCR Delusion", 2025), and a
few copies among thousands of images do not move it. Many synthetic images share one nearest real image, so they are
not independent evidence: taken as such, a test at 5 % accuses 10 to 30 % of flawless generators. The variance here is
that of exchanging the labels of the patients, which is exact, and which more synthetic images cannot shrink below what
the holdout allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourfold.comparison import Comparison
from fourfold.privacy.contrast import Z_95, clipped, one_sided
from fourfold.privacy.patients import numbered
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["DistanceShare", "distance_share", "distance_share_score"]

SOURCE = (
    "share of distances to the closest record (Platzer, Reutterer: Front. Big Data 4, 2021), with the permutation "
    "variance of a sample without replacement (Cochran: Sampling Techniques, 1977, section 2.6)"
)


@dataclass(frozen=True)
class DistanceShare:
    """The share and its distribution when the labels training and holdout are exchanged between patients.

    Parameters
    ----------
    value : float
        Share of synthetic images nearer to training than to holdout, ties half, in [0, 1].
    null : float
        ``N / (N + H)``.
    standard_error : float
        Under exchanged labels.
    weights : array of float64, shape (M,)
        1, 0.5 (tie) or 0 for each synthetic image.
    """

    value: float
    null: float
    standard_error: float
    weights: np.ndarray

    @property
    def z(self) -> float:
        """Standard errors above the null; 0 where exchanging labels changes nothing."""
        return 0.0 if self.standard_error == 0 else (self.value - self.null) / self.standard_error

    @property
    def p(self) -> float:
        """One-sided p-value of "no nearer to training than to the holdout"."""
        return float(stats.norm.sf(self.z))


def distance_share(
    training_distances: np.ndarray,
    training_rows: np.ndarray,
    holdout_distances: np.ndarray,
    holdout_rows: np.ndarray,
    training_patients: np.ndarray,
    holdout_patients: np.ndarray,
) -> DistanceShare:
    """Share of synthetic images nearer to training than to the holdout, with its exact permutation variance.

    With c_g the number of synthetic images whose nearest real image is one of patient g, k_g its images, K and m the
    sums, and P patients of which p_t are in training, the variance of the share is
    ``p_t p_h / (P (P - 1)) sum_g (c_g - m k_g / K)^2 / m^2``. With one image a patient this is
    ``n_t n_h / (N (N - 1)) sum_r (c_r - mean c)^2 / m^2``.

    Parameters
    ----------
    training_distances, holdout_distances : arrays, shape (M,)
        To the nearest training and the nearest holdout image.
    training_rows, holdout_rows : arrays of int, shape (M,)
        Their rows.
    training_patients, holdout_patients : arrays of int, shapes (N,) and (H,)
        Equal entries are one patient; none may be in both sets.

    Returns
    -------
    DistanceShare

    Raises
    ------
    ValueError
        If a set is empty or a patient is in both.

    Examples
    --------
    >>> nearer, further = np.array([1.0, 1.0, 5.0, 5.0]), np.full(4, 3.0)
    >>> found = distance_share(nearer, np.arange(4), further, np.arange(4), np.arange(4), np.arange(4, 8))
    >>> found.value, found.null, round(found.standard_error, 4)
    (0.5, 0.5, 0.189)
    """
    near, far = np.asarray(training_distances, dtype=float), np.asarray(holdout_distances, dtype=float)
    if not len(near) or not len(training_patients) or not len(holdout_patients):
        raise ValueError("a distance share needs synthetic, training and holdout images")
    both = np.concatenate([training_patients, holdout_patients])
    codes = np.unique(both, return_inverse=True)[1]
    n_t, images = len(training_patients), len(both)
    in_training = np.bincount(codes[:n_t], minlength=codes.max() + 1) > 0
    if in_training[codes[n_t:]].any():
        raise ValueError("a patient is both in training and in the holdout")
    weights = np.where(near < far, 1.0, np.where(near == far, 0.5, 0.0))
    patients, own = len(in_training), int(in_training.sum())
    counts = np.bincount(codes[training_rows], weights, minlength=patients)
    counts += np.bincount(codes[n_t + np.asarray(holdout_rows)], 1.0 - weights, minlength=patients)
    surplus = counts - len(near) / images * np.bincount(codes)
    variance = own * (patients - own) / (patients * (patients - 1)) * np.sum(surplus**2) / len(near) ** 2
    return DistanceShare(float(weights.mean()), n_t / images, float(np.sqrt(variance)), weights)


def distance_share_score(comparison: Comparison) -> Score:
    """`distance_share` of a comparison.

    Returns
    -------
    Score
        One-sided: an interval below the null is stretched to it.
    """
    fields = {"better": "lower", "features": comparison.space, "source": SOURCE}
    training, synthetic, holdout = comparison.training, comparison.synthetic, comparison.holdout
    if holdout is None or not len(holdout):
        return does_not_apply("privacy", "distance_share", "needs a holdout", **fields)
    if not len(training) or not len(synthetic):
        return does_not_apply("privacy", "distance_share", "needs training and synthetic images", **fields)
    near, far = comparison.neighbors("synthetic", "training", 1), comparison.neighbors("synthetic", "holdout", 1)
    patients = numbered(training.patients, holdout.patients, (len(training), len(holdout)))
    try:
        found = distance_share(
            near.distances[:, 0], near.indices[:, 0], far.distances[:, 0], far.indices[:, 0], *patients
        )
    except ValueError as problem:
        return does_not_apply("privacy", "distance_share", str(problem), **fields)
    half = Z_95 * found.standard_error
    interval = clipped((found.value - half, found.value + half), (0.0, 1.0))
    return Score(
        "privacy",
        "distance_share",
        found.value,
        null=found.null,
        interval=one_sided(interval, found.null, "lower"),
        null_interval=clipped((found.null - half, found.null + half), (0.0, 1.0)),
        null_source="analytic",
        per_synthetic={"nearer_to_training": found.weights},
        details={
            "diagnostic": True,
            "one_sided": True,
            "z": found.z,
            "p": found.p,
            "standard_error": found.standard_error,
            "naive_standard_error": float(np.sqrt(found.null * (1 - found.null) / len(synthetic))),
            "patients": [len(np.unique(one)) for one in patients],
        },
        **fields,
    )


register(
    Metric(
        axis="privacy",
        name="distance_share",
        kind="features",
        better="lower",
        summary="share of synthetic images nearer to the training set than to the holdout; a diagnostic",
        null="N / (N + H), with the variance of exchanging the labels of the patients",
        cost="O((N + H) M d)",
        source=SOURCE,
        compute=distance_share_score,
        needs=("holdout",),
    )
)
