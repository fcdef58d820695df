"""Linkage: whether the synthetic images tie together two things that belong to one training patient.

By a second scan: somebody holds a scan of a patient, takes the synthetic image nearest to it, and asks whose other
scan that image is nearest to. It links where the answer is the same patient. By halves: the synthetic images nearest
to the left half of an image and those nearest to its right half have one in common. Both succeed now and then with
patients whom the generator never saw; only what they achieve beyond that is linkage by the release.

The gallery of other scans holds training and holdout patients alike, so that the chance to link by luck is the same on
both sides whatever their sizes. Where only whole patients were trained on, the second scan was in the training set as
well, which makes the attack stronger than one with a scan that was not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Comparison, Sets, Spaces
from fourfold.neighbors import nearest
from fourfold.neighbors.distances import MetricName
from fourfold.privacy.control import patients_are_known
from fourfold.privacy.excess import Excess, one_image_each
from fourfold.privacy.patients import numbered
from fourfold.privacy.working import working_images
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["SecondScan", "half_linkage", "linkage", "second_scan_linkage"]

SOURCE = (
    "linkability (WP 216, 2014) with main and control attacks (Giomi et al., PoPETs 2023), by second scans and by "
    "halves of an image"
)
LEAST_PATIENTS = 10
"""Patients that each side needs."""

HALVES = "halves"
_NEIGHBOURS = (1, 5)


@dataclass(frozen=True)
class SecondScan:
    """Linkage by a second scan.

    Parameters
    ----------
    excess : Excess
        Patients with two scans or more.
    recognised : float
        Share of those patients whose second scan is nearest to their own other scan, with no synthetic image between:
        what the features can recognise at all.
    """

    excess: Excess
    recognised: float


def second_scan_linkage(
    synthetic: np.ndarray,
    training: np.ndarray,
    holdout: np.ndarray,
    training_patients: np.ndarray,
    holdout_patients: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    seed: int = 0,
    memory: int = 1 << 30,
) -> SecondScan:
    """Link the second scans of patients to their other scans through the synthetic images.

    Parameters
    ----------
    synthetic, training, holdout : arrays, shapes (M, d), (N, d) and (H, d)
        In any feature space; that of a re-identification network is the strongest.
    training_patients, holdout_patients : arrays of int, shapes (N,) and (H,)
        Numbers that the two sets do not share.
    metric, memory
        As for `fourfold.neighbors.nearest`.
    seed : int
        Which scan of a patient is the second one.

    Returns
    -------
    SecondScan

    Raises
    ------
    ValueError
        Where fewer than ten patients of either set have two scans.
    """
    images = np.concatenate([training, holdout])
    patients = np.concatenate([training_patients, holdout_patients])
    names, owners, scans = np.unique(patients, return_inverse=True, return_counts=True)
    owners = owners.reshape(-1)
    second = one_image_each(owners, np.random.default_rng([seed, 31]))
    second = second[scans >= 2]
    gallery = np.setdiff1d(np.arange(len(images)), second)
    member = np.isin(names[owners[second]], training_patients)
    fewest = int(min(member.sum(), (~member).sum()))
    if fewest < LEAST_PATIENTS:
        raise ValueError(
            f"needs {LEAST_PATIENTS} patients with two images in training and holdout each, there are {fewest}"
        )
    between = nearest(images[second], synthetic, 1, metric=metric, memory=memory).indices[:, 0]
    used, place = np.unique(between, return_inverse=True)
    reached = nearest(synthetic[used], images[gallery], 1, metric=metric, memory=memory).indices[:, 0]
    linked = owners[gallery[reached]][place.reshape(-1)] == owners[second]
    direct = nearest(images[second], images[gallery], 1, metric=metric, memory=memory).indices[:, 0]
    recognised = owners[gallery[direct]] == owners[second]
    return SecondScan(Excess.of(linked[member], linked[~member]), float(recognised.mean()))


def half_linkage(
    synthetic: np.ndarray,
    training: np.ndarray,
    holdout: np.ndarray,
    training_patients: np.ndarray | None = None,
    holdout_patients: np.ndarray | None = None,
    *,
    neighbours: int = 1,
    seed: int = 0,
    memory: int = 1 << 30,
) -> Excess:
    """Link the left and the right half of an image through the synthetic images.

    Parameters
    ----------
    synthetic, training, holdout : arrays, shapes (M, planes, height, width), (N, ...) and (H, ...)
        Working images in [0, 1] (see `fourfold.privacy.working_images`).
    training_patients, holdout_patients : arrays, shapes (N,) and (H,), or None
        One image of each patient is attacked; None where each image is a patient of its own.
    neighbours : int
        k: the attempt succeeds where the k synthetic images nearest to either half, by correlation, share one.
    seed : int
        Which image of a patient is attacked.
    memory : int
        Bytes for the search.

    Returns
    -------
    Excess
    """
    outcomes = []
    for number, (images, patients) in enumerate(((training, training_patients), (holdout, holdout_patients))):
        rng = np.random.default_rng([seed, 32, number])
        rows = np.arange(len(images)) if patients is None else one_image_each(patients, rng)
        found = [
            nearest(asked, among, min(neighbours, len(synthetic)), metric="correlation", memory=memory).indices
            for asked, among in zip(_halves(images[rows]), _halves(synthetic), strict=True)
        ]
        outcomes.append((found[0][:, :, None] == found[1][:, None, :]).any(axis=(1, 2)))
    return Excess.of(*outcomes)


def linkage(spaces: Spaces) -> list[Score]:
    """Linkage by halves of the images, and by second scans in every feature space.

    Returns
    -------
    list of Score
        The first by halves (``features="halves"``), then one a feature space. One-sided.
    """
    return [_by_halves(spaces.sets)] + [
        _by_second_scan(spaces.sets, comparison) for comparison in spaces.comparisons.values()
    ]


def _by_halves(sets: Sets) -> Score:
    fields = {"better": "lower", "features": HALVES, "source": SOURCE}
    if sets.holdout is None or not len(sets.holdout):
        return does_not_apply("privacy", "linkage", _NO_HOLDOUT, **fields)
    if not len(sets.synthetic):
        return does_not_apply("privacy", "linkage", "needs synthetic images", **fields)
    training, holdout, synthetic = (working_images(one) for one in (sets.training, sets.holdout, sets.synthetic))
    patients = numbered(sets.training.patients, sets.holdout.patients, (len(training), len(holdout)))
    fewest = min(len(np.unique(one)) for one in patients)
    if fewest < LEAST_PATIENTS:
        reason = f"needs {LEAST_PATIENTS} patients in training and holdout each, there are {fewest}"
        return does_not_apply("privacy", "linkage", reason, **fields)
    found = {
        k: half_linkage(synthetic, training, holdout, *patients, neighbours=k, seed=sets.seed, memory=sets.memory)
        for k in _NEIGHBOURS
    }
    size, first = len(synthetic), found[_NEIGHBOURS[0]]
    details = {
        "by": "left and right half",
        "endpoints": [first.endpoint("linkage_excess", by="halves")],
        "chance": {str(k): _chance(size, k) for k in _NEIGHBOURS},
        "neighbours": {str(k): one.described() for k, one in found.items()},
    }
    return first.score("linkage", HALVES, SOURCE, details=details)


def _by_second_scan(sets: Sets, comparison: Comparison) -> Score:
    fields = {"better": "lower", "features": comparison.space, "source": SOURCE}
    training, holdout = comparison.training, comparison.holdout
    if holdout is None or sets.holdout is None or not len(holdout):
        return does_not_apply("privacy", "linkage", _NO_HOLDOUT, **fields)
    if not (patients_are_known(sets.training) and patients_are_known(sets.holdout)):
        reason = "a second scan needs patient identifiers in training and holdout"
        return does_not_apply("privacy", "linkage", reason, **fields)
    if not len(comparison.synthetic):
        return does_not_apply("privacy", "linkage", "needs synthetic images", **fields)
    mine, theirs = numbered(training.patients, holdout.patients, (len(training), len(holdout)))
    try:
        found = second_scan_linkage(
            comparison.synthetic.values,
            training.values,
            holdout.values,
            mine,
            theirs,
            metric=comparison.distance,
            seed=comparison.seed,
            memory=comparison.memory,
        )
    except ValueError as problem:
        return does_not_apply("privacy", "linkage", str(problem), **fields)
    details = {
        "by": "a second scan of the patient",
        "endpoints": [found.excess.endpoint("linkage_excess", by="second scan", space=comparison.space)],
        "recognised_directly": found.recognised,
    }
    return found.excess.score("linkage", comparison.space, SOURCE, details=details)


_NO_HOLDOUT = "without a holdout linkage by chance cannot be told from linkage by the release"


def _halves(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = images.shape[-1] // 2
    return images[..., :middle].reshape(len(images), -1), images[..., -middle:].reshape(len(images), -1)


def _chance(size: int, k: int) -> float:
    """Chance that two random choices of k among `size` share one."""
    if 2 * k > size:
        return 1.0
    return float(1.0 - np.prod((size - k - np.arange(k)) / (size - np.arange(k))))


register(
    Metric(
        axis="privacy",
        name="linkage",
        kind="spaces",
        better="lower",
        summary="second scans, and halves of images, tied to one training patient in excess of patients never seen",
        null="0: the same attack on holdout patients",
        cost="O(P M d) for P patients, and O((N + H) M pixels)",
        source=SOURCE,
        compute=linkage,
        needs=("holdout",),
        thorough=True,
    )
)
