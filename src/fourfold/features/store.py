"""Features on disk, stored once per image content, extractor and preparation.

A space (one extractor fingerprint under one preparation) is a folder of shards. A shard is an ``.npy`` file of
records (SHA-256 of the image's digest, features), written under a temporary name and moved into place, so that a
reader never meets half a shard and two runs can write side by side. Its name ends in the CRC-32 of its bytes: a
damaged shard is found when it is read, removed, noted and computed anew.

What is stored are features of possibly real patients: folders are created for their owner only (mode 0700).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import time
import uuid
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.images.sets import Preparation

__all__ = ["FeatureSpace", "FeatureStore", "default_folder"]

SHARD_ROWS = 256
_LAYOUT = 1
_STALE_SECONDS = 24 * 3600
_LOG = logging.getLogger("fourfold")


def default_folder() -> Path:
    """``$FOURFOLD_STORE``, else ``fourfold`` in the user's cache folder."""
    chosen = os.environ.get("FOURFOLD_STORE")
    if chosen:
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "fourfold"


class FeatureStore:
    """All spaces in one folder.

    Parameters
    ----------
    folder : str, Path or None
        None for `default_folder`.

    Attributes
    ----------
    notes : list of str
        What a user should hear about, a sentence each: shards that were damaged and are computed anew.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = default_folder() if folder is None else Path(folder).expanduser()
        self.notes: list[str] = []

    def space(self, extractor: FeatureExtractor, preparation: Preparation | None) -> FeatureSpace:
        """The stored features of one extractor under one preparation; creates its folder.

        Raises
        ------
        InputError
            Where the folder cannot be created or read.
        """
        name, text = space_record(extractor, preparation)
        folder = self.folder / "features" / name
        make_private(self.folder)
        make_private(folder)
        if not (folder / "space.json").exists():
            write_atomically(folder / "space.json", lambda stream: stream.write(text.encode()))
        return FeatureSpace(folder, self.notes)


def space_record(extractor: FeatureExtractor, preparation: Preparation | None) -> tuple[str, str]:
    """The folder of a space in a store, and the JSON text that says what is in it."""
    record = {
        "layout": _LAYOUT,
        "extractor": {"name": extractor.name, "version": extractor.version, "settings": extractor.settings()},
        "fingerprint": extractor.fingerprint,
        "preparation": None if preparation is None else preparation.describe(),
    }
    text = json.dumps(record, sort_keys=True, indent=1)
    return hashlib.sha256(text.encode()).hexdigest()[:32], text


class FeatureSpace:
    """Features of one extractor under one preparation, by image digest.

    Parameters
    ----------
    folder : Path
    notes : list of str
        Receives what a user should hear about.
    """

    def __init__(self, folder: Path, notes: list[str]) -> None:
        self.folder = folder
        self._notes = notes
        self._shards: dict[Path, np.ndarray] = {}
        self._places: dict[bytes, tuple[Path, int]] = {}
        try:
            self._remove_stale()
            for path in sorted(folder.glob("*.npy")):
                self._open(path)
        except OSError as error:
            raise unusable(folder, "read", error) from error

    def __len__(self) -> int:
        return len(self._places)

    def writer(self) -> None:
        """None: whether the machine of a worker sees this folder is not known, so that this process writes."""
        return None

    def read(self, digests: Sequence[str]) -> tuple[np.ndarray | None, np.ndarray]:
        """What is stored of the images asked for.

        Parameters
        ----------
        digests : sequence of str, length N
            As `ImageSet.digests` gives them.

        Returns
        -------
        features : array, shape (N, d), or None
            float32; zero where nothing is stored. None where nothing is stored at all.
        stored : array of bool, shape (N,)
        """
        places = [self._places.get(_key(digest)) for digest in digests]
        rows: dict[Path, list[int]] = {}
        for row, place in enumerate(places):
            if place is not None:
                rows.setdefault(place[0], []).append(row)
        features: np.ndarray | None = None
        stored = np.zeros(len(digests), dtype=bool)
        for path, chosen in rows.items():
            shard = self._shards[path]
            if not _intact(path):
                self._drop(path)
                continue
            if features is None:
                features = np.zeros((len(digests), shard["features"].shape[1]), dtype=np.float32)
            features[chosen] = shard["features"][[places[row][1] for row in chosen]]
            stored[chosen] = True
        return features, stored

    def append(self, digests: Sequence[str], features: np.ndarray) -> None:
        """Store the features of further images as one shard.

        Parameters
        ----------
        digests : sequence of str, length N
        features : array, shape (N, d)
            Stored as float32.

        Raises
        ------
        InputError
            Where the shard cannot be written: the disk is full, or there is no permission.
        """
        kind = np.dtype([("digest", "u1", (32,)), ("features", "<f4", (features.shape[1],))])
        records = np.zeros(len(digests), dtype=kind)
        records["digest"] = np.frombuffer(b"".join(map(_key, digests)), dtype="u1").reshape(-1, 32)
        records["features"] = features
        path = write_atomically(
            self.folder,
            lambda stream: np.lib.format.write_array(stream, records, allow_pickle=False),
            name=lambda checksum: f"{uuid.uuid4().hex}-{checksum:08x}.npy",
        )
        self._open(path)

    def _open(self, path: Path) -> None:
        try:
            shard = np.load(path, mmap_mode="r", allow_pickle=False)
            keys = np.ascontiguousarray(shard["digest"]).tobytes()
            known = next(iter(self._shards.values()), shard)
            if shard["features"].ndim != 2 or shard.dtype != known.dtype:
                raise ValueError("not a shard of this space")
        except FileNotFoundError:
            # Another run found the shard damaged and removed it between the listing and here.
            return
        # numpy fails in several ways on a damaged header; all mean the same here.
        except Exception:
            self._drop(path)
            return
        self._shards[path] = shard
        for row in range(len(shard)):
            self._places[keys[32 * row : 32 * row + 32]] = (path, row)

    def _drop(self, path: Path) -> None:
        self._shards.pop(path, None)
        self._places = {key: place for key, place in self._places.items() if place[0] != path}
        with contextlib.suppress(OSError):
            path.unlink()
        note = f"the stored features in {path} were damaged; they are computed anew"
        self._notes.append(note)
        _LOG.warning(note)

    def _remove_stale(self) -> None:
        # Only a killed process leaves a temporary file; a day is longer than any shard takes to write.
        for path in self.folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()


def _key(digest: str) -> bytes:
    return hashlib.sha256(digest.encode()).digest()


def _intact(path: Path) -> bool:
    try:
        expected = int(path.stem.rpartition("-")[2], 16)
        return zlib.crc32(np.memmap(path, dtype=np.uint8, mode="r")) == expected
    except (OSError, ValueError):
        return False


def make_private(folder: Path) -> None:
    """Create a folder that its owner alone can enter, unless it exists; raises InputError."""
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(folder, "create", error) from error


def write_atomically(
    target: Path, write: Callable[[BinaryIO], object], name: Callable[[int], str] | None = None
) -> Path:
    """Write a file so that it is there whole or not at all.

    Parameters
    ----------
    target : Path
        The file, or its folder where `name` is given.
    write : callable
        Writes to a binary stream.
    name : callable or None
        File name from the CRC-32 of what was written.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    folder = target if name else target.parent
    part = folder / f".{uuid.uuid4().hex}.part"
    try:
        try:
            with part.open("xb") as stream:
                part.chmod(0o600)
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            if name:
                target = folder / name(zlib.crc32(part.read_bytes()))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unusable(folder, "write", error) from error
    return target


def unusable(folder: Path, action: str, error: OSError) -> InputError:
    """The sentence for a store that cannot be used."""
    remedy = "or name another folder in the environment variable FOURFOLD_STORE"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InputError(f"{folder}: the disk is full; free some space {remedy}")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError(f"{folder}: no permission to {action} the feature store; change its permissions {remedy}")
    return InputError(f"{folder}: cannot {action} the feature store ({error.strerror or error}); mend it {remedy}")
