"""Weights on disk: their SHA-256, and their arrays without running anything that the file holds."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fourfold.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["read_arrays", "read_described", "sha256_of", "weights_file"]


def weights_file(path: str | Path) -> Path:
    """The file at `path`; raises InputError where there is none or it cannot be read."""
    file = Path(path).expanduser()
    if file.is_dir():
        raise InputError(f"{path}: is a folder; give the file that holds the network")
    if not file.is_file():
        raise InputError(f"{path}: there is no such file; give the path of the network's weights")
    return file


def read_described(path: str | Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What a safetensors file says of itself, and its arrays.

    Raises
    ------
    InputError
        Where there is no such file, or it is damaged or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    file = weights_file(path)
    try:
        with safe_open(file, framework="pt") as opened:
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            return opened.metadata() or {}, arrays
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cannot be read as a safetensors file; it is damaged or of another kind") from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an ``.npz``, ``.safetensors`` or PyTorch state-dict file.

    Nothing in the file is executed: npz without pickles, PyTorch files with ``weights_only``.

    Raises
    ------
    InputError
        Where the file is damaged, is of another kind, or holds something else than arrays.
    """
    suffix = path.suffix.lower()
    readers = {".npz": _read_npz, ".safetensors": _read_safetensors}
    reader = readers.get(suffix, _read_state_dict)
    try:
        return reader(path)
    except InputError:
        raise
    # The three formats fail in about a dozen undocumented ways on damaged files.
    except Exception as error:
        kind = {".npz": "an npz archive", ".safetensors": "a safetensors file"}.get(suffix, "a PyTorch state dict")
        raise InputError(f"{path}: cannot be read as {kind}; it is damaged or of another kind") from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def _read_state_dict(path: Path) -> dict[str, np.ndarray]:
    import torch

    with warnings.catch_warnings():
        # Of how a damaged or old file is coded; what matters is whether arrays come out.
        warnings.simplefilter("ignore")
        found = torch.load(path, map_location="cpu", weights_only=True)
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise InputError(f"{path}: holds no state dict; export the network with torch.jit.trace(...).save(...)")
    return {str(name).removeprefix("module."): value.numpy(force=True) for name, value in found.items()}
