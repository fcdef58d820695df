"""Records of where things come from: JSON that appears whole or not at all, digests, versions, seeds of images.

Nothing here ever holds a path or an identifier.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fourfold import __version__
from fourfold.errors import InputError

__all__ = [
    "difference",
    "digest_of",
    "now",
    "plain",
    "read_record",
    "seed_of",
    "versions",
    "write_atomically",
    "write_record",
]


def seed_of(seed: int, place: int) -> int:
    """The seed of image number `place` of a set: the same on every machine and in every version.

    The first 63 bits of SHA-256 of ``"SEED/PLACE"``.

    Examples
    --------
    >>> seed_of(0, 1)
    6096812863120040317
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{place}".encode()).digest()[:8], "big") >> 1


def versions() -> dict[str, str]:
    """What a bit-exact repetition needs to be the same."""
    return {
        "fourfold": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def now() -> str:
    """The time in UTC, as ISO 8601 writes it, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(value: Any) -> Any:
    """The same as JSON can hold it: arrays become lists, what is not finite None."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray | torch.Tensor):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a record holds numbers, words and lists of them, not {type(value).__name__}")


def digest_of(value: Any) -> str:
    """SHA-256 of a value as JSON, the same whatever the order of its names."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def difference(there: Any, here: Any, name: str = "") -> str:
    """In words, where two records differ.

    Examples
    --------
    >>> difference({"seed": 0, "options": {"steps": 10}}, {"seed": 0, "options": {"steps": 20}})
    'options.steps was 10 and is 20'
    """
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        names = sorted({*there, *here})
        found = [difference(there.get(one), here.get(one), f"{name}.{one}" if name else one) for one in names]
        return ", ".join(words for words in found if words)
    return "" if there == here else f"{name} was {_words(there)} and is {_words(here)}"


def _words(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:12]}..."


def write_record(file: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON; the file appears whole or not at all.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    text = json.dumps(plain(record), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    write_atomically(file, lambda partial: partial.write_text(text, encoding="utf-8"))


def read_record(file: Path, schema: str) -> dict[str, Any]:
    """Read a record that says it is of that schema.

    Raises
    ------
    InputError
        Where it is missing, is no such record, or is one of another version.
    """
    kind = schema.partition("/")[0]
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{file}: cannot be read ({problem}); correct the path") from error
    except ValueError as error:
        raise InputError(f"{file}: is cut short or damaged; restore it from a copy") from error
    said = found.get("schema") if isinstance(found, dict) else None
    if said == schema:
        return found
    if isinstance(said, str) and said.partition("/")[0] == kind:
        raise InputError(
            f"{file}: is a record of version {said!r}, and fourfold {__version__} reads {schema!r}; "
            "use the version of fourfold that wrote it"
        )
    raise InputError(f"{file}: is no {kind} record; point at what fourfold wrote")


def write_atomically(file: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name beside it and rename it.

    Parameters
    ----------
    file : Path
    write : callable
        Writes to the path it is given.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    partial = file.with_name(f".{file.name}.partial")
    try:
        try:
            write(partial)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{file}: cannot be written ({problem}); free space or choose another folder") from error
