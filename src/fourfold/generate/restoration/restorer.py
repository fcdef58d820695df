"""A trained restorer and its folder: ``model.json``, ``weights.safetensors``, ``training/``.

As with generators, nothing is ever unpickled, ``model.json`` is written last and holds the SHA-256 of the weights, so
that a folder that has one is finished, and weights that were cut short or belong elsewhere are refused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.models import MODEL, TRAINING, WEIGHTS
from fourfold.generate.provenance import plain, read_record, write_atomically, write_record
from fourfold.generate.restoration.network import RestorationNet
from fourfold.generate.restoration.time_map import GammaSchedule
from fourfold.images import Preparation

__all__ = ["SCHEMA", "Restorer", "open_restorer", "write_restorer"]

SCHEMA = "fourfold.restorer/1"


@dataclass(frozen=True)
class Restorer:
    """A network of restoration with the schedule that it was trained on.

    Parameters
    ----------
    network : RestorationNet
    schedule : GammaSchedule
    record : mapping
        What ``model.json`` says; empty for one that was never written.
    folder : Path or None
    """

    network: RestorationNet
    schedule: GammaSchedule = field(default_factory=GammaSchedule)
    record: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def planes(self) -> int:
        """Channels of the images that it restores."""
        return self.network.settings["planes"]

    @property
    def dims(self) -> int:
        """Their spatial dimensions."""
        return self.network.settings["dims"]

    @property
    def preparation(self) -> Preparation | None:
        """How the training images were scaled; None where that is not recorded."""
        found = self.record.get("preparation")
        return None if found is None else Preparation(**{**found, "shape": tuple(found["shape"])})

    @torch.no_grad()
    def estimate(self, x: Tensor, y: Tensor, time: Tensor) -> Tensor:
        """x0 from ``x_t``, `y` and the time of every pixel: ``x_t - sqrt(gamma) f(x_t, y, t)``."""
        gamma = self.schedule.gamma(time)
        return x - gamma.sqrt() * self.network(x, y, time, gamma)

    def to(self, device: str) -> Restorer:
        """Move the weights; returns itself."""
        self.network.to(device)
        return self


def write_restorer(folder: Path, restorer: Restorer, record: Mapping[str, Any]) -> Restorer:
    """Write the weights, then the record that makes the folder a restorer.

    Parameters
    ----------
    folder : Path
        Exists.
    restorer : Restorer
    record : mapping
        Everything of ``model.json`` but ``schema``, ``network``, ``schedule`` and ``weights``.

    Raises
    ------
    InputError
        Where the folder cannot be written.
    """
    arrays = {name: value.detach().cpu().contiguous() for name, value in restorer.network.state_dict().items()}
    weights = folder / WEIGHTS
    write_atomically(weights, lambda partial: save_file(arrays, partial, metadata={"schema": SCHEMA}))
    schedule = restorer.schedule
    whole = plain(
        {
            "schema": SCHEMA,
            "network": restorer.network.settings,
            "schedule": {"steps": schedule.steps, "betas": schedule.betas, "scale": schedule.scale},
            "weights": {"file": WEIGHTS, "sha256": _digest(weights), "bytes": weights.stat().st_size},
            **record,
        }
    )
    write_record(folder / MODEL, whole)
    return Restorer(restorer.network, schedule, whole, folder)


def open_restorer(folder: str | os.PathLike[str]) -> Restorer:
    """Open what `fit_restorer` wrote.

    Raises
    ------
    InputError
        Where there is no finished restorer, or its files are cut short, changed, of another version or not ours.
    """
    folder = Path(folder)
    if not (folder / MODEL).is_file():
        if (folder / TRAINING).is_dir():
            raise InputError(
                f"{folder}: holds a training that is not finished; repeat the same fourfold restore fit command to "
                "finish it"
            )
        problem = "holds no restorer" if folder.is_dir() else "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder}: {problem}; give the folder of one, which fourfold restore fit writes")
    record = read_record(folder / MODEL, SCHEMA)
    try:
        network, schedule = dict(record["network"]), record["schedule"]
        built = RestorationNet(network.pop("planes"), network.pop("dims"), network.pop("channels"), **network)
        built.load_state_dict(_weights(folder, record["weights"]))
        built.eval().requires_grad_(False)
        times = GammaSchedule(schedule["steps"], tuple(schedule["betas"]), schedule["scale"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"{folder}: its record and its weights do not fit together ({type(error).__name__}); it was changed, copy "
            "the whole folder again"
        ) from error
    return Restorer(built, times, record, folder)


def _weights(folder: Path, expected: Mapping[str, Any]) -> dict[str, Tensor]:
    # Whatever the record calls it, the file is looked for in this folder and nowhere else.
    file = folder / WEIGHTS
    if not file.is_file():
        raise InputError(f"{file}: does not exist; copy the whole folder of the restorer")
    size = file.stat().st_size
    if size < expected["bytes"]:
        raise InputError(f"{file}: is cut short ({size} of {expected['bytes']} bytes); copy it again")
    if _digest(file) != expected["sha256"]:
        raise InputError(f"{file}: holds other weights than {MODEL} says (SHA-256 differs); copy both files again")
    try:
        return load_file(file)
    except SafetensorError as error:
        raise InputError(f"{file}: is no safetensors file; copy it again") from error


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
