"""Copies: synthetic images nearer to one training patient than chance allows, listed one by one.

In each representation the patient-aware log-ratio of a synthetic image is compared with that of real images which
are no copies: holdout images against the training set, and training images against the training set without their
own patient. The p-values of the representations are combined and the list is cut by Benjamini and Hochberg's
procedure, so that the expected share of false entries stays below the stated level.

What it cannot see: parts that were pasted elsewhere than where they came from, strong bending, and images that share
a patient's identity without sharing the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from fourfold.privacy.disguises import ORDINARY, Disguise
from fourfold.privacy.power import Detection
from fourfold.privacy.ratio import RatioNull, TwoNearest
from fourfold.privacy.real_null import More, Searched, combined_p_values, real_images, search_with_null
from fourfold.privacy.representations import REGISTERED, REPRESENTATIONS, Representation
from fourfold.statistics import benjamini_hochberg

__all__ = ["LEVEL", "PLANTS", "CopyList", "More", "combined_p_values", "find_copies", "likely_sources"]

LEVEL = 0.05
"""Expected share of false entries in the list, at most."""

_AS_SURE = 10.0
"""Factor between p-values up to which registration names the source."""

PLANTS = 20
"""Copies planted by disguise."""

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
    real = real_images(training, holdout, groups, np.asarray(holdout_groups, dtype=np.int64), rng, memory)
    joined = real.groups
    planted = np.sort(rng.permutation(len(training))[:plants])
    hosts = synthetic[rng.integers(len(synthetic), size=len(planted))]
    disguised = [disguise.apply(training[planted], hosts, rng, aspect) for disguise in disguises] if plants else []
    queries = np.concatenate([synthetic, *disguised])
    searched = search_with_null(
        real, queries, aspect=aspect, representations=representations, more=more, memory=memory, progress=progress
    )
    found = searched.found
    cuts = searched.queries.start + np.cumsum([0, len(synthetic), *(len(part) for part in disguised)])

    combined, p, nulls = combined_p_values(found, searched.null_rows)
    mine = slice(cuts[0], cuts[1])
    listed, q = benjamini_hochberg(combined[mine], level)
    best = p.argmin(axis=1)
    nearest = likely_sources(found, p)
    distance, ratio = (
        np.stack([getattr(one, name) for one in found.values()], axis=1)[np.arange(len(p)), best]
        for name in ("first_distance", "log_ratio")
    )
    closest = found.get(next(iter(REGISTERED)))
    registered = np.full(len(p), np.nan) if closest is None else 1.0 - closest.first_distance
    parts = map(slice, cuts[1:-1], cuts[2:])
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
        null_share=_null_share(searched, level, rng),
        trusted=searched.trusted,
        nulls=nulls,
        set_aside=int(searched.twins.sum()),
        power=power,
    )


def likely_sources(found: Mapping[str, TwoNearest], p: np.ndarray) -> np.ndarray:
    """The training row that each query most likely copies.

    Parameters
    ----------
    found : mapping of str to TwoNearest
        By representation.
    p : array, shape (n, representations)
        In the same order.

    Returns
    -------
    array of int64, shape (n,)
        In the representation with the smallest p-value, or the one that registers best where that is about as sure.
    """
    nearest = np.stack([one.first for one in found.values()], axis=1)[np.arange(len(p)), p.argmin(axis=1)]
    name = next(iter(REGISTERED))
    if name not in found:
        return nearest
    # Where registration is about as sure as the surest representation, it knows the source best.
    sure = p[:, list(found).index(name)] <= _AS_SURE * p.min(axis=1)
    return np.where(sure, found[name].first, nearest)


def _null_share(searched: Searched, level: float, rng: np.random.Generator) -> float | None:
    """Share of the holdout that would be listed, each half of its patients against a null without that half."""
    scored = searched.fresh_p_values(rng)
    if scored is None:
        return None
    p, half = scored
    listed = sum(int(benjamini_hochberg(p[part], level)[0].sum()) for part in (half, ~half))
    return listed / len(p)
