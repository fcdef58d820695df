"""What a distance does on real patients who are dealt at random into two sets, and on sets that lack a few patients.

The raw material of nulls and intervals (`fourfold.fidelity.exchange`): the distance between the actual sets and without
a part of their patients, between two sets dealt from the pool of all real patients, and between some of those without
a part of the pool.

Beyond `WIDTH` features all but the first are taken in the leading principal components, where nearly all of the
sampling error is; the full distance between the actual sets, taken once, carries the level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from fourfold.comparison import Comparison, Features
from fourfold.fidelity.measures import Measure
from fourfold.resampling import deal, leave_out, too_few

__all__ = ["WIDTH", "DealtDistance", "SizeFactor", "deal_out", "inverse_sizes", "mean_of", "together"]

# Null at sizes (n, m) over null at sizes (a, b), from (n, m, a, b).
SizeFactor = Callable[[int, int, int, int], float]

# Principal components for the deals, and images of each set that they are taken from.
WIDTH = 128
_SAMPLE = 1000
# Images that are projected at a time: float64 copies of whole sets would take as much memory again, twice.
_BLOCK = 512
# Deals that are jackknifed too, and parts of the patients that a jackknife leaves out in turn.
_JACKKNIVES, PARTS = 8, 12


@dataclass(frozen=True)
class DealtDistance:
    """A distance and what it is on real patients dealt at random.

    Parameters
    ----------
    value : float
        Between the training and the synthetic set.
    mean : float
        Mean where a fresh real sample takes the place of the synthetic set.
    spreads : array, shape (deals,)
        Distances whose scatter is that of fresh real samples; their mean is `mean` where level and scatter change with
        the sizes of the sets alike.
    smooth_value : float
        As `value`, of the distance that is jackknifed.
    own_parts : array, shape (2, parts)
        That distance without one part of the training patients after the other, and of the synthetic ones.
    dealt_parts : array, shape (jackknifed deals, parts)
        That distance, dealt, without one part of the pool after the other. Both are empty where a set has too few
        patients.
    """

    value: float
    mean: float
    spreads: np.ndarray
    smooth_value: float
    own_parts: np.ndarray
    dealt_parts: np.ndarray

    def over(self, unit: float) -> DealtDistance:
        """The same in another unit."""
        return DealtDistance(*(one / unit for one in vars(self).values()))


def mean_of(distances: Sequence[DealtDistance]) -> DealtDistance:
    """Mean of distances of the same images in several feature spaces, deal by deal."""
    columns = zip(*(vars(one).values() for one in distances), strict=True)
    value, mean, spreads, smooth_value, own_parts, dealt_parts = (np.mean(column, axis=0) for column in columns)
    return DealtDistance(float(value), float(mean), spreads, float(smooth_value), own_parts, dealt_parts)


def inverse_sizes(n: int, m: int, a: int, b: int) -> float:
    """How the bias and the spread of a Frechet distance under the null change from sizes (a, b) to (n, m)."""
    return (1 / n + 1 / m) / (1 / a + 1 / b)


def deal_out(
    distance: Measure,
    comparison: Comparison,
    *,
    level: SizeFactor = inverse_sizes,
    spread: SizeFactor = inverse_sizes,
    smooth: Measure | None = None,
    deals: int = 79,
) -> DealtDistance:
    """A distance of the actual sets and of sets dealt from all real patients; arguments as for `calibrate_distance`.

    The deals depend on the patients, the sizes of the sets and the seed alone, not on the feature space.

    Raises
    ------
    InputError
        Where `distance` refuses a set.
    """
    training, synthetic, holdout = comparison.training, comparison.synthetic, comparison.holdout
    n, m = len(training), len(synthetic)
    rng, of_axes = (np.random.default_rng([comparison.seed, n, m, stream]) for stream in (0, 1))
    smooth = smooth or distance
    value = distance.of_role("synthetic")
    pool, shares = training, (0.5, min(0.5, m / n))
    if holdout is not None:
        pool = together(training, holdout)
        shares = (n / len(pool), min(m, len(holdout)) / len(pool))
    dealt, near, far = _narrowed(comparison, pool, of_axes)
    of_dealt = distance.of_parts(dealt.values, dealt.values)
    kept = list(leave_out(dealt, PARTS, rng))
    enough = too_few(training, synthetic, pool) is None
    levels, spreads, dealt_parts = [], [], []
    for place in range(deals):
        first, second = deal(dealt, shares, rng)
        factor = spread(n, m, len(first), len(second))
        found = of_dealt(first, second)
        levels.append(found * level(n, m, len(first), len(second)))
        spreads.append(found * factor)
        if place < _JACKKNIVES and enough:
            of_deal = smooth.of_parts(dealt.values[first], dealt.values[second])
            dealt_parts.append([factor * of_deal(_among(first, rows), _among(second, rows)) for rows in kept])
    mean = float(np.mean(levels))
    if dealt.values.shape[1] < pool.values.shape[1]:
        if holdout is not None:
            first, second, full = np.arange(n), np.arange(n, len(pool)), distance.of_role("holdout")
        else:
            first, second = deal(pool, shares, rng)
            full = distance.of_sets(pool.values[first], pool.values[second])
        mean += (full - of_dealt(first, second)) * level(n, m, len(first), len(second))
    of_own = smooth.of_parts(near.values, far.values)
    all_near, all_far = np.arange(len(near)), np.arange(len(far))
    same = smooth is distance and near.values.shape[1] == training.values.shape[1]
    smooth_value = value if same else of_own(all_near, all_far)
    own_parts = []
    if enough:
        own_parts.append([of_own(rows, all_far) for rows in leave_out(near, PARTS, rng)])
        own_parts.append([of_own(all_near, rows) for rows in leave_out(far, PARTS, rng)])
    return DealtDistance(value, mean, np.array(spreads), smooth_value, np.array(own_parts), np.array(dealt_parts))


def together(first: Features, second: Features) -> Features:
    """Two real sets as one pool; patients where both know them."""
    patients = None
    if first.patients is not None and second.patients is not None:
        patients = np.concatenate([first.patients, second.patients])
    return Features(np.concatenate([first.values, second.values]), patients)


def _among(rows: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Places of those rows that are kept; both ascend."""
    return np.flatnonzero(np.isin(rows, kept, assume_unique=True))


def _narrowed(comparison: Comparison, pool: Features, rng: np.random.Generator) -> tuple[Features, Features, Features]:
    """The pool on its axes, and training and synthetic set on theirs; once for all distances that are dealt."""

    def narrowed() -> tuple[Features, Features, Features]:
        of_pool = _narrow(pool, pool, rng)
        of_own = _narrow(comparison.training, comparison.synthetic, rng)
        return of_pool(pool), of_own(comparison.training), of_own(comparison.synthetic)

    return comparison.once("narrowed for dealing", narrowed)


def _narrow(first: Features, second: Features, rng: np.random.Generator) -> Callable[[Features], Features]:
    """Projection to the leading principal components of both sets together, as float64."""
    if first.values.shape[1] <= WIDTH:
        return lambda features: Features(features.values.astype(np.float64), features.patients)
    parts = [one.values[rng.permutation(len(one))[:_SAMPLE]] for one in (first, second)]
    centre = first.values.mean(axis=0, dtype=np.float64)
    rows = np.concatenate(parts) - centre
    if len(rows) > rows.shape[1]:
        axes = linalg.eigh(rows.T @ rows, subset_by_index=(rows.shape[1] - WIDTH, rows.shape[1] - 1))[1]
    else:
        kept = min(WIDTH, len(rows))
        values, vectors = linalg.eigh(rows @ rows.T, subset_by_index=(len(rows) - kept, len(rows) - 1))
        solid = values > values.max(initial=0.0) * 1e-10
        axes = rows.T @ vectors[:, solid] / np.sqrt(values[solid])
    if not axes.size:
        axes = np.eye(rows.shape[1], 1)

    def projected(features: Features) -> Features:
        parts = range(0, len(features), _BLOCK)
        values = [(features.values[start : start + _BLOCK] - centre) @ axes for start in parts]
        return Features(np.concatenate(values), features.patients)

    return projected
