"""The weights of a model folder: safetensors, told by their SHA-256 in the model's record, never unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.provenance import write_atomically

__all__ = ["MODEL", "WEIGHTS", "read_weights", "under", "write_weights"]

MODEL = "model.json"
WEIGHTS = "weights.safetensors"


def write_weights(folder: Path, arrays: Mapping[str, Tensor], schema: str) -> dict[str, Any]:
    """Write arrays; returns what the record says of them.

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    # Arrays that share memory cannot be stored, so each is a copy.
    stored = {name: value.detach().cpu().contiguous().clone() for name, value in arrays.items()}
    file = folder / WEIGHTS
    write_atomically(file, lambda partial: save_file(stored, partial, metadata={"schema": schema}))
    return {"file": WEIGHTS, "sha256": _digest(file), "bytes": file.stat().st_size}


def read_weights(folder: Path, expected: Mapping[str, Any]) -> dict[str, Tensor]:
    """The arrays of a model folder, once they are known to be its own.

    Parameters
    ----------
    folder : Path
    expected : mapping
        As `write_weights` returned it.

    Raises
    ------
    InputError
        Where the file is missing, cut short, of another model or no safetensors file.
    """
    # Whatever the record calls it, the file is looked for in this folder and nowhere else.
    file = folder / WEIGHTS
    if not file.is_file():
        raise InputError(f"{file}: does not exist; copy the whole folder of the model")
    size = file.stat().st_size
    if size < expected["bytes"]:
        raise InputError(f"{file}: is cut short ({size} of {expected['bytes']} bytes); copy it again")
    if _digest(file) != expected["sha256"]:
        raise InputError(f"{file}: holds other weights than {MODEL} says (SHA-256 differs); copy both files again")
    try:
        return load_file(file)
    except SafetensorError as error:
        raise InputError(f"{file}: is no safetensors file; copy it again") from error


def under(arrays: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The arrays whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
