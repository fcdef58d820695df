"""Clipped density: density that neither outliers among the real images nor crowded synthetic ones can inflate.

With r_i the distance of training image i to its k-th nearest other one and R_i = min(r_i, median of all r),

    raw(Y)  = mean over y in Y of min(number of balls B(x_i, R_i) that hold y, k) / k
    clipped density = min(raw(synthetic) / raw(training), 1)

For the training images themselves their own balls do not count, nor those of their patient, while the neighbour on the
edge of a ball does: a ball then holds k of the N - 1 other images as it holds k of N fresh ones, and the expectation
for a fresh sample is 1 (0.998 to 1.004 in 2, 8 and 16 dimensions; counting an image's own ball instead gives 0.83).
Cutting the radii takes away the wide balls of real outliers, cutting the counts takes away what a crowded region could
add, and the division makes the score fall in proportion as good images are replaced by bad ones: 0.7 reads as "as if
70 % were good".

Cutting at 1 makes it blind to mild truncation: a set drawn in towards the dense regions gets full marks. Copies too.
Written from the formulas of the paper alone; how its own code counts images in their own balls was not looked at.
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.neighbors import count_within
from fourfold.neighbors.balls import ball_radii
from fourfold.neighbors.distances import MetricName
from fourfold.resampling import calibrate
from fourfold.score import Metric, Score, register

__all__ = ["clipped_density"]

# Balls reach to this many neighbours (Salvy et al. 2026).
NEIGHBORS = 5
# A ball that is this much wider holds the neighbour on its edge.
_EDGE = 1.0 + 1e-12


def clipped_density(
    training: np.ndarray,
    synthetic: np.ndarray,
    k: int = NEIGHBORS,
    *,
    metric: MetricName = "euclidean",
    groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> float:
    """Density with cut radii and cut counts, as a share of what the training images themselves reach.

    Parameters
    ----------
    training : array, shape (N, d)
        N > k.
    synthetic : array, shape (M, d)
        M >= 1.
    k : int
        The ball of a training image reaches to its k-th nearest other one.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    groups : array of int, shape (N,), or None
        Patients of the training images; images of one patient are then not neighbours of each other.
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    float
        In [0, 1]; reads as the share of good images.

    Raises
    ------
    InputError
        Where N <= k, the shapes do not agree, or a value is not finite.

    References
    ----------
    Salvy, Talbot & Thirion 2026, "Enhanced generative model evaluation with clipped density and coverage", ICLR
    (arXiv 2507.01761).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> real, fresh = rng.normal(size=(2, 400, 2))
    >>> half_bad = np.concatenate([fresh[:200], fresh[:200] + 100])
    >>> abs(clipped_density(real, half_bad) - 0.5) < 0.1
    True
    """
    return min(_share_of_training(training, synthetic, k, metric, groups, memory), 1.0)


def _share_of_training(
    training: np.ndarray, synthetic: np.ndarray, k: int, metric: MetricName, groups: np.ndarray | None, memory: int
) -> float:
    """Clipped density before the last cut; above 1 for sets that are drawn in."""
    radii = ball_radii(training, k, metric=metric, groups=groups, memory=memory)
    radii = np.minimum(radii, np.median(radii))
    made = count_within(synthetic, training, radii, metric=metric, memory=memory)
    own = np.arange(len(radii)) if groups is None else groups
    others = count_within(
        training, training, radii * _EDGE, metric=metric, query_groups=own, point_groups=own, memory=memory
    )
    return float(np.minimum(made, k).mean() / np.minimum(others, k).mean())


def _clipped_density(comparison: Comparison) -> Score:
    def statistic(training: Features, other: Features) -> float:
        return _share_of_training(
            training.values, other.values, NEIGHBORS, comparison.distance, training.patients, comparison.memory
        )

    uncut = calibrate(statistic, comparison, analytic=lambda n, m: 1.0, limits=(0.0, float("inf")))
    details: dict[str, object] = {"k": NEIGHBORS}
    if uncut.value is not None:
        details |= {"before_the_cut": uncut.value}
    return uncut.at_most(1.0).score(CLIPPED_DENSITY, comparison.space, details=details)


CLIPPED_DENSITY = register(
    Metric(
        axis="fidelity",
        name="clipped_density",
        kind="features",
        better="higher",
        summary="density as a share of good images, safe from outliers; 1 also for sets that are drawn in",
        null="analytic: 1 for independent images; with patients, the holdout set scored as if it were synthetic",
        cost="O((2 N + M + H) N d)",
        source="Salvy et al. 2026",
        compute=_clipped_density,
        thorough=True,
    )
)
