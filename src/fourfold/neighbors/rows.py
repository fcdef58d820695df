"""Rows of a set where a worker can reach them: in a file that it maps itself, or in memory that its engine shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from mmap import mmap
from pathlib import Path

import numpy as np

from fourfold.engine import Engine, Shared
from fourfold.errors import InputError

__all__ = ["FileRows", "Given", "Rows", "SharedRows", "ranges", "reachable"]

Given = np.ndarray | str | Path


@dataclass(frozen=True)
class FileRows:
    """Rows of a file, one after the other.

    A part is mapped on its own and let go with it, so that a worker holds no more of the file than it works on.

    Parameters
    ----------
    path : str
        Absolute; every worker has to see the same file there.
    start : int
        Bytes before the first row.
    dtype : numpy.dtype
    shape : (int, int)
    """

    path: str
    start: int
    dtype: np.dtype
    shape: tuple[int, int]

    def part(self, first: int, last: int) -> np.ndarray:
        """Rows `first` to `last`, the latter excluded; raises InputError where the file does not hold them."""
        if first == last:
            return np.empty((0, self.shape[1]), dtype=self.dtype)
        start = self.start + first * self.shape[1] * self.dtype.itemsize
        try:
            found = np.memmap(self.path, self.dtype, "r", offset=start, shape=(last - first, self.shape[1]))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.path}: rows {first} to {last} cannot be read ({error}); every worker has to see the whole file"
            ) from error
        return np.asarray(found)


@dataclass(frozen=True)
class SharedRows:
    """Rows of an array that an engine has made known to its workers.

    Parameters
    ----------
    shared : Shared
    shape : (int, int)
    dtype : numpy.dtype
    """

    shared: Shared
    shape: tuple[int, int]
    dtype: np.dtype

    def part(self, first: int, last: int) -> np.ndarray:
        """Rows `first` to `last`, the latter excluded."""
        return self.shared.get()[first:last]


Rows = FileRows | SharedRows


def reachable(given: Given, engine: Engine, name: str = "rows") -> Rows:
    """A set as its workers will reach it.

    Parameters
    ----------
    given : array, shape (n, d), or path of a .npy file
        An array that is mapped from a file stays there, as does a slice of it; any other is shared by the engine.
    engine : Engine
    name : str
        What a message calls the set.

    Raises
    ------
    InputError
        Where the file cannot be read, or its array is no table of numbers stored row by row.
    """
    if isinstance(given, str | Path):
        mapped = _opened(Path(given))
        if mapped.ndim != 2 or not mapped.flags.c_contiguous:
            raise InputError(
                f"{given}: {name} must have shape (n, d) and be stored row by row, got shape {mapped.shape}; "
                "save numpy.ascontiguousarray of it"
            )
        return FileRows(str(Path(given).resolve()), mapped.offset, mapped.dtype, mapped.shape)
    array = np.asarray(given)
    if array.ndim != 2:
        raise InputError(f"{name} must have shape (n, d), got {array.shape}")
    return _in_file(array) or SharedRows(engine.share(array), array.shape, array.dtype)


def _opened(path: Path) -> np.memmap:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is no readable .npy file of numbers ({error}); write one with numpy.save") from error
    if not isinstance(found, np.memmap):
        raise InputError(f"{path}: is no single .npy array; write one with numpy.save")
    return found


def _in_file(array: np.ndarray) -> FileRows | None:
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    written = isinstance(root, np.memmap) and isinstance(root.base, mmap) and root.filename is not None
    # What was changed in a private copy of the pages is not in the file.
    if not written or root.mode == "c" or not array.flags.c_contiguous or not array.size:
        return None
    start = root.offset + array.ctypes.data - root.ctypes.data
    return FileRows(str(Path(root.filename).resolve()), start, array.dtype, array.shape)


def ranges(first: int, last: int, step: int) -> Iterator[tuple[int, int]]:
    """Neighbouring ranges of at most `step` rows, and as even as they can be."""
    count = -(-(last - first) // step)
    edges = [first + (last - first) * i // count for i in range(count + 1)] if count else []
    yield from pairwise(edges)
