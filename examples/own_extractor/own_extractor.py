"""A feature extractor and a metric of one's own: this file and the entry points in pyproject.toml are all it takes.

pip install examples/own_extractor
fourfold features                                   # lists `edges`
fourfold metrics mean_shift
fourfold evaluate syn/ --train T --holdout H --features 'edges?bins=16' --features radiomics
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fourfold.comparison import Comparison, Features
from fourfold.features import FeatureExtractor
from fourfold.resampling import calibrate
from fourfold.score import Metric, Score


class Edges(FeatureExtractor):
    """How strong the edges of an image are: a histogram of differences between neighbouring pixels."""

    name = "edges"
    # To be raised whenever the same images would give other numbers: stored features are found by it.
    version = 1
    source = "finite differences"

    def __init__(self, bins: str | int = 8) -> None:
        # Options of a specification (edges?bins=16) arrive as text.
        self.bins = int(bins)

    def settings(self) -> dict[str, int]:
        """Whatever changes the numbers."""
        return {"bins": self.bins}

    def __call__(self, images: Tensor) -> Tensor:
        """(B, C, ..., W) in [0, 1] to (B, bins)."""
        steps = images.diff(dim=-1).abs().flatten(1)
        places = (steps * self.bins).long().clamp(0, self.bins - 1)
        return torch.stack([(places == one).float().mean(dim=1) for one in range(self.bins)], dim=1)


def mean_shift(x: np.ndarray, y: np.ndarray) -> float:
    """Euclidean distance of the means of two sets of features, (N, d) and (M, d)."""
    return float(np.linalg.norm(x.mean(axis=0) - y.mean(axis=0)))


def _score(comparison: Comparison) -> Score:
    def statistic(training: Features, other: Features) -> float:
        return mean_shift(training.values, other.values)

    # Null and interval come with it: the holdout is scored as if it were synthetic, on subsamples of patients.
    estimate = calibrate(statistic, comparison, limits=(0.0, np.inf))
    return Score("fidelity", "mean_shift", **vars(estimate), better="lower", features=comparison.space)


MEAN_SHIFT = Metric(
    axis="fidelity",
    name="mean_shift",
    kind="features",
    better="lower",
    summary="how far the mean of the features has moved",
    null="the holdout set scored as if it were synthetic",
    cost="O((N + M) d)",
    source="own",
    compute=_score,
)
