"""One score of each question while a generator is trained, each beside its null.

The real images stay the same all through a training, so their features are taken once; what a step adds are the images
drawn at that step. A value of a single step says little, and its null says what it is to be read against: the scores
are those of the register, with the same nulls and intervals as in a report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from fourfold import fidelity, privacy, utility, variety  # noqa: F401 - enter their metrics in the register
from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError
from fourfold.features import FeatureExtractor, extract
from fourfold.features.standardisation import standardised
from fourfold.images import ImageSet, prepare
from fourfold.score import Metric as Question
from fourfold.score import Score, metrics
from fourfold.torchmetrics.kept import features_of

__all__ = ["QUESTIONS", "FourScores"]

QUESTIONS = (
    "fidelity/kernel_distance",
    "variety/coverage",
    "privacy/nearest_neighbour_ratio",
    "utility/train_synthetic_test_real",
)
"""One a question, those that are quick and say something of a few hundred images."""

_UNKNOWN = -1


class FourScores(Metric):
    """Scores of the four questions, against real images that stay the same.

    Parameters
    ----------
    extractor : FeatureExtractor
    training : ImageSet
        What the generator is trained on, with labels where utility is asked for. Prepared here where it is not yet.
    holdout : ImageSet or None
        Other patients, whom it never sees.
    questions : sequence of str
        Metrics of the register that compare features, as ``"axis/name"``.
    device : torch.device or str
        Where the extractor runs.
    seed : int
        Of everything that the scores draw.
    **kwargs
        For `torchmetrics.Metric`.

    Attributes
    ----------
    scores : tuple of Score
        Those of the last `compute`, with their intervals.

    Raises
    ------
    InputError
        Where a question is unknown or needs images rather than features, or the sets do not agree.

    Notes
    -----
    An image is its own patient where a real set has no patient identifiers. Features are kept, not images.
    """

    is_differentiable = False
    full_state_update = False
    higher_is_better = None

    def __init__(
        self,
        extractor: FeatureExtractor,
        training: ImageSet,
        holdout: ImageSet | None = None,
        questions: Sequence[str] = QUESTIONS,
        *,
        device: torch.device | str = "cpu",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.questions = tuple(_question(key) for key in questions)
        sets = {"training": training} if holdout is None else {"training": training, "holdout": holdout}
        if any(one.preparation is None for one in sets.values()):
            sets = prepare(sets)
        extractor.learn(sets["training"], device=device)
        self.extractor = extractor
        self.shape = sets["training"].shape
        self.classes = () if training.labels is None else tuple(np.unique(training.labels).tolist())
        self.real = _real_features(sets, extractor, device)
        self.seed = seed
        self.scores: tuple[Score, ...] = ()
        self.add_state("features", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")

    def update(self, images: Tensor, labels: Sequence[str] | None = None) -> None:
        """Add synthetic images.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W) or (B, C, D, H, W)
            In [0, 1], of the shape of the training images.
        labels : sequence of str, length B, or None
            Classes that the images were drawn for, named as in the training set.

        Raises
        ------
        InputError
            Where images have another shape, or a class is not one of the training set's.
        """
        if tuple(images.shape[1:]) != self.shape:
            raise InputError(
                f"the training images have the shape {self.shape}, the synthetic ones {tuple(images.shape[1:])}; "
                "draw them at that size"
            )
        features = features_of(images, self.extractor)
        codes = [_UNKNOWN] * len(features) if labels is None else [self._code(str(label)) for label in labels]
        if len(codes) != len(features):
            raise InputError(f"there are {len(codes)} labels for {len(features)} images; give one an image")
        self.features.append(features)
        self.labels.append(torch.tensor(codes, dtype=torch.int64, device=features.device))

    def compute(self) -> dict[str, Tensor]:
        """Value and null of each question.

        Returns
        -------
        dict of str to Tensor
            ``"axis/name"`` and ``"axis/name/null"``, float64 scalars; NaN where there is none, and `scores` says why.

        Raises
        ------
        InputError
            Before the first image.
        """
        if isinstance(self.features, list) and not self.features:
            raise InputError("there are no synthetic images yet; call update(images) first")
        comparison = self._comparison(dim_zero_cat(self.features), dim_zero_cat(self.labels))
        found = [question.compute(comparison) for question in self.questions]
        self.scores = tuple(score for one in found for score in ([one] if isinstance(one, Score) else one))
        logged: dict[str, Tensor] = {}
        for score in self.scores:
            for name, number in ((score.key, score.value), (f"{score.key}/null", score.null)):
                logged[name] = torch.tensor(math.nan if number is None else number, dtype=torch.float64)
        return logged

    def _code(self, label: str) -> int:
        if label not in self.classes:
            raise InputError(
                f"{label!r} is no class of the training set, which has {', '.join(self.classes) or 'none'}"
            )
        return self.classes.index(label)

    def _comparison(self, features: Tensor, codes: Tensor) -> Comparison:
        labels = None
        if self.classes and bool((codes != _UNKNOWN).all()):
            labels = np.array(self.classes)[codes.cpu().numpy()]
        sets = {**self.real, "synthetic": Features(features.float().cpu().numpy(), labels=labels)}
        if self.extractor.standardise:
            values, _ = standardised(self.real["training"].values, {role: one.values for role, one in sets.items()})
            sets = {role: Features(values[role], one.patients, one.labels) for role, one in sets.items()}
        return Comparison(self.extractor.name, **sets, distance=self.extractor.distance, seed=self.seed)


def _question(key: str) -> Question:
    known = {metric.key: metric for metric in metrics() if metric.kind == "features"}
    if key not in known:
        raise InputError(f"there is no metric {key!r} that compares features; there are {', '.join(sorted(known))}")
    return known[key]


def _real_features(
    sets: dict[str, ImageSet], extractor: FeatureExtractor, device: torch.device | str
) -> dict[str, Features]:
    """Features of the real sets, with patients numbered across them."""
    numbers: dict[str, np.ndarray | None] = dict.fromkeys(sets)
    if all(one.patients is not None for one in sets.values()):
        every = np.unique(np.concatenate([one.patients for one in sets.values()]), return_inverse=True)[1]
        cuts = np.cumsum([len(one) for one in sets.values()])[:-1]
        numbers = dict(zip(sets, np.split(every, cuts), strict=True))
    return {
        role: Features(extract(one, extractor, device=device), numbers[role], one.labels) for role, one in sets.items()
    }
