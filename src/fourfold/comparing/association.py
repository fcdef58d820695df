"""How far scores agree over sets: rank correlations with intervals that hold with few sets in few families.

Sets made by one recipe resemble each other, and values are known with error. Two estimates of the standard error of
Fisher's ``z = arctanh r`` over other sets are taken, and the larger of both counts:

- a bootstrap that draws whole families;
- ``sqrt((1 + r^2 / 2) / (m - 3))`` (Bonett and Wright 2000), where m is the number of independent sets that these are
  worth: ``n^2 / sum_f (k_f + k_f (k_f - 1) c_x c_y)`` for families of k_f sets, c the correlation of ranks within
  families (Bayley and Hammersley 1946), at least the number of families.

To its square comes the variance of z while each value is drawn anew from its own error and the sets stay. Percentiles
of the bootstrap alone cover the truth in about three quarters of cases with twenty sets in four families.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["FEWEST_FAMILIES", "FEWEST_SETS", "Associations", "associations", "too_few_sets"]

FEWEST_SETS = 5
FEWEST_FAMILIES = 4
_DRAWS = 1000
# m - 3 for as few as 4 independent sets; below that the formula has no meaning.
_LEAST_FREEDOM = 1.0


@dataclass(frozen=True)
class Associations:
    """Rank correlations of k scores with each other.

    Parameters
    ----------
    values : array, shape (k, k)
        Spearman's coefficient in [-1, 1]; NaN where a score does not vary.
    errors : array, shape (k, k)
        Standard errors of ``arctanh(values)``; NaN where there are too few sets.
    """

    values: np.ndarray
    errors: np.ndarray

    def intervals(self, level: float = 0.95) -> np.ndarray:
        """Two-sided intervals, shape (k, k, 2), within [-1, 1]."""
        reach = stats.norm.ppf(0.5 + level / 2) * self.errors
        centre = np.arctanh(self.values)
        return np.tanh(np.stack([centre - reach, centre + reach], axis=-1))

    def p_values(self) -> np.ndarray:
        """Two-sided p-values of "no association", shape (k, k)."""
        return 2 * stats.norm.sf(np.abs(np.arctanh(self.values)) / self.errors)


def associations(scores: ArrayLike, errors: ArrayLike, families: ArrayLike, *, seed: int = 0) -> Associations:
    """Spearman's rank correlation of every score with every other one over sets.

    Parameters
    ----------
    scores : array, shape (k, n)
        k scores of n sets, finite.
    errors : array, shape (k, n)
        Their standard errors.
    families : array, shape (n,)
        Equal entries are sets of one generator family.
    seed : int

    Returns
    -------
    Associations
        Of the scores as they were measured: errors of measurement pull a coefficient towards 0. Coefficients at ±1
        are drawn in by ``n^(-3/2)``, where Fisher's z would be infinite.

    References
    ----------
    D. G. Bonett, T. A. Wright, Psychometrika 65 (2000) 23; G. V. Bayley, J. M. Hammersley, J. R. Stat. Soc. Suppl. 8
    (1946) 184; C. A. Field, A. H. Welsh, J. R. Stat. Soc. B 69 (2007) 369 (bootstrap of clusters).

    Examples
    --------
    >>> x = [[1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5]]
    >>> found = associations(x, [[0.0] * 6] * 2, range(6))
    >>> round(float(found.values[0, 1]), 3)
    0.829
    """
    scores, errors = np.asarray(scores, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    codes = np.unique(np.asarray(families), return_inverse=True)[1].reshape(-1)
    n = scores.shape[1]
    limit = 1 - n**-1.5
    values = np.clip(_spearman(scores), -limit, limit)
    if too_few_sets(families) is not None:
        return Associations(values, np.full_like(values, np.nan))
    rng = np.random.default_rng([seed, n])
    members = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]

    def other_sets() -> np.ndarray:
        return scores[:, np.concatenate([members[code] for code in rng.integers(0, len(members), len(members))])]

    def other_values() -> np.ndarray:
        return scores + errors * rng.standard_normal(scores.shape)

    freedom = np.maximum(_independent_sets(scores, codes) - 3, _LEAST_FREEDOM)
    of_sets = np.fmax(_variance_of_z(other_sets, limit), (1 + values**2 / 2) / freedom)
    of_values = _variance_of_z(other_values, limit) if errors.any() else 0.0
    return Associations(values, np.sqrt(of_sets + of_values))


def too_few_sets(families: ArrayLike) -> str | None:
    """Why nothing is said about associations, where sets or families are too few for it; otherwise None."""
    families = np.asarray(families)
    groups = len(np.unique(families))
    if len(families) >= FEWEST_SETS and groups >= FEWEST_FAMILIES:
        return None
    return (
        f"an association is told from at least {FEWEST_SETS} sets of at least {FEWEST_FAMILIES} generator families, "
        f"and there are {len(families)} of {groups}"
    )


def _spearman(scores: np.ndarray) -> np.ndarray:
    """Correlation of ranks, shape (k, k); NaN for scores that do not vary."""
    ranks = stats.rankdata(scores, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.sqrt((ranks**2).sum(axis=1))
    products = ranks @ ranks.T
    scale = np.outer(length, length)
    return np.divide(products, scale, out=np.full_like(products, np.nan), where=scale > 0)


def _variance_of_z(draw: Callable[[], np.ndarray], limit: float) -> np.ndarray:
    """Variance of Fisher's z over draws of the scores, shape (k, k); NaN where fewer than two have a coefficient."""
    counts, total, squares = 0.0, 0.0, 0.0
    for _ in range(_DRAWS):
        z = np.arctanh(np.clip(_spearman(draw()), -limit, limit))
        known = np.isfinite(z)
        z[~known] = 0.0
        counts, total, squares = counts + known, total + z, squares + z**2
    counts = np.where(counts < 2, np.nan, counts)
    return np.maximum((squares - total**2 / counts) / (counts - 1), 0.0)


def _independent_sets(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """How many independent sets the sets are worth for each pair of scores, shape (k, k)."""
    sizes = np.bincount(codes)
    within = _within_families(stats.rankdata(scores, axis=1), codes, sizes)
    shared = float((sizes * (sizes - 1)).sum())
    n = len(codes)
    return np.maximum(n**2 / (n + shared * np.outer(within, within)), len(sizes))


def _within_families(ranks: np.ndarray, codes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Intraclass correlation of each row, shape (k,), in [0, 1], from one-way analysis of variance."""
    n, groups = len(codes), len(sizes)
    if groups == n:
        return np.zeros(len(ranks))
    means = np.stack([np.bincount(codes, row) / sizes for row in ranks])
    between = (sizes * (means - ranks.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) / (groups - 1)
    inside = ((ranks - means[:, codes]) ** 2).sum(axis=1) / (n - groups)
    size = (n - (sizes**2).sum() / n) / (groups - 1)
    whole = between + (size - 1) * inside
    share = np.divide(between - inside, whole, out=np.ones(len(ranks)), where=whole > 0)
    return np.clip(share, 0.0, 1.0)
