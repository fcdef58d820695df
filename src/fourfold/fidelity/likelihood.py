"""Feature likelihood divergence (FLD): whether a density made of the synthetic images explains patients it never saw.

The density is a mixture of isotropic Gaussians, one at each synthetic image, with bandwidths fitted to training images
(`fourfold.statistics.mixture`). FLD is the negative log-likelihood of the holdout under it, minus that under a mixture
centred on training images, per dimension, times 100. Images in the wrong place, a missing kind of image, and copies,
whose bandwidths shrink to nothing, all raise it; it is the one fidelity score that a copied training set fails.

As published (`feature_likelihood_divergence`), the synthetic mixture has M centres fitted to all N training images and
the baseline N / 2 centres fitted to the other N / 2, so that a fresh real sample does not score 0. What is scored here
gives both mixtures the same number of centres and fits them to the same images:

    100 (mean NLL(holdout; synthetic centres) - mean NLL(holdout; centres from one half of training)),

both fitted to the other half, which standardises the features too, and averaged over the two halves.

If the synthetic images are a fresh real sample, the two sets of centres can be exchanged and the null is 0 exactly.
Where training patients have several images each, independent synthetic images do a little better than that.
How much likelier training images are than the holdout is asked by ``privacy/likelihood_gap``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.fidelity.dealing import together
from fourfold.resampling import Estimate, deal, normal_interval, subsample, too_few
from fourfold.score import Metric, Score, register
from fourfold.statistics.mixture import (
    feature_likelihood_divergence,
    fit_bandwidths,
    negative_log_likelihoods,
    standardised,
)

__all__ = ["feature_likelihood_divergence", "likelihood_divergence"]

# Images of a set in one divergence, at most: its cost is that of about 100 passes over all pairs.
_LARGEST = 1000
# Images of a set in a subsample, at most, and subsamples behind each variance.
_LARGEST_DRAW, _DRAWS = 300, 24
# Least number of centres, of images that they are fitted to, and of images whose likelihood is taken.
_FEWEST = 5


def likelihood_divergence(
    training: np.ndarray,
    holdout: np.ndarray,
    synthetic: np.ndarray,
    *,
    patients: np.ndarray | None = None,
    seed: int = 0,
) -> float:
    """Feature likelihood divergence with an exact null: equally many centres, fitted to the same images.

    Parameters
    ----------
    training, holdout, synthetic : arrays, shapes (N, d), (H, d) and (M, d)
        Features, at least 10 training, 5 holdout and 5 synthetic images; standardised here.
    patients : array of int, shape (N,), or None
        Patients of the training images, who stay in one half.
    seed : int
        Chooses the halves of the training set, and the images that centres are cut down to.

    Returns
    -------
    float
        In hundredths of a nat per dimension. 0 in expectation for a fresh real sample; larger is worse.

    Raises
    ------
    ValueError
        Where a set is too small or no feature varies over the training set.

    References
    ----------
    Jiralerspong et al. 2023, "Feature likelihood divergence: evaluating the generalization of generative models using
    samples", NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> training, holdout, fresh = rng.normal(size=(3, 200, 4))
    >>> abs(likelihood_divergence(training, holdout, fresh)) < 3 < likelihood_divergence(training, holdout, training)
    True
    """
    if len(training) < 2 * _FEWEST or min(len(holdout), len(synthetic)) < _FEWEST:
        raise ValueError(
            f"a likelihood divergence needs at least {2 * _FEWEST} training, {_FEWEST} holdout and {_FEWEST} synthetic "
            f"images, got {len(training)}, {len(holdout)} and {len(synthetic)}"
        )
    rng = np.random.default_rng([seed, len(training), len(synthetic)])
    training = np.asarray(training)
    halves = deal(Features(training, patients), (0.5, 0.5), rng)
    if min(map(len, halves)) < _FEWEST:
        raise ValueError("the training images are of too few patients for two halves")
    divergences = []
    for own, rest in (halves, halves[::-1]):
        known, centres, fresh, made = standardised(training[rest], training[rest], training[own], holdout, synthetic)
        size = min(len(centres), len(made))
        sets = (one[rng.permutation(len(one))[:size]] for one in (made, centres))
        found, expected = (negative_log_likelihoods(fresh, one, fit_bandwidths(known, one)).mean() for one in sets)
        divergences.append(100.0 * float(found - expected))
    return float(np.mean(divergences))


def _likelihood_divergence(comparison: Comparison) -> Score:
    training, holdout, synthetic = comparison.training, comparison.holdout, comparison.synthetic
    if holdout is None:
        return Estimate(None, reason="needs a holdout set: give one with --holdout").score(FLD, comparison.space)
    rng = np.random.default_rng([comparison.seed, len(training), len(synthetic)])
    sets = [subsample(one, min(1.0, _LARGEST / max(len(one), 1)), rng) for one in (training, holdout, synthetic)]
    try:
        value = _divergence(*sets, comparison.seed)
        published = feature_likelihood_divergence(*(one.values for one in sets), seed=comparison.seed)
    except ValueError as problem:
        return Estimate(None, reason=str(problem)).score(FLD, comparison.space)
    details = {"published": published, "images": [len(one) for one in sets]}
    estimate = Estimate(value, 0.0, null_source="analytic")
    scarce = too_few(*sets)
    if scarce is not None:
        return estimate.because(scarce).score(FLD, comparison.space, details=details)
    try:
        variance, null_variance = _variances(*sets, comparison.seed, rng)
    except ValueError as problem:
        return estimate.because(f"no interval: {problem}").score(FLD, comparison.space, details=details)
    estimate = replace(
        estimate,
        interval=normal_interval(value, variance, draws=_DRAWS),
        null_interval=normal_interval(0.0, null_variance, draws=_DRAWS),
    )
    return estimate.score(FLD, comparison.space, details=details)


def _divergence(training: Features, holdout: Features, synthetic: Features, seed: int) -> float:
    return likelihood_divergence(
        training.values, holdout.values, synthetic.values, patients=training.patients, seed=seed
    )


def _variances(
    training: Features, holdout: Features, synthetic: Features, seed: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Variance of the divergence over fresh samples of the three sets, and that which fresh real images would have."""
    sets = (training, holdout, synthetic)
    share = min(0.5, _LARGEST_DRAW / max(map(len, sets)))
    found = [_divergence(*(subsample(one, share, rng) for one in sets), seed) for _ in range(_DRAWS)]
    # Under the null the divergence is a contrast of samples: disjoint parts of one pool differ as fresh samples do, and
    # its variance is inverse to their sizes.
    pool = together(training, holdout)
    scale = min(share, len(pool) / (len(pool) + len(synthetic)))
    shares = tuple(scale * len(one) / len(pool) for one in sets)
    dealt = [[pool.take(rows) for rows in deal(pool, shares, rng)] for _ in range(_DRAWS)]
    fresh = [_divergence(*parts, seed) for parts in dealt]
    return float(np.var(found, ddof=1)) * share / (1 - share), float(np.var(fresh, ddof=1)) * scale


FLD = register(
    Metric(
        axis="fidelity",
        name="likelihood_divergence",
        kind="features",
        better="lower",
        summary="whether a density made of the synthetic images explains unseen patients; copies raise it too",
        null="0: synthetic and training images are centres in equal number, fitted to the same other images",
        cost="O(N M (d + 100)), on at most 1000 images a set, and 48 times on at most 300",
        source="Jiralerspong et al. 2023",
        compute=_likelihood_divergence,
        needs=("holdout",),
        thorough=True,
    )
)
