"""Real images that are no copies, searched in the same way as the images that may be.

Holdout images against the training set, and training images against the training set without their own patient, are
the null of every representation. Where training images lie nearer to each other than the holdout does to them (other
slices of a patient who goes by several names), they are no null and only the holdout serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import mannwhitneyu

from fourfold.privacy.bank import View
from fourfold.privacy.patients import join_near_duplicates
from fourfold.privacy.ratio import RatioNull, TwoNearest
from fourfold.privacy.representations import Representation
from fourfold.privacy.search import search
from fourfold.statistics import cauchy_combination

__all__ = ["LEAST_NULL", "More", "RealImages", "Searched", "combined_p_values", "real_images", "search_with_null"]

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

_TWIN = 0.1
"""Share of the typical distance below which a holdout image is the same image as a training image."""

Progress = Callable[[str, int, int], None]
More = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Iterable[tuple[str, TwoNearest, np.ndarray]]]


@dataclass(frozen=True)
class RealImages:
    """The real images that a search is made with.

    Parameters
    ----------
    training : array, shape (N, planes, side, side)
    groups : array of int64, shape (N,)
        Their patients, near-duplicates joined.
    holdout : array, shape (H, planes, side, side)
    holdout_groups : array of int64, shape (H,)
        Numbered as `groups`.
    chosen : array of int64
        Training rows that serve as null.
    scale : float
        The typical distance between training images of different patients.
    """

    training: np.ndarray
    groups: np.ndarray
    holdout: np.ndarray
    holdout_groups: np.ndarray
    chosen: np.ndarray
    scale: float


def real_images(
    training: np.ndarray,
    holdout: np.ndarray,
    groups: np.ndarray,
    holdout_groups: np.ndarray,
    rng: np.random.Generator,
    memory: int = 1 << 30,
) -> RealImages:
    """Choose the real images that serve as null.

    Parameters
    ----------
    training, holdout : arrays, shapes (N, planes, side, side) and (H, planes, side, side)
        Working images; no holdout is an empty one.
    groups, holdout_groups : arrays of int, shapes (N,) and (H,)
        Patients, numbered alike.
    rng : Generator
        Chooses where there are more than are needed.
    memory : int
        Bytes for one block.

    Raises
    ------
    ValueError
        Where fewer than two patients or fewer than 40 real images are left for the null.
    """
    fresh = np.sort(rng.permutation(len(holdout))[:MOST_HOLDOUT])
    side = training.shape[-1]
    joined, _, scale = join_near_duplicates(View(side, side).of(training), groups, memory=memory)
    # A holdout image of a training patient must not see that patient, whose number may have changed by joining.
    renamed = dict(zip(groups.tolist(), joined.tolist(), strict=True))
    theirs = np.array([renamed.get(group, group) for group in holdout_groups[fresh].tolist()], dtype=np.int64)
    if len(np.unique(joined)) < 2:
        raise ValueError("the training set holds fewer than two patients")
    if len(fresh) + min(len(training), MOST_NULL) < LEAST_NULL:
        raise ValueError(_too_few(len(fresh) + len(training)))
    chosen = np.sort(rng.permutation(len(training))[:MOST_NULL])
    return RealImages(training, joined, holdout[fresh], theirs, chosen, scale)


@dataclass(frozen=True)
class Searched:
    """What every representation found, for the images that serve as null and for the queries.

    Parameters
    ----------
    found : mapping of str to TwoNearest
        Rows: holdout, chosen training images, queries.
    null_rows : mapping of str to array of int
        Rows that serve as null.
    holdout : int
        Rows of the holdout.
    holdout_groups : array of int64, shape (holdout,)
    trusted : bool
        Whether training images serve as null.
    twins : array of bool, shape (holdout,)
        Holdout images that are the same image as a training image, left out of the null.
    queries : slice
        Rows of the queries.
    """

    found: Mapping[str, TwoNearest] = field(repr=False)
    null_rows: Mapping[str, np.ndarray] = field(repr=False)
    holdout: int
    holdout_groups: np.ndarray
    trusted: bool
    twins: np.ndarray
    queries: slice

    def only(self, names: Iterable[str]) -> Searched:
        """The same with some of the representations."""
        kept = set(names)
        return Searched(
            {name: one for name, one in self.found.items() if name in kept},
            {name: rows for name, rows in self.null_rows.items() if name in kept},
            self.holdout,
            self.holdout_groups,
            self.trusted,
            self.twins,
            self.queries,
        )

    def fresh_p_values(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray] | None:
        """p-values of holdout images, each half of their patients against a null without that half.

        Parameters
        ----------
        rng : Generator
            Halves the patients.

        Returns
        -------
        (array, array) or None
            Combined p-values of the holdout images that serve as null, and which half each is in (False, True); None
            below four patients.
        """
        rows = self.null_rows
        fresh = rows[next(iter(rows))]
        fresh = fresh[fresh < self.holdout]
        patients = np.unique(self.holdout_groups[fresh])
        if len(patients) < 4:
            return None
        first = np.isin(self.holdout_groups, rng.permutation(patients)[: len(patients) // 2])
        combined = np.empty(len(fresh))
        for half in (first, ~first):
            scored = half[fresh]
            p = []
            for name, one in self.found.items():
                kept = rows[name][(rows[name] >= self.holdout) | ~half[np.minimum(rows[name], self.holdout - 1)]]
                p.append(RatioNull.fit(one.log_ratio[kept]).p_values(one.take(fresh[scored])))
            combined[scored] = cauchy_combination(np.stack(p, axis=1))
        return combined, first[fresh]


def search_with_null(
    real: RealImages,
    queries: np.ndarray,
    *,
    aspect: float,
    representations: Sequence[Representation],
    more: More | None = None,
    memory: int = 1 << 30,
    progress: Progress | None = None,
) -> Searched:
    """Search for the sources of queries, and of the real images that serve as their null.

    Parameters
    ----------
    real : RealImages
    queries : array, shape (n, planes, side, side)
        Working images.
    aspect, representations, more, memory, progress
        As for `fourfold.privacy.find_copies`.

    Raises
    ------
    ValueError
        Where fewer than 40 real images are left for the null.
    """
    holdout, chosen = len(real.holdout), real.chosen
    asked = np.concatenate([real.holdout, real.training[chosen], queries])
    null = holdout + len(chosen)
    own = np.concatenate([real.holdout_groups, real.groups[chosen], np.full(len(queries), -1)])
    found = search(
        representations, real.training, asked, real.groups, own, aspect=aspect, memory=memory, progress=progress
    )
    eligible = {name: np.ones(null, dtype=bool) for name in found}
    for name, one, serves in more(real.training, real.groups, asked, own) if more is not None else ():
        found[name], eligible[name] = one, serves[:null]

    plain = next(iter(found.values()))
    twins = np.sqrt(2 * plain.first_distance[:holdout]) <= _TWIN * real.scale
    serving = np.concatenate([~twins, np.ones(len(chosen), dtype=bool)])
    trusted = _trusted(list(found.values())[: len(representations)], serving, holdout, own[:null])
    if not trusted:
        serving[holdout:] = False
    if serving.sum() < LEAST_NULL:
        raise ValueError(_too_few(int(serving.sum())))
    rows = {name: np.flatnonzero(serving & eligible[name]) for name in found}
    return Searched(found, rows, holdout, real.holdout_groups, trusted, twins, slice(null, len(asked)))


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


def _too_few(images: int) -> str:
    return f"the null needs {LEAST_NULL} real images, there are {images}"


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
