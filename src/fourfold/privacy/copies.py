"""Copies: synthetic images nearer to one training patient than chance allows, listed one by one.

In each representation the patient-aware log-ratio of a synthetic image is compared with that of real images which
are no copies: holdout images against the training set, and training images against the training set without their
own patient. The p-values of the representations are combined and the list is cut by Benjamini and Hochberg's
procedure, so that the expected share of false entries stays below the stated level.

What it cannot see: parts of an image pasted into another one, crops, strong warps, and images that share a patient's
identity without sharing the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fourfold.privacy.patients import join_near_duplicates
from fourfold.privacy.power import DISGUISES, Detection
from fourfold.privacy.ratio import RatioNull, TwoNearest, two_nearest
from fourfold.privacy.representations import REPRESENTATIONS, Representation, View
from fourfold.statistics import benjamini_hochberg, cauchy_combination

__all__ = ["LEVEL", "CopyList", "find_copies"]

LEVEL = 0.05
"""Expected share of false entries in the list, at most."""

MOST_NULL = 4000
"""Training images that serve as null, at most: a random choice of them where there are more."""

LEAST_NULL = 40
"""Real images that the null needs, at least."""

_TWIN = 0.1
"""Share of the typical distance below which a holdout image is the same image as a training image."""

_PLANTS = 40

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CopyList:
    """Which synthetic images are copies, with what they were found by.

    Parameters
    ----------
    listed : array of bool, shape (M,)
    p, q : arrays of float64, shape (M,)
        Combined p-value, and the false-discovery rate at which the image would just be listed.
    kind : array of str, shape (M,)
        The representation with the smallest p-value.
    nearest : array of int64, shape (M,)
        Training row, in that representation.
    distance, ratio : arrays of float64, shape (M,)
        1 - r to that training image, and ``log(d2 / d1)``.
    groups : array of int64, shape (N,)
        Patients of the training images, near-duplicates joined.
    null_share : float or None
        Share listed when each half of the holdout's patients is scored as if synthetic against a null without it.
    nulls : mapping of str to RatioNull
        By representation.
    set_aside : int
        Holdout images that are the same image as a training image, left out of the null.
    power : mapping of str to Detection
        By disguise: what became of copies planted for the purpose.
    """

    listed: np.ndarray
    p: np.ndarray
    q: np.ndarray
    kind: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    ratio: np.ndarray
    groups: np.ndarray
    null_share: float | None
    nulls: dict[str, RatioNull] = field(repr=False)
    set_aside: int = 0
    power: dict[str, Detection] = field(default_factory=dict)


def find_copies(
    training: np.ndarray,
    synthetic: np.ndarray,
    holdout: np.ndarray | None = None,
    *,
    groups: np.ndarray | None = None,
    holdout_groups: np.ndarray | None = None,
    aspect: float = 1.0,
    level: float = LEVEL,
    representations: Sequence[Representation] = REPRESENTATIONS,
    plants: int = _PLANTS,
    seed: int = 0,
    memory: int = 1 << 30,
    progress: Progress | None = None,
) -> CopyList:
    """List the copies among synthetic images.

    Parameters
    ----------
    training, synthetic, holdout : arrays, shapes (N, planes, side, side), (M, ...) and (H, ...)
        Working images in [0, 1] (see `fourfold.privacy.working_images`); `holdout` may be None.
    groups, holdout_groups : arrays of int, shapes (N,) and (H,), or None
        Patients, numbered alike in both sets; None where each image is a patient of its own.
    aspect : float
        Height by width of the original images.
    level : float
        False-discovery rate.
    representations : sequence of Representation
    plants : int
        Training images that are disguised and searched for, by disguise, to measure what would be found; 0 for none.
    seed : int
    memory : int
        Bytes for a block of the search.
    progress : callable or None
        Called with a task, steps done and steps in all.

    Returns
    -------
    CopyList

    Raises
    ------
    ValueError
        Where fewer than two patients or fewer than 40 real images are left for the null.
    """
    groups = np.arange(len(training)) if groups is None else np.asarray(groups, dtype=np.int64)
    if holdout is None:
        holdout = training[:0]
    if holdout_groups is None:
        holdout_groups = groups.max(initial=-1) + 1 + np.arange(len(holdout))
    side = training.shape[-1]
    plain = View(REPRESENTATIONS[0], side, aspect)
    joined, _, scale = join_near_duplicates(plain.of(training), groups, memory=memory)
    # A holdout image of a training patient must not see that patient, whose number may have changed by joining.
    renamed = dict(zip(groups.tolist(), joined.tolist(), strict=True))
    holdout_groups = np.array([renamed.get(group, group) for group in holdout_groups.tolist()], dtype=np.int64)
    if len(np.unique(joined)) < 2:
        raise ValueError("the training set holds fewer than two patients")

    rng = np.random.default_rng([seed, 1])
    chosen = np.sort(rng.permutation(len(training))[:MOST_NULL])
    planted = np.sort(rng.permutation(len(training))[:plants])
    disguised = [disguise.apply(training[planted], rng, aspect) for disguise in DISGUISES]
    queries = np.concatenate([holdout, training[chosen], synthetic, *disguised])
    own = np.concatenate([holdout_groups, joined[chosen], np.full(len(queries) - len(holdout) - len(chosen), -1)])
    cuts = np.cumsum([len(holdout), len(chosen), len(synthetic), *(len(part) for part in disguised)])

    found = []
    for place, representation in enumerate(representations):
        view = View(representation, side, aspect)
        task = f"copies: {representation.name}"
        tell = None if progress is None else lambda done, total, task=task: progress(task, done, total)
        found.append(two_nearest(view, queries, training, joined, own, memory, tell))
        if place == 0:
            twins = np.sqrt(2 * found[0].first_distance[: cuts[0]]) <= _TWIN * scale
    real = np.flatnonzero(np.concatenate([~twins, np.ones(len(chosen), dtype=bool)]))
    if len(real) < LEAST_NULL:
        raise ValueError(f"the null needs {LEAST_NULL} real images, there are {len(real)}")

    nulls = [RatioNull.fit(one.log_ratio[real]) for one in found]
    p = np.stack([null.p_values(one) for null, one in zip(nulls, found, strict=True)], axis=1)
    combined = cauchy_combination(p)
    mine = slice(cuts[1], cuts[2])
    listed, q = benjamini_hochberg(combined[mine], level)
    best = p.argmin(axis=1)
    rows = np.arange(len(queries))
    nearest, distance, ratio = (
        np.stack([getattr(one, name) for one in found], axis=1)[rows, best]
        for name in ("first", "first_distance", "log_ratio")
    )
    power = {
        disguise.name: Detection(
            len(planted),
            int(np.sum(hit := combined[part] <= level / max(len(synthetic), 1))),
            int(np.sum(hit & (nearest[part] == planted))),
        )
        for disguise, part in zip(DISGUISES, map(slice, cuts[2:-1], cuts[3:]), strict=True)
    }
    return CopyList(
        listed=listed,
        p=combined[mine],
        q=q,
        kind=np.array([representation.name for representation in representations])[best[mine]],
        nearest=nearest[mine],
        distance=distance[mine],
        ratio=ratio[mine],
        groups=joined,
        null_share=_null_share(found, real[real < cuts[0]], real[real >= cuts[0]], holdout_groups, level, rng),
        nulls={one.name: null for one, null in zip(representations, nulls, strict=True)},
        set_aside=int(twins.sum()),
        power=power if plants else {},
    )


def _null_share(
    found: Sequence[TwoNearest],
    holdout: np.ndarray,
    training: np.ndarray,
    holdout_groups: np.ndarray,
    level: float,
    rng: np.random.Generator,
) -> float | None:
    """Share of the holdout that would be listed, each half of its patients against a null without that half."""
    patients = np.unique(holdout_groups[holdout])
    if len(patients) < 4:
        return None
    first = np.isin(holdout_groups[holdout], rng.permutation(patients)[: len(patients) // 2])
    listed = 0
    for scored, kept in ((holdout[first], holdout[~first]), (holdout[~first], holdout[first])):
        null_rows = np.concatenate([kept, training])
        p = np.stack([RatioNull.fit(one.log_ratio[null_rows]).p_values(one.take(scored)) for one in found], axis=1)
        listed += int(benjamini_hochberg(cauchy_combination(p), level)[0].sum())
    return listed / len(holdout)
