"""Beta-recall: whether training images have a near synthetic image, in the centre of the synthetic set and at its edge.

A training image i is covered where its nearest synthetic image is no farther than its own nearest other training image.
B(beta) is the share of training images that are covered by a synthetic image of the central share beta, the distances
of the covering images from the mean of the synthetic set giving the scale. Beta-recall measures how far B is from the
diagonal (`fourfold.statistics.curves`, two normalisers).

The published method first trains a network that carries the features into a hypersphere; here the feature space is
taken as it is. A fresh real sample covers only about M / (N + M) of the training images by this rule, so it is far from
1: read the score against its null. Copies cover everything.
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError
from fourfold.neighbors import nearest
from fourfold.neighbors.balls import ball_radii
from fourfold.neighbors.distances import MetricName, pair_distances
from fourfold.resampling import calibrate
from fourfold.score import Metric, Score, register
from fourfold.statistics.curves import LevelCurve, levels

__all__ = ["beta_recall"]


def beta_recall(
    training: np.ndarray,
    synthetic: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> LevelCurve:
    """Share of training images covered by each central part of the synthetic set, in the feature space as it is.

    Parameters
    ----------
    training : array, shape (N, d)
        N >= 2.
    synthetic : array, shape (M, d)
        M >= 1.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    groups : array of int, shape (N,), or None
        Patients of the training images; images of one patient are then not neighbours of each other.
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    LevelCurve
        ``by_step`` (Alaa et al.) and ``by_sum`` (synthcity) are the two published scores, of at most 1.

    Raises
    ------
    InputError
        Where a set is too small, the shapes do not agree, or a value is not finite.

    References
    ----------
    Alaa et al. 2022, "How faithful is your synthetic data? Sample-level metrics for evaluating and auditing generative
    models", ICML; without its one-class embedding.

    Examples
    --------
    >>> import numpy as np
    >>> real = np.random.default_rng(0).normal(size=(300, 4))
    >>> round(beta_recall(real, real).by_step, 2), round(beta_recall(real, 9 + real).by_step, 2)
    (1.0, -0.03)
    """
    if len(synthetic) < 1:
        raise InputError("beta-recall needs at least one synthetic image")
    radii = ball_radii(training, 1, metric=metric, groups=groups, memory=memory)
    found = nearest(training, synthetic, 1, metric=metric, memory=memory)
    covered = found.distances[:, 0] <= radii
    covering = np.asarray(synthetic)[found.indices[:, 0]]
    centre = np.asarray(synthetic).mean(axis=0, dtype=np.float64)
    depth = pair_distances(covering, np.broadcast_to(centre, covering.shape), metric)
    edges = np.quantile(depth, levels())
    shares = np.searchsorted(np.sort(depth[covered]), edges, side="right") / len(depth)
    return LevelCurve(levels(), shares)


def _beta_recall(comparison: Comparison) -> Score:
    def curve(training: Features, other: Features) -> LevelCurve:
        return beta_recall(
            training.values,
            other.values,
            metric=comparison.distance,
            groups=training.patients,
            memory=comparison.memory,
        )

    estimate = calibrate(
        lambda training, other: curve(training, other).by_step, comparison, equal_sizes=True, limits=(-1.0, 1.0)
    )
    details: dict[str, object] = {"normaliser": "by_step (Alaa et al. 2022)", "embedding": "none"}
    if estimate.value is not None:
        found = curve(comparison.training, comparison.synthetic)
        details |= {"all_synthetic_images": found.by_step, "by_sum": found.by_sum, "shares": found.shares.tolist()}
    return estimate.score(BETA_RECALL, comparison.space, details=details)


BETA_RECALL = register(
    Metric(
        axis="variety",
        name="beta_recall",
        kind="features",
        better="higher",
        summary="whether training images have a synthetic image nearer than a real one, at the centre and the edge",
        null="the holdout set scored as if it were synthetic, in equal number",
        cost="O((N + M + H) N d)",
        source="Alaa et al. 2022, without its one-class embedding",
        compute=_beta_recall,
        thorough=True,
    )
)
