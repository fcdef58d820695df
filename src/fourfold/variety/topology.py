"""Topological recall: whether the places where real images surely are hold synthetic ones.

The support of a set is where the kernel density estimate of its features exceeds its own bootstrap band, after a
random projection to 32 dimensions (`fourfold.neighbors.support`). Topological recall is the share of training images,
of those within the support of the training set, that lie within the support of the synthetic set (Kim et al. 2023,
TopR). Synthetic outliers lie in no support and cover nothing, unlike under recall by balls; copies cover everything.
Rare kinds of images, which lie in no sure support, are not asked about. What differs from the paper's code is said in
`fourfold.fidelity.topology`.
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.neighbors.support import kernel_support, projected, share_of_support
from fourfold.resampling import calibrate
from fourfold.score import Metric, Score, register

__all__ = ["topological_recall"]


def topological_recall(
    training: np.ndarray,
    synthetic: np.ndarray,
    *,
    training_groups: np.ndarray | None = None,
    synthetic_groups: np.ndarray | None = None,
    seed: int = 0,
    memory: int = 1 << 30,
) -> float:
    """Share of the training set's own support that lies in the support of the synthetic set.

    Parameters
    ----------
    training : array, shape (N, d)
        N >= 2, finite.
    synthetic : array, shape (M, d)
        M >= 2, finite.
    training_groups, synthetic_groups : arrays of int, shapes (N,) and (M,), or None
        Patients: their images are drawn together and are not neighbours of each other.
    seed : int
        Of the projection and the bootstrap.
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    float
        In [0, 1]; a fresh real sample stays below 1, see the null.

    Raises
    ------
    InputError
        Where a set is too small, the shapes do not agree, or a value is not finite.

    References
    ----------
    Kim et al. 2023, "TopP&R: robust support estimation approach for evaluating fidelity and diversity in generative
    models", NeurIPS (arXiv 2306.08013).

    Examples
    --------
    >>> import numpy as np
    >>> real = np.random.default_rng(0).normal(size=(300, 4))
    >>> topological_recall(real, real), topological_recall(real, real + 9)
    (1.0, 0.0)
    """
    real, made = projected(training, synthetic, seed=seed)
    within = kernel_support(made, groups=synthetic_groups, seed=seed, memory=memory)
    return share_of_support(
        kernel_support(real, groups=training_groups, seed=seed, memory=memory), within, memory=memory
    )


def _topological_recall(comparison: Comparison) -> Score:
    def statistic(training: Features, other: Features) -> float:
        return topological_recall(
            training.values,
            other.values,
            training_groups=training.patients,
            synthetic_groups=other.patients,
            seed=comparison.seed,
            memory=comparison.memory,
        )

    estimate = calibrate(statistic, comparison, equal_sizes=True, limits=(0.0, 1.0))
    return estimate.score(TOPOLOGICAL_RECALL, comparison.space)


TOPOLOGICAL_RECALL = register(
    Metric(
        axis="variety",
        name="topological_recall",
        kind="features",
        better="higher",
        summary="share of training images, outliers left out, that lie where the density of synthetic images is sure",
        null="the holdout set scored as if it were synthetic, in equal number",
        cost="O((N^2 + M^2 + N M) min(d, 32)), 10 bootstraps",
        source="Kim et al. 2023",
        compute=_topological_recall,
        thorough=True,
    )
)
