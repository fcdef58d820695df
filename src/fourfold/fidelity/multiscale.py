"""Frechet distance over several extractors and resolutions, each in units of what fresh real images score.

One extractor at one resolution sees one kind of defect: blur is gone after halving the image, a wrong shape is not.
The published multi-scale distance (Xing et al. 2023) averages over both after scaling each set's own row of distances
to unit length, and a row that is scaled by itself is the same for a set that is ten times as far away: it cannot rank.
Here each distance FD_t of task t (an extractor at a resolution) is divided by a fixed reference, the distance R_t that
real patients dealt at random into two sets of the same sizes have, and the ratios are averaged:

    MS-FD = (1 / T) sum_t FD_t / R_t

Its null is 1, whatever the extractors, and 3 reads as three times as far apart as fresh real images. Since R_t shrinks
as the sets grow, values are compared at equal numbers of images only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.comparison import Comparison, Features, Sets, Spaces
from fourfold.errors import InputError
from fourfold.features import FeatureExtractor, extract
from fourfold.fidelity import measures
from fourfold.fidelity.dealing import deal_out, mean_of
from fourfold.fidelity.exchange import estimate_of
from fourfold.fidelity.frechet import frechet_distance
from fourfold.images import ImageSet
from fourfold.outliers.histogram import GradientHistogram, IntensityHistogram
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["MULTISCALE", "Reduced", "multiscale_frechet_distance"]

# Halving once and twice, while a side keeps this many pixels.
_FACTORS = (1, 2, 4)
_FEWEST_PIXELS = 8
# Few enough for a covariance from some dozen patients.
_BINS = 32


def multiscale_frechet_distance(pairs: Sequence[tuple[np.ndarray, np.ndarray]], references: Sequence[float]) -> float:
    """Mean over tasks of the Frechet distance in units of a real-real reference.

    Parameters
    ----------
    pairs : sequence of (array, array), shapes (N, d_t) and (M, d_t)
        Features of real and of synthetic images in each task, an extractor at a resolution.
    references : sequence of float
        Frechet distance of two real sets in each task, positive, at the same numbers of images.

    Returns
    -------
    float
        At least 0; about 1 for fresh real images.

    Raises
    ------
    InputError
        Where there is no task, their number differs from that of the references, or a reference is not positive.

    References
    ----------
    Xing et al. 2023, "Less is more: unsupervised mask-guided annotated CT image synthesis with minimum manual
    segmentations", IEEE Trans. Med. Imaging; the normalisation is another one.

    Examples
    --------
    >>> x = np.array([[0.0], [2.0]])
    >>> round(multiscale_frechet_distance([(x, x + 1), (10 * x, 10 * x + 10)], [0.5, 50.0]), 9)
    2.0
    """
    if not len(pairs) or len(pairs) != len(references):
        raise InputError(
            f"each pair of sets needs a reference of its own, got {len(pairs)} pairs and {len(references)} references"
        )
    if not all(np.isfinite(one) and one > 0 for one in references):
        raise InputError(f"a reference is the distance of two real sets and positive, got {list(references)}")
    ratios = [frechet_distance(x, y) / reference for (x, y), reference in zip(pairs, references, strict=True)]
    return float(np.mean(ratios))


class Reduced(FeatureExtractor):
    """An extractor at a fraction of the resolution: images are averaged over blocks before it sees them.

    Parameters
    ----------
    extractor : FeatureExtractor
    factor : int
        Pixels of a block along each axis.
    """

    def __init__(self, extractor: FeatureExtractor, factor: int) -> None:
        self.extractor = extractor
        self.factor = factor
        self.name = extractor.name if factor == 1 else f"{extractor.name} at 1/{factor}"
        self.trained_on, self.source = extractor.trained_on, extractor.source

    def settings(self) -> dict[str, Any]:
        """The extractor, and how far images are reduced."""
        return {"extractor": self.extractor.fingerprint, "factor": self.factor}

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, d) of images of shape (B, C, H, W) or (B, C, D, H, W)."""
        if self.factor > 1:
            # A volume may have fewer slices than a side of a slice has pixels.
            blocks = [min(self.factor, side) for side in images.shape[2:]]
            pool = functional.avg_pool2d if images.ndim == 4 else functional.avg_pool3d
            images = pool(images, blocks)
        return self.extractor(images)

    def to(self, device: torch.device | str) -> Reduced:
        """Move weights, where there are any; returns itself."""
        self.extractor.to(device)
        return self


def _multiscale(spaces: Spaces) -> Score:
    tasks = _tasks(spaces)
    dealt, problems = {}, []
    for task in tasks:
        try:
            found = deal_out(measures.frechet(task), task)
        except InputError as problem:
            problems.append(str(problem))
            continue
        if found.mean > 0:
            dealt[task.space] = found
        else:
            problems.append("real images are at distance 0")
    if not dealt:
        why = "; ".join(dict.fromkeys(problems))
        return does_not_apply("fidelity", "multiscale_frechet_distance", why, better="lower", source=MULTISCALE.source)
    ratios = {name: found.over(found.mean) for name, found in dealt.items()}
    # All tasks have the same images, and the same deals of their patients.
    estimate = estimate_of(mean_of(list(ratios.values())), tasks[0])
    details = {
        "tasks": {name: round(ratio.value, 4) for name, ratio in ratios.items()},
        "references": {name: float(f"{found.mean:.4g}") for name, found in dealt.items()},
        "left_out": [task.space for task in tasks if task.space not in dealt],
    }
    # By construction, but for rounding.
    return replace(estimate, null=1.0).score(MULTISCALE, None, details=details)


def _tasks(spaces: Spaces) -> list[Comparison]:
    """The feature spaces as they are, and cheap features at every resolution."""
    sets = spaces.sets
    side = min(sets.training.shape[-2:])
    factors = [factor for factor in _FACTORS if factor == 1 or side >= factor * _FEWEST_PIXELS]
    cheap = [
        Reduced(extractor(_BINS), factor) for extractor in (IntensityHistogram, GradientHistogram) for factor in factors
    ]
    return [*spaces.comparisons.values(), *_compared(spaces, sets, cheap)]


def _compared(spaces: Spaces, sets: Sets, extractors: Sequence[Reduced]) -> list[Comparison]:
    """Comparisons in spaces that the evaluation did not ask for, under the patients of those that it did."""
    leading = next(iter(spaces.comparisons.values()))
    roles: dict[str, ImageSet | None] = {
        "training": sets.training,
        "synthetic": sets.synthetic,
        "holdout": sets.holdout,
    }
    found = []
    for extractor in extractors:
        features: dict[str, Features | None] = {
            role: None if images is None else replace(leading.set(role), values=extract(images, extractor))
            for role, images in roles.items()
        }
        name = f"{extractor.name} (intensities)" if extractor.name in spaces.comparisons else extractor.name
        found.append(Comparison(name, **features, seed=sets.seed, memory=sets.memory))
    return found


MULTISCALE = register(
    Metric(
        axis="fidelity",
        name="multiscale_frechet_distance",
        kind="spaces",
        better="lower",
        summary="Frechet distance in units of that of fresh real images, averaged over extractors and resolutions",
        null="1: patients of training and holdout set dealt at random, which every distance is divided by",
        cost="O((N + M) d^2 + d^3) for each of about 200 deals and parts of T tasks; d is at most 128 there",
        source="after Xing et al. 2023, with a real-real reference; Heusel et al. 2017",
        compute=_multiscale,
        thorough=True,
    )
)
