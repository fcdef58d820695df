"""Authenticity: synthetic images that lie further from their nearest training image than that one's own neighbours.

Alaa et al., "How faithful is your synthetic data?", ICML 2022. The share has no null of its own (38 % in 2 dimensions,
89 % in 512, without any copying), so it is only read against that of the holdout.
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison
from fourfold.privacy.contrast import interval_of_mean, one_sided
from fourfold.privacy.reach import synthetic_draws, training_reach
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["authentic", "authenticity"]

SOURCE = "Alaa, van Breugel, Saveliev, van der Schaar: How faithful is your synthetic data? (ICML 2022), section 4"


def authentic(distances: np.ndarray, nearest: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Which images are authentic.

    Parameters
    ----------
    distances : array, shape (M,)
        To the nearest training image.
    nearest : array of int, shape (M,)
        Its row, in the training set: the radius is read there, not at the row of a synthetic image.
    radii : array, shape (N,)
        Distance from each training image to its nearest other one.

    Returns
    -------
    array of bool, shape (M,)
        ``radii[nearest] < distances``.
    """
    return np.asarray(radii)[np.asarray(nearest)] < np.asarray(distances)


def authenticity(comparison: Comparison) -> Score:
    """Share of authentic synthetic images, against that of the holdout.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    Score
        One-sided: an interval above the null is stretched to it.
    """
    fields = {"better": "higher", "features": comparison.space, "source": SOURCE}
    if len(comparison.training) < 2 or len(comparison.synthetic) < 1:
        return does_not_apply("privacy", "authenticity", "needs two training images and one synthetic image", **fields)
    reach = training_reach(comparison)
    if not np.isfinite(reach.radii).any():
        return does_not_apply("privacy", "authenticity", "the training set holds a single patient", **fields)
    found = comparison.neighbors("synthetic", "training", 1)
    flags = authentic(found.distances[:, 0], found.indices[:, 0], reach.radii)
    columns = {"authentic": flags}
    if comparison.holdout is None or not len(comparison.holdout):
        return Score(
            "privacy",
            "authenticity",
            float(flags.mean()),
            reason="without a holdout there is no null: the share depends on the number of dimensions",
            per_synthetic=columns,
            details={"diagnostic": True},
            **fields,
        )
    own = comparison.neighbors("holdout", "training", 1)
    fresh = authentic(own.distances[:, 0], own.indices[:, 0], reach.radii)
    interval, null_interval = interval_of_mean(flags, fresh, comparison.holdout.patients, synthetic_draws(comparison))
    null = float(fresh.mean())
    return Score(
        "privacy",
        "authenticity",
        float(flags.mean()),
        null=null,
        interval=one_sided(interval, null, "higher"),
        null_interval=null_interval,
        null_source="holdout",
        per_synthetic=columns,
        details={
            "diagnostic": True,
            "one_sided": True,
            "difference": float(flags.mean()) - null,
            "joined_patients": reach.joined,
        },
        **fields,
    )


register(
    Metric(
        axis="privacy",
        name="authenticity",
        kind="features",
        better="higher",
        summary="share of synthetic images further from their nearest training image than its own neighbours are",
        null="the holdout scored as if synthetic; none without a holdout",
        cost="O((N + M + H) N d)",
        source=SOURCE,
        compute=authenticity,
        needs=("holdout",),
    )
)
