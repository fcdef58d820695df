"""The fidelity scores of an evaluation: each function of this room with its null, its interval and its images."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError
from fourfold.fidelity import measures
from fourfold.fidelity.exchange import calibrate_distance
from fourfold.fidelity.kernel import cubic, kernel_distance_with_variance
from fourfold.fidelity.kernel_interval import kernel_interval, kernel_null
from fourfold.fidelity.kernel_seen import seen_kernel_distance
from fourfold.fidelity.manifold import density, precision, realism
from fourfold.fidelity.radiomic import Scale, joint_range, z_scores
from fourfold.fidelity.radiomic_estimate import calibrate_radiomic
from fourfold.resampling import Estimate, calibrate, too_few
from fourfold.score import Better, Metric, Score, does_not_apply, register

__all__ = ["NEIGHBORS"]

# Balls reach to this many neighbours: the value in use with density and coverage.
NEIGHBORS = 5
# Deals of a distance that is fifteen distances itself: the ends of its null are the least and the largest of them.
_FEW_DEALS = 39


def _score(name: str, comparison: Comparison, estimate: Estimate, **fields: object) -> Score:
    metric = _METRICS[name]
    return Score(
        axis="fidelity",
        name=name,
        **vars(estimate),
        better=metric.better,
        features=comparison.space,
        source=metric.source,
        **fields,
    )


def _ranked(comparison: Comparison, estimate: Estimate, used: int | None = None) -> Estimate:
    """The estimate, with a word where there are too few images for the number of features that it used, or all."""
    n, m, d = len(comparison.training), len(comparison.synthetic), used or comparison.training.values.shape[1]
    if estimate.value is None or min(n, m) > d:
        return estimate
    return estimate.because(
        f"{n} training and {m} synthetic images do not determine a covariance of {d} features: "
        "compare the value with its null only"
    )


def _frechet(comparison: Comparison) -> Score:
    estimate = calibrate_distance(measures.frechet(comparison), comparison)
    return _score("frechet_distance", comparison, _ranked(comparison, estimate))


def _frechet_infinity(comparison: Comparison) -> Score:
    estimate = calibrate_distance(
        measures.frechet_infinity(comparison),
        comparison,
        level=_training_share,
        smooth=measures.frechet(comparison),
        lowest=-math.inf,
        deals=_FEW_DEALS,
    )
    return _score("frechet_distance_infinity", comparison, _ranked(comparison, estimate))


def _training_share(n: int, m: int, a: int, b: int) -> float:
    # Extrapolation leaves the bias that comes from the number of training images, about 1 / n.
    return a / n


def _kernel(comparison: Comparison) -> Score:
    training, synthetic = comparison.training, comparison.synthetic
    try:
        found = seen_kernel_distance(comparison) or kernel_distance_with_variance(
            training.values, synthetic.values, x_groups=training.patients, y_groups=synthetic.patients
        )
    except InputError as problem:
        return _score("kernel_distance", comparison, Estimate(None, reason=str(problem)))
    estimate = Estimate(found.value, 0.0, null_source="analytic")
    scarce = too_few(training, synthetic)
    if scarce is not None:
        return _score("kernel_distance", comparison, estimate.because(scarce))
    interval, band = kernel_interval(found, kernel_null(training, cubic, seed=comparison.seed))
    return _score("kernel_distance", comparison, replace(estimate, interval=interval, null_interval=band))


def _precision(comparison: Comparison) -> Score:
    def statistic(training: Features, other: Features) -> float:
        return precision(training.values, other.values, NEIGHBORS, **_settings(comparison, training))

    def observed(role: str) -> float:
        return float((_balls(comparison, role) > 0).mean())

    estimate = calibrate(
        statistic,
        comparison,
        observed=observed,
        of_held=lambda part: float((part.containing > 0).mean()),
        limits=(0.0, 1.0),
    )
    return _score("precision", comparison, estimate, details={"k": NEIGHBORS})


def _density(comparison: Comparison) -> Score:
    def statistic(training: Features, other: Features) -> float:
        return density(training.values, other.values, NEIGHBORS, **_settings(comparison, training))

    def observed(role: str) -> float:
        return float(_balls(comparison, role).mean() / NEIGHBORS)

    estimate = calibrate(
        statistic,
        comparison,
        observed=observed,
        of_held=lambda part: float(part.containing.mean() / NEIGHBORS),
        analytic=lambda n, m: 1.0,
        limits=(0.0, math.inf),
    )
    columns = {}
    if estimate.value is not None:
        columns = {"training_balls": _balls(comparison, "synthetic")}
    return _score("density", comparison, estimate, per_synthetic=columns, details={"k": NEIGHBORS})


def _realism(comparison: Comparison) -> Score:
    depths: dict[str, np.ndarray] = {}

    def statistic(training: Features, other: Features) -> float:
        return float(np.median(realism(training.values, other.values, NEIGHBORS, **_settings(comparison, training))))

    def observed(role: str) -> float:
        _finite_radii(comparison)
        depths[role] = comparison.depths(role)
        return float(np.median(depths[role]))

    estimate = calibrate(
        statistic,
        comparison,
        observed=observed,
        of_held=lambda part: float(np.median(part.depths)),
        limits=(0.0, math.inf),
    )
    if "synthetic" in depths and not math.isfinite(np.median(depths["synthetic"])):
        estimate = Estimate(None, reason="at least half of the synthetic images equal a training image")
    columns = {"realism": depths["synthetic"]} if "synthetic" in depths else {}
    return _score("realism", comparison, estimate, per_synthetic=columns, details={"k": NEIGHBORS, "summary": "median"})


def _settings(comparison: Comparison, training: Features) -> dict[str, object]:
    return {"metric": comparison.distance, "groups": training.patients, "memory": comparison.memory}


def _finite_radii(comparison: Comparison) -> np.ndarray:
    radii = comparison.radii("training", NEIGHBORS)
    if not np.isfinite(radii).all():
        others = "images" if comparison.training.patients is None else "images of other patients"
        raise InputError(
            f"each training image needs more than {NEIGHBORS} {others}, got a training set of {len(radii)}"
        )
    return radii


def _balls(comparison: Comparison, role: str) -> np.ndarray:
    """For each image of a set, the number of training balls that hold it."""
    _finite_radii(comparison)
    return comparison.balls(role, "training", NEIGHBORS).containing


def _radiomic(comparison: Comparison) -> Score:
    return _radiomic_score("radiomic_frechet_distance", comparison, z_scores, logarithm=True)


def _radiomic_v0(comparison: Comparison) -> Score:
    return _radiomic_score("radiomic_frechet_distance_v0", comparison, joint_range, logarithm=False)


def _radiomic_score(name: str, comparison: Comparison, scale: Scale, *, logarithm: bool) -> Score:
    try:
        estimate, used = calibrate_radiomic(comparison, scale, logarithm=logarithm)
    except InputError as problem:
        return does_not_apply("fidelity", name, str(problem), features=comparison.space, better="lower")
    return _score(name, comparison, _ranked(comparison, estimate, used), details={"features_used": used})


_DEALT = "patients of training and holdout set dealt at random into two sets of these sizes"
_HOLDOUT = "the holdout set scored as if it were synthetic"


def _metric(name: str, better: Better, compute, summary: str, null: str, cost: str, source: str, **more) -> Metric:
    return register(
        Metric(
            axis="fidelity",
            name=name,
            kind="features",
            better=better,
            summary=summary,
            null=null,
            cost=cost,
            source=source,
            compute=compute,
            **more,
        )
    )


_METRICS = {
    metric.name: metric
    for metric in (
        _metric(
            "frechet_distance",
            "lower",
            _frechet,
            "distance between the means and covariances of the two sets",
            _DEALT,
            "O((N + M) d^2 + d^3)",
            "Heusel et al. 2017",
        ),
        _metric(
            "frechet_distance_infinity",
            "lower",
            _frechet_infinity,
            "Frechet distance extrapolated to infinitely many synthetic images",
            _DEALT,
            "O((N + M) d^2 + 15 d^3)",
            "Chong & Forsyth 2020",
        ),
        _metric(
            "kernel_distance",
            "lower",
            _kernel,
            "squared distance of the mean embeddings under a cubic kernel (KID), unbiased, on all pairs",
            "analytic: 0",
            "O((N + M)^2 d)",
            "Binkowski et al. 2018; Gretton et al. 2012",
        ),
        _metric(
            "precision",
            "higher",
            _precision,
            "share of synthetic images within the real manifold",
            _HOLDOUT,
            "O((N + M + H) N d)",
            "Kynkaanniemi et al. 2019",
        ),
        _metric(
            "density",
            "higher",
            _density,
            "how many neighbourhoods of training images hold a synthetic image",
            "analytic: 1 for independent images; with patients, " + _HOLDOUT,
            "O((N + M + H) N d)",
            "Naeem et al. 2020",
        ),
        _metric(
            "realism",
            "higher",
            _realism,
            "how deep the median synthetic image lies within the real manifold",
            _HOLDOUT,
            "O((N + M + H) N d)",
            "Kynkaanniemi et al. 2019",
        ),
        _metric(
            "radiomic_frechet_distance",
            "lower",
            _radiomic,
            "logarithm of the Frechet distance of z-scored radiomic features (FRD, version 1)",
            _DEALT,
            "O((N + M) d^2 + d^3)",
            "Konz et al. 2026",
            spaces=("radiomics",),
        ),
        _metric(
            "radiomic_frechet_distance_v0",
            "lower",
            _radiomic_v0,
            "Frechet distance of radiomic features mapped to [0, 7.457] (FRD, version 0)",
            _DEALT,
            "O((N + M) d^2 + d^3)",
            "Osuala et al. 2024",
            spaces=("radiomics",),
        ),
    )
}
