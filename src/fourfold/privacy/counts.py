"""Copy count and exposure: how often synthetic images fall nearer to a training image than its own neighbours.

Around each training image lies a ball that reaches to its nearest training image of another patient. If synthetic
and training images are exchangeable, a synthetic image is nearer than all N others with probability 1 / N, so the
mean number of balls that hold a synthetic image is 1, and the share of training images with one of M synthetic images
in their ball is M / (N + M - 1), in every dimension and for every distribution. Where patients have several images
the expectations follow in the same way from the number of images of others, and the holdout is the better null.

Both grow when images shrink towards the mean of the training set, without any copying: they are diagnostics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from fourfold.comparison import Comparison, Role
from fourfold.neighbors import ball_counts
from fourfold.privacy.contrast import Z_95, clipped, interval_of_mean, one_sided
from fourfold.privacy.reach import Reach, synthetic_draws, training_reach
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["copy_count", "expected_copy_count", "expected_exposure", "exposure", "rarefied_exposure"]

SOURCE = (
    "after the copy rule of Xing et al. (MICCAI 2023), with expectations by exchangeability; exposure is half of "
    "nearest-neighbour adversarial accuracy (Yale et al., Neurocomputing 416, 2020)"
)
_BLOCKS = 20
_SHARE, _COUNT = (0.0, 1.0), (0.0, np.inf)


def expected_copy_count(patients: np.ndarray) -> float:
    """Null of the copy count: the sum over training images of ``1 / (images of other patients + 1)``.

    Parameters
    ----------
    patients : array, shape (N,)
        Equal entries are one patient.

    Examples
    --------
    >>> expected_copy_count(np.arange(10))
    1.0
    """
    return float(np.sum(1.0 / (_others(patients) + 1)))


def expected_exposure(patients: np.ndarray, size: int) -> float:
    """Null of the exposure to `size` synthetic images: the mean of ``M / (M + images of other patients)``.

    Examples
    --------
    >>> round(expected_exposure(np.arange(251), 250), 12)
    0.5
    """
    return float(np.mean(size / (size + _others(patients))))


def rarefied_exposure(inside: np.ndarray, total: int, size: int) -> float:
    """Exposure to a random `size` of `total` images, so that sets of different sizes can be compared.

    Parameters
    ----------
    inside : array of int, shape (N,)
        Images in the ball around each training image.
    total, size : int
        ``size <= total``.

    Returns
    -------
    float
        ``1 - mean C(total - inside, size) / C(total, size)`` (rarefaction; Hurlbert, Ecology 52, 1971).

    Examples
    --------
    >>> round(rarefied_exposure(np.array([0, 1, 3]), 4, 4), 12)
    0.666666666667
    """
    left = total - np.asarray(inside, dtype=np.float64)
    missed = np.zeros(len(left))
    possible = left >= size
    some = left[possible]
    missed[possible] = np.exp(
        gammaln(some + 1) - gammaln(some - size + 1) - gammaln(total + 1) + gammaln(total - size + 1)
    )
    return float(1.0 - missed.mean())


def copy_count(comparison: Comparison) -> Score:
    """Mean number of training images that a synthetic image is nearer to than their own neighbours are.

    Returns
    -------
    Score
        One-sided: an interval below the null is stretched to it.
    """
    fields = {"better": "lower", "features": comparison.space, "source": SOURCE}
    if (reason := _lacking(comparison)) is not None:
        return does_not_apply("privacy", "copy_count", reason, **fields)
    reach = training_reach(comparison)
    balls = comparison.within("synthetic", reach.radii).containing
    columns = {"copy_count": balls}
    holdout = comparison.holdout
    analytic = expected_copy_count(reach.groups)
    if holdout is None or not len(holdout):
        interval, _ = interval_of_mean(balls, None, None, synthetic_draws(comparison), _COUNT)
        return Score(
            "privacy",
            "copy_count",
            float(balls.mean()),
            null=analytic,
            interval=one_sided(interval, analytic, "lower"),
            null_source="analytic",
            reason="without a holdout the null takes images of different patients as independent",
            per_synthetic=columns,
            details={"one_sided": True, "expected": analytic},
            **fields,
        )
    fresh = comparison.within("holdout", reach.radii).containing
    null = float(fresh.mean())
    interval, null_interval = interval_of_mean(balls, fresh, holdout.patients, synthetic_draws(comparison), _COUNT)
    return Score(
        "privacy",
        "copy_count",
        float(balls.mean()),
        null=null,
        interval=one_sided(interval, null, "lower"),
        null_interval=null_interval,
        null_source="holdout",
        per_synthetic=columns,
        details={"one_sided": True, "expected": analytic},
        **fields,
    )


def exposure(comparison: Comparison) -> Score:
    """Share of training images with a synthetic image nearer than their own neighbours.

    Compared at ``min(M, H)`` images, drawn at random from the larger set (in expectation, by rarefaction).

    Returns
    -------
    Score
        One-sided: an interval below the null is stretched to it.
    """
    fields = {"better": "lower", "features": comparison.space, "source": SOURCE}
    if (reason := _lacking(comparison)) is not None:
        return does_not_apply("privacy", "exposure", reason, **fields)
    reach = training_reach(comparison)
    synthetic, holdout = comparison.synthetic, comparison.holdout
    rng = np.random.default_rng([comparison.seed, 2])
    size = len(synthetic) if holdout is None or not len(holdout) else min(len(synthetic), len(holdout))
    counts = _counts(comparison, "synthetic", synthetic_draws(comparison), reach, rng)
    value, variance = _jackknifed(counts, size)
    columns = {"exposed": counts.inside.sum(axis=0) > 0}
    if holdout is None or not len(holdout):
        null = expected_exposure(reach.groups, size)
        half = Z_95 * np.sqrt(variance)
        return Score(
            "privacy",
            "exposure",
            value,
            null=null,
            interval=one_sided(clipped((value - half, value + half), _SHARE), null, "lower"),
            null_source="analytic",
            reason="without a holdout the null takes images of different patients as independent",
            per_training=columns,
            details={"one_sided": True, "images": size, "expected": null},
            **fields,
        )
    fresh = _counts(comparison, "holdout", holdout.patients, reach, rng)
    null, own = _jackknifed(fresh, size)
    half = Z_95 * np.sqrt(variance + own)
    band = Z_95 * np.sqrt(own * (1 + len(holdout) / len(synthetic)))
    return Score(
        "privacy",
        "exposure",
        value,
        null=null,
        interval=one_sided(clipped((value - half, value + half), _SHARE), null, "lower"),
        null_interval=clipped((null - band, null + band), _SHARE),
        null_source="holdout",
        per_training=columns,
        details={"one_sided": True, "images": size, "expected": expected_exposure(reach.groups, size)},
        **fields,
    )


@dataclass(frozen=True)
class _Counts:
    """Images in each training image's ball, by block of images: shapes (blocks, N) and (blocks,)."""

    inside: np.ndarray
    sizes: np.ndarray


def _counts(
    comparison: Comparison, role: Role, groups: np.ndarray | None, reach: Reach, rng: np.random.Generator
) -> _Counts:
    images, training = comparison.set(role).values, comparison.training.values
    names = np.arange(len(images)) if groups is None else np.unique(groups, return_inverse=True)[1]
    patients = int(names.max()) + 1
    blocks = np.unique((rng.permutation(patients) % min(_BLOCKS, patients))[names], return_inverse=True)[1]
    sizes = np.bincount(blocks)
    pairs = comparison.close_pairs(role, reach.radii)
    if pairs is not None:
        rows, columns = pairs
        inside = np.zeros((len(sizes), len(training)), dtype=np.int64)
        np.add.at(inside, (blocks[rows], columns), 1)
        return _Counts(inside, sizes)
    search = {"metric": comparison.distance, "memory": comparison.memory}
    found = [ball_counts(images[blocks == block], training, reach.radii, **search) for block in range(len(sizes))]
    return _Counts(np.array([one.inside for one in found]), sizes)


def _jackknifed(counts: _Counts, size: int) -> tuple[float, float]:
    """Rarefied exposure and its variance over the draw of the images, by leaving out a block at a time."""
    total, inside = int(counts.sizes.sum()), counts.inside.sum(axis=0)
    value = rarefied_exposure(inside, total, size)
    blocks = len(counts.sizes)
    if blocks < 2:
        return value, 0.25
    # The same share of what is left is drawn, so that the blocks differ by their images and not by their number.
    left = total - counts.sizes
    drawn = np.clip(np.round(size / total * left).astype(int), 1, left)
    values = [
        rarefied_exposure(inside - counts.inside[block], int(left[block]), int(drawn[block])) for block in range(blocks)
    ]
    return value, float((blocks - 1) / blocks * np.sum((values - np.mean(values)) ** 2))


def _others(patients: np.ndarray) -> np.ndarray:
    """For each image, the number of images of other patients."""
    _, numbers, sizes = np.unique(patients, return_inverse=True, return_counts=True)
    return len(numbers) - sizes[numbers]


def _lacking(comparison: Comparison) -> str | None:
    if len(comparison.synthetic) < 2:
        return "needs two synthetic images"
    patients = comparison.training.patients
    if len(comparison.training) < 2 or (patients is not None and len(np.unique(patients)) < 2):
        return "needs two patients in the training set"
    return None


for _name, _compute, _summary in (
    ("copy_count", copy_count, "mean number of training images a synthetic image is nearer to than their neighbours"),
    ("exposure", exposure, "share of training images with a synthetic image nearer than their own neighbours"),
):
    register(
        Metric(
            axis="privacy",
            name=_name,
            kind="features",
            better="lower",
            summary=_summary,
            null="the holdout scored as if synthetic; without one, by exchangeability",
            cost="O((N + M + H) N d)",
            source=SOURCE,
            compute=_compute,
        )
    )
