"""Features in an object store or any other filesystem that has a URL, for workers on many machines.

The layout is that of the local store (`fourfold.features.store`): a folder for each extractor and preparation, a
shard for each part of a set. A shard is a Parquet file of two columns (``digest``: SHA-256 of the image's digest,
``features``), so that digests are read without the features, and with checksums of its pages, so that a damaged one
is found when it is read. S3, Google Cloud Storage, HDFS and folders are opened by pyarrow, everything else that
fsspec knows by fsspec.

What is stored are features of possibly real patients: who may read the place is up to whoever names it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow
from pyarrow import fs, parquet

from fourfold.errors import InputError, MissingExtra
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.store import space_record
from fourfold.images.sets import Preparation

__all__ = ["RemoteSpace", "RemoteStore"]

_LOG = logging.getLogger("fourfold")
# Object stores answer slowly and many at once.
_REQUESTS = 16
# Where a file appears whole when it is closed, or not at all.
_WHOLE = ("s3", "gcs", "abfs")


class RemoteStore:
    """All spaces at one URL.

    Parameters
    ----------
    url : str
        For example ``"s3://bucket/folder"`` or ``"file:///mnt/shared/features"``.

    Attributes
    ----------
    notes : list of str
        What a user should hear about, a sentence each: shards that were damaged and are computed anew.

    Raises
    ------
    InputError
        Where nothing can open such a URL.
    MissingExtra
        Where fsspec is needed and not installed.
    """

    def __init__(self, url: str) -> None:
        self._filesystem, self._root = _opened(url)
        self._shown = _without_secrets(url)
        self.notes: list[str] = []

    def space(self, extractor: FeatureExtractor, preparation: Preparation | None) -> RemoteSpace:
        """The stored features of one extractor under one preparation; creates its folder.

        Raises
        ------
        InputError
            Where the place cannot be read or written.
        """
        name, text = space_record(extractor, preparation)
        shards = _Shards(self._filesystem, f"{self._root}/features/{name}", self._shown)
        shards.write("space.json", text.encode())
        return RemoteSpace(shards, self.notes)


@dataclass(frozen=True)
class _Shards:
    """The folder of a space, as it travels to the workers that write into it."""

    filesystem: fs.FileSystem
    folder: str
    shown: str

    def append(self, digests: Sequence[str], features: np.ndarray) -> None:
        """Store the features of further images as one shard; see `RemoteSpace.append`."""
        keys = pyarrow.array([_key(digest) for digest in digests], pyarrow.binary(32))
        flat = pyarrow.array(np.ascontiguousarray(features, dtype=np.float32).ravel())
        table = pyarrow.table(
            {"digest": keys, "features": pyarrow.FixedSizeListArray.from_arrays(flat, features.shape[1])}
        )
        written = pyarrow.BufferOutputStream()
        # Features do not compress, and floating-point dictionaries only cost time.
        parquet.write_table(table, written, compression="none", use_dictionary=False, write_page_checksum=True)
        self.write(f"{uuid.uuid4().hex}.parquet", written.getvalue())

    def write(self, name: str, content: bytes | pyarrow.Buffer) -> None:
        """Write a file that is there whole or not at all; raises InputError."""
        target = f"{self.folder}/{name}"
        part = target if self.filesystem.type_name in _WHOLE else f"{self.folder}/.{uuid.uuid4().hex}.part"
        try:
            self.filesystem.create_dir(self.folder, recursive=True)
            with self.filesystem.open_output_stream(part) as stream:
                stream.write(content)
            if part != target:
                self.filesystem.move(part, target)
        except (OSError, pyarrow.ArrowException) as error:
            if part != target:
                with contextlib.suppress(OSError, pyarrow.ArrowException):
                    self.filesystem.delete_file(part)
            raise _unusable(self.shown, "write", error) from error

    def names(self) -> list[str]:
        """Paths of the shards; raises InputError."""
        try:
            found = self.filesystem.get_file_info(fs.FileSelector(self.folder, allow_not_found=True))
        except (OSError, pyarrow.ArrowException) as error:
            raise _unusable(self.shown, "read", error) from error
        return sorted(info.path for info in found if info.path.endswith(".parquet"))

    def column(self, path: str, name: str) -> pyarrow.Array | None:
        """One column of a shard; None where it is damaged or gone."""
        try:
            table = parquet.read_table(
                path, filesystem=self.filesystem, columns=[name], page_checksum_verification=True, partitioning=None
            )
            return table[name].combine_chunks()
        except (OSError, KeyError, pyarrow.ArrowException):
            return None


class RemoteSpace:
    """Features of one extractor under one preparation, by image digest.

    Parameters
    ----------
    shards : _Shards
    notes : list of str
        Receives what a user should hear about.
    """

    def __init__(self, shards: _Shards, notes: list[str]) -> None:
        self._shards, self._notes = shards, notes
        self._places: dict[bytes, tuple[str, int]] = {}
        with ThreadPoolExecutor(_REQUESTS) as pool:
            paths = shards.names()
            for path, keys in zip(paths, pool.map(lambda path: shards.column(path, "digest"), paths), strict=True):
                if keys is None:
                    self._drop(path)
                    continue
                self._places.update({key: (path, row) for row, key in enumerate(keys.to_pylist())})

    def __len__(self) -> int:
        return len(self._places)

    def writer(self) -> _Shards:
        """What workers append with: every machine can reach the place."""
        return self._shards

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
            Where the shard cannot be written.
        """
        self._shards.append(digests, features)

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
        rows: dict[str, list[tuple[int, int]]] = {}
        for row, digest in enumerate(digests):
            place = self._places.get(_key(digest))
            if place is not None:
                rows.setdefault(place[0], []).append((row, place[1]))
        features: np.ndarray | None = None
        stored = np.zeros(len(digests), dtype=bool)
        with ThreadPoolExecutor(_REQUESTS) as pool:
            columns = pool.map(lambda path: self._shards.column(path, "features"), rows)
            for (path, chosen), column in zip(rows.items(), columns, strict=True):
                if column is None:
                    self._drop(path)
                    continue
                values = column.flatten().to_numpy().reshape(len(column), -1)
                if features is None:
                    features = np.zeros((len(digests), values.shape[1]), dtype=np.float32)
                own, theirs = zip(*chosen, strict=True)
                features[list(own)] = values[list(theirs)]
                stored[list(own)] = True
        return features, stored

    def _drop(self, path: str) -> None:
        self._places = {key: place for key, place in self._places.items() if place[0] != path}
        with contextlib.suppress(OSError, pyarrow.ArrowException):
            self._shards.filesystem.delete_file(path)
        shard = path.rpartition("/")[2]
        note = f"the stored features {shard} in {self._shards.shown} were damaged; they are computed anew"
        self._notes.append(note)
        _LOG.warning(note)


def _key(digest: str) -> bytes:
    return hashlib.sha256(digest.encode()).digest()


def _opened(url: str) -> tuple[Any, str]:
    try:
        filesystem, root = fs.FileSystem.from_uri(url)
    except (pyarrow.ArrowException, ValueError, OSError):
        filesystem, root = _opened_by_fsspec(url)
    return filesystem, root.rstrip("/")


def _opened_by_fsspec(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtra("fsspec", "ray", f"a feature store at {_without_secrets(url)}") from error
    try:
        filesystem, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError, OSError) as error:
        raise _unusable(_without_secrets(url), "open", error) from error
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), root


def _without_secrets(url: str) -> str:
    """A URL as messages may show it: keys travel in front of the host or behind a question mark."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _unusable(shown: str, action: str, error: BaseException) -> InputError:
    return InputError(
        f"{shown}: cannot {action} the feature store ({type(error).__name__}); check the address, that this machine "
        "and the workers can reach it, and their keys"
    )
