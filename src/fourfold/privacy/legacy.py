"""The published MedSynAnalyzer triple, reproduced for comparison with earlier work.

Xing, Felder, Nan, Papanastasiou, Walsh, Yang: "You Don't Have to Be Perfect to Be Amazing" (MICCAI 2023), as the
authors' package 1.0.0 computes it. It is not calibrated and takes no part in any verdict:

- privacy is 1 minus improved precision with one neighbour, and fidelity is improved precision with five, so that
  ``precision_privacy = precision + privacy - 1``: their trade-off is largely an identity;
- an ideal generator scores between 0.24 (one dimension) and 0.65 (256 dimensions); images shrunk to the mean score 0
  without any copying;
- where every training image has an exact duplicate, verbatim copies score 1.0, full privacy: the radius is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Comparison, Role
from fourfold.neighbors import count_within, nearest
from fourfold.neighbors.blocks import pairwise
from fourfold.neighbors.distances import MetricName
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["LegacyTriple", "legacy_privacy", "legacy_triple"]

SOURCE = "Xing et al.: You Don't Have to Be Perfect to Be Amazing (MICCAI 2023), as in MedSynAnalyzer 1.0.0"

_NEIGHBOURS, _TAU = 5, 0.05
# Images of a patient up to which all of their pairs are scored; more are cheaper to search.
_FEW = 17


@dataclass(frozen=True)
class LegacyTriple:
    """Shares of the synthetic images.

    Parameters
    ----------
    precision : float
        Within the distance of some training image to its k-th neighbour ("fidelity").
    precision_privacy : float
        The same, but within no training image's distance to its first neighbour.
    privacy : float
        Within no training image's distance to its first neighbour.
    """

    precision: float
    precision_privacy: float
    privacy: float


def legacy_triple(
    training: np.ndarray,
    synthetic: np.ndarray,
    k: int = _NEIGHBOURS,
    tau: float = _TAU,
    metric: MetricName = "euclidean",
    memory: int = 1 << 30,
) -> LegacyTriple:
    """MedSynAnalyzer's fidelity, combined and privacy scores.

    Parameters
    ----------
    training, synthetic : arrays, shapes (N, d) and (M, d)
        ``N >= k + 1``. Patients are ignored, as in the original.
    k : int
        Neighbour that sets the radius of fidelity.
    tau : float
        Where the mean over features of the standard deviation of the synthetic set is at most `tau`, `tau` is added
        to the radius of a copy: the original's guard against mode collapse, which depends on the scale of the
        features.
    metric : str
        As for `fourfold.neighbors.nearest`.
    memory : int
        Bytes for the searches.

    Returns
    -------
    LegacyTriple

    Raises
    ------
    ValueError
        Where there are fewer than ``k + 1`` training images.

    Examples
    --------
    >>> import numpy as np
    >>> real = np.random.default_rng(0).normal(size=(50, 4))
    >>> legacy_triple(real, real[:10])
    LegacyTriple(precision=1.0, precision_privacy=0.0, privacy=0.0)
    """
    if len(training) < k + 1:
        raise ValueError(f"{len(training)} training images have no {k} neighbours each; at least {k + 1} are needed")
    radii = nearest(training, training, k, metric=metric, exclude_self=True, memory=memory).distances

    def balls(reach: np.ndarray) -> np.ndarray:
        return count_within(synthetic, training, reach, metric=metric, memory=memory)

    return _triple(synthetic, radii, tau, balls)


def _triple(
    synthetic: np.ndarray, radii: np.ndarray, tau: float, balls: Callable[[np.ndarray], np.ndarray]
) -> LegacyTriple:
    """The triple from the distances of each training image to its nearest ones, shape (N, k).

    `balls` counts, for each synthetic image, the balls of given radii that hold it.
    """
    real, reach = balls(radii[:, -1]) > 0, radii[:, 0]
    if np.mean(np.std(np.asarray(synthetic, dtype=np.float64), axis=0)) <= tau:
        reach = reach + tau
    copied = balls(reach) > 0
    return LegacyTriple(float(np.mean(real)), float(np.mean(real & ~copied)), float(np.mean(~copied)))


def _whoevers(comparison: Comparison, k: int) -> np.ndarray:
    """Distances of each training image to the `k` nearest other ones, of its own patient too; shape (N, k)."""
    training = comparison.training
    others = comparison.neighbors("training", "training", k).distances
    if training.patients is None:
        return others
    order = np.argsort(training.patients, kind="stable")
    sizes = np.unique(training.patients, return_counts=True)[1]
    if sizes.max() > _FEW:
        search = {"metric": comparison.distance, "memory": comparison.memory}
        return nearest(training.values, training.values, k, exclude_self=True, **search).distances
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    each, place = np.repeat(sizes, sizes), np.arange(len(order))
    own = np.full((len(order), _FEW - 1), np.inf)
    for step in range(1, int(sizes.max())):
        some = np.flatnonzero(each > step)
        mates = order[first[some] + (place[some] - first[some] + step) % each[some]]
        i = order[some]
        own[i, step - 1] = pairwise(training.values, training.values, i, mates, comparison.distance, comparison.memory)
    return np.sort(np.concatenate([others, own], axis=1), axis=1)[:, :k]


def legacy_privacy(comparison: Comparison) -> Score:
    """MedSynAnalyzer's privacy, uncalibrated, with the holdout's as the number to hold it against."""
    fields = {"better": "null", "features": comparison.space, "source": SOURCE}
    training, synthetic, holdout = comparison.training, comparison.synthetic, comparison.holdout
    if len(training) < 6 or len(synthetic) < 1:
        return does_not_apply("privacy", "legacy_privacy", "needs six training images and a synthetic one", **fields)
    radii = _whoevers(comparison, _NEIGHBOURS)

    def triple_of(role: Role) -> LegacyTriple:
        return _triple(
            comparison.set(role).values, radii, _TAU, lambda reach: comparison.within(role, reach).containing
        )

    triple = triple_of("synthetic")
    fresh = triple_of("holdout") if holdout is not None and len(holdout) else None
    return Score(
        "privacy",
        "legacy_privacy",
        triple.privacy,
        null=None if fresh is None else fresh.privacy,
        null_source=None if fresh is None else "holdout",
        reason="published score, uncalibrated: it rewards images that look like nobody, and reads duplicated training "
        "images as full privacy; for comparison with earlier work only",
        details={
            "precision": triple.precision,
            "precision_privacy": triple.precision_privacy,
            "calibrated": False,
            "holdout_precision": None if fresh is None else fresh.precision,
        },
        **fields,
    )


register(
    Metric(
        axis="privacy",
        name="legacy_privacy",
        kind="features",
        better="null",
        summary="the published MedSynAnalyzer privacy score, uncalibrated, for comparison with earlier work only",
        null="the holdout scored as if synthetic",
        cost="O((N + M) N d)",
        source=SOURCE,
        compute=legacy_privacy,
    )
)
