"""An adapted predictor on disk: ``adapted.json`` and ``weights.safetensors``.

Nothing is ever unpickled. The record is written last and holds the SHA-256 of the weights, so that a folder that has
one is finished, and weights that were cut short or belong elsewhere are refused. It holds no path and no identifier.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from fourfold import __version__
from fourfold.errors import InputError
from fourfold.features.weights import read_arrays, sha256_of
from fourfold.images.sets import Preparation
from fourfold.utility.adaptation.adapt import Adaptation, network_of
from fourfold.utility.adaptation.regression import Regression
from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.contract import Examples, Predictor, Task
from fourfold.utility.learning.optimisation import Scale
from fourfold.utility.learning.segmentation import Segmentation

__all__ = ["RECORD", "WEIGHTS", "Adapted", "open_adapted", "write_adapted"]

SCHEMA = "fourfold.adapted/1"
RECORD = "adapted.json"
WEIGHTS = "weights.safetensors"

_TASKS: Mapping[str, type[Task]] = {"classification": Classification, "segmentation": Segmentation}


@dataclass(frozen=True)
class Adapted:
    """An adapted predictor with what is known about it.

    Parameters
    ----------
    task : Classification or Segmentation
    predictor : Predictor
    preparation : Preparation
        Of the images that it takes.
    record : mapping
        What ``adapted.json`` says.
    """

    task: Task
    predictor: Predictor
    preparation: Preparation
    record: Mapping[str, Any]


def write_adapted(
    folder: str | os.PathLike[str],
    task: Task,
    found: Adaptation,
    preparation: Preparation,
    regression: Regression,
    facts: Mapping[str, Any],
) -> Adapted:
    """Write an adapted predictor into a new folder.

    Parameters
    ----------
    folder : path
        Must not exist, or be empty.
    task : Classification or Segmentation
    found : Adaptation
    preparation : Preparation
        Of the target images.
    regression : Regression
    facts : mapping
        What else the record says: counts, seeds.

    Raises
    ------
    InputError
        Where the folder is taken or cannot be written, or the task is not one of Fourfold's own.
    """
    folder = Path(folder)
    if type(task) not in _TASKS.values():
        raise InputError(f"a {type(task).__name__} cannot be stored; adapt a task of Fourfold's own")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; choose a new folder")
    network, scale = network_of(found.predictor)
    arrays = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    _written(folder / WEIGHTS, lambda partial: save_file(arrays, partial, metadata={"schema": SCHEMA}))
    shift = getattr(found.predictor, "shift", None)
    record = {
        "schema": SCHEMA,
        "task": {"kind": task.kind, **asdict(task)},  # type: ignore[call-overload]
        "scale": asdict(scale),
        "shift": None if shift is None else shift.tolist(),
        "preparation": preparation.describe(),
        "regression": asdict(regression),
        "residuals": {"before": dict(found.before), "after": dict(found.after)},
        "displaced": found.displaced,
        "edges": list(found.edges),
        "weights": {"file": WEIGHTS, "sha256": sha256_of(folder / WEIGHTS)},
        "personal": "learned from images of patients: treat it as a model trained on them, and keep pairs inside",
        "version": __version__,
        **facts,
    }
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    _written(folder / RECORD, lambda partial: partial.write_text(text, encoding="utf-8"))
    return Adapted(task, found.predictor, preparation, json.loads(text))


def open_adapted(folder: str | os.PathLike[str], device: str = "cpu") -> Adapted:
    """Open what `write_adapted` wrote.

    Raises
    ------
    InputError
        Where there is none, or its files are cut short, changed, of another version or not ours.
    """
    folder = Path(folder)
    file = folder / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{folder}: holds no adapted model; give a folder that fourfold adapt fit wrote") from error
    except ValueError as error:
        raise InputError(f"{file}: is cut short or damaged; copy the whole folder again") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InputError(f"{file}: is no record of version {SCHEMA!r}; use the version of fourfold that wrote it")
    weights = folder / WEIGHTS
    if not weights.is_file() or sha256_of(weights) != record.get("weights", {}).get("sha256"):
        raise InputError(f"{weights}: is not the file that {RECORD} speaks of (SHA-256 differs); copy both files again")
    try:
        task = _task(record["task"])
        preparation = Preparation(**{**record["preparation"], "shape": tuple(record["preparation"]["shape"])})
        blank = _untrained(task, (preparation.channels, *preparation.shape), device)
        network, _ = network_of(blank)
        arrays = {name: torch.from_numpy(value) for name, value in read_arrays(weights).items()}
        network.load_state_dict(arrays)
        changed: dict[str, Any] = {"network": network.eval(), "scale": _scale(record["scale"])}
        if record["shift"] is not None:
            changed["shift"] = torch.tensor(record["shift"], dtype=torch.float64)
        predictor = replace(blank, **changed)  # type: ignore[type-var]
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"{folder}: its record and its weights do not fit together ({type(error).__name__}); it was changed, copy "
            "the whole folder again"
        ) from error
    return Adapted(task, predictor, preparation, record)


def _task(said: Mapping[str, Any]) -> Task:
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    return _TASKS[settings.pop("kind")](**settings)


def _scale(said: Mapping[str, float]) -> Scale:
    scale = Scale(float(said["centre"]), float(said["spread"]))
    if not (math.isfinite(scale.centre) and 0 < scale.spread < math.inf):
        raise ValueError("no scale")
    return scale


def _untrained(task: Task, shape: tuple[int, ...], device: str) -> Predictor:
    """A predictor of the task's own making, whose weights are then replaced."""
    targets = (
        np.zeros((1, len(task.names)), dtype=np.float32)
        if task.kind == "classification"
        else np.zeros((1, *shape[1:]), dtype=np.uint8)
    )
    blank = Examples(np.zeros((1, *shape), dtype=np.float32), targets, np.zeros(1, dtype=np.int64))
    return task.fit(blank, seed=0, steps=0, device=device)


def _written(file: Path, write: Callable[[Path], object]) -> None:
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(partial)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{file}: cannot be written ({problem}); free space or choose another folder") from error
