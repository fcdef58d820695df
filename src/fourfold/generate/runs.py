"""The folder of a model while it is trained: whether a training may begin there, go on there, or neither.

``training/run.json`` says what the training was asked for, so that a repeated command goes on with it and another one
is refused. What the training itself keeps there (checkpoint, logs) is its own affair.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fourfold.errors import InputError
from fourfold.generate.models import MODEL, TRAINING, WEIGHTS
from fourfold.generate.provenance import difference, plain, read_record, write_record

__all__ = ["RUN", "SCHEMA", "begin", "check_output", "clear", "finish"]

SCHEMA = "fourfold.run/1"
RUN = "run.json"

# What may change when a training goes on; the loop records that it did.
_FREE = ("steps", "warmup", "clip", "learning_rate")


def check_output(folder: Path) -> None:
    """Raise InputError where no training can begin or go on in a folder; writes nothing."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; choose a new folder for the model")
    if (folder / MODEL).exists():
        raise InputError(f"{folder}: is a finished model; choose a new folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    # A training that was killed before its first record leaves an empty folder of its own.
    ours = (folder / TRAINING / RUN).is_file() or not any(file.is_file() for file in folder.rglob("*"))
    if not ours:
        raise InputError(f"{folder}: is not empty and holds no training of ours; choose a new folder")


def begin(folder: Path, request: Mapping[str, Any]) -> Path:
    """The training's own folder, new or as an earlier call of the same training left it.

    Parameters
    ----------
    folder : Path
        Of the model; `check_output` let it pass.
    request : mapping
        What decides the training; under ``options`` some may differ from the earlier call.

    Raises
    ------
    InputError
        Where another training is under way there.
    """
    training = folder / TRAINING
    request = plain(request)
    if (training / RUN).is_file():
        found = read_record(training / RUN, SCHEMA)
        differs = difference(_bound(found), _bound({"schema": SCHEMA, **request}))
        if differs and _progress(training):
            raise InputError(
                f"{folder}: holds a training that is not finished and was asked for otherwise ({differs}); give the "
                f"same options to go on with it, or choose a new folder, or remove {training} to begin anew"
            )
        if differs:
            shutil.rmtree(training)
    try:
        training.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{folder}: cannot be written ({problem}); choose another folder") from error
    write_record(training / RUN, {"schema": SCHEMA, **request})
    return training


def clear(folder: Path) -> None:
    """Take away what a training left that failed before it had anything to lose."""
    training = folder / TRAINING
    if (folder / WEIGHTS).exists() or _progress(training):
        return
    shutil.rmtree(training, ignore_errors=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def finish(folder: Path) -> None:
    """Take away what a finished training needs no more: checkpoints, and caches of what patients' images became."""
    for file in (folder / TRAINING).rglob("*.safetensors"):
        file.unlink(missing_ok=True)


def _progress(training: Path) -> bool:
    return any(training.rglob("*.safetensors"))


def _bound(record: Mapping[str, Any]) -> dict[str, Any]:
    options = {name: value for name, value in record["options"].items() if name not in _FREE}
    return {**record, "options": options}
