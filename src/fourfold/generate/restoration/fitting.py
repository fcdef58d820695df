"""From clean images to the folder of a restorer."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fourfold.comparison import Progress, no_progress
from fourfold.devices import check_device, enough_memory
from fourfold.errors import InputError
from fourfold.generate import runs
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.provenance import now, versions
from fourfold.generate.recipe import Run
from fourfold.generate.restoration.network import RestorationNet
from fourfold.generate.restoration.restorer import Restorer, write_restorer
from fourfold.generate.restoration.training import RestorationOptions, RestorationTrainee
from fourfold.generate.storage import holds_whole_numbers
from fourfold.generate.train import Reading
from fourfold.generate.training_set import TrainingSet, patients_of

__all__ = ["fit_restorer", "train_network"]

FEWEST = 16
"""Images below which a fit makes no sense."""

_MEMORY = "use a smaller --batch, a smaller --size, or a smaller network (--channels)"


def fit_restorer(
    training: Any,
    output: str | os.PathLike[str],
    *,
    holdout: Any | None = None,
    options: RestorationOptions | None = None,
    reading: Reading | None = None,
    seed: int = 0,
    device: str = "cpu",
    devices: int = 1,
    precision: str = "32-true",
    minutes: float | None = None,
    snapshots: int = 0,
    memory: int = 1 << 30,
    progress: Progress = no_progress,
) -> Restorer:
    """Train a restorer and write it into a new folder; a call that was interrupted goes on when it is repeated.

    A restorer learns what its training images look like. It can memorise them as a generator can, and what it draws
    into strong noise or into a region can be theirs, so its folder deserves the care that a generator's does.

    Parameters
    ----------
    training : source
        Whatever `fourfold.open_set` opens: images that are as clean as there are.
    output : path
        Must not exist, be empty, or hold the same training.
    holdout : source or None
        Other patients, to watch whether it memorises.
    options : RestorationOptions or None
    reading : Reading or None
        How the images are opened and prepared.
    seed, device, devices, precision, minutes, snapshots, progress
        See `fourfold.generate.recipe.Run`.
    memory : int
        Bytes that decoded images may take.

    Raises
    ------
    InputError
        Where the images, an option, the folder or the memory do not allow it; nothing is lost then.
    """
    folder, options, reading = Path(output), options or RestorationOptions(), reading or Reading()
    runs.check_output(folder)
    check_device(device)
    if minutes is not None and not minutes > 0:
        raise InputError(f"a training takes some time (--minutes), got {minutes:g}")
    data, said = _open(training, holdout, reading, memory)
    facts = _facts(data)
    preparation = data.images.preparation.describe()
    asked = {"kind": "restorer", "options": asdict(options), "data": facts, "preparation": preparation, "seed": seed}
    run_folder = runs.begin(folder, asked)
    started = time.monotonic()
    run = Run(run_folder, seed, device, devices, precision, minutes, snapshots, progress=progress)
    try:
        with enough_memory(_MEMORY):
            restorer, record = train_network(data, options, run)
        if devices > 1:
            from fourfold.generate.training import end_other_processes

            end_other_processes()
        warnings = said + (record.pop("warnings", None) or [])
        return write_restorer(
            folder,
            restorer,
            {
                "options": asdict(options),
                "data": facts,
                "preparation": preparation,
                "training": {"seconds": round(time.monotonic() - started, 1), **record},
                "seed": seed,
                "versions": versions(),
                "warnings": warnings,
                "created": now(),
            },
        )
    except InputError:
        runs.clear(folder)
        raise


def train_network(data: TrainingSet, options: RestorationOptions, run: Run) -> tuple[Restorer, dict[str, Any]]:
    """The trained restorer and the loop's record, without writing a model.

    Parameters
    ----------
    data : TrainingSet
        Without conditions.
    options : RestorationOptions
    run : Run
    """
    from fourfold.generate.training import fit

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        network = RestorationNet(data.shape[0], len(data.shape) - 1, options.channels, blocks=options.blocks)
    trainee = RestorationTrainee(network, data.shape, options)
    outcome = fit(trainee, data, options.schedule(), run)
    trained = outcome.modules["network"].eval().requires_grad_(False)
    return Restorer(trained, trainee.times), dict(outcome.record)


def _open(training: Any, holdout: Any | None, reading: Reading, memory: int) -> tuple[TrainingSet, list[str]]:
    sets, said = reading.open({"training": training} if holdout is None else {"training": training, "holdout": holdout})
    images, held = sets["training"], sets.get("holdout")
    if len(images) < FEWEST:
        raise InputError(f"a restorer needs at least {FEWEST} images and there are {len(images)}; add images")
    patients, identified = patients_of(images)
    nothing = Conditioning()
    held_conditions = None if held is None else Conditions(len(held))
    data = TrainingSet(images, nothing, Conditions(len(images)), patients, identified, held, held_conditions, memory)
    if not identified:
        said.append(
            "The training set has no patient identifiers: groups of near-duplicate images stand in for patients."
        )
    return data, said


def _facts(data: TrainingSet) -> dict[str, Any]:
    """Counts and a digest of the contents, never a name."""
    return {
        "digest": data.digest(),
        "images": len(data),
        "patients": len(np.unique(data.patients)),
        "identified": data.identified,
        "whole_numbers": holds_whole_numbers(data.images),
        "holdout_images": None if data.holdout is None else len(data.holdout),
    }
