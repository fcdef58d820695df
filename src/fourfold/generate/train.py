"""From real images to a model folder, whatever the recipe: open, check, condition, fit, write down."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.comparison import Progress, no_progress
from fourfold.devices import check_device, enough_memory
from fourfold.errors import InputError
from fourfold.generate import recipe as recipes
from fourfold.generate import runs
from fourfold.generate.conditioning import Conditioning, Request, surprisal
from fourfold.generate.models import MODEL, TRAINING, WEIGHTS, Model, write_model
from fourfold.generate.provenance import now, versions
from fourfold.generate.reading import Reading, open_training_set, refuse_measured_range
from fourfold.generate.recipe import Run, options_of
from fourfold.generate.storage import holds_whole_numbers
from fourfold.generate.training_set import TrainingSet

__all__ = ["Reading", "train"]

_MEMORY = "use a smaller --batch, more --accumulate, a smaller --size, or a smaller network (fourfold recipes NAME)"

_LOGS = (
    f"The folder {TRAINING}/ holds losses of the training images, which the guarantee does not cover: "
    f"give away {MODEL} and {WEIGHTS} alone"
)


def train(
    training: Any,
    *,
    recipe: str,
    output: str | os.PathLike[str],
    holdout: Any | None = None,
    condition: str | Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
    text_column: str | None = None,
    attributes: Sequence[str] = (),
    condition_features: str | None = None,
    feature_size: int | None = None,
    text_encoder: str | None = None,
    splits: Mapping[str, str] | None = None,
    columns: Mapping[str, str | None] | None = None,
    root: str | os.PathLike[str] | None = None,
    volumes: bool = False,
    slices: bool = False,
    skip_broken: bool = False,
    size: int | tuple[int, ...] | None = None,
    channels: int | None = None,
    scaling: str = "auto",
    licence: str = "",
    intended_use: str = "",
    seed: int = 0,
    device: str = "cpu",
    devices: int = 1,
    precision: str = "32-true",
    minutes: float | None = None,
    snapshots: int = 0,
    stop_at_onset: bool = False,
    memory: int = 1 << 30,
    progress: Progress = no_progress,
    **more: Any,
) -> Model:
    """Fit a generator and write it into a new folder.

    A call that was interrupted, whatever ended it, goes on from its last checkpoint when it is repeated.

    Parameters
    ----------
    training, holdout
        Whatever `fourfold.open_set` opens; the holdout, of other patients, is never learned from: with it training
        watches whether it memorises.
    recipe : str
        See `fourfold.generate.recipe.names`.
    output : path
        Must not exist, be empty, or hold the same training.
    condition : str or sequence of str or None
        Of ``"class"``, ``"labels"``, ``"attributes"``, ``"text"``, ``"mask"``, ``"features"``, also as one word with
        commas; ``"none"`` for none; None for what the recipe usually takes.
    options : mapping of str to object or None
        Options of the recipe; may be given as further keywords instead, where their names are free.
    text_column, attributes, condition_features, feature_size, text_encoder
        See `fourfold.generate.conditioning.Request`.
    splits, columns, root, volumes, slices, skip_broken, size, channels, scaling
        See `Reading`.
    licence, intended_use : str
        Written into ``model.json``.
    seed, device, devices, precision, minutes, snapshots, stop_at_onset, progress
        See `fourfold.generate.recipe.Run`.
    memory : int
        Bytes that decoded images may take.
    **more
        As `options`.

    Returns
    -------
    Model
        `fourfold.open_model` opens it again.

    Raises
    ------
    InputError
        Where the recipe, an option, the images, the folder or the memory do not allow it; nothing is lost then.
    """
    folder = Path(output)
    found = recipes.recipe(recipe)
    chosen = options_of(found, {**(options or {}), **more})
    runs.check_output(folder)
    check_device(device)
    if minutes is not None and not minutes > 0:
        raise InputError(f"a training takes some time (--minutes), got {minutes:g}")
    if stop_at_onset and holdout is None:
        raise InputError("the onset of memorisation is seen against a holdout; give one (--holdout)")
    private = getattr(chosen, "epsilon", None) is not None
    defaults = Request()
    request = Request(
        text=text_column,
        attributes=tuple(attributes),
        features=condition_features or defaults.features,
        feature_size=defaults.feature_size if feature_size is None else feature_size,
        text_encoder=text_encoder,
        private=private,
    )
    reading = Reading(splits, columns, root, volumes, slices, skip_broken, size, channels, scaling)
    data, warnings = open_training_set(found, training, holdout, condition, request, reading, memory)
    _refuse_idle(
        data.conditioning,
        {
            "--text-column": ("text", text_column),
            "--text-encoder": ("text", text_encoder),
            "--attributes": ("attributes", tuple(attributes) or None),
            "--condition-features": ("features", condition_features),
            "--feature-size": ("features", feature_size),
        },
    )
    if private:
        refuse_measured_range(reading, data)
    # Without a condition there is nothing to be surprised by.
    surprising = surprisal(data.conditioning, data.conditions, data.patients) if data.conditioning.kinds else None
    facts = _facts(data)
    run_folder = runs.begin(
        folder,
        {
            "recipe": found.name,
            "options": asdict(chosen),
            "conditions": data.conditioning.record(),
            "data": facts,
            "preparation": data.images.preparation.describe(),
            "seed": seed,
        },
    )
    started = time.monotonic()
    run = Run(run_folder, seed, device, devices, precision, minutes, snapshots, stop_at_onset, progress)
    try:
        with enough_memory(_MEMORY):
            generator, training_record = found.fit(data, chosen, run)
        _end_other_processes(devices)
        training_record = dict(training_record)
        warnings += training_record.pop("warnings", None) or []
        said = [surprising.warning] if surprising is not None and surprising.warning else []
        if private:
            said.append(_LOGS)
        model = write_model(
            folder,
            generator,
            {
                "recipe": found.name,
                "family": found.family,
                "source": found.source,
                "options": asdict(chosen),
                # A digest answers for certain whether somebody's data were these, which no guarantee may.
                "data": {**facts, "digest": None} if private else facts,
                "preparation": data.images.preparation.describe(),
                # It is counted on the patients, so it must not be written down under a guarantee.
                "surprisal": None if private or surprising is None else surprising.describe(),
                "privacy": training_record.pop("privacy", None),
                "holds_patient_images": found.holds_patients,
                "training": {"seconds": round(time.monotonic() - started, 1), **training_record},
                "seed": seed,
                "versions": versions(),
                "licence": licence,
                "intended_use": intended_use,
                "warnings": warnings if private else [*said, *warnings],
                "created": now(),
            },
        )
    except InputError:
        runs.clear(folder)
        raise
    runs.finish(folder)
    return replace(model, warnings=(*said, *warnings))


def _facts(data: TrainingSet) -> dict[str, Any]:
    """What is written down about the training set: counts and a digest of its contents, never a name."""
    held = data.holdout
    return {
        "digest": data.digest(),
        "images": len(data),
        "patients": len(np.unique(data.patients)),
        "identified": data.identified,
        "whole_numbers": holds_whole_numbers(data.images),
        "holdout_images": None if held is None else len(held),
    }


def _refuse_idle(conditioning: Conditioning, given: Mapping[str, tuple[str, Any]]) -> None:
    """Raise InputError where something was given that no part of the condition reads."""
    for flag, (kind, value) in given.items():
        if value is not None and conditioning.part(kind) is None:
            raise InputError(
                f"{flag} belongs to a model that is conditioned on {kind}; add --condition {kind} or leave it out"
            )


def _end_other_processes(devices: int) -> None:
    if devices > 1:
        from fourfold.generate.training import end_other_processes

        end_other_processes()
