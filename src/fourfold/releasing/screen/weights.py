"""How heavy the predicate "as near to this candidate as the nearest training person" is: the density-adaptive weight.

Let d be the distance of a candidate to the nearest of n training persons and r_k that to the k-th nearest of c other
persons, the calibration. For a candidate that knows nothing of who was trained on, all n + c persons are exchangeable,
so the first training person comes behind k or more calibration persons with probability

    P(K > k) = C(n + c - k, n) / C(n + c, n)                                              (negative hypergeometric),

whatever the density, the dimension and the place of the candidate. From the fifth calibration person on, v is drawn
uniformly within its step of this law, which makes it uniform exactly.

Where n is not far below c the first training person almost always comes before the fifth calibration person, and ranks
alone cannot tell a copy from luck. There the share of people within d is continued from r_5 along the local dimension
D, ``w = m (d / r_5)^D`` with m the share within r_5, of which is known that m ~ Beta(5, c - 4), so

    v = 1 - E_m (1 - m (d / r_5)^D)^n,

which meets the exact law at d = r_5. D is read off ranks 1 to 5, the nearest to where it is needed (ranks 5 to 20 are
too far out where c is small: for 1 000 and 300 persons of a 12-dimensional mixture they put the mean of v at 0.74, not
0.5; ranks 1 to 5 at 0.52). What is left of the error is measured on the calibration persons themselves, each without
itself, and taken out by a beta law.

A surplus of small v is memorisation, a lack of it a hole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from fourfold.neighbors import nearest
from fourfold.privacy.predicates import ANCHOR, NearestPersons, nearest_persons

__all__ = ["FEWEST_PERSONS", "Weights", "person_weights", "rank_law"]

FEWEST_PERSONS = 2 * ANCHOR
"""Calibration persons that weights need, at least."""

_NODES = 200
_DEEPEST = 16
"""Expected training persons up to whose depth calibration ranks are searched; nearly nobody is first beyond."""

_PRIOR = 0.5
"""Standard deviation of the logarithms of both parameters of the beta law before it sees a person."""


@dataclass(frozen=True)
class Weights:
    """The weights of one embedding.

    Parameters
    ----------
    values : array of float64, shape (M,)
        v in [0, 1], uniform where a candidate knows nothing of the training set.
    nearest : array of int64, shape (M,)
        Row of the nearest training image.
    dimension : float
        D, over the candidates.
    correction : (float, float)
        Parameters of the beta law of calibration persons.
    """

    values: np.ndarray
    nearest: np.ndarray
    dimension: float
    correction: tuple[float, float]


def person_weights(
    candidates: np.ndarray,
    training: np.ndarray,
    calibration: np.ndarray,
    training_persons: np.ndarray,
    calibration_persons: np.ndarray,
    *,
    rng: np.random.Generator,
    memory: int = 1 << 30,
) -> Weights:
    """Weights of candidates against all training persons.

    Parameters
    ----------
    candidates, training, calibration : arrays, shapes (M, d), (N, d) and (C, d)
        One embedding, which must not know training images better than calibration images.
    training_persons, calibration_persons : arrays of int, shapes (N,) and (C,)
        Equal numbers are one person; at least ten calibration persons.
    rng : Generator
        Draws within the steps of the rank law.
    memory : int
        Bytes for the search.

    Returns
    -------
    Weights

    Raises
    ------
    ValueError
        Where there are too few calibration persons.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> training, calibration, fresh = rng.normal(size=(200, 4)), rng.normal(size=(100, 4)), rng.normal(size=(500, 4))
    >>> found = person_weights(fresh, training, calibration, np.arange(200), np.arange(100), rng=rng)
    >>> bool(0.4 < found.values.mean() < 0.6)
    True
    """
    persons = np.unique(calibration_persons, return_inverse=True)[1].reshape(-1)
    size, trained = int(persons.max(initial=-1)) + 1, len(np.unique(training_persons))
    if size < FEWEST_PERSONS:
        raise ValueError(f"{size} persons are too few to calibrate on; at least {FEWEST_PERSONS} are needed")
    ranks = int(min(size - 1, max(ANCHOR, np.ceil(_DEEPEST * size / trained))))
    found = nearest(candidates, training, 1, memory=memory)
    others = nearest_persons(candidates, calibration, persons, ranks, memory=memory)
    raw, dimension = _raw(found.distances[:, 0], others.distances, trained, size, rng)
    # One image a person: several of one person are not independent.
    chosen = np.unique(persons, return_index=True)[1]
    own = nearest_persons(calibration[chosen], calibration, persons, ranks + 1, memory=memory)
    fresh = nearest(calibration[chosen], training, 1, memory=memory).distances[:, 0]
    correction = _beta_law(_raw(fresh, _without(own, persons[chosen]), trained, size - 1, rng)[0])
    values = stats.beta.cdf(raw, *correction)
    return Weights(values, found.indices[:, 0], dimension, correction)


def rank_law(rank: np.ndarray, trained: int, size: int) -> np.ndarray:
    """Chance that the nearest training person comes before the `rank` nearest calibration persons are all passed.

    Parameters
    ----------
    rank : array
        k in [0, size].
    trained, size : int
        n training and c calibration persons.

    Returns
    -------
    array of float64
        ``1 - C(n + c - k, n) / C(n + c, n)``: 0 at k = 0.

    Examples
    --------
    >>> rank_law(np.array([0, 1, 2]), 1, 1 + 1).round(3).tolist()
    [0.0, 0.333, 0.667]
    """
    rank = np.asarray(rank, dtype=np.float64)
    log = special.gammaln(trained + size - rank + 1) - special.gammaln(size - rank + 1)
    return -np.expm1(log - special.gammaln(trained + size + 1) + special.gammaln(size + 1))


def _raw(
    near: np.ndarray, others: np.ndarray, trained: int, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """The weights before the correction, and the dimension; `others` are distances to calibration persons, (M, k)."""
    anchor = others[:, ANCHOR - 1]
    usable = (others[:, 0] > 0) & np.isfinite(anchor)
    growth = np.log(anchor[usable] / others[usable, 0])
    # D log(r_5 / r_1) is 1 + 1/2 + 1/3 + 1/4 on average (Renyi, Acta Math. Hung. 4, 1953, 191); inverses are averaged.
    inverse = float(growth.mean() / np.sum(1.0 / np.arange(1, ANCHOR))) if usable.any() else 0.0
    dimension = 1.0 / max(inverse, 1e-3)
    shares = stats.beta.ppf((np.arange(_NODES) + 0.5) / _NODES, ANCHOR, size - ANCHOR + 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(anchor > 0, near / anchor, np.where(near > 0, np.inf, 1.0)) ** dimension
    inside = ratio < 1
    v = np.empty(len(near))
    step = 4096
    places = np.flatnonzero(inside)
    for start in range(0, len(places), step):
        rows = places[start : start + step]
        v[rows] = -np.expm1(trained * np.log1p(-ratio[rows, None] * shares)).mean(axis=1)
    v[inside] *= rank_law(np.array(ANCHOR), trained, size) / -np.expm1(trained * np.log1p(-shares)).mean()
    passed = (others[~inside] <= near[~inside, None]).sum(axis=1)
    low = rank_law(passed, trained, size)
    high = np.where(passed < others.shape[1], rank_law(np.minimum(passed + 1, size), trained, size), 1.0)
    v[~inside] = low + rng.random(len(passed)) * (high - low)
    return np.clip(v, 0.0, 1.0), dimension


def _without(found: NearestPersons, own: np.ndarray) -> np.ndarray:
    """Distances to the nearest persons other than the own one, nearest first, a column fewer."""
    order = np.argsort(found.persons == own[:, None], axis=1, kind="stable")
    return np.take_along_axis(found.distances, order, axis=1)[:, :-1]


def _beta_law(values: np.ndarray) -> tuple[float, float]:
    """The beta law of a sample in [0, 1], drawn towards the uniform one where the sample is small."""
    inside = np.clip(values, 1e-4, 1 - 1e-4)
    logs = np.array([np.log(inside).mean(), np.log1p(-inside).mean()])

    def loss(theta: np.ndarray) -> float:
        a, b = np.exp(theta)
        likelihood = (a - 1) * logs[0] + (b - 1) * logs[1] - special.betaln(a, b)
        return float(-len(values) * likelihood + 0.5 * np.sum(theta**2) / _PRIOR**2)

    found = optimize.minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-3, 3), (-3, 3)])
    a, b = np.exp(found.x)
    return float(a), float(b)
