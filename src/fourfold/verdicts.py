"""What the scores of an axis add up to: a status and the sentence a user reads.

Fidelity, variety and utility are decided in the same way. The scores that decide are those of the axis's primary
metrics, in every feature space. Each is turned into a two-sided p-value of "the value is at its null" from the
half-width of its interval, and Holm's procedure (Holm, 1979) keeps the chance of one false alarm on the axis at 5 %:

- *fail*: at least one score is worse than its null;
- *inconclusive*: none is, but scores or images are too few to have seen much;
- *pass*: none is, and there were enough images to look at.

The privacy axis has a procedure of its own (`fourfold.privacy.conclude`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.stats import norm

from fourfold.score import Axis, Score
from fourfold.statistics import holm

__all__ = ["PRIMARY", "Status", "Verdict", "decide", "with_common_bands"]

Status = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Verdict:
    """What the scores of one axis add up to: a status, the sentence a user reads, and what it rests on.

    `scores` are the keys (``"axis/name@features"``) of the scores that decided, the most telling first.
    """

    axis: Axis
    status: Status
    sentence: str
    scores: tuple[str, ...] = ()


PRIMARY: dict[Axis, tuple[str, ...]] = {
    "fidelity": ("frechet_distance", "kernel_distance", "precision", "density", "radiomic_frechet_distance"),
    "variety": ("recall", "coverage", "vendi_score", "image_retrieval_score"),
    "utility": ("train_synthetic_test_real", "train_synthetic_test_real_cnn"),
}
# Below this many synthetic or training images an absence of differences says little about the generator.
ENOUGH_IMAGES = 100
_LEVEL = 0.05

# Scores that are shares or areas under a curve, and end at 1.
_SHARES = {
    "authenticity",
    "coverage",
    "distance_share",
    "exposure",
    "identical_match_share",
    "nearest_neighbour_ratio",
    "precision",
    "recall",
    "train_synthetic_test_real",
    "train_synthetic_test_real_cnn",
}

_QUESTION = {
    "fidelity": ("look like real ones", "differ from fresh real images"),
    "variety": ("cover what real patients look like", "cover less than fresh real images would"),
    "utility": ("serve to train a model that works on real patients", "train a worse model than real images do"),
}


def decide(axis: Axis, scores: Sequence[Score], images: int) -> Verdict:
    """The verdict of fidelity, variety or utility.

    Parameters
    ----------
    axis : {"fidelity", "variety", "utility"}
    scores : sequence of Score
        Every score of the axis.
    images : int
        The smaller of the numbers of synthetic and training images.

    Returns
    -------
    Verdict
    """
    primary = [score for score in scores if score.name in PRIMARY[axis]]
    usable = [score for score in primary if score.departs() is not None]
    does, does_not = _QUESTION[axis]
    if not usable:
        why = "; ".join(dict.fromkeys(score.reason for score in primary if score.reason)) or "no score applies"
        return Verdict(axis, "inconclusive", f"Whether the images {does} cannot be told: {why}.")
    worse = [score for score in _rejected(usable) if score.departs() == "worse"]
    usable.sort(key=_departure, reverse=True)
    keys = tuple(_key(score) for score in usable)
    if worse:
        sentence = (
            f"The images {does_not}: {len(worse)} of {len(usable)} deciding scores are worse than their null, "
            f"the clearest being {_read(usable[0])}."
        )
        return Verdict(axis, "fail", sentence, keys)
    looked = f"none of {len(usable)} deciding scores is worse than its null; nearest to it: {_read(usable[0])}"
    if images < ENOUGH_IMAGES:
        few = f"With {images} images little can be seen: {looked}."
        return Verdict(axis, "inconclusive", few, keys)
    return Verdict(axis, "pass", f"No sign that the images {does_not}: {looked}.", keys)


def with_common_bands(scores: Sequence[Score]) -> list[Score]:
    """Null bands widened so that together they hold all scores of 95 % of fresh real sets (Bonferroni).

    With forty scores, two of a flawless set lie outside of bands that hold 95 % each.
    """
    banded = [score for score in scores if score.null_interval is not None and score.null is not None]
    if len(banded) < 2:
        return list(scores)
    widening = norm.isf(0.025 / len(banded)) / norm.isf(0.025)
    widened = []
    for score in scores:
        if score.null_interval is None or score.null is None:
            widened.append(score)
            continue
        # A band that ends at 0 or 1 ends at the limit of a share, where there is nothing to widen.
        low, high = (
            edge if edge in (0.0, 1.0) else score.null + widening * (edge - score.null) for edge in score.null_interval
        )
        low = max(low, 0.0) if score.null_interval[0] >= 0 else low
        high = min(high, 1.0) if score.name in _SHARES else high
        widened.append(replace(score, null_interval=(low, high)).with_details(null_interval_of=len(banded)))
    return widened


def _key(score: Score) -> str:
    return f"{score.key}@{score.features}" if score.features else score.key


def _departure(score: Score) -> float:
    """How many standard errors the value lies on the bad side of its null."""
    if score.value is None or score.null is None or score.interval is None:
        return -np.inf
    bad_side_is_below = score.better == "higher"
    gap = score.null - score.value if bad_side_is_below else score.value - score.null
    # The half-width that faces the null: clipping to a metric's range can make an interval lopsided.
    facing = score.interval[1] - score.value if bad_side_is_below else score.value - score.interval[0]
    width = max(facing, (score.interval[1] - score.interval[0]) / 2)
    if width <= 0:
        return 0.0 if gap == 0 else float(np.copysign(np.inf, gap))
    return float(gap / width * norm.ppf(0.975))


def _rejected(scores: Sequence[Score]) -> list[Score]:
    """The scores whose null Holm's procedure rejects."""
    rejected, _ = holm([2 * norm.sf(max(_departure(score), 0.0)) for score in scores], _LEVEL)
    return [score for score, reject in zip(scores, rejected, strict=True) if reject]


def _read(score: Score) -> str:
    space = f" ({score.features})" if score.features else ""
    low, high = score.interval or (float("nan"), float("nan"))
    name = score.name.replace("_", " ")
    return (
        f"{name}{space} {score.value:.3g} [{low:.3g}, {high:.3g}] where fresh real images would score {score.null:.3g}"
    )
