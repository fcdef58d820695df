"""The patient-aware nearest-neighbour ratio in a feature space.

The same statistic as in `fourfold.privacy.copies`, for whatever a network or a set of features calls near: the share
of synthetic images whose log-ratio lies beyond the 99th percentile of real images that are no copies.
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison, Role
from fourfold.privacy.contrast import Z_95, one_sided
from fourfold.privacy.ratio import RatioNull, TwoNearest
from fourfold.privacy.reach import training_reach
from fourfold.score import Metric, Score, does_not_apply, register
from fourfold.statistics import benjamini_hochberg, variance_of_mean

__all__ = ["nearest_neighbour_ratio", "two_nearest_features"]

SOURCE = "patient-aware form of d1/d2 with a real-real null; after Carlini et al. (USENIX Security 2023)"

_BEYOND = 0.01
_LEAST_NULL = 100
_MOST_NEIGHBOURS = 128
_LEVEL = 0.05


def two_nearest_features(comparison: Comparison, queries: Role, groups: np.ndarray) -> TwoNearest:
    """The two nearest patients of the training set to each query.

    Parameters
    ----------
    comparison : Comparison
    queries : {"training", "holdout", "synthetic"}
        Training images do not see their own patient.
    groups : array of int, shape (N,)
        Patients of the training images.

    Returns
    -------
    TwoNearest
        Where a patient has more than 127 images nearer than any other one's, the second distance is a lower bound.
    """
    largest = int(np.unique(groups, return_counts=True)[1].max())
    k = min(len(groups), 2 * largest + 1, _MOST_NEIGHBOURS)
    found = comparison.neighbors(queries, "training", k)
    known = found.indices >= 0
    owners = np.where(known, groups[found.indices], -1)
    if queries == "training":
        known &= owners != groups[:, None]
    rows = np.arange(len(owners))
    first = known.argmax(axis=1)
    any_first = known[rows, first]
    other = known & (owners != owners[rows, first][:, None])
    second = np.where(other.any(axis=1), other.argmax(axis=1), found.distances.shape[1] - 1)
    return TwoNearest(
        np.where(any_first, found.indices[rows, first], -1),
        np.where(any_first, found.indices[rows, second], -1),
        np.where(any_first, found.distances[rows, first], np.inf),
        np.where(any_first, found.distances[rows, second], np.inf),
    )


def nearest_neighbour_ratio(comparison: Comparison) -> Score:
    """Share of synthetic images beyond the 99th percentile of the log-ratio of real images.

    Returns
    -------
    Score
        One-sided: an interval below the null is stretched to it.
    """
    fields = {"better": "lower", "features": comparison.space, "source": SOURCE}
    name = "nearest_neighbour_ratio"
    if len(comparison.training) < 3 or len(comparison.synthetic) < 1:
        return does_not_apply("privacy", name, "needs three training images and one synthetic image", **fields)
    groups = training_reach(comparison).groups
    if len(np.unique(groups)) < 3:
        return does_not_apply("privacy", name, "needs three patients in the training set", **fields)
    synthetic = two_nearest_features(comparison, "synthetic", groups)
    real = [two_nearest_features(comparison, "training", groups)]
    patients = [groups]
    if comparison.holdout is not None and len(comparison.holdout):
        real.append(two_nearest_features(comparison, "holdout", groups))
        own = comparison.holdout.patients
        own = np.arange(len(comparison.holdout)) if own is None else own
        patients.append(own + int(groups.max()) + 1 - int(own.min()))
    null_values = np.concatenate([one.log_ratio for one in real])
    if len(null_values) < _LEAST_NULL:
        reason = f"the null needs {_LEAST_NULL} real images, there are {len(null_values)}"
        return does_not_apply("privacy", name, reason, **fields)
    threshold = float(np.quantile(null_values, 1 - _BEYOND))
    beyond = synthetic.log_ratio > threshold
    value = float(beyond.mean())
    spread = max(value * (1 - value), _BEYOND * (1 - _BEYOND)) / len(beyond)
    own_variance = variance_of_mean(null_values > threshold, np.concatenate(patients))
    half = Z_95 * np.sqrt(spread + own_variance)
    band = Z_95 * np.sqrt(_BEYOND * (1 - _BEYOND) / len(beyond) + own_variance)
    null = RatioNull.fit(null_values)
    listed, _ = benjamini_hochberg(null.p_values(synthetic), _LEVEL)
    return Score(
        "privacy",
        name,
        value,
        null=_BEYOND,
        interval=one_sided((max(0.0, value - half), min(1.0, value + half)), _BEYOND, "lower"),
        null_interval=(max(0.0, _BEYOND - band), _BEYOND + band),
        null_source="training without the own patient" + (" and holdout" if len(real) > 1 else ""),
        reason=None if len(real) > 1 else "without a holdout the null is read from training images alone",
        per_synthetic={"neighbour_ratio": synthetic.log_ratio},
        details={
            "diagnostic": True,
            "one_sided": True,
            "threshold": threshold,
            "null_images": len(null_values),
            "listed": int(listed.sum()),
            "false_discovery_rate": _LEVEL,
        },
        **fields,
    )


register(
    Metric(
        axis="privacy",
        name="nearest_neighbour_ratio",
        kind="features",
        better="lower",
        summary="share of synthetic images that single out one training patient more than 99 % of real images do",
        null="1 % by construction, the percentile read from holdout and training images without their own patient",
        cost="O((N + M + H) N d)",
        source=SOURCE,
        compute=nearest_neighbour_ratio,
    )
)
