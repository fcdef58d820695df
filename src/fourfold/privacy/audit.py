"""The `copies` score: which synthetic images copy a training image, and how well the search for them sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import numpy as np
from scipy.stats import binom

from fourfold.comparison import Sets
from fourfold.errors import InputError
from fourfold.features.contrastive import ContrastiveNetwork
from fourfold.features.reidentification import ReidentificationNetwork
from fourfold.privacy.contrast import one_sided
from fourfold.privacy.copies import LEVEL, PLANTS, CopyList, find_copies
from fourfold.privacy.disguises import DISGUISES, ORDINARY
from fourfold.privacy.learned import Train, cross_fitted_nearest
from fourfold.privacy.patients import numbered
from fourfold.privacy.ratio import TwoNearest
from fourfold.privacy.representations import FURTHER, REGISTERED, REPRESENTATIONS
from fourfold.privacy.working import aspect_ratio, working_images
from fourfold.score import Metric, Score, does_not_apply, register
from fourfold.statistics import clopper_pearson, upper_bound

__all__ = ["copies"]

SOURCE = (
    "patient-aware nearest-neighbour ratio with a real-real null, generalised Pareto tail (Knijnenburg et al. 2009), "
    "Cauchy combination (Liu, Xie 2020) and false-discovery control (Benjamini, Hochberg 1995)"
)

PLANTS_OF_AN_AUDIT = 40
"""Copies planted by disguise where a full audit is asked for."""


def copies(sets: Sets) -> Score:
    """Share of synthetic images on the list of copies, with the list in its columns.

    Parameters
    ----------
    sets : Sets
        Prepared images; patients where they are known.

    Returns
    -------
    Score
        Per synthetic image: ``copy``, ``copy_p``, ``copy_q``, ``copy_kind`` (empty where not listed),
        ``nearest_training`` (row), ``copy_ratio``, ``registered_correlation`` (of local contrast, with the training
        image that registers best). Per training image: ``copies``, the listed copies of it.
    """
    fields = {"better": "lower", "features": "pixels", "source": SOURCE}
    holdout = sets.holdout if sets.holdout is not None and len(sets.holdout) else None
    if len(sets.training) < 3 or not len(sets.synthetic):
        return does_not_apply("privacy", "copies", "needs three training images and one synthetic image", **fields)
    groups, holdout_groups = numbered(
        sets.training.patients,
        None if holdout is None else holdout.patients,
        (len(sets.training), 0 if holdout is None else len(holdout)),
    )
    try:
        images = working_images(sets.synthetic)
        found = find_copies(
            working_images(sets.training),
            images,
            None if holdout is None else working_images(holdout),
            groups=groups,
            holdout_groups=holdout_groups,
            aspect=aspect_ratio(sets.training.shape),
            representations=(*REPRESENTATIONS, *FURTHER) if sets.thorough else REPRESENTATIONS,
            more=partial(_learned, sets) if sets.thorough else None,
            disguises=DISGUISES if sets.thorough else ORDINARY,
            plants=PLANTS_OF_AN_AUDIT if sets.thorough else PLANTS,
            seed=sets.seed,
            memory=sets.memory,
            progress=sets.progress,
        )
    except ValueError as problem:
        return does_not_apply("privacy", "copies", str(problem), **fields)
    size, listed = len(found.listed), int(found.listed.sum())
    distinct = len({image.tobytes() for image in images})
    null = 0.0 if found.null_share is None else found.null_share
    rows = found.nearest[found.listed]
    return Score(
        "privacy",
        "copies",
        listed / size,
        null=null,
        interval=one_sided(clopper_pearson(listed, size), null, "lower"),
        null_interval=(0.0, float(binom.ppf(0.975, size, null)) / size),
        null_source="training without the own patient" if found.null_share is None else "holdout",
        reason=_limits(sets, holdout is not None, found),
        per_synthetic={
            "copy": found.listed,
            "copy_p": found.p,
            "copy_q": found.q,
            "copy_kind": np.where(found.listed, found.kind, ""),
            "nearest_training": found.nearest,
            "copy_ratio": found.ratio,
            "registered_correlation": found.registered,
        },
        per_training={"copies": np.bincount(rows, minlength=len(sets.training))},
        details={
            "one_sided": True,
            "copies": listed,
            "patients": len(np.unique(found.groups[rows])),
            "images": size,
            "distinct_images": distinct,
            "false_discovery_rate": LEVEL,
            "holdout_images": 0 if holdout is None else len(holdout),
            "set_aside": found.set_aside,
            "null_images": len(next(iter(found.nulls.values())).values),
            "training_serves_as_null": found.trusted,
            **_described(found, distinct),
        },
        **fields,
    )


_LEARNED: dict[str, tuple[str, Train]] = {
    "contrastive": (
        "a copy detector trained on half of the patients, which searches among the others",
        ContrastiveNetwork.train,
    ),
    "re-identification": (
        "a network that recognises patients, trained on half of them, which searches among the others",
        ReidentificationNetwork.train,
    ),
}


def _learned(
    sets: Sets, training: np.ndarray, groups: np.ndarray, queries: np.ndarray, own: np.ndarray
) -> Iterator[tuple[str, TwoNearest, np.ndarray]]:
    """The searches of networks trained on the spot, two folds each; none where there are too few images for one."""
    for name, (_, train) in _LEARNED.items():

        def tell(done: int, total: int, name: str = name) -> None:
            sets.progress(f"copies: training, {name}", done, total)

        # Too few images, or patients with several of them, to train on: the power by disguise says what is left.
        with suppress(InputError):
            folds = cross_fitted_nearest(
                training, groups, queries, own, train=train, seed=sets.seed, memory=sets.memory, progress=tell
            )
            for fold, found in enumerate(folds, start=1):
                yield f"{name}, fold {fold}", found.nearest, found.eligible


def _described(found: CopyList, distinct: int) -> dict[str, object]:
    power = {
        name: {"planted": one.planted, "found": one.found, "attributed": one.attributed, "recall": one.recall}
        for name, one in found.power.items()
    }
    plain = [found.power[one.name] for one in ORDINARY if one.name in found.power]
    planted = sum(one.planted for one in plain)
    recall = sum(one.found for one in plain) / planted if planted else 0.0
    listed = int(found.listed.sum())
    # Repeated images are one draw of the generator as far as a bound on its rate of copies goes.
    count = min(listed, distinct)
    bound = upper_bound(count, distinct)
    tails = {
        name: None
        if null.tail is None
        else {"threshold": null.tail.threshold, "shape": null.tail.shape, "scale": null.tail.scale}
        for name, null in found.nulls.items()
    }
    summaries = {one.name: one.summary for one in (*REPRESENTATIONS, *FURTHER)} | REGISTERED
    summaries |= {f"{name}, fold {fold}": said for name, (said, _) in _LEARNED.items() for fold in (1, 2)}
    return {
        "power": power,
        "recall": recall,
        "upper_bound": min(1.0, bound / recall) if recall else 1.0,
        "representations": {name: summaries.get(name, name) for name in found.nulls},
        "tails": tails,
        "endpoints": [
            {"name": "copies", "stage": 1, "kind": "count", "count": listed},
            {"name": "copy_rate", "stage": 1, "kind": "rate", "count": count, "size": distinct, "recall": recall},
        ],
    }


def _limits(sets: Sets, holdout: bool, found: CopyList) -> str | None:
    limits = []
    if not holdout:
        limits.append("without a holdout the null is read from training images without their own patient")
    if sets.training.patients is None:
        limits.append("without patient identifiers each image, or group of near-duplicates, counts as a patient")
    if not found.trusted:
        limits.append(
            "training images lie nearer to each other than the holdout does to them, as images of one patient under "
            "several names would, so that only the holdout serves as null"
        )
    if sets.thorough:
        untrained = [name for name in _LEARNED if not any(one.startswith(name) for one in found.nulls)]
        if untrained:
            limits.append(f"too few training images, or patients with several, to train on: {' and '.join(untrained)}")
    return "; ".join(limits) or None


register(
    Metric(
        axis="privacy",
        name="copies",
        kind="images",
        better="lower",
        summary="synthetic images nearer to one training patient than chance allows, listed with their source",
        null="the holdout scored as if synthetic, each half of its patients against a null without it",
        cost="O((M + H + N) N d) for each of about 1 000 changes, mostly at d = 200",
        source=SOURCE,
        compute=copies,
    )
)
