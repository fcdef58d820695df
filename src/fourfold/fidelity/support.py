"""Alpha-precision: whether synthetic images fall into the real set's central parts as often as real ones do.

The alpha-support of the training set is the ball around the mean c of its features that holds a share alpha of them.
With P(alpha) the share of synthetic images inside of it, a set from the same distribution has P(alpha) = alpha at all
levels; alpha-precision measures how far P is from that diagonal (`fourfold.statistics.curves`, two normalisers).

The published method first trains a network that carries the features into a hypersphere, and its result then depends
on that training more than on the images. Here the balls lie in the feature space as it is: no training, no chance. A
ball around one centre is a poor support where the features form several clusters, and the score only sees distances
from the centre: a set drawn in towards it, and one pushed outwards, both lose, but a set that misses a direction and
fills another does not. Copies get full marks.
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError
from fourfold.neighbors.blocks import checked
from fourfold.resampling import calibrate, facing_null
from fourfold.score import Metric, Score, register
from fourfold.statistics.curves import LevelCurve, levels

__all__ = ["alpha_precision"]


def alpha_precision(training: np.ndarray, synthetic: np.ndarray) -> LevelCurve:
    """Share of synthetic images within each central part of the training set, in the feature space as it is.

    Parameters
    ----------
    training : array, shape (N, d)
        N >= 2, finite.
    synthetic : array, shape (M, d)
        M >= 1, finite.

    Returns
    -------
    LevelCurve
        ``by_step`` (Alaa et al.) and ``by_sum`` (synthcity) are the two published scores: 1 where the synthetic images
        spread about the centre exactly as the training images do. A fresh real sample stays about 1 / sqrt(M) below.

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
    >>> round(alpha_precision(real, real).by_step, 2), round(alpha_precision(real, 9 + real).by_step, 2)
    (1.0, -0.03)
    """
    training, synthetic = (one.astype(np.float64) for one in checked(training, synthetic, "euclidean"))
    if len(training) < 2 or len(synthetic) < 1:
        raise InputError(
            f"alpha-precision needs 2 training images and a synthetic one, got {len(training)} and {len(synthetic)}"
        )
    centre = training.mean(axis=0)
    own, other = (np.sort(np.linalg.norm(one - centre, axis=1)) for one in (training, synthetic))
    radii = np.quantile(own, levels())
    return LevelCurve(levels(), np.searchsorted(other, radii, side="right") / len(other))


def _alpha_precision(comparison: Comparison) -> Score:
    def statistic(training: Features, other: Features) -> float:
        return alpha_precision(training.values, other.values).by_step

    limits = (-1.0, 1.0)
    estimate = facing_null(calibrate(statistic, comparison, equal_sizes=True, limits=limits), limits=limits)
    details: dict[str, object] = {"normaliser": "by_step (Alaa et al. 2022)", "embedding": "none"}
    if estimate.value is not None:
        curve = alpha_precision(comparison.training.values, comparison.synthetic.values)
        details |= {"all_synthetic_images": curve.by_step, "by_sum": curve.by_sum, "shares": curve.shares.tolist()}
    return estimate.score(ALPHA_PRECISION, comparison.space, details=details)


ALPHA_PRECISION = register(
    Metric(
        axis="fidelity",
        name="alpha_precision",
        kind="features",
        better="higher",
        summary="whether the central parts of the training set hold their share of the synthetic images",
        null="the holdout set scored as if it were synthetic, in equal number",
        cost="O((N + M + H) d)",
        source="Alaa et al. 2022, without its one-class embedding",
        compute=_alpha_precision,
        thorough=True,
    )
)
