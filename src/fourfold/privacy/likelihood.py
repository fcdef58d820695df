"""Feature likelihood divergence and its gap: how much likelier synthetic images make the training set than the holdout.

Jiralerspong et al., "Feature Likelihood Divergence" (NeurIPS 2023). The density is a mixture of isotropic Gaussians,
one at each synthetic image, whose bandwidths are fitted to real images: a copy gets a tiny bandwidth, and the image
that it copies a huge likelihood. The *divergence* is the negative log-likelihood of the holdout beyond that under a
mixture centred on training images; the *gap* is that of the training images minus that of the holdout. Both are per
dimension, times 100.

As published, features are standardised by the holdout and bandwidths fitted to the training images, so that the two
sets are treated differently even where nothing was copied. The gap that is scored here treats them alike, fitting and
standardising on both together: which image is in which set then makes no difference unless the synthetic images know
it, and the null is 0 exactly. Its power is the same. A diagnostic only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Comparison
from fourfold.privacy.contrast import Z_95, one_sided
from fourfold.privacy.patients import numbered
from fourfold.score import Metric, Score, does_not_apply, register
from fourfold.statistics import variance_of_mean
from fourfold.statistics.mixture import (
    component_log_densities,
    feature_likelihood_divergence,
    fit_bandwidths,
    negative_log_likelihoods,
    standardised,
)

__all__ = [
    "Likelihoods",
    "likelihood_gap",
    "likelihood_gap_score",
]

SOURCE = "Jiralerspong, Bose, Gemp, Qin, Bachrach, Gidel: Feature Likelihood Divergence (NeurIPS 2023)"

_BYTES_PER_PAIR = 40


@dataclass(frozen=True)
class Likelihoods:
    """Negative log-likelihoods per dimension of the real images, and what the synthetic ones know of them.

    Parameters
    ----------
    training, holdout : arrays of float64, shapes (N,) and (H,)
        Under the mixture centred on the synthetic images.
    memorisation : array of float64, shape (M,)
        Largest log-density per dimension that the component at each synthetic image gives to a training image.
    """

    training: np.ndarray
    holdout: np.ndarray
    memorisation: np.ndarray

    @property
    def gap(self) -> float:
        """``100 (mean training - mean holdout)``; far below 0 where training images were copied."""
        return 100.0 * float(self.training.mean() - self.holdout.mean())


def likelihood_gap(training: np.ndarray, holdout: np.ndarray, synthetic: np.ndarray) -> Likelihoods:
    """Likelihoods of training and holdout images under a mixture centred on the synthetic ones.

    Parameters
    ----------
    training, holdout, synthetic : arrays, shapes (N, d), (H, d) and (M, d)
        Features; standardised here by the mean and standard deviation of training and holdout together.

    Returns
    -------
    Likelihoods

    Raises
    ------
    ValueError
        If a set is empty or no feature varies.
    """
    real = np.concatenate([training, holdout])
    real, made = standardised(real, real, synthetic)
    log_variances = fit_bandwidths(real, made)
    likelihoods = negative_log_likelihoods(real, made, log_variances)
    size = len(training)
    densities = component_log_densities(real[:size], made, log_variances).max(axis=0) / real.shape[1]
    return Likelihoods(likelihoods[:size], likelihoods[size:], densities)


def likelihood_gap_score(comparison: Comparison) -> Score:
    """`likelihood_gap` of a comparison, with an interval over patients.

    Returns
    -------
    Score
        In hundredths of a nat per dimension, null 0. One-sided: an interval above the null is stretched to it.
    """
    fields = {"better": "higher", "features": comparison.space, "source": SOURCE}
    if comparison.holdout is None or len(comparison.holdout) < 2:
        return does_not_apply("privacy", "likelihood_gap", "needs two images in the holdout", **fields)
    if len(comparison.training) < 2 or not len(comparison.synthetic):
        return does_not_apply("privacy", "likelihood_gap", "needs two training images and a synthetic one", **fields)
    roles = ("training", "holdout", "synthetic")
    most = int(np.sqrt(comparison.memory / (2 * _BYTES_PER_PAIR)))
    rows = {role: _drawn(len(comparison.set(role)), most, comparison.seed) for role in roles}
    values = [comparison.set(role).values[rows[role]] for role in roles]
    try:
        found = likelihood_gap(*values)
        divergence = feature_likelihood_divergence(*values, seed=comparison.seed)
    except ValueError as problem:
        return does_not_apply("privacy", "likelihood_gap", str(problem), **fields)
    sets = (comparison.training, comparison.holdout)
    patients = numbered(sets[0].patients, sets[1].patients, (len(sets[0]), len(sets[1])))
    variance = sum(
        variance_of_mean(likelihoods, own[rows[role]])
        for likelihoods, own, role in zip((found.training, found.holdout), patients, roles)
    )
    half = 100.0 * Z_95 * float(np.sqrt(variance))
    memorisation = np.full(len(comparison.synthetic), np.nan)
    memorisation[rows["synthetic"]] = found.memorisation
    drawn = [role for role in roles if len(rows[role]) < len(comparison.set(role))]
    return Score(
        "privacy",
        "likelihood_gap",
        found.gap,
        null=0.0,
        interval=one_sided((found.gap - half, found.gap + half), 0.0, "higher"),
        null_interval=(-half, half),
        null_source="analytic",
        reason=f"{most} images each were drawn from the {' and '.join(drawn)} set to stay in memory" if drawn else None,
        per_synthetic={"memorisation": memorisation},
        details={
            "diagnostic": True,
            "one_sided": True,
            "divergence": divergence,
            "images": [len(rows[role]) for role in roles],
        },
        **fields,
    )


def _drawn(size: int, most: int, seed: int) -> np.ndarray:
    if size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng([seed, size]).choice(size, most, replace=False))


register(
    Metric(
        axis="privacy",
        name="likelihood_gap",
        kind="features",
        better="higher",
        summary="how much likelier synthetic images make training images than holdout ones; a diagnostic",
        null="0, since training and holdout are treated alike",
        cost="O((N + H) M (d + 100)), on at most 3600 images a set within 1 GiB",
        source=SOURCE,
        compute=likelihood_gap_score,
        needs=("holdout",),
        thorough=True,
    )
)
