"""The data-copying test: are synthetic images nearer to the training set than holdout images of the same region?

Meehan, Chaudhuri, Dasgupta, "A non-parametric test to detect data-copying in generative models" (AISTATS 2020). The
training set is cut into cells, and in each of them the distances to the nearest training image are compared by rank.
Their C_T is a weighted mean of normal scores, so its standard deviation under the null is ``sqrt(sum w^2) / sum w``
(about 0.6 with three cells) and not 1: read against -3, as is usual, it sees little. Here it is standardised.

A diagnostic only: images that are too smooth lie near to everything and read as copies, and copies among many other
images do not move a rank sum.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourfold.comparison import Comparison
from fourfold.privacy.contrast import Z_95, one_sided
from fourfold.privacy.patients import numbered
from fourfold.privacy.reach import synthetic_draws
from fourfold.score import Metric, Score, does_not_apply, register
from fourfold.statistics import holm

__all__ = ["Cell", "DataCopying", "data_copying", "data_copying_score", "rank_sum_z", "training_cells"]

SOURCE = "Meehan, Chaudhuri, Dasgupta: A non-parametric test to detect data-copying (AISTATS 2020), standardised"

CELLS = 3
DIMENSIONS = 64
LEAST_IMAGES = 20
"""A cell with no more synthetic images is left out (the threshold of all published implementations)."""


@dataclass(frozen=True)
class Cell:
    """One region of the training set.

    Parameters
    ----------
    synthetic, holdout : int
        Images in it.
    z : float or None
        Standard errors by which synthetic images are further away than holdout images; None where it has too few.
    p : float or None
        One-sided p-value of "no nearer", adjusted for reading all cells (Holm 1979).
    """

    synthetic: int
    holdout: int
    z: float | None
    p: float | None


@dataclass(frozen=True)
class DataCopying:
    """The test over all cells.

    Parameters
    ----------
    statistic : float
        C_T as published: the mean of the cells' z, weighted by their share of the holdout.
    z : float
        The same divided by its standard deviation under the null; far below 0 means copying.
    p : float
        One-sided p-value of "no nearer than the holdout".
    design_effect : float
        Variance with patients and equal synthetic images as units, over that with images; at least 1.
    cells : tuple of Cell
    """

    statistic: float
    z: float
    p: float
    design_effect: float
    cells: tuple[Cell, ...]


def rank_sum_z(synthetic: np.ndarray, holdout: np.ndarray) -> float:
    """Mann-Whitney's U as a normal score, with continuity and tie correction.

    Parameters
    ----------
    synthetic, holdout : arrays, shapes (m,) and (n,)
        Distances to the nearest training image.

    Returns
    -------
    float
        ``(U - (n m / 2 - 1/2)) / sd`` with U the pairs in which the synthetic image is further away, ties half;
        0 where all distances are equal.

    Examples
    --------
    >>> round(rank_sum_z(np.arange(5.0), np.arange(5.0) + 10), 4)
    -2.5067
    """
    m, n = len(synthetic), len(holdout)
    together = np.concatenate([synthetic, holdout])
    spread = _spread(together, m, n)
    if spread == 0:
        return 0.0
    further = stats.rankdata(together)[:m].sum() - m * (m + 1) / 2
    return float((further - (n * m / 2 - 0.5)) / spread)


def data_copying(
    synthetic_distances: np.ndarray,
    synthetic_cells: np.ndarray,
    holdout_distances: np.ndarray,
    holdout_cells: np.ndarray,
    synthetic_draws: np.ndarray | None = None,
    holdout_patients: np.ndarray | None = None,
) -> DataCopying:
    """C_T, as published and standardised.

    Parameters
    ----------
    synthetic_distances, holdout_distances : arrays, shapes (M,) and (H,)
        To the nearest training image.
    synthetic_cells, holdout_cells : arrays of int, shapes (M,) and (H,)
        Cell of each image, from 0.
    synthetic_draws, holdout_patients : arrays of int or None
        Images with equal entries are not independent; None for independent images.

    Returns
    -------
    DataCopying

    Raises
    ------
    ValueError
        If no cell has more than 20 synthetic images and an image of the holdout.
    """
    draws = np.arange(len(synthetic_cells)) if synthetic_draws is None else synthetic_draws
    patients = np.arange(len(holdout_cells)) if holdout_patients is None else holdout_patients
    pairs = [
        (np.flatnonzero(synthetic_cells == cell), np.flatnonzero(holdout_cells == cell))
        for cell in range(1 + max(np.max(synthetic_cells, initial=0), np.max(holdout_cells, initial=0)))
    ]
    usable = [place for place, (own, fresh) in enumerate(pairs) if len(own) > LEAST_IMAGES and len(fresh)]
    if not usable:
        raise ValueError(f"no cell of the training set has more than {LEAST_IMAGES} synthetic images and a holdout one")
    weights = np.array([len(pairs[place][1]) for place in usable], dtype=float)
    values = np.empty(len(usable))
    influence = np.zeros(len(synthetic_cells)), np.zeros(len(holdout_cells))
    for place, cell in enumerate(usable):
        own, fresh = pairs[cell]
        values[place] = rank_sum_z(synthetic_distances[own], holdout_distances[fresh])
        shares = _influences(synthetic_distances[own], holdout_distances[fresh])
        influence[0][own], influence[1][fresh] = weights[place] * shares[0], weights[place] * shares[1]
    images = sum(np.sum(one**2) for one in influence)
    clustered = sum(
        np.sum(np.bincount(np.unique(units, return_inverse=True)[1], one) ** 2)
        for one, units in zip(influence, (draws, patients))
    )
    design_effect = max(1.0, float(clustered / images)) if images > 0 else 1.0
    values_by_unit = values / np.sqrt(design_effect)
    z = float(weights @ values_by_unit / np.sqrt(weights @ weights))
    _, adjusted = holm(stats.norm.cdf(values_by_unit))
    cells = [Cell(len(own), len(fresh), None, None) for own, fresh in pairs]
    for place, cell in enumerate(usable):
        own, fresh = pairs[cell]
        cells[cell] = Cell(len(own), len(fresh), float(values_by_unit[place]), float(adjusted[place]))
    statistic = float(weights @ values / weights.sum())
    return DataCopying(statistic, z, float(stats.norm.cdf(z)), design_effect, tuple(cells))


def training_cells(
    training: np.ndarray, *others: np.ndarray, cells: int = CELLS, seed: int = 0
) -> tuple[np.ndarray, ...]:
    """Cut a training set into cells by k-means, on its first 64 principal components where it has more dimensions.

    Parameters
    ----------
    training, *others : arrays, shapes (N, d), (n, d), ...
    cells : int
    seed : int

    Returns
    -------
    tuple of arrays of int, shapes (n,)
        The cell of each row of each of the `others`.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning

    if training.shape[1] > DIMENSIONS and len(training) > DIMENSIONS:
        reduction = PCA(DIMENSIONS, svd_solver="randomized", random_state=seed).fit(training)
        training, others = reduction.transform(training), tuple(map(reduction.transform, others))
    with warnings.catch_warnings():
        # Fewer distinct images than cells: the empty cells do no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(min(cells, len(training)), n_init=4, random_state=seed).fit(np.asarray(training, dtype=float))
    return tuple(found.predict(np.asarray(other, dtype=float)) for other in others)


def data_copying_score(comparison: Comparison) -> Score:
    """Standardised C_T of a comparison; below 0 where synthetic images are nearer to training than the holdout is.

    Returns
    -------
    Score
        In standard errors, null 0. One-sided: an interval above the null is stretched to it.
    """
    fields = {"better": "higher", "features": comparison.space, "source": SOURCE}
    training, synthetic, holdout = comparison.training, comparison.synthetic, comparison.holdout
    if holdout is None or not len(holdout):
        return does_not_apply("privacy", "data_copying", "needs a holdout", **fields)
    if not len(training) or not len(synthetic):
        return does_not_apply("privacy", "data_copying", "needs training and synthetic images", **fields)
    cells = training_cells(training.values, synthetic.values, holdout.values, seed=comparison.seed)
    _, patients = numbered(None, holdout.patients, (0, len(holdout)))
    own = comparison.neighbors("synthetic", "training", 1).distances[:, 0]
    fresh = comparison.neighbors("holdout", "training", 1).distances[:, 0]
    try:
        found = data_copying(own, cells[0], fresh, cells[1], synthetic_draws(comparison), patients)
    except ValueError as problem:
        return does_not_apply("privacy", "data_copying", str(problem), **fields)
    return Score(
        "privacy",
        "data_copying",
        found.z,
        null=0.0,
        interval=one_sided((found.z - Z_95, found.z + Z_95), 0.0, "higher"),
        null_interval=(-Z_95, Z_95),
        null_source="analytic",
        details={
            "diagnostic": True,
            "one_sided": True,
            "p": found.p,
            "statistic": found.statistic,
            "design_effect": found.design_effect,
            "cells": [
                {"synthetic": one.synthetic, "holdout": one.holdout, "z": one.z, "p": one.p} for one in found.cells
            ],
        },
        **fields,
    )


def _spread(together: np.ndarray, m: int, n: int) -> float:
    """Standard deviation of U given the ties."""
    _, tied = np.unique(together, return_counts=True)
    size = m + n
    correction = float(np.sum(tied.astype(float) ** 3 - tied)) / (size * (size - 1)) if size > 1 else 0.0
    return float(np.sqrt(max(n * m * (size + 1 - correction) / 12, 0.0)))


def _influences(synthetic: np.ndarray, holdout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each image adds to z (DeLong's components), centred."""
    m, n = len(synthetic), len(holdout)
    spread = _spread(np.concatenate([synthetic, holdout]), m, n)
    if spread == 0:
        return np.zeros(m), np.zeros(n)
    below, above = _mean_rank(synthetic, holdout), _mean_rank(holdout, synthetic)
    return n / spread * (below - below.mean()), m / spread * (above.mean() - above)


def _mean_rank(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of `among` below each value, ties half."""
    among = np.sort(among)
    return (np.searchsorted(among, values, "left") + np.searchsorted(among, values, "right")) / (2 * len(among))


register(
    Metric(
        axis="privacy",
        name="data_copying",
        kind="features",
        better="higher",
        summary="whether synthetic images lie nearer to training than the holdout does, region by region; a diagnostic",
        null="0, in standard errors, by exchangeability of synthetic and holdout images",
        cost="O((M + H) N d), and k-means on N",
        source=SOURCE,
        compute=data_copying_score,
        needs=("holdout",),
    )
)
