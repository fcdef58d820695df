"""What the attacks on a model achieve: chosen on one half of the patients, reported on the other.

The noise level is part of the attack. Tables that print thirty of them and name the best report a choice made on the
very patients it is judged by; here level and attack are chosen on half A, and thresholds are order statistics of its
holdout patients, not even steps between two extremes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from fourfold.comparison import Sets
from fourfold.images import SplitRecord, randomised_by_us
from fourfold.images.sets import ImageSet
from fourfold.privacy.contrast import clipped, one_sided
from fourfold.privacy.membership.choice import (
    area_on,
    best_attack,
    epsilon_on_halves,
    first_half,
    operating_point,
    patient_scores,
)
from fourfold.privacy.model.attacks import SIGMAS, all_model_attacks
from fourfold.privacy.model.denoisers import Denoiser
from fourfold.privacy.patients import numbered
from fourfold.score import Score, does_not_apply
from fourfold.statistics import one_run_epsilon

__all__ = ["CanaryEpsilon", "attack_model", "canary_epsilon"]

SOURCE = (
    "denoising loss, PIA and PIAN (Kong et al. 2024), SecMI (Duan et al. 2023); area with patients as clusters "
    "(Obuchowski 1997); epsilon from one run (Steinke et al. 2023)"
)
NAME = "model_membership"

LEAST_PATIENTS = 20
LARGEST = 2_000
"""Images of training and of holdout that are asked about, with whole patients; a model is slow to answer."""

RATE = 0.01
GUESSED = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of the patients whose membership is guessed; the others are abstained from."""

_BATCH_BYTES = 1 << 24


@dataclass(frozen=True)
class CanaryEpsilon:
    """A lower bound on epsilon from patients whom chance assigned to training or holdout.

    Parameters
    ----------
    lower : float
        95 % lower bound, delta = 0.
    correct, guesses : int
        On half B.
    canaries : int
        Patients of half B that could be guessed about, as many of training as of holdout but for chance.
    """

    lower: float
    correct: int
    guesses: int
    canaries: int


def attack_model(
    sets: Sets,
    denoiser: Denoiser,
    split: SplitRecord | None = None,
    sigmas: Sequence[float] = SIGMAS,
) -> Score:
    """Area under the curve of the best attack on a model, chosen on half of the patients, measured on the other half.

    Parameters
    ----------
    sets : Sets
        Prepared training and holdout images of the size that the model takes; the synthetic set is not asked.
    denoiser : Denoiser
    split : SplitRecord or None
        The record of `fourfold split`. Where it fits the sets, the endpoint ``epsilon`` is reported as well.
    sigmas : sequence of float
        Noise levels, in units of half of the model's value range.

    Returns
    -------
    Score
        Value in [0, 1], null 0.5, one-sided. Per training image: ``model_membership``, the share of holdout images
        that look less like a member (NaN where not asked about). Details: endpoints ``model_auc``, ``model_tpr`` and
        ``epsilon``, all attacks with their area on half A.

    Raises
    ------
    InputError
        Where the denoiser does not take the images.
    """
    fields: dict[str, Any] = {"better": "lower", "source": SOURCE}
    if sets.holdout is None or not len(sets.holdout):
        return does_not_apply("privacy", NAME, "needs a holdout", **fields)
    rows, others = (_drawn(one, [sets.seed, 46 + place]) for place, one in enumerate((sets.training, sets.holdout)))
    training, holdout = sets.training.take(rows), sets.holdout.take(others)
    owners = numbered(training.patients, holdout.patients, (len(training), len(holdout)))
    if min(len(np.unique(one)) for one in owners) < LEAST_PATIENTS:
        reason = f"needs {LEAST_PATIENTS} training and {LEAST_PATIENTS} holdout patients"
        return does_not_apply("privacy", NAME, reason, **fields)
    scores = _asked(sets, training, holdout, denoiser, sigmas)
    patients, members = np.concatenate(owners), np.arange(len(training) + len(holdout)) < len(training)
    in_first = first_half(patients, members, sets.seed)
    chosen, areas = best_attack(scores, patients, members, in_first)
    area = area_on(scores[chosen], patients, members, ~in_first)
    # Perfect order has no spread of its own; half a patient of the smaller set is what it leaves open.
    error = max(area.standard_error, 0.5 / min(area.positives, area.negatives) ** 1.5)
    values, names, sides, rule = patient_scores(scores[chosen], patients, members, sets.seed)
    half = np.isin(names, patients[in_first])
    endpoints: list[dict[str, Any]] = [
        {
            "name": "model_auc",
            "stage": 5,
            "kind": "normal",
            "estimate": area.value,
            "standard_error": error,
            "size": min(area.positives, area.negatives),
        }
    ]
    point = operating_point(values, sides, half, RATE)
    reason = None
    if point is None:
        reason = f"1 % false alarms need {2 * (round(1 / RATE) - 1)} holdout patients, there are {int((~sides).sum())}"
    else:
        endpoints.append(
            {"name": "model_tpr", "stage": 5, "kind": "proportion", "count": point.named, "size": point.members}
        )
    # The record is about whole sets, whichever of their images the model was asked about.
    canary = None
    if split is not None and randomised_by_us(split, sets.training, sets.holdout):
        canary = canary_epsilon(values, sides, half, sets.seed)
        endpoints.append({"name": "epsilon", "stage": 5, "kind": "floor", "estimate": canary.lower})
    column = np.full(len(sets.training), np.nan)
    column[rows] = _share_below(scores[chosen][members], scores[chosen][~members])
    reach, null_reach = float(norm.isf(0.025)) * error, float(norm.isf(0.025)) * area.null_standard_error
    return Score(
        "privacy",
        NAME,
        area.value,
        null=0.5,
        interval=one_sided(clipped((area.value - reach, area.value + reach), (0.0, 1.0)), 0.5, "lower"),
        null_interval=clipped((0.5 - null_reach, 0.5 + null_reach), (0.0, 1.0)),
        null_source="analytic",
        reason=reason,
        per_training={"model_membership": column},
        details={
            "one_sided": True,
            "endpoints": endpoints,
            "attack": {"name": chosen[0], "level": chosen[1], "area_first_half": areas[chosen]},
            "attacks": [{"name": one[0], "level": one[1], "area_first_half": areas[one]} for one in areas],
            "reported_on": "the half of the patients that attack and level were not chosen on",
            "standard_error": error,
            "images_asked": {"training": len(training), "holdout": len(holdout)},
            "patient_score": rule,
            "operating_point": None if point is None else asdict(point) | {"named_of_1000": point.named_of_1000},
            "epsilon": asdict(epsilon_on_halves(values, sides, half)),
            "split_randomised_by_us": canary is not None,
            "canaries": None if canary is None else asdict(canary),
        },
        **fields,
    )


def canary_epsilon(scores: np.ndarray, members: np.ndarray, in_first: np.ndarray, seed: int = 0) -> CanaryEpsilon:
    """The bound of half B, guessing the share of patients that gives the highest bound on half A.

    Parameters
    ----------
    scores, members, in_first : arrays, shape (P,)
        One row a patient; higher scores for rather a member.
    seed : int
        The theorem tosses a fair coin for each canary. Where training and holdout were dealt unequal shares, patients
        of the larger are left out by chance until both have as many.

    Returns
    -------
    CanaryEpsilon

    Notes
    -----
    The highest scores are guessed to be members, as many of the lowest to be none. Dealing in fixed shares instead of
    tossing coins makes the number of right guesses vary less than the theorem allows for.
    """
    rng = np.random.default_rng([seed, 48])
    halves = [_balanced(members, part, rng) for part in (in_first, ~in_first)]
    first, second = ((scores[rows], members[rows]) for rows in halves)
    best = max(GUESSED, key=lambda share: one_run_epsilon(*_guessed(*first, share)))
    correct, guesses = _guessed(*second, best)
    return CanaryEpsilon(one_run_epsilon(correct, guesses), correct, guesses, len(second[0]))


def _balanced(members: np.ndarray, part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    inside, outside = np.flatnonzero(part & members), np.flatnonzero(part & ~members)
    size = min(len(inside), len(outside))
    return np.concatenate([rng.permutation(inside)[:size], rng.permutation(outside)[:size]])


def _guessed(scores: np.ndarray, members: np.ndarray, share: float) -> tuple[int, int]:
    """Right guesses, and guesses, with half of them at either end."""
    each = max(1, int(share * len(scores) / 2))
    order = np.argsort(scores, kind="stable")
    return int(members[order[-each:]].sum() + (~members[order[:each]]).sum()), 2 * each


def _asked(
    sets: Sets, training: ImageSet, holdout: ImageSet, denoiser: Denoiser, sigmas: Sequence[float]
) -> Mapping[tuple[str, str], np.ndarray]:
    """The scores of all images, training first, in batches."""
    size = int(np.clip(_BATCH_BYTES // (4 * int(np.prod(training.shape))), 1, 256))
    parts: list[Mapping[tuple[str, str], np.ndarray]] = []
    total, done = len(training) + len(holdout), 0
    for image_set in (training, holdout):
        for _, batch in image_set.batches(size):
            sets.progress("attacking the model", done, total)
            parts.append(all_model_attacks(denoiser, batch, sigmas, sets.seed))
            done += len(batch)
    sets.progress("attacking the model", total, total)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _drawn(image_set: ImageSet, seed: list[int]) -> np.ndarray:
    """Rows of at most `LARGEST` images, with whole patients."""
    if len(image_set) <= LARGEST:
        return np.arange(len(image_set))
    owners = np.arange(len(image_set)) if image_set.patients is None else image_set.patients
    names, owner, sizes = np.unique(owners, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.flatnonzero(np.isin(owner.reshape(-1), order[np.cumsum(sizes[order]) <= LARGEST]))


def _share_below(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    ordered = np.sort(others)
    return (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / (2 * len(ordered))
