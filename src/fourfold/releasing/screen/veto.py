"""The hard veto: candidates nearer to one training patient than chance allows are out, whatever else speaks for them.

Every candidate is compared with all training patients, in every representation of `fourfold.privacy` and by networks
that have not seen the patients they search among. The null is real: calibration patients, and training images without
their own patient. The threshold on the combined p-value is the smallest that finds the wanted share of near-duplicates
whose source is known, but never so large that more than the accepted share of fresh patients is vetoed; where both
cannot be had, the second rules and the shortfall is a figure.

The threshold is chosen on the near-duplicates of one half of the sources and the share that it misses is counted on
those of the other half. Fresh patients are the calibration patients, each half against a null without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourfold.privacy import REPRESENTATIONS, Representation
from fourfold.privacy.copies import likely_sources
from fourfold.privacy.real_null import More, combined_p_values, real_images, search_with_null
from fourfold.releasing.screen.near_duplicates import NearDuplicates
from fourfold.statistics import clopper_pearson, upper_bound

__all__ = ["FALSE_VETO", "MISS_RATE", "Rate", "Veto", "veto", "veto_threshold"]

MISS_RATE = 0.05
"""Share of near-duplicates that may pass."""

FALSE_VETO = 0.01
"""Share of fresh patients that may be vetoed."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Rate:
    """A share that was counted.

    Parameters
    ----------
    count, size : int
        `count` of `size`, which is at least 1.

    Examples
    --------
    >>> Rate(0, 100).figures()["interval"]
    [0.0, 0.0362]
    """

    count: int
    size: int

    @property
    def value(self) -> float:
        """The share."""
        return self.count / self.size

    def figures(self) -> dict[str, Any]:
        """As JSON can hold it, with the exact 95 % interval."""
        interval = clopper_pearson(self.count, self.size)
        return {
            "value": round(self.value, 6),
            "interval": [round(edge, 4) for edge in interval],
            "count": self.count,
            "of": self.size,
        }


@dataclass(frozen=True)
class Veto:
    """What was vetoed, and how well the veto sees.

    Parameters
    ----------
    vetoed : array of bool, shape (M,)
    p : array of float64, shape (M,)
        Combined p-value.
    kind : array of str, shape (M,)
        Representation with the smallest p-value; empty where not vetoed.
    nearest : array of int64, shape (M,)
        Training row that each most likely copies.
    threshold : float
        Candidates at or below it are vetoed.
    groups : array of int64, shape (N,)
        Patients of the training images, near-duplicates joined.
    missed : Rate or None
        Near-duplicates that pass, of sources that the threshold was not chosen on; None without near-duplicates.
    missed_by_kind : mapping of str to Rate
    false : Rate or None
        Fresh patients' images that are vetoed; None where there are too few.
    capped : bool
        Whether the threshold is smaller than the miss rate asks for, to spare fresh patients.
    trusted : bool
        Whether training images serve as null.
    """

    vetoed: np.ndarray
    p: np.ndarray
    kind: np.ndarray
    nearest: np.ndarray
    threshold: float
    groups: np.ndarray
    missed: Rate | None
    missed_by_kind: Mapping[str, Rate]
    false: Rate | None
    capped: bool
    trusted: bool

    def figures(self) -> dict[str, Any]:
        """Aggregates as JSON can hold them."""
        kinds, counts = np.unique(self.kind[self.vetoed], return_counts=True)
        return {
            "vetoed": int(self.vetoed.sum()),
            "threshold": float(self.threshold),
            "miss_rate": None if self.missed is None else self.missed.figures(),
            "miss_rate_by_kind": {name: one.figures() for name, one in self.missed_by_kind.items()},
            "false_veto": None if self.false is None else self.false.figures(),
            "limited_by_false_veto": self.capped,
            "training_serves_as_null": self.trusted,
            "found_by": dict(zip(kinds.tolist(), counts.tolist(), strict=True)),
        }


def veto(
    candidates: np.ndarray,
    training: np.ndarray,
    calibration: np.ndarray,
    groups: np.ndarray,
    calibration_groups: np.ndarray,
    near: NearDuplicates | None = None,
    *,
    miss_rate: float = MISS_RATE,
    false_veto: float = FALSE_VETO,
    aspect: float = 1.0,
    representations: Sequence[Representation] = REPRESENTATIONS,
    more: More | None = None,
    deciding: Callable[[str], bool] = bool,
    seed: int = 0,
    memory: int = 1 << 30,
    progress: Progress | None = None,
) -> Veto:
    """Veto candidates.

    Parameters
    ----------
    candidates, training, calibration : arrays, shapes (M, planes, side, side), (N, ...) and (C, ...)
        Working images.
    groups, calibration_groups : arrays of int, shapes (N,) and (C,)
        Patients, numbered alike.
    near : NearDuplicates or None
        To choose the threshold on; None takes the largest that spares fresh patients.
    miss_rate, false_veto : float
        Shares in (0, 1).
    aspect, representations, more, memory, progress
        As for `fourfold.privacy.find_copies`.
    deciding : callable
        Which representations count, by name; all by default.
    seed : int

    Returns
    -------
    Veto
        What becomes of a candidate does not depend on the other candidates, but for those that lent near-duplicates
        their look.

    Raises
    ------
    ValueError
        Where there are too few real images for a null, or no representation decides.
    """
    rng = np.random.default_rng([seed, 1])
    real = real_images(training, calibration, groups, calibration_groups, rng, memory)
    queries = candidates if near is None else np.concatenate([candidates, near.images])
    searched = search_with_null(
        real, queries, aspect=aspect, representations=representations, more=more, memory=memory, progress=progress
    )
    searched = searched.only(filter(deciding, searched.found))
    if not searched.found:
        raise ValueError("no representation is left to veto by")
    combined, p, _ = combined_p_values(searched.found, searched.null_rows)
    nearest = likely_sources(searched.found, p)[searched.queries]
    best = np.array(list(searched.found))[p.argmin(axis=1)][searched.queries]
    own = combined[searched.queries]
    mine, planted = own[: len(candidates)], own[len(candidates) :]
    scored = searched.fresh_p_values(rng)
    fresh = np.empty(0) if scored is None else scored[0]
    if near is None:
        counted = np.zeros(0, dtype=bool)
    else:
        # One half of the sources chooses, the other one counts.
        sources = rng.permutation(np.unique(real.groups[near.sources]))
        counted = np.isin(real.groups[near.sources], sources[: len(sources) // 2])
    threshold, capped = veto_threshold(planted[~counted], fresh, miss_rate, false_veto)
    missed = planted[counted] > threshold
    kinds = np.empty(0, dtype=str) if near is None else near.kinds[counted]
    vetoed = mine <= threshold
    return Veto(
        vetoed=vetoed,
        p=mine,
        kind=np.where(vetoed, best[: len(mine)], ""),
        nearest=nearest[: len(mine)],
        threshold=threshold,
        groups=real.groups,
        missed=Rate(int(missed.sum()), len(missed)) if len(missed) else None,
        missed_by_kind={
            str(kind): Rate(int(missed[kinds == kind].sum()), int(np.sum(kinds == kind))) for kind in np.unique(kinds)
        },
        false=Rate(int(np.sum(fresh <= threshold)), len(fresh)) if len(fresh) else None,
        capped=capped,
        trusted=searched.trusted,
    )


def veto_threshold(planted: np.ndarray, fresh: np.ndarray, miss_rate: float, false_veto: float) -> tuple[float, bool]:
    """The threshold on p, and whether fresh patients keep it below what the miss rate asks for.

    Parameters
    ----------
    planted : array, shape (n,)
        p-values of near-duplicates; without any the threshold is the largest that spares fresh patients.
    fresh : array, shape (m,)
        p-values of fresh patients.
    miss_rate : float
        Share of near-duplicates that may lie above it; its 95 % upper bound counts.
    false_veto : float
        Share of fresh patients that may lie at or below it. The threshold is not above `false_veto` itself either, the
        share that a p-value promises: a few hundred patients count one per cent too roughly to trust them further.

    Returns
    -------
    (float, bool)

    Examples
    --------
    >>> fresh = np.arange(1, 101) / 100
    >>> near = np.append(np.full(99, 1e-8), 0.5)
    >>> veto_threshold(near, fresh, 0.1, 0.05), veto_threshold(near, fresh, 0.01, 0.05)
    ((1e-08, False), (0.05, True))
    """
    allowed = int(np.floor(false_veto * len(fresh)))
    cap = min(float(np.nextafter(np.sort(fresh)[allowed], 0.0)), false_veto) if len(fresh) else false_veto
    if not len(planted):
        return cap, False
    # Aimed at the rate itself, every other release would miss it by a hair on the other half of the sources.
    counts = range(int(miss_rate * len(planted)), 0, -1)
    spared = next((count for count in counts if upper_bound(count, len(planted)) <= miss_rate), 0)
    wanted = float(np.sort(planted)[::-1][spared])
    return min(wanted, cap), wanted > cap
