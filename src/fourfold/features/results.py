"""Finished results on disk, so that asking the same question again costs a read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.features.store import default_folder, make_private, unusable, write_atomically

__all__ = ["ResultStore"]

_LOG = logging.getLogger("fourfold")


class ResultStore:
    """JSON and arrays by key, one file each, written atomically and read without pickles.

    Parameters
    ----------
    folder : str, Path or None
        None for `default_folder`; results lie in its subfolder ``results``.

    Attributes
    ----------
    notes : list of str
        What a user should hear about: results that were damaged and are computed anew.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        root = default_folder() if folder is None else Path(folder).expanduser()
        self.root = root
        self.folder = root / "results"
        self.notes: list[str] = []

    def get(self, key: str) -> tuple[Any, dict[str, np.ndarray]] | None:
        """What was put under `key` (whatever decides the result: digests, fingerprints, options), or None."""
        path = self._path(key)
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
                found = {name: archive[name] for name in archive.files}
            record = json.loads(found.pop("record").tobytes())
            if record["key"] != key:
                raise ValueError("the file belongs to another key")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.folder, "read", error) from error
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            with contextlib.suppress(OSError):
                path.unlink()
            note = f"the stored result in {path} was damaged; it is computed anew"
            self.notes.append(note)
            _LOG.warning(note)
            return None
        return record["value"], {name.removeprefix("array/"): values for name, values in found.items()}

    def put(self, key: str, value: Any, arrays: Mapping[str, np.ndarray] | None = None) -> None:
        """Store a result.

        Parameters
        ----------
        key : str
        value : object
            As JSON can hold it; NaN and infinities are kept.
        arrays : mapping of str to array, or None
            Numbers, booleans or text; arrays of Python strings are stored as unicode.

        Raises
        ------
        TypeError
            Where an array holds other Python objects, which would need a pickle.
        InputError
            Where the file cannot be written.
        """
        record = np.frombuffer(json.dumps({"key": key, "value": value}).encode(), dtype=np.uint8)
        plain = {f"array/{name}": _without_objects(name, values) for name, values in (arrays or {}).items()}
        make_private(self.root)
        make_private(self.folder)
        write_atomically(self._path(key), lambda stream: np.savez(stream, record=record, **plain))

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"


def _without_objects(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind != "O":
        return values
    if all(isinstance(value, str) for value in values.flat):
        return values.astype(str)
    raise TypeError(f"the array {name!r} holds Python objects; only numbers, booleans and text can be stored")
