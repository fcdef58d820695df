"""From a model or a folder to the images that would be released: candidates, screen, gates, selection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fourfold.comparison import Progress
from fourfold.errors import InputError
from fourfold.generate import Model
from fourfold.images import ImageSet
from fourfold.outliers import fit_gates
from fourfold.privacy import working_images
from fourfold.privacy.patients import numbered
from fourfold.releasing.candidates import CandidatePlan, Pool, draw_round, has_sources, joined, pool_of
from fourfold.releasing.masks import telling_masks
from fourfold.releasing.policy import ReleasePolicy
from fourfold.releasing.roles import Roles
from fourfold.releasing.screen import (
    NearDuplicates,
    Networks,
    Screened,
    ScreenOptions,
    generated_near_duplicates,
    screen,
    screen_published,
    train_networks,
)
from fourfold.releasing.screen.networks import NETWORKS
from fourfold.releasing.selection import METHODS, Balance, select, select_published

__all__ = ["MODES", "Choice", "Mode", "Wish", "choose"]

Mode = Literal["calibrated", "published"]
MODES: tuple[Mode, ...] = ("calibrated", "published")

_OUTSIDE = 0.05


@dataclass(frozen=True)
class Wish:
    """What is to be chosen.

    Parameters
    ----------
    count : int or None
        Images, at most; None for as many as the training set has.
    mode : {"calibrated", "published"}
        How candidates are screened and chosen: by their weight as predicates, or as the published pipeline does it,
        its defects mended.
    balance : {"training", "equal"} or mapping of str to float
        Of the classes.
    method : str or None
        How images are chosen among those that pass, see `fourfold.releasing.selection.METHODS`.
    plan : CandidatePlan

    Raises
    ------
    InputError
        Where a value is not allowed.
    """

    count: int | None = None
    mode: Mode = "calibrated"
    balance: Balance = "training"
    method: str | None = None
    plan: CandidatePlan = field(default_factory=CandidatePlan)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(f"a release is made in the mode {' or '.join(MODES)}, got {self.mode!r}")
        if self.count is not None and self.count < 1:
            raise InputError(f"at least 1 image is released, got {self.count}")
        if self.method is not None and self.method not in METHODS:
            raise InputError(f"there is no method of selection {self.method!r}; choose from {', '.join(METHODS)}")
        if self.mode == "published" and (self.method is not None or self.balance != "training"):
            raise InputError("the published mode has a choice of its own; leave --choose and --balance out")


@dataclass(frozen=True)
class Choice:
    """What was chosen; all but the figures stays inside.

    Parameters
    ----------
    pool : Pool
    rows : array of int64, shape (n,)
        Of the pool, in the order of the release.
    screened : Screened
    figures : mapping
        ``candidates``, ``screen``, ``outliers`` and ``selection``: aggregates, as JSON can hold them.
    """

    pool: Pool
    rows: np.ndarray
    screened: Screened
    figures: Mapping[str, Any]

    @property
    def images(self) -> ImageSet:
        """The chosen images, in order."""
        return self.pool.images.take(self.rows)


def choose(
    source: Model | ImageSet,
    roles: Roles,
    wish: Wish,
    policy: ReleasePolicy,
    folder: Path,
    *,
    seed: int,
    memory: int,
    device: str,
    progress: Progress,
) -> Choice:
    """Choose the images of a release.

    Parameters
    ----------
    source : Model or ImageSet
        A model, or candidates that somebody else made.
    roles : Roles
    wish : Wish
    policy : ReleasePolicy
    folder : Path
        Where candidates are drawn.
    seed, memory, device, progress
        As everywhere.

    Raises
    ------
    InputError
        Where the source and the mode do not fit, or there are too few real images to calibrate on.
    """
    model = source if isinstance(source, Model) else None
    if wish.mode == "published" and (model is None or not has_sources(model)):
        raise InputError(
            "the published mode takes a model that is conditioned on features of each training image "
            "(--recipe diversity-aware); use the calibrated mode"
        )
    options = ScreenOptions(miss_rate=policy.miss_rate, false_veto=policy.false_veto)
    networks = _networks(roles, options, seed, memory, device, progress)
    near = None if model is None else _generated(model, roles.training, seed, device)
    pool, screened, rounds = _screened(
        source, roles, wish, options, networks, near, folder, seed, memory, device, progress
    )
    figures: dict[str, Any] = {
        "candidates": {
            "drawn": len(pool),
            "rounds": rounds,
            "conditions": len(np.unique(pool.sources)) if (pool.sources >= 0).all() else None,
            "given_up": len(lacking(pool, screened.vetoed)),
        },
        "screen": screened.figures,
    }
    masks = telling_masks(pool.images, roles.training, roles.calibration)
    if masks.masks:
        figures["masks"] = masks.figures()
    allowed = screened.accepted & ~masks.vetoed
    if wish.mode == "published":
        found = select_published(pool.images, allowed, pool.sources, roles.training, seed=seed, progress=progress)
        rows = found.rows if wish.count is None else found.rows[: wish.count]
    else:
        gates = fit_gates(roles.calibration, alpha=_OUTSIDE, seed=seed, memory=memory, device=device, progress=progress)
        outside = gates.outside(pool.images, progress=progress)
        figures["outliers"] = {
            **gates.shareable(),
            "outside": int(outside.sum()),
            "of": len(outside),
        }
        found = select(
            pool.images,
            allowed,
            *_labelled_alike(pool.images, roles),
            count=len(roles.training) if wish.count is None else wish.count,
            balance=wish.balance,
            method=wish.method,
            fewest=policy.fewest_label_patients,
            outside=outside,
            seed=seed,
            memory=memory,
            progress=progress,
        )
        rows = found.rows
    figures["selection"] = found.figures
    return Choice(pool, rows, screened, figures)


def lacking(pool: Pool, vetoed: np.ndarray) -> np.ndarray:
    """Training rows under whose condition every candidate was vetoed; none where there are no sources."""
    asked = np.unique(pool.sources[pool.sources >= 0])
    return np.setdiff1d(asked, pool.sources[~vetoed])


def _screened(
    source: Model | ImageSet,
    roles: Roles,
    wish: Wish,
    options: ScreenOptions,
    networks: Networks,
    near: NearDuplicates | None,
    folder: Path,
    seed: int,
    memory: int,
    device: str,
    progress: Progress,
) -> tuple[Pool, Screened, int]:
    """The pool, what the screen says of it, and the number of rounds that it took."""

    def look(pool: Pool) -> Screened:
        common = {
            "near_duplicates": near,
            "options": options,
            "networks": networks,
            "seed": seed,
            "memory": memory,
            "device": device,
            "progress": progress,
        }
        if wish.mode == "published":
            return screen_published(pool.images, pool.sources, roles.training, roles.calibration, **common)
        return screen(pool.images, roles.training, roles.calibration, **common)

    if isinstance(source, ImageSet):
        pool = pool_of(source)
        return pool, look(pool), 1
    wanted: np.ndarray | int = wish.count or len(roles.training)
    if has_sources(source):
        wanted = np.arange(len(roles.training))
    pools: list[Pool] = []
    for turn in range(wish.plan.rounds):
        drawn = draw_round(
            source, roles.training, wanted, turn, wish.plan, folder, seed=seed, device=device, progress=progress
        )
        prepared = replace(drawn.images, preparation=roles.training.preparation)
        pools.append(replace(drawn, images=prepared))
        pool = joined(pools)
        screened = look(pool)
        wanted = lacking(pool, screened.vetoed)
        if not len(wanted):
            break
    return pool, screened, turn + 1


def _labelled_alike(candidates: ImageSet, roles: Roles) -> tuple[ImageSet, ImageSet]:
    """Training and calibration set, without their labels where candidates have none, as an unconditional model's."""
    if any(entry.label is not None or entry.labels for entry in candidates.entries):
        return roles.training, roles.calibration
    bare = (
        replace(one, entries=tuple(replace(entry, label=None, labels={}) for entry in one.entries))
        for one in (roles.training, roles.calibration)
    )
    first, second = bare
    return first, second


def _networks(
    roles: Roles, options: ScreenOptions, seed: int, memory: int, device: str, progress: Progress
) -> Networks:
    groups, _ = numbered(
        roles.training.patients, roles.calibration.patients, (len(roles.training), len(roles.calibration))
    )
    return train_networks(
        working_images(roles.training),
        groups,
        NETWORKS,
        seed=seed,
        steps=options.steps,
        device=device,
        memory=memory,
        progress=progress,
    )


def _generated(model: Model, training: ImageSet, seed: int, device: str) -> NearDuplicates | None:
    """Near-duplicates that the model makes of training images, where it is a diffusion model on pixels."""
    try:
        denoiser = model.denoiser()
    except InputError:
        return None
    return generated_near_duplicates(training, denoiser, seed=seed, device=device)
