"""The `copies` score, and what the privacy axis concludes from it.

The verdict rests on the list of copies. It says what was looked for, what was found and what would have been found;
it never says that a set is safe to share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.stats import binom, norm

from fourfold.comparison import Sets
from fourfold.privacy.contrast import Z_95, one_sided
from fourfold.privacy.copies import LEVEL, CopyList, find_copies
from fourfold.privacy.patients import numbered
from fourfold.privacy.representations import REPRESENTATIONS
from fourfold.privacy.working import aspect_ratio, working_images
from fourfold.score import Metric, Score, does_not_apply, register
from fourfold.statistics import clopper_pearson, upper_bound

__all__ = ["Status", "conclude", "copies"]

Status = Literal["pass", "fail", "inconclusive"]

SOURCE = (
    "patient-aware nearest-neighbour ratio with a real-real null, generalised Pareto tail (Knijnenburg et al. 2009), "
    "Cauchy combination (Liu, Xie 2020) and false-discovery control (Benjamini, Hochberg 1995)"
)

ENOUGH_IMAGES = 100
ENOUGH_NULL = 300
LEAST_RECALL = 0.5


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
        ``nearest_training`` (row), ``copy_ratio``. Per training image: ``copies``, the listed copies of it.
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
        reason=_limits(sets, holdout is not None),
        per_synthetic={
            "copy": found.listed,
            "copy_p": found.p,
            "copy_q": found.q,
            "copy_kind": np.where(found.listed, found.kind, ""),
            "nearest_training": found.nearest,
            "copy_ratio": found.ratio,
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
            **_described(found, distinct),
        },
        **fields,
    )


def conclude(scores: Sequence[Score]) -> tuple[Status, str, tuple[str, ...]]:
    """What the scores of the privacy axis add up to.

    Parameters
    ----------
    scores : sequence of Score
        Of the privacy axis; those of other axes are left out of account.

    Returns
    -------
    status : {"pass", "fail", "inconclusive"}
        *fail* where copies are listed beyond what the holdout would list; *inconclusive* without a holdout, with too
        few images, with too little power, or where the images lie clearly nearer to the training set than fresh
        patients do although no single copy stands out; else *pass*.
    sentence : str
        What was found, what was looked for and what would have been found.
    keys : tuple of str
        The scores that decided.
    """
    own = [score for score in scores if score.axis == "privacy"]
    score = next((score for score in own if score.name == "copies"), None)
    if score is None or score.value is None:
        reason = "the search for copies was not run" if score is None else score.reason
        return "inconclusive", f"Whether training images were copied cannot be told: {reason}.", ()
    facts = score.details
    listed, size, keys = facts["copies"], facts["images"], (_key(score),)
    if listed:
        entries = (
            f"{listed} of {size} synthetic images "
            f"{'is a copy of a training image' if listed == 1 else 'are copies of training images'}"
        )
        what = (
            f"{entries} ({facts['patients']} {'patient' if facts['patients'] == 1 else 'patients'}; at most "
            f"{100 * facts['false_discovery_rate']:g} % of the list is expected to be false)"
        )
        if score.departs() == "worse":
            them = "it must" if listed == 1 else "they must"
            return "fail", f"{what}: {them} not be shared, nor should the generator be.", keys
        return "inconclusive", f"{what}, but of the holdout {100 * score.null:.2g} % would be listed as well.", keys
    power = facts["power"]
    nothing = f"No copy of a training image was found among {size} synthetic images, as they are or under {_TRIED}"
    recall = min((one["recall"] for one in power.values()), default=0.0)
    seen = ", ".join(f"{name} {100 * one['recall']:.0f} %" for name, one in power.items())
    lacking = []
    if not facts["holdout_images"]:
        lacking.append("there is no holdout")
    if facts["distinct_images"] < ENOUGH_IMAGES:
        lacking.append(f"{facts['distinct_images']} different synthetic images are too few")
    if facts["null_images"] < ENOUGH_NULL:
        lacking.append(f"{facts['null_images']} real images make a weak null")
    if recall < LEAST_RECALL:
        lacking.append("too few of the planted copies were found")
    nearer = _clearly_nearer(own)
    if nearer:
        lacking.append(
            "the images lie nearer to the training set than fresh patients do ("
            + ", ".join(f"{one.name.replace('_', ' ')} on {one.features}" for one in nearer)
            + ")"
        )
    measured = f"planted copies that were found, by disguise: {seen}" if power else "no copies were planted to test it"
    if lacking:
        sentence = f"{nothing}, but this shows little: {'; '.join(lacking)} ({measured})."
        return "inconclusive", sentence, (*keys, *(_key(one) for one in nearer))
    sentence = (
        f"{nothing}; {measured}. A share of copies above {100 * facts['upper_bound']:.2g} % would have shown itself. "
        "Patients may be recognisable in ways that were not looked for."
    )
    return "pass", sentence, keys


_TRIED = "small rotations (6 degrees), shifts (5 % of the side), mirroring, quarter turns and changes of contrast"


def _clearly_nearer(scores: Sequence[Score]) -> list[Score]:
    """Other scores that are worse than their null, at 5 % over all of them together."""
    usable = [score for score in scores if score.name != "copies" and score.departs() is not None]
    found = []
    for score in usable:
        widened = norm.ppf(1 - 0.025 / len(usable)) / Z_95
        facing = score.interval[1] if score.better == "higher" else score.interval[0]
        beyond = abs(score.value - score.null) > widened * abs(score.value - facing)
        if score.departs() == "worse" and beyond:
            found.append(score)
    return found


def _described(found: CopyList, distinct: int) -> dict[str, object]:
    power = {
        name: {"planted": one.planted, "found": one.found, "attributed": one.attributed, "recall": one.recall}
        for name, one in found.power.items()
    }
    recall = min((one["recall"] for one in power.values()), default=0.0)
    # Repeated images are one draw of the generator as far as a bound on its rate of copies goes.
    bound = upper_bound(min(int(found.listed.sum()), distinct), distinct)
    tails = {
        name: None
        if null.tail is None
        else {"threshold": null.tail.threshold, "shape": null.tail.shape, "scale": null.tail.scale}
        for name, null in found.nulls.items()
    }
    return {
        "power": power,
        "upper_bound": min(1.0, bound / recall) if recall else 1.0,
        "representations": {one.name: one.summary for one in REPRESENTATIONS},
        "tails": tails,
    }


def _limits(sets: Sets, holdout: bool) -> str | None:
    limits = []
    if not holdout:
        limits.append("without a holdout the null is read from training images without their own patient")
    if sets.training.patients is None:
        limits.append("without patient identifiers each image, or group of near-duplicates, counts as a patient")
    return "; ".join(limits) or None


def _key(score: Score) -> str:
    return f"{score.key}@{score.features}" if score.features else score.key


register(
    Metric(
        axis="privacy",
        name="copies",
        kind="images",
        better="lower",
        summary="synthetic images nearer to one training patient than chance allows, listed with their source",
        null="the holdout scored as if synthetic, each half of its patients against a null without it",
        cost="O((N + M + H) N d) for each of 273 warps, mostly at d = 200",
        source=SOURCE,
        compute=copies,
    )
)
