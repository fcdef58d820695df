"""Checkpoints: one safetensors file, written whole or not at all, never unpickled.

Tensors are named ``module/...``, ``average/...`` and ``optimizer/PHASE/NUMBER/...``; everything else is JSON in the
file's metadata. An earlier checkpoint stays until the new one is on the disk.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourfold.errors import InputError

__all__ = ["optimizer_arrays", "read_checkpoint", "restore_optimizer", "write_checkpoint"]

FORMAT = "fourfold.checkpoint/1"


def write_checkpoint(path: Path, arrays: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a checkpoint in place of an earlier one.

    Parameters
    ----------
    path : Path
    arrays : mapping of str to tensor
    state : mapping
        As JSON can hold it.

    Raises
    ------
    InputError
        Where it cannot be written; the earlier one is then still there.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    part = path.with_name(f".{path.name}.part")
    # Tensors that share memory, such as a module's that is part of another, are refused by safetensors.
    copies = {name: array.detach().to("cpu", copy=True).contiguous() for name, array in arrays.items()}
    try:
        try:
            save_file(copies, part, metadata={"format": FORMAT, "state": json.dumps(state)})
            with part.open("rb") as stream:
                os.fsync(stream.fileno())
            part.replace(path)
            _sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        raise _unwritable(path, error) from error


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The arrays and the state of a checkpoint.

    Raises
    ------
    InputError
        Where the file is damaged, is no checkpoint, or one of another version.
    """
    from safetensors import SafetensorError, safe_open

    remedy = "remove it to train from the beginning, or restore it from a copy"
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: is cut short, damaged or no safetensors file; {remedy}") from error
    written = metadata.get("format", "")
    if not written.startswith("fourfold.checkpoint/"):
        raise InputError(f"{path}: is no checkpoint of a training of Fourfold; {remedy}")
    if written != FORMAT:
        raise InputError(
            f"{path}: was written in the format {written} and this version reads {FORMAT}; "
            "use the version that wrote it, or remove it to train from the beginning"
        )
    try:
        state = json.loads(metadata["state"])
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: its metadata are damaged; {remedy}") from error
    return arrays, state


def optimizer_arrays(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers, by ``NUMBER/NAME``; numbers become tensors of no axes.

    Rates and the like are not among it: they belong to the recipe, which may be run again with others.
    """
    return {
        f"{number}/{name}": value if isinstance(value, Tensor) else torch.tensor(value)
        for number, remembered in optimizer.state_dict()["state"].items()
        for name, value in remembered.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, arrays: Mapping[str, Tensor]) -> None:
    """Make an optimiser remember what these `optimizer_arrays` say."""
    remembered: dict[int, dict[str, Any]] = {}
    for key, value in arrays.items():
        number, _, name = key.partition("/")
        remembered.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": remembered, "param_groups": optimizer.state_dict()["param_groups"]})


def _sync_folder(folder: Path) -> None:
    # The new name is on the disk once the folder is; Windows cannot open folders and needs none of it.
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unwritable(path: Path, error: Exception) -> InputError:
    number = getattr(error, "errno", None)
    if number is None:
        # safetensors words the system's error and does not pass its number on.
        found = re.search(r"os error (\d+)", str(error))
        number = int(found[1]) if found else 0
    kept = "the earlier checkpoint is kept" if path.exists() else "there is no earlier one"
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return InputError(
            f"{path}: the disk is full and the checkpoint cannot be written ({kept}); "
            "free some space and give the same command again to go on"
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError(f"{path}: no permission to write the checkpoint ({kept}); change the folder's permissions")
    words = os.strerror(number) if number else str(error)
    return InputError(f"{path}: the checkpoint cannot be written ({words}; {kept}); mend it and go on")
