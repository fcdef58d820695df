"""What a checkpoint must have in common with a training that goes on from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from fourfold.errors import InputError
from fourfold.generate.recipe import Run
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.trainee import Trainee
from fourfold.generate.training_set import TrainingSet

__all__ = ["changed", "check_same", "fingerprint"]

_FREE = ("steps", "warmup", "clip", "learning_rate", "precision", "snapshots", "minutes")
"""Changing these leaves what was trained so far as valid as it was; a change is recorded."""

_HASHED = ("data", "rows", "network")


def fingerprint(trainee: Trainee, data: TrainingSet, schedule: Schedule, run: Run) -> dict[str, Any]:
    """Everything that the course of a training depends on, flat, as JSON can hold it; no name and no identifier."""
    entries = {
        "recipe": type(trainee).__name__,
        **trainee.describe(),
        **asdict(schedule),
        "seed": run.seed,
        "devices": run.devices,
        "precision": run.precision,
        "data": data.digest(),
        "rows": _rows(data),
        "network": _network(trainee.modules),
        "learning_rate": [group["lr"] for one in trainee.optimizers.values() for group in one.param_groups],
    }
    # As it will be read back: tuples are lists there.
    return json.loads(json.dumps(entries))


def check_same(path: Path, written: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise InputError where a training must not go on from a checkpoint; it says what differs."""
    for name in sorted(now.keys() | written.keys()):
        if name in _FREE or written.get(name) == now.get(name):
            continue
        if name in _HASHED:
            what = {"data": "images", "rows": "patients, classes or order of images", "network": "network"}[name]
            said = f"has other {what}" if name != "network" else "has another network"
        else:
            said = f"has {name} = {_worded(written.get(name))} where {_worded(now.get(name))} is asked for now"
        raise InputError(
            f"{path}: is of another training ({said}); "
            "give the earlier settings to go on with it, or another folder to train anew"
        )


def changed(written: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Sentences on what may change and has."""
    return [
        f"{name} changed from {_worded(written.get(name))} to {_worded(now.get(name))}"
        for name in _FREE
        if name != "steps" and written.get(name) != now.get(name)
    ]


def _rows(data: TrainingSet) -> str:
    """Batches are drawn by row, so the order counts here, unlike in the digest of the data."""
    found = hashlib.sha256(np.unique(data.patients, return_inverse=True)[1].astype(np.int64).tobytes())
    if data.labels is not None:
        found.update("\n".join(map(str, data.labels)).encode())
    return found.hexdigest()


def _network(modules: Mapping[str, nn.Module]) -> str:
    shapes = [
        f"{name}/{key}{tuple(value.shape)}" for name in modules for key, value in modules[name].state_dict().items()
    ]
    return hashlib.sha256("\n".join(shapes).encode()).hexdigest()


def _worded(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
