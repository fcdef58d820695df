"""Random numbers that nobody can guess, and that a resumed training can draw again.

The proof of differential privacy takes the noise, and the choice of patients, for random to whoever attacks. A seed
that an attacker knows, or can try out, voids it: torch's generator on a processor keeps 32 bits of its seed, which is
tried out in minutes, and what its Mersenne Twister will draw can be told from what it drew. Numbers are therefore
stretched from 256 bits of the operating system with SHAKE-256 (FIPS 202), as a function of what they are for and of
where they stand, so that nothing but the key must be kept.

The key lies in one file of the training's folder while the training runs, and is deleted at its end.

References
----------
N. Holohan, S. Braghin, ESORICS 2021: Gaussian noise in floating-point numbers gives away which sums it may have been
added to, unless it is itself a sum of several draws. I. Mironov, CCS 2012: the same for Laplace noise.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError

__all__ = ["SECRET_FILE", "Secret", "keep_secret"]

SECRET_FILE = "secret.json"
"""Its name in the folder of a training."""

FORMAT = "fourfold.secret/1"
KEY_BYTES = 32
SUMMED_DRAWS = 4
"""2 n draws a number with n = 2, Holohan & Braghin section 5.1."""

_UNIFORM_BITS = 52


class Secret:
    """Numbers by purpose and place.

    Parameters
    ----------
    key : bytes
        32 of them; from `secrets` unless it is read back.

    Raises
    ------
    ValueError
        Where the key has another length.

    Examples
    --------
    >>> one, same, other = Secret(bytes(32)), Secret(bytes(32)), Secret(bytes(31) + b"x")
    >>> one.number("rows", 3) == same.number("rows", 3), one.number("rows", 3) == other.number("rows", 3)
    (True, False)
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, got {len(key)}")
        self._key = key

    def __repr__(self) -> str:
        return "Secret(...)"

    @classmethod
    def new(cls) -> Secret:
        """One that did not exist before."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def hex(self) -> str:
        """The key, for its file alone."""
        return self._key.hex()

    def number(self, purpose: str, *places: int) -> int:
        """A seed of 63 bits for others' generators."""
        return int(self._words(1, purpose, *places)[0] >> np.uint64(1))

    def uniform(self, count: int, purpose: str, *places: int) -> np.ndarray:
        """Uniform numbers in (0, 1), float64, shape (count,)."""
        words = self._words(count, purpose, *places) >> np.uint64(64 - _UNIFORM_BITS)
        return (words.astype(np.float64) + 0.5) / 2**_UNIFORM_BITS

    def normal(self, count: int, purpose: str, *places: int) -> Tensor:
        """Standard normal numbers, float64, shape (count,), each the scaled sum of `SUMMED_DRAWS` draws."""
        uniform = torch.from_numpy(self.uniform(SUMMED_DRAWS * count, purpose, *places))
        return torch.special.ndtri(uniform).reshape(SUMMED_DRAWS, count).sum(dim=0) / SUMMED_DRAWS**0.5

    def _words(self, count: int, purpose: str, *places: int) -> np.ndarray:
        label = json.dumps([purpose, *places]).encode()
        stream = hashlib.shake_256(self._key + label).digest(8 * count)
        return np.frombuffer(stream, dtype="<u8")


def keep_secret(folder: Path, settings: Mapping[str, Any]) -> Secret:
    """The secret of the training in a folder: the one that is kept there, or a new one that is kept from now on.

    Parameters
    ----------
    folder : Path
    settings : mapping
        What the guarantee depends on, as JSON can hold it; a training goes on under the settings it was begun with.

    Raises
    ------
    InputError
        Where the file is damaged, cannot be written, or belongs to a training with other settings.
    """
    path = folder / SECRET_FILE
    if not path.exists():
        secret = Secret.new()
        _write(path, {"format": FORMAT, "key": secret.hex(), "settings": dict(settings)})
        return secret
    remedy = "remove the folder to train from the beginning"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["format"] != FORMAT:
            raise ValueError(kept["format"])
        secret, begun = Secret(bytes.fromhex(kept["key"])), kept["settings"]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: cannot be read, so this private training cannot go on; {remedy}") from error
    for name, value in settings.items():
        if begun.get(name) != value:
            raise InputError(
                f"{path}: this private training was begun with {name} = {begun.get(name)} and is now asked to go on "
                f"with {value}, which its guarantee does not allow; give {name} as before, or {remedy}"
            )
    return secret


def _write(path: Path, content: Mapping[str, Any]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        # Readable for its owner alone from the first byte on.
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({os.strerror(error.errno or 0)}); mend it and go on") from error
