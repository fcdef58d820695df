"""The variety scores of an evaluation that look at the images themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fourfold.comparison import Sets
from fourfold.errors import InputError
from fourfold.images.sets import ImageSet
from fourfold.resampling import FEWEST, Estimate, normal_interval
from fourfold.score import Metric, Score, register
from fourfold.variety.mean_image import file_size
from fourfold.variety.similarity import draw_pairs, pair_similarity

__all__ = ["PAIRS"]

# Pairs of images of each set that are compared.
PAIRS = 200
# Parts of a set that the jackknife of the mean image leaves out in turn, and images read at a time.
_PARTS = 16
_BATCH = 64


def _score(metric: Metric, estimate: Estimate, **fields: object) -> Score:
    return Score(
        axis="variety", name=metric.name, **vars(estimate), better=metric.better, source=metric.source, **fields
    )


def _calibrated(value: float, null: float, variances: tuple[float, float], sets: Sets, ratio: float) -> Estimate:
    """`variances` of value and null; `ratio`, that of a fresh real sample's variance to the null's."""
    estimate = Estimate(
        value,
        null,
        null_source="training" if sets.holdout is None else "holdout",
        reason="no holdout: the null comes from the training set" if sets.holdout is None else None,
    )
    real = sets.training if sets.holdout is None else sets.holdout
    fewest = min(len(np.unique(_owners(one))) for one in (sets.synthetic, real))
    if fewest < FEWEST:
        return estimate.because(f"no interval: each set needs at least {FEWEST} patients or images, got {fewest}")
    return replace(
        estimate,
        interval=normal_interval(value, *variances),
        null_interval=normal_interval(null, variances[1], variances[1] * ratio),
    )


def _similarity(sets: Sets) -> Score:
    real = sets.training if sets.holdout is None else sets.holdout
    by_class = sets.synthetic.labels is not None and real.labels is not None
    found, variances = [], []
    try:
        for one in (sets.synthetic, real):
            pairs = draw_pairs(len(one), one.labels if by_class else None, one.patients, PAIRS, sets.seed)
            similarity = pair_similarity(one.load, one.shape[1:], pairs)
            found.append(similarity)
            variances.append(_pair_variance(similarity.values, _owners(one)[pairs]))
    except InputError as problem:
        return _score(SIMILARITY, Estimate(None, reason=str(problem)))
    estimate = _calibrated(
        float(found[0].values.mean()),
        float(found[1].values.mean()),
        (variances[0], variances[1]),
        sets,
        len(found[1].pairs) / len(found[0].pairs),
    )
    details = {
        "scales": found[0].scales,
        "synthetic_pairs": len(found[0].pairs),
        "real_pairs": len(found[1].pairs),
        "within_classes": by_class,
    }
    return _score(SIMILARITY, estimate, details=details)


def _owners(images: ImageSet) -> np.ndarray:
    """Patients as numbers; every image its own where they are unknown."""
    if images.patients is None:
        return np.arange(len(images))
    return np.unique(images.patients, return_inverse=True)[1]


def _pair_variance(values: np.ndarray, owners: np.ndarray) -> float:
    """Variance of a mean over pairs: pairs that share a patient are correlated (Aronow, Samii & Assenova 2015)."""
    residuals = values - values.mean()
    by_owner = np.bincount(owners.ravel(), np.repeat(residuals, 2))
    independent = residuals @ residuals
    return float(max(by_owner @ by_owner - independent, independent) / len(values) ** 2)


@dataclass(frozen=True)
class _Sums:
    """Sums of images by class and part, shapes (classes, parts, C, ...) and (classes, parts)."""

    totals: np.ndarray
    counts: np.ndarray

    def size(self, without: int | None = None) -> int:
        """File size of the mean image, leaving out one part."""
        totals, counts = self.totals.sum(axis=1), self.counts.sum(axis=1)
        if without is not None:
            totals, counts = totals - self.totals[:, without], counts - self.counts[:, without]
        shape = (-1,) + (1,) * (totals.ndim - 1)
        return file_size(list((totals / np.maximum(counts, 1).reshape(shape))[counts > 0]))

    def variance(self) -> float:
        """Jackknife variance of `size`."""
        parts = [part for part in range(_PARTS) if self.counts[:, part].any()]
        if len(parts) < 2:
            return math.inf
        return (len(parts) - 1) * float(np.var([self.size(part) for part in parts]))


def _mean_image(sets: Sets) -> Score:
    real = sets.training if sets.holdout is None else sets.holdout
    size = min(len(sets.synthetic), len(real))
    if size < 2:
        return _score(MEAN_IMAGE, Estimate(None, reason=f"a mean image needs at least 2 images in a set, got {size}"))
    by_class = sets.synthetic.labels is not None and real.labels is not None
    synthetic_sums, real_sums = (_summed(one, size, by_class, sets.seed) for one in (sets.synthetic, real))
    estimate = _calibrated(
        synthetic_sums.size(),
        real_sums.size(),
        (synthetic_sums.variance(), real_sums.variance()),
        sets,
        1.0,
    )
    return _score(MEAN_IMAGE, estimate, details={"images_compared": size, "by_class": by_class, "unit": "bytes"})


def _summed(images: ImageSet, size: int, by_class: bool, seed: int) -> _Sums:
    """Sums over `size` random images, patients kept within a part."""
    rng = np.random.default_rng([seed, len(images)])
    rows = np.sort(rng.permutation(len(images))[:size])
    owners = _owners(images)
    part_of_owner = rng.permutation(owners.max() + 1) % _PARTS
    classes = np.unique(images.labels, return_inverse=True)[1] if by_class else np.zeros(len(images), dtype=np.int64)
    totals = np.zeros((classes.max() + 1, _PARTS, *images.shape))
    counts = np.zeros(totals.shape[:2], dtype=np.int64)
    for start in range(0, size, _BATCH):
        batch = rows[start : start + _BATCH]
        place = classes[batch], part_of_owner[owners[batch]]
        np.add.at(totals, place, images.load(batch))
        np.add.at(counts, place, 1)
    return _Sums(totals, counts)


SIMILARITY = register(
    Metric(
        axis="variety",
        name="ms_ssim_diversity",
        kind="images",
        better="null",
        summary="structural similarity of random pairs of a class; lower is more diverse, or noisier",
        null="the same for pairs of holdout images of different patients",
        cost="O(pairs x pixels)",
        source="Odena et al. 2017; Wang et al. 2003",
        compute=_similarity,
    )
)
MEAN_IMAGE = register(
    Metric(
        axis="variety",
        name="mean_image_file_size",
        kind="images",
        better="null",
        summary="bytes of the mean image's PNG file; weak evidence, rises with collapse to few prototypes only",
        null="the same for holdout images in equal number",
        cost="O((M + H) x pixels)",
        source="Xing et al. 2023",
        compute=_mean_image,
    )
)
