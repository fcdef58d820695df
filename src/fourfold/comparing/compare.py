"""Evaluates each set once and lays them side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fourfold import __version__
from fourfold.comparing.families import families_of
from fourfold.comparing.layout import check_ladders, side_by_side
from fourfold.comparing.measured import MeasuredUtility, read_measured_utility
from fourfold.comparing.results import ComparedSet, ComparedSets, RealSet
from fourfold.comparison import Progress, no_progress
from fourfold.errors import InputError
from fourfold.evaluation import Evaluation, asked_metrics, evaluate

__all__ = ["compare"]


def compare(
    sets: Mapping[str, Any] | Sequence[Any],
    train: Any,
    holdout: Any | None = None,
    reference: Any | None = None,
    *,
    families: Mapping[str, str] | None = None,
    ladders: Mapping[str, Sequence[str]] | None = None,
    utility: str | Path | MeasuredUtility | None = None,
    leading: Mapping[str, str] | None = None,
    predict_by: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    **evaluation: Any,
) -> ComparedSets:
    """Ask the four questions about several synthetic sets and lay the answers side by side.

    Parameters
    ----------
    sets : mapping of str to source, or sequence of sources
        Whatever `fourfold.evaluate` takes, by name; those of a sequence are called by their folder.
    train, holdout, reference
        As for `fourfold.evaluate`, the same for all sets.
    families : mapping of str to str or None
        The generator family of a set; else the recipe in the ``model.json`` beside it, else each set is its own.
    ladders : mapping of str to sequence of str, or None
        Names of sets in rising strength of one change, the unchanged one first.
    utility : path, MeasuredUtility or None
        ``utility.json`` of `fourfold utility` with sets of the same names; without it the probe of the evaluation
        stands in.
    leading : mapping of axis to str, or None
        The score by which an axis counts for the Pareto front.
    predict_by : sequence of str or None
        The scores that are asked whether they predict utility, ``["all"]`` for all; None for a few named beforehand.
    seed : int
    progress : callable
        Called with (task, done, total).
    **evaluation
        The further arguments of `fourfold.evaluate`. Sets are evaluated once: what the store holds is read back, so
        that an interrupted comparison goes on and one set more costs one set more.

    Returns
    -------
    ComparedSets
        Scores and verdicts; no image is kept.

    Raises
    ------
    InputError
        Where a set cannot be evaluated (the message names it), or the sets, families, ladders or scores that were
        named do not fit together.
    """
    started = time.perf_counter()
    sources = _named(sets)
    family = families_of(sources, families)
    check_ladders(ladders or {}, list(sources))
    asked_metrics(evaluation.get("only"), evaluation.get("thorough", False))
    _check_paths({"training": train, "holdout": holdout, "reference": reference})
    _check_paths(sources)
    measured = read_measured_utility(utility) if isinstance(utility, str | Path) else utility
    if measured is not None and not set(measured.scores) & set(sources):
        raise InputError(
            f"the study of utility has none of the sets: it measured {', '.join(map(repr, measured.scores))}, and "
            f"{', '.join(map(repr, sources))} are compared; give the sets the names they have there"
        )
    found: list[ComparedSet] = []
    real: dict[str, RealSet] = {}
    preparations: list[dict[str, Any]] = []
    spaces: list[str] = []
    for place, (name, source) in enumerate(sources.items()):
        progress("evaluating the sets", place, len(sources))
        try:
            one = evaluate(source, train, holdout, reference, seed=seed, progress=progress, **evaluation)
        except InputError as error:
            raise InputError(f"the set {name!r} cannot be compared: {error}") from error
        found.append(_kept(one, name, family[name]))
        real = _real(one)
        preparations.append(dict(one.preparation))
        spaces = list(one.extractors)
        # Its images and features would stay beside those of the next set.
        del one
    progress("evaluating the sets", len(sources), len(sources))
    _check_preparations(preparations, list(sources))
    settings = {
        "seed": seed,
        "features": spaces,
        "fourfold": __version__,
        "seconds": round(time.perf_counter() - started, 1),
    }
    return side_by_side(
        found,
        real=real,
        preparation=preparations[0],
        settings=settings,
        ladders=ladders,
        measured=measured,
        leading=leading,
        predict_by=predict_by,
    )


def _named(sets: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    if isinstance(sets, Mapping):
        named = dict(sets)
    else:
        named = {}
        for place, source in enumerate(sets):
            name = Path(source).stem if isinstance(source, str | Path) else f"set {place + 1}"
            if name in named:
                raise InputError(f"two synthetic sets are called {name!r}; name them apart")
            named[name] = source
    if len(named) < 2:
        raise InputError(
            f"a comparison needs at least 2 synthetic sets, got {len(named)}; `fourfold evaluate` takes one"
        )
    return named


def _check_paths(sources: Mapping[str, Any]) -> None:
    """The last of many sets should not fail hours after the first was begun because its name was mistyped."""
    for name, source in sources.items():
        if isinstance(source, str | Path) and not Path(source).exists():
            raise InputError(f"{source}: does not exist; correct the path of the set {name!r}")


def _check_preparations(preparations: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Sets of other sizes or channels are seen at another resolution, which moves every score."""
    for name, own in zip(names, preparations, strict=True):
        if own != preparations[0]:
            raise InputError(
                f"the sets {names[0]!r} and {name!r} are prepared differently ({_shape(preparations[0])} and "
                f"{_shape(own)}); give one size, channels and scaling for all"
            )


def _shape(preparation: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in preparation.items())


def _kept(evaluation: Evaluation, name: str, family: str) -> ComparedSet:
    """What is kept of an evaluation: the images and everything about single ones go."""
    summary = evaluation.summaries["synthetic"]
    return ComparedSet(
        name=name,
        family=family,
        images=summary.images,
        digest=summary.digest,
        verdicts=evaluation.verdicts,
        scores=tuple(replace(score, per_synthetic={}, per_training={}, details={}) for score in evaluation.scores),
        notes=evaluation.notes,
    )


def _real(evaluation: Evaluation) -> dict[str, RealSet]:
    return {
        role: RealSet(summary.images, summary.patients, summary.digest)
        for role, summary in evaluation.summaries.items()
        if role != "synthetic"
    }
