"""From the candidates that the screen let through to the images of a release.

In this order: candidates outside the distribution or with a label that hardly anybody carries are left out, then those
that do not look like their label, then exact duplicates; what is left is chosen from, class by class, and put into an
order that depends on the pixels and the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fourfold.comparison import Progress, no_progress
from fourfold.errors import InputError
from fourfold.images.sets import ImageSet
from fourfold.releasing.selection.balance import Balance, quotas, shares_of
from fourfold.releasing.selection.contents import content_keys, first_of_each
from fourfold.releasing.selection.features import FEATURES, selection_features
from fourfold.releasing.selection.labels import GATE_SHARE, LabelGate, gate_off, label_gate
from fourfold.releasing.selection.methods import METHODS, choose
from fourfold.releasing.selection.strata import FEWEST_CARRIERS, rare_labels, strata
from fourfold.utility.tasks import Labelled, NoTaskError

__all__ = ["DEFAULT_METHOD", "FEWEST_CALIBRATION", "Selection", "select"]

DEFAULT_METHOD = "ratio"
"""It gains in coverage over a random sample, and of the methods that look at calibration patients it gives away least,
though not nothing (see `fourfold.releasing.selection.ratio` and ``benchmarks/selection.py``). Without calibration
patients it is `random`."""

FEWEST_CALIBRATION = 30
"""Calibration patients that a class needs for a method that looks at them; with fewer it is drawn at random."""

_EVERYTHING = "all"
"""The one stratum of images without labels."""


@dataclass(frozen=True)
class Selection:
    """The images of a release.

    Parameters
    ----------
    rows : array of int64, shape (n,)
        Of the candidates, in the order of the release, which the seed and the pixels decide.
    label_gate : array of bool, shape (M,)
        Which candidates look like their label.
    figures : dict
        Aggregates only, as JSON can hold them.
    """

    rows: np.ndarray
    label_gate: np.ndarray
    figures: dict[str, Any]


def select(
    candidates: ImageSet,
    allowed: np.ndarray,
    training: ImageSet,
    calibration: ImageSet | None = None,
    *,
    count: int | None = None,
    balance: Balance = "training",
    method: str | None = None,
    gate_share: float = GATE_SHARE,
    fewest: int = FEWEST_CARRIERS,
    outside: np.ndarray | None = None,
    seed: int = 0,
    memory: int = 1 << 30,
    progress: Progress = no_progress,
) -> Selection:
    """Choose the images of a release.

    Parameters
    ----------
    candidates : ImageSet
        M images, prepared with the others, with labels where the training set has any.
    allowed : array of bool, shape (M,)
        What the screen let through.
    training, calibration : ImageSet, ImageSet or None
        Calibration patients are real, in neither the training set nor the holdout of the audit.
    count : int or None
        Images; None for as many as the scarcest class allows.
    balance : {"training", "equal"} or mapping of str to float
        See `fourfold.releasing.selection.balance`. Training counts images, of labels that may be released.
    method : str or None
        One of `fourfold.releasing.selection.methods.METHODS`; None for `DEFAULT_METHOD`, or `random` without
        calibration patients.
    gate_share : float
        Share of fresh real patients that pass the label gate, in (0, 1).
    fewest : int
        Training patients that must carry a label, or combination of findings, for it to be released.
    outside : array of bool, shape (M,), or None
        Candidates outside the distribution of real images.
    seed, memory, progress
        As everywhere; the same seed chooses the same images, in whatever order candidates come.

    Returns
    -------
    Selection
        Empty where a class that should be there has no candidate left; ``figures["balance"]`` says which.

    Raises
    ------
    InputError
        Where the arrays do not fit the candidates, candidates have labels and the training set has none (or the other
        way round), every label is too rare, or the method, balance or share is wrong.
    """
    if method is None:
        method = "random" if calibration is None else DEFAULT_METHOD
    _check(candidates, {"allowed": allowed, "outside": outside}, gate_share, method, calibration)
    names, real, others = label_sets(candidates, training, calibration)
    rare = rare_labels(training, fewest)
    released = real[~np.isin(real, sorted(rare))]
    if not len(released):
        raise InputError(
            f"no label is carried by {fewest} training patients, so none can be released; "
            "merge classes or give more patients"
        )
    carried = np.isin(names, released)
    values = selection_features(candidates, progress)
    known = None if calibration is None else selection_features(calibration, progress)
    people = None if calibration is None else calibration.patients
    gate = _gate(values, candidates, training, known, calibration, gate_share, seed, progress)
    open_rows = np.asarray(allowed, dtype=bool) & carried
    if outside is not None:
        open_rows &= ~np.asarray(outside, dtype=bool)
    passed = np.flatnonzero(open_rows & gate.passed)
    keys = content_keys(candidates, seed, progress)
    rows = passed[first_of_each(keys[passed], names[passed])]
    wanted = quotas(shares_of(released, balance), _counts(names[rows]), count)
    chosen, at_random = [], []
    for number, (name, images) in enumerate(wanted.given.items()):
        members = rows[names[rows] == name]
        alike = np.flatnonzero(others == name)
        beside = np.empty((0, values.shape[1])) if known is None else known[alike]
        used = method
        if METHODS[method].calibrated and _patients(people, alike) < FEWEST_CALIBRATION:
            used = "random"
            at_random.append(name)
        picked = choose(used, values[members], beside, images, seed=seed + 7919 * number, memory=memory)
        chosen.append(members[picked])
    final = np.concatenate(chosen)
    final = final[np.argsort(keys[final], kind="stable")]
    figures = {
        "candidates": len(candidates),
        "allowed": int(np.sum(allowed)),
        "outside": None if outside is None else int(np.sum(outside)),
        "rare_labels": {"fewer_than": fewest, "labels": len(rare), "candidates": int(np.sum(~carried))},
        "label_gate": gate.figures,
        "duplicates": len(passed) - len(rows),
        "available": len(rows),
        "balance": wanted.describe(),
        "method": {
            "name": method,
            "features": FEATURES,
            "calibrated": METHODS[method].calibrated,
            "at_random": at_random,
        },
        "images": len(final),
    }
    return Selection(final.astype(np.int64), gate.passed, figures)


def label_sets(
    candidates: ImageSet, training: ImageSet, calibration: ImageSet | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The strata of candidates, training and calibration images; one for all where there are no labels."""
    names, real = strata(candidates), strata(training)
    if (names is None) != (real is None):
        told = "the training set has labels and the candidates have none"
        if real is None:
            told = "the candidates have labels and the training set has none"
        raise InputError(f"{told}; label both or neither")
    if names is None or real is None:
        sizes = (len(candidates), len(training), 0 if calibration is None else len(calibration))
        return tuple(np.full(size, _EVERYTHING) for size in sizes)
    others = None if calibration is None else strata(calibration)
    return names, real, np.empty(0, dtype=str) if others is None else others


def _check(
    candidates: ImageSet,
    columns: dict[str, np.ndarray | None],
    share: float,
    method: str,
    calibration: ImageSet | None,
) -> None:
    for name, column in columns.items():
        if column is not None and np.shape(column) != (len(candidates),):
            raise InputError(f"{name} must have one entry for each of the {len(candidates)} candidates")
    if not 0 < share < 1:
        raise InputError(f"the share of real patients that pass the label gate must be in (0, 1), got {share:g}")
    if method not in METHODS:
        raise InputError(f"there is no method of selection {method!r}; choose from {', '.join(METHODS)}")
    if METHODS[method].calibrated and calibration is None:
        raise InputError(f"the method {method!r} needs calibration patients; give some or use 'random'")


def _gate(
    values: np.ndarray,
    candidates: ImageSet,
    training: ImageSet,
    known: np.ndarray | None,
    calibration: ImageSet | None,
    share: float,
    seed: int,
    progress: Progress,
) -> LabelGate:
    try:
        asked, real = Labelled.from_images("candidates", candidates), Labelled.from_images("training", training)
    except NoTaskError as none:
        return gate_off(len(values), share, str(none))
    if asked.exclusive != real.exclusive:
        raise InputError(
            "candidates and training set must both have one class an image (label) or both findings (label:NAME)"
        )
    beside = None
    if calibration is not None:
        try:
            beside = Labelled.from_images("calibration", calibration)
        except NoTaskError:
            beside = None
        if beside is not None and beside.exclusive != real.exclusive:
            beside = None
    return label_gate(
        values, asked, selection_features(training, progress), real, known, beside, share=share, seed=seed
    )


def _patients(people: np.ndarray | None, rows: np.ndarray) -> int:
    return len(rows) if people is None else len(np.unique(people[rows]))


def _counts(names: np.ndarray) -> dict[str, int]:
    return {str(name): int(count) for name, count in zip(*np.unique(names, return_counts=True), strict=True)}
