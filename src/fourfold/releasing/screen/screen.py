"""Candidates in, those that may be chosen out: veto, acceptance by weight, crowding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.privacy import FURTHER, REPRESENTATIONS, Representation, working_images
from fourfold.privacy.patients import numbered
from fourfold.privacy.working import aspect_ratio
from fourfold.releasing.screen.accept import BINS, accept
from fourfold.releasing.screen.crowding import crowding
from fourfold.releasing.screen.embeddings import EMBEDDINGS, parts_of, weighed
from fourfold.releasing.screen.near_duplicates import SOURCES, NearDuplicates, disguised_near_duplicates
from fourfold.releasing.screen.networks import NETWORKS, Networks, train_networks
from fourfold.releasing.screen.veto import FALSE_VETO, MISS_RATE, Veto, veto
from fourfold.releasing.screen.weights import FEWEST_PERSONS

__all__ = ["Prepared", "ScreenOptions", "Screened", "prepared_sets", "screen"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ScreenOptions:
    """How candidates are screened.

    Parameters
    ----------
    miss_rate : float
        Share of near-duplicates that the veto may miss, in (0, 1).
    false_veto : float
        Share of fresh patients' images that it may veto, in (0, 1); it rules where both cannot be had.
    representations : sequence of Representation
        That the veto searches; the first compares pixel by pixel.
    networks : sequence of str
        That the veto searches with, from `fourfold.releasing.screen.networks.NETWORKS`.
    embeddings : sequence of str
        In which acceptance weighs candidates, one after the other.
    bins : int
        Of the density of weights.
    sources : int
        Training images for each kind of disguised near-duplicates; 0 for none.
    steps : int or None
        Of training each network; None for as many as the images need.

    Raises
    ------
    InputError
        Where a share or a number is out of range.
    """

    miss_rate: float = MISS_RATE
    false_veto: float = FALSE_VETO
    representations: Sequence[Representation] = (*REPRESENTATIONS, *FURTHER)
    networks: Sequence[str] = NETWORKS
    embeddings: Sequence[str] = EMBEDDINGS
    bins: int = BINS
    sources: int = SOURCES
    steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("miss_rate", "false_veto"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"the {name} of the screen is between 0 and 1, got {getattr(self, name):g}")
        if self.bins < 2:
            raise InputError(f"the screen needs two bins or more, got {self.bins}")
        unknown = [name for name in self.embeddings if name not in EMBEDDINGS]
        if unknown:
            raise InputError(f"there is no embedding {unknown[0]!r} for the screen; there are: {', '.join(EMBEDDINGS)}")


@dataclass(frozen=True)
class Screened:
    """What became of each candidate.

    Parameters
    ----------
    vetoed : array of bool, shape (M,)
    veto_p : array of float64, shape (M,)
    veto_kind : array of str, shape (M,)
        Representation that found it; empty where not vetoed.
    weights : dict of str to array of float64, shape (M,)
        v by embedding: uniform for candidates that know nothing of the training set. Also of vetoed candidates.
    accepted : array of bool, shape (M,)
        May be chosen. Never a vetoed one.
    nearest : array of int64, shape (M,)
        Training row that each most likely copies. Stays inside, as all of the above does.
    figures : dict
        Aggregates that may leave, as JSON can hold them.
    """

    vetoed: np.ndarray
    veto_p: np.ndarray
    veto_kind: np.ndarray
    weights: dict[str, np.ndarray]
    accepted: np.ndarray
    nearest: np.ndarray
    figures: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Prepared:
    """The three sets as the screen compares them: working images, and patients numbered alike."""

    candidates: np.ndarray
    training: np.ndarray
    calibration: np.ndarray
    groups: np.ndarray
    calibration_groups: np.ndarray
    aspect: float


def prepared_sets(candidates: ImageSet, training: ImageSet, calibration: ImageSet) -> Prepared:
    """Working images of sets that belong together.

    Raises
    ------
    InputError
        Where a set is empty, shapes differ, or the calibration set holds training patients or too few patients.
    """
    for one in (candidates, training, calibration):
        if not len(one):
            raise InputError(f"the {one.name} set holds no image; the screen needs some")
        if one.preparation != training.preparation:
            raise InputError(f"the {one.name} set is not prepared as the training set is; prepare them together")
    groups, theirs = numbered(training.patients, calibration.patients, (len(training), len(calibration)))
    shared = np.intersect1d(groups, theirs)
    if len(shared):
        raise InputError(
            f"the {calibration.name} set holds {len(shared)} training patients; the screen is calibrated on patients "
            "whom the generator never saw: split by patient (fourfold split)"
        )
    persons = len(np.unique(theirs))
    if persons < FEWEST_PERSONS:
        raise InputError(
            f"the {calibration.name} set holds {persons} patients, and the screen needs {FEWEST_PERSONS} to calibrate "
            "on; give more"
        )
    images = [working_images(one) for one in (candidates, training, calibration)]
    return Prepared(*images, groups, theirs, aspect_ratio(training.shape))


def screen(
    candidates: ImageSet,
    training: ImageSet,
    calibration: ImageSet,
    *,
    near_duplicates: NearDuplicates | None = None,
    options: ScreenOptions | None = None,
    networks: Networks | None = None,
    seed: int = 0,
    memory: int = 1 << 30,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Screened:
    """Screen candidates against all training patients.

    Parameters
    ----------
    candidates, training, calibration : ImageSet
        Prepared together. Calibration patients are in neither the training set nor the audit's holdout.
    near_duplicates : NearDuplicates or None
        Further ones to choose the veto's threshold on, such as `generated_near_duplicates`.
    options : ScreenOptions or None
    networks : Networks or None
        Trained already on this training set (`train_networks`); None trains them.
    seed : int
        The same seed and sets give the same choice.
    memory : int
        Bytes for one block of a search, beyond three copies of the working images.
    device : str
        Where networks are trained.
    progress : callable or None
        Called with a task, steps done and steps in all.

    Returns
    -------
    Screened

    Raises
    ------
    InputError
        Where the sets do not belong together, or there are too few real images to calibrate on.
    """
    options = ScreenOptions() if options is None else options
    sets = prepared_sets(candidates, training, calibration)
    wanted = tuple(name for name in NETWORKS if name in {*options.networks, *options.embeddings})
    if networks is None:
        networks = train_networks(
            sets.training,
            sets.groups,
            wanted,
            seed=seed,
            steps=options.steps,
            device=device,
            memory=memory,
            progress=progress,
        )
    near = known_near_duplicates(sets, near_duplicates, options, seed)
    try:
        found = veto(
            sets.candidates,
            sets.training,
            sets.calibration,
            sets.groups,
            sets.calibration_groups,
            near,
            miss_rate=options.miss_rate,
            false_veto=options.false_veto,
            aspect=sets.aspect,
            representations=options.representations,
            more=networks.only(options.networks).search,
            seed=seed,
            memory=memory,
            progress=progress,
        )
    except ValueError as problem:
        raise InputError(f"the screen cannot be calibrated: {problem}; give more real images") from problem
    return _screened(sets, found, networks, options, seed, memory, progress)


def _screened(
    sets: Prepared,
    found: Veto,
    networks: Networks,
    options: ScreenOptions,
    seed: int,
    memory: int,
    progress: Progress | None,
) -> Screened:
    rng = np.random.default_rng([seed, 37])
    weights, known, embedded = {}, {}, {}
    for place, name in enumerate(options.embeddings):
        if progress is not None:
            progress("screen: weighing", place, len(options.embeddings))
        parts = parts_of(name, sets.candidates, sets.training, sets.calibration, networks)
        if parts:
            embedded[name] = parts
            weights[name], known[name] = weighed(parts, found.groups, sets.calibration_groups, rng=rng, memory=memory)
    persons, trained = len(np.unique(sets.calibration_groups)), len(np.unique(found.groups))
    accepted, stages = accept(weights, ~found.vetoed, persons=persons, trained=trained, bins=options.bins, seed=seed)
    crowds = {}
    for name, parts in embedded.items():
        crowds[name] = crowding(parts, accepted, found.groups, sets.calibration_groups, rng=rng, memory=memory)
        accepted = accepted & ~crowds[name].dropped
    figures = {
        "mode": "calibrated",
        "candidates": len(accepted),
        "accepted": int(accepted.sum()),
        "calibration_patients": persons,
        "asked": {"miss_rate": options.miss_rate, "false_veto": options.false_veto},
        "veto": found.figures(),
        "embeddings": {name: {**stages[name].figures(), **known[name]} for name in stages},
        "crowding": {name: one.figures() for name, one in crowds.items()},
        "untrained_networks": list(networks.missing),
    }
    return Screened(found.vetoed, found.p, found.kind, weights, accepted, found.nearest, figures)


def known_near_duplicates(
    sets: Prepared, given: NearDuplicates | None, options: ScreenOptions, seed: int
) -> NearDuplicates | None:
    """Disguised near-duplicates and those that were given, as one."""
    parts = [] if given is None or not len(given) else [given]
    if options.sources:
        parts.append(
            disguised_near_duplicates(
                sets.training, sets.candidates, count=options.sources, aspect=sets.aspect, seed=seed
            )
        )
    return NearDuplicates.joined(parts) if parts else None
