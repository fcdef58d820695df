"""Copies: synthetic images nearer to one training patient than chance allows, listed one by one.

In each representation the patient-aware log-ratio of a synthetic image is compared with that of real images which
are no copies: holdout images against the training set, and training images against the training set without their
own patient. The p-values of the representations are combined and the list is cut by Benjamini and Hochberg's
procedure, so that the expected share of false entries stays below the stated level.

What it cannot see: parts that were pasted elsewhere than where they came from, strong bending, and images that share
a patient's identity without sharing the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import mannwhitneyu

from fourfold.privacy.bank import View
from fourfold.privacy.disguises import ORDINARY, Disguise
from fourfold.privacy.patients import join_near_duplicates
from fourfold.privacy.power import Detection
from fourfold.privacy.ratio import RatioNull, TwoNearest
from fourfold.privacy.representations import REGISTERED, REPRESENTATIONS, Representation
from fourfold.privacy.search import search
from fourfold.statistics import benjamini_hochberg, cauchy_combination

__all__ = ["LEVEL", "PLANTS", "CopyList", "More", "combined_p_values", "find_copies"]

LEVEL = 0.05
"""Expected share of false entries in the list, at most."""

MOST_NULL = 2000
"""Training images that serve as null, at most: a random choice of them where there are more."""

MOST_HOLDOUT = 4000
"""Holdout images that serve as null, at most."""

LEAST_NULL = 40
"""Real images that the null needs, at least."""

_ENOUGH_HOLDOUT = 300
"""Holdout images that can do without the training images as null."""

_LARGER = 0.001
"""p-value at which training images, without their own patient, lie nearer to others than the holdout does."""

_AS_SURE = 10.0
"""Factor between p-values up to which registration names the source."""

_TWIN = 0.1
"""Share of the typical distance below which a holdout image is the same image as a training image."""

PLANTS = 20
"""Copies planted by disguise."""

Progress = Callable[[str, int, int], None]
More = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Iterable[tuple[str, TwoNearest, np.ndarray]]]


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
        Training row: in that representation, or the one that registers best where that is about as sure.
    distance, ratio : arrays of float64, shape (M,)
        1 - r to the nearest training image of that representation, and ``log(d2 / d1)``.
    registered : array of float64, shape (M,)
        Correlation of local contrast with the training image that registers best.
    groups : array of int64, shape (N,)
        Patients of the training images, near-duplicates joined.
    null_share : float or None
        Share listed when each half of the holdout's patients is scored as if synthetic against a null without it.
    trusted : bool
        Whether training images without their own patient serve as null; not where they lie nearer to each other than
        the holdout does, as the other slices of a patient would that goes by several names.
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
    registered: np.ndarray
    null_share: float | None
    trusted: bool
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
    more: More | None = None,
    disguises: Sequence[Disguise] = ORDINARY,
    plants: int = PLANTS,
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
        The first compares pixel by pixel.
    more : callable or None
        Further searches: called with training images, their patients, all queries and the patient that each query
        must not see, it gives a name, what was found, and which queries may serve as null.
    disguises : sequence of Disguise
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
    rng = np.random.default_rng([seed, 1])
    fresh = np.sort(rng.permutation(len(holdout))[:MOST_HOLDOUT])
    holdout, holdout_groups = holdout[fresh], np.asarray(holdout_groups, dtype=np.int64)[fresh]
    side = training.shape[-1]
    joined, _, scale = join_near_duplicates(View(side, side).of(training), groups, memory=memory)
    # A holdout image of a training patient must not see that patient, whose number may have changed by joining.
    renamed = dict(zip(groups.tolist(), joined.tolist(), strict=True))
    holdout_groups = np.array([renamed.get(group, group) for group in holdout_groups.tolist()], dtype=np.int64)
    if len(np.unique(joined)) < 2:
        raise ValueError("the training set holds fewer than two patients")
    if len(holdout) + min(len(training), MOST_NULL) < LEAST_NULL:
        raise ValueError(_too_few(len(holdout) + len(training)))

    chosen = np.sort(rng.permutation(len(training))[:MOST_NULL])
    planted = np.sort(rng.permutation(len(training))[:plants])
    hosts = synthetic[rng.integers(len(synthetic), size=len(planted))]
    disguised = [disguise.apply(training[planted], hosts, rng, aspect) for disguise in disguises] if plants else []
    queries = np.concatenate([holdout, training[chosen], synthetic, *disguised])
    own = np.concatenate([holdout_groups, joined[chosen], np.full(len(queries) - len(holdout) - len(chosen), -1)])
    cuts = np.cumsum([len(holdout), len(chosen), len(synthetic), *(len(part) for part in disguised)])

    found = search(representations, training, queries, joined, own, aspect=aspect, memory=memory, progress=progress)
    eligible = {name: np.ones(cuts[1], dtype=bool) for name in found}
    for name, one, serves in more(training, joined, queries, own) if more is not None else ():
        found[name], eligible[name] = one, serves[: cuts[1]]

    plain = next(iter(found.values()))
    twins = np.sqrt(2 * plain.first_distance[: cuts[0]]) <= _TWIN * scale
    real = np.concatenate([~twins, np.ones(len(chosen), dtype=bool)])
    trusted = _trusted(list(found.values())[: len(representations)], real, cuts[0], own[: cuts[1]])
    if not trusted:
        real[cuts[0] :] = False
    if real.sum() < LEAST_NULL:
        raise ValueError(_too_few(int(real.sum())))
    rows = {name: np.flatnonzero(real & eligible[name]) for name in found}

    combined, p, nulls = combined_p_values(found, rows)
    mine = slice(cuts[1], cuts[2])
    listed, q = benjamini_hochberg(combined[mine], level)
    best = p.argmin(axis=1)
    at = np.arange(len(queries))
    nearest, distance, ratio = (
        np.stack([getattr(one, name) for one in found.values()], axis=1)[at, best]
        for name in ("first", "first_distance", "log_ratio")
    )
    closest = found.get(next(iter(REGISTERED)))
    registered = np.full(len(queries), np.nan)
    if closest is not None:
        registered = 1.0 - closest.first_distance
        # Where registration is about as sure as the surest representation, it knows the source best.
        sure = p[:, list(found).index(next(iter(REGISTERED)))] <= _AS_SURE * p.min(axis=1)
        nearest = np.where(sure, closest.first, nearest)
    parts = map(slice, cuts[2:-1], cuts[3:])
    power = {
        disguise.name: Detection(
            len(planted),
            int(np.sum(hit := combined[part] <= level / max(len(synthetic), 1))),
            int(np.sum(hit & (joined[nearest[part]] == joined[planted]))),
        )
        for disguise, part in zip(disguises if plants else (), parts, strict=True)
    }
    return CopyList(
        listed=listed,
        p=combined[mine],
        q=q,
        kind=np.array(list(found))[best[mine]],
        nearest=nearest[mine],
        distance=distance[mine],
        ratio=ratio[mine],
        registered=registered[mine],
        groups=joined,
        null_share=_null_share(found, rows, cuts[0], holdout_groups, level, rng),
        trusted=trusted,
        nulls=nulls,
        set_aside=int(twins.sum()),
        power=power,
    )


def _too_few(images: int) -> str:
    return f"the null needs {LEAST_NULL} real images, there are {images}"


def combined_p_values(
    found: Mapping[str, TwoNearest], null_rows: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, dict[str, RatioNull]]:
    """The p-value of every query, over all representations.

    Parameters
    ----------
    found : mapping of str to TwoNearest
        By representation.
    null_rows : mapping of str to array of int
        The queries that serve as null: real images that are no copies.

    Returns
    -------
    combined : array, shape (n,)
    p : array, shape (n, representations)
    nulls : dict of str to RatioNull
    """
    nulls = {name: RatioNull.fit(one.log_ratio[null_rows[name]]) for name, one in found.items()}
    p = np.stack([nulls[name].p_values(one) for name, one in found.items()], axis=1)
    return cauchy_combination(p), p, nulls


def _trusted(found: Sequence[TwoNearest], real: np.ndarray, holdout: int, patients: np.ndarray) -> bool:
    """Whether training images, without their own patient, are as far from the others as holdout images are."""
    fresh, training = np.flatnonzero(real[:holdout]), holdout + np.flatnonzero(real[holdout:])
    if len(fresh) < _ENOUGH_HOLDOUT:
        return True
    # One image a patient: the images of one are not independent.
    fresh, training = (rows[np.unique(patients[rows], return_index=True)[1]] for rows in (fresh, training))
    smallest = min(
        mannwhitneyu(one.log_ratio[training], one.log_ratio[fresh], alternative="greater").pvalue for one in found
    )
    return bool(smallest * len(found) > _LARGER)


def _null_share(
    found: dict[str, TwoNearest],
    rows: dict[str, np.ndarray],
    holdout: int,
    holdout_groups: np.ndarray,
    level: float,
    rng: np.random.Generator,
) -> float | None:
    """Share of the holdout that would be listed, each half of its patients against a null without that half."""
    fresh = rows[next(iter(rows))]
    fresh = fresh[fresh < holdout]
    patients = np.unique(holdout_groups[fresh])
    if len(patients) < 4:
        return None
    first = np.isin(holdout_groups, rng.permutation(patients)[: len(patients) // 2])
    listed = 0
    for half in (first, ~first):
        scored = fresh[half[fresh]]
        p = []
        for name, one in found.items():
            kept = rows[name][(rows[name] >= holdout) | ~half[np.minimum(rows[name], holdout - 1)]]
            p.append(RatioNull.fit(one.log_ratio[kept]).p_values(one.take(scored)))
        listed += int(benjamini_hochberg(cauchy_combination(np.stack(p, axis=1)), level)[0].sum())
    return listed / len(fresh)
