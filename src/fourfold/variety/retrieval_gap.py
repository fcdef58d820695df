"""Retrieval gap: whether synthetic images spread over the training images more widely than over other patients.

Each synthetic image retrieves its nearest image of a gallery, once of the training set and once of a holdout cut to the
same size (the larger of the two is dealt into parts of that size and averaged over). With k the number of different
images retrieved and N that of the gallery,

    gap = k_training / N - k_holdout / N,

the difference of two image retrieval scores IRS_alpha (`fourfold.variety.retrieval`). To a generator that learned the
distribution, training and holdout patients are alike: which of them is in which gallery makes no difference, and the
null is 0 exactly. A gap above 0 says that variety rests on the images it was trained on. One copy moves the gap by at
most one image, so it is a blunt instrument for few copies: the privacy axis has sharper ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError
from fourfold.neighbors import nearest
from fourfold.neighbors.distances import MetricName
from fourfold.resampling import Estimate, chunk_rows, deal, normal_interval, too_few
from fourfold.score import Metric, Score, register

__all__ = ["retrieval_gap"]

# Deals of the patients of both sets into two galleries.
_DEALS = 100
# Nearest images that are kept of each synthetic one: the nearest in any part of the patients is nearly always among
# them, and searched for again where it is not.
_KEPT = 48


def retrieval_gap(
    training: np.ndarray,
    holdout: np.ndarray,
    synthetic: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    seed: int = 0,
    memory: int = 1 << 30,
) -> float:
    """Share of training images that synthetic ones retrieve, minus that of holdout images, in galleries of one size.

    Parameters
    ----------
    training, holdout, synthetic : arrays, shapes (N, d), (H, d) and (M, d)
        At least one image each.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    seed : int
        Deals the larger gallery into parts of the size of the smaller.
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    float
        In (-1, 1); 0 in expectation where the synthetic images know nothing of who was trained on.

    Raises
    ------
    InputError
        Where a set is empty, the shapes do not agree, or a value is not finite.

    References
    ----------
    Dombrowski et al. 2025, "Image generation diversity issues and how to tame them", CVPR (arXiv 2411.16171), for the
    retrieval score; the contrast with a holdout is Fourfold's.

    Examples
    --------
    >>> import numpy as np
    >>> training, holdout = np.array([[0.0], [1.0], [2.0]]), np.array([[0.4], [9.0], [8.0]])
    >>> round(retrieval_gap(training, holdout, training + 0.1), 3)
    0.667
    """
    if min(len(training), len(holdout), len(synthetic)) < 1:
        raise InputError("a retrieval gap needs at least one training, one holdout and one synthetic image")
    pool = _Pool.of(Features(np.asarray(training)), Features(np.asarray(holdout)), synthetic, metric, memory)
    rng = np.random.default_rng([seed, len(training), len(holdout)])
    return pool.gap(np.arange(len(training)), len(training) + np.arange(len(holdout)), rng)


@dataclass(frozen=True)
class _Pool:
    """Training and holdout images in one gallery, and the nearest of them to each synthetic image, nearest first."""

    real: Features
    synthetic: np.ndarray
    found: np.ndarray
    metric: MetricName
    memory: int

    @classmethod
    def of(cls, training: Features, holdout: Features, synthetic: np.ndarray, metric: MetricName, memory: int) -> _Pool:
        known = training.patients is not None and holdout.patients is not None
        real = Features(
            np.concatenate([training.values, holdout.values]),
            np.concatenate([training.patients, holdout.patients]) if known else None,
        )
        kept = min(_KEPT, len(real))
        found = nearest(synthetic, real.values, kept, metric=metric, memory=memory).indices
        return cls(real, np.asarray(synthetic), found, metric, memory)

    def gap(self, first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> float:
        """Retrieval gap of two galleries, given as row numbers."""
        size = min(len(first), len(second))
        shares = [self._share(rows, size, rng) for rows in (first, second)]
        return shares[0] - shares[1]

    def _share(self, gallery: np.ndarray, size: int, rng: np.random.Generator) -> float:
        """Share of a gallery that is retrieved, in parts of about `size` images."""
        parts = [gallery[rows] for rows in chunk_rows(self.real.take(gallery), size, rng)]
        return float(np.mean([self._retrieved(part) / len(part) for part in parts]))

    def _retrieved(self, gallery: np.ndarray) -> int:
        """Number of images of a gallery that are the nearest one of a synthetic image."""
        among = np.zeros(len(self.real), dtype=bool)
        among[gallery] = True
        hits = among[self.found]
        retrieved = self.found[np.arange(len(hits)), hits.argmax(axis=1)]
        missed = np.flatnonzero(~hits.any(axis=1))
        if len(missed):
            again = nearest(
                self.synthetic[missed], self.real.values[gallery], 1, metric=self.metric, memory=self.memory
            )
            retrieved[missed] = gallery[again.indices[:, 0]]
        return len(np.unique(retrieved))


def _retrieval_gap(comparison: Comparison) -> Score:
    training, holdout, synthetic = comparison.training, comparison.holdout, comparison.synthetic
    if holdout is None:
        return Estimate(None, reason="needs a holdout set: give one with --holdout").score(GAP, comparison.space)
    if min(len(training), len(holdout), len(synthetic)) < 1:
        return Estimate(None, reason="a retrieval gap needs an image in each set").score(GAP, comparison.space)
    rng = np.random.default_rng([comparison.seed, len(training), len(holdout)])
    pool = _Pool.of(training, holdout, synthetic.values, comparison.distance, comparison.memory)
    own, other = np.arange(len(training)), len(training) + np.arange(len(holdout))
    estimate = Estimate(pool.gap(own, other, rng), 0.0, null_source="analytic")
    details: dict[str, object] = {"gallery": min(len(training), len(holdout)), "queries": len(synthetic)}
    scarce = too_few(training, holdout, synthetic)
    if scarce is not None:
        return estimate.because(scarce).score(GAP, comparison.space, details=details)
    shares = (len(training) / len(pool.real), len(holdout) / len(pool.real))
    dealt = [pool.gap(*deal(pool.real, shares, rng), rng) for _ in range(_DEALS)]
    # Who is dealt to which gallery is all that varies under the null, and copies hardly change by how much.
    variance = float(np.mean(np.square(dealt)))
    estimate = replace(
        estimate,
        interval=normal_interval(estimate.value, variance, limits=(-1.0, 1.0)),
        null_interval=normal_interval(0.0, variance, limits=(-1.0, 1.0)),
    )
    return estimate.score(GAP, comparison.space, details=details)


GAP = register(
    Metric(
        axis="variety",
        name="retrieval_gap",
        kind="features",
        better="null",
        summary="share of training images that synthetic ones retrieve, minus that of as many holdout images",
        null="0: to a generator that learned the distribution, training and holdout patients are alike",
        cost="O((N + H) M d)",
        source="Dombrowski et al. 2025; contrast with a holdout",
        compute=_retrieval_gap,
        needs=("holdout",),
        thorough=True,
    )
)
