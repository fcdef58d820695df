"""Topological precision: whether synthetic images lie where the real ones surely are.

The support of a set is where the kernel density estimate of its features exceeds its own bootstrap band, after a
random projection to 32 dimensions (`fourfold.neighbors.support`). Topological precision is the share of synthetic
images, of those within the support of the synthetic set, that lie within the support of the training set (Kim et al.
2023, TopP). Outliers of either set lie in no support and change nothing; copies get full marks.

The estimator is that of the paper and needs no persistent homology above 3 dimensions. In up to 3 its code also
searches the bandwidth by the lifetimes of components (gudhi), which is not done here; it draws the projection and takes
neighbours in another way, so that values agree in what they mean and not in their digits, and were not compared.
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.neighbors.support import kernel_support, projected, share_of_support
from fourfold.resampling import calibrate
from fourfold.score import Metric, Score, register

__all__ = ["topological_precision"]


def topological_precision(
    training: np.ndarray,
    synthetic: np.ndarray,
    *,
    training_groups: np.ndarray | None = None,
    synthetic_groups: np.ndarray | None = None,
    seed: int = 0,
    memory: int = 1 << 30,
) -> float:
    """Share of the synthetic set's own support that lies in the support of the training set.

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
    >>> topological_precision(real, 0.2 * real), topological_precision(real, real + 9)
    (1.0, 0.0)
    """
    real, made = projected(training, synthetic, seed=seed)
    within = kernel_support(real, groups=training_groups, seed=seed, memory=memory)
    return share_of_support(
        kernel_support(made, groups=synthetic_groups, seed=seed, memory=memory), within, memory=memory
    )


def _topological_precision(comparison: Comparison) -> Score:
    def statistic(training: Features, other: Features) -> float:
        return topological_precision(
            training.values,
            other.values,
            training_groups=training.patients,
            synthetic_groups=other.patients,
            seed=comparison.seed,
            memory=comparison.memory,
        )

    estimate = calibrate(statistic, comparison, equal_sizes=True, limits=(0.0, 1.0))
    return estimate.score(TOPOLOGICAL_PRECISION, comparison.space)


TOPOLOGICAL_PRECISION = register(
    Metric(
        axis="fidelity",
        name="topological_precision",
        kind="features",
        better="higher",
        summary="share of synthetic images, outliers left out, that lie where the density of real images is sure",
        null="the holdout set scored as if it were synthetic, in equal number",
        cost="O((N^2 + M^2 + N M) min(d, 32)), 10 bootstraps",
        source="Kim et al. 2023",
        compute=_topological_precision,
        thorough=True,
    )
)
