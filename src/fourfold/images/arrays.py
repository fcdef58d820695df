"""Arrays as a source of images: npy, npz (MedMNIST among them), HDF5, Zarr, and arrays in memory.

Where the images lie is read from the shape, by one rule (N images, C = 1 or 3 channels):

====  ==============================================================================================
axes  meaning
====  ==============================================================================================
2     (H, W), one image
3     (N, H, W); an npy file, or an array called ``image``, with 1 or 3 first is (C, H, W), last (H, W, C)
4     (N, C, H, W) where the second axis is 1 or 3, else (N, H, W, C) where the last is, else (N, D, H, W)
5     (N, C, D, H, W) where the second axis is 1 or 3, else (N, D, H, W, C) where the last is
====  ==============================================================================================

Objects are never unpickled. An npy, HDF5 or Zarr file is read image by image; a compressed npz is read whole, once.
"""

from __future__ import annotations

import functools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.errors import InputError, MissingExtra, UnreadableImage
from fourfold.images.formats import Contents, Decoded, FileReading, check_size
from fourfold.images.sets import Entry

__all__ = ["ArrayDecoder", "ArrayReader", "choose_arrays", "layout"]

SINGLE = "image"
IMAGE_KEYS = ("images", SINGLE, "x", "data", "arr_0")
LABEL_KEYS = ("labels", "label", "y")
PATIENT_KEYS = ("patients", "patient", "patient_id")
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class ArrayDecoder:
    """Gives row ``entry.index`` of an array of shape (N, C, ...)."""

    images: np.ndarray

    def __call__(self, entry: Entry) -> np.ndarray:
        """Native values of one image, channels first."""
        return self.images[entry.index]


def layout(shape: tuple[int, ...], path: str, *, several: bool = False) -> str:
    """The axes of an array by the rule of this module, such as ``"NCHW"``.

    Parameters
    ----------
    shape : tuple of int
    path : str
        How messages call the array.
    several : bool
        Whether a 3-D array is (N, H, W) whatever its extents.

    Raises
    ------
    UnreadableImage
        Where the shape is none of an image's.
    """
    if len(shape) == 2:
        return "HW"
    if len(shape) == 3:
        if not several and shape[0] in (1, 3):
            return "CHW"
        return "HWC" if not several and shape[2] in (1, 3) else "NHW"
    if len(shape) == 4:
        return "NCHW" if shape[1] in (1, 3) else "NHWC" if shape[3] in (1, 3) else "NDHW"
    if len(shape) == 5 and (shape[1] in (1, 3) or shape[4] in (1, 3)):
        return "NCDHW" if shape[1] in (1, 3) else "NDHWC"
    problem = f"holds an array of shape {tuple(int(extent) for extent in shape)}, which is no image"
    raise UnreadableImage(path, problem, "store images as (N, H, W), (N, C, H, W) or (N, C, D, H, W)")


def channels_first(values: np.ndarray, axes: str) -> np.ndarray:
    """One image with the given axes (without N) as (C, H, W) or (C, D, H, W)."""
    if "C" not in axes:
        return values[None]
    return np.moveaxis(values, axes.index("C"), 0)


class ArrayReader:
    """Reads npy, npz, HDF5 and Zarr."""

    def contents(self, file: Path, path: str, reading: FileReading) -> Contents:
        """Number and shape of the images, and the labels and patients beside them."""
        with _Store(file, path) as store:
            keys = reading.arrays or _image_keys(store, path)
            arrays = [store[key] for key in keys]
            axes = [layout(store[key].shape, path, several=key != SINGLE) for key in keys]
            shapes = {_one(array.shape, order) for array, order in zip(arrays, axes, strict=True)}
            single = "N" not in axes[0]
            frames = None if single else sum(array.shape[0] for array in arrays)
            shape = next(iter(shapes)) if len(shapes) == 1 else None
            labels = None if single else _beside(store, keys, LABEL_KEYS, frames, path)
            patients = None if single else _beside(store, keys, PATIENT_KEYS, frames, path)
            return Contents(
                frames=frames,
                shape=None if shape is None else shape[1:],
                channels=None if shape is None else shape[0],
                labels=_texts(labels),
                patients=_texts(patients),
                targets=labels if labels is not None and labels.ndim == 2 else None,
            )

    def read(self, file: Path, index: int | None, path: str, reading: FileReading) -> Decoded:
        """One image as (C, H, W) or (C, D, H, W)."""
        with _Store(file, path) as store:
            keys = reading.arrays or _image_keys(store, path)
            row = index
            for key in keys:
                array = store[key]
                axes = layout(array.shape, path, several=key != SINGLE)
                check_size(path, *_one(array.shape, axes))
                if "N" not in axes:
                    return Decoded(_plain(channels_first(np.asarray(array[...]), axes), path))
                if row is None:
                    raise UnreadableImage(path, f"holds {array.shape[0]} images where one is expected", "open it alone")
                if row < array.shape[0]:
                    return Decoded(_plain(channels_first(np.asarray(array[row]), axes[1:]), path))
                row -= array.shape[0]
        raise UnreadableImage(path, f"has no image {index}")


def choose_arrays(file: Path, path: str, split: str | None) -> tuple[str, ...]:
    """The arrays of images of a split; none are named where no split is asked for, which takes all of them.

    Raises
    ------
    InputError
        Where there is no such split.
    """
    if split is None:
        return ()
    with _Store(file, path) as store:
        there = [name for name in _SPLITS if f"{name}_images" in store.keys]
        wanted = {"training": "train", "validation": "val", "testing": "test"}.get(split, split)
        if wanted not in there:
            known = f"the splits are {', '.join(there)}" if there else "it holds no splits"
            raise InputError(f"{path}: there is no split {split!r}; {known}")
        return (f"{wanted}_images",)


def _one(shape: tuple[int, ...], axes: str) -> tuple[int, ...]:
    """Shape of one image, channels first."""
    extents = dict(zip(axes, shape, strict=True))
    return (int(extents.get("C", 1)), *(int(extents[axis]) for axis in "DHW" if axis in extents))


def _plain(values: np.ndarray, path: str) -> np.ndarray:
    kind = values.dtype.kind
    if kind not in "buif":
        raise UnreadableImage(path, f"holds values of type {values.dtype}, not real numbers", "store its magnitude")
    if kind == "b":
        return values.astype(np.uint8)
    if values.dtype.itemsize == 2 and kind == "f":
        values = values.astype(np.float32)
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def _image_keys(store: _Store, path: str) -> tuple[str, ...]:
    splits = tuple(f"{name}_images" for name in _SPLITS if f"{name}_images" in store.keys)
    if splits:
        return splits
    for key in IMAGE_KEYS:
        if key in store.keys:
            return (key,)
    if len(store.keys) == 1:
        return (next(iter(store.keys)),)
    there = ", ".join(sorted(store.keys)[:8]) or "nothing"
    raise UnreadableImage(path, f"has no array named {', '.join(IMAGE_KEYS)} (it holds {there})", "rename the array")


def _beside(store: _Store, keys: tuple[str, ...], names: tuple[str, ...], frames: int, path: str) -> np.ndarray | None:
    """What lies beside the images, one row an image; None where there is nothing."""
    parts = []
    for key in keys:
        prefix = key.removesuffix("images") if key.endswith("_images") else ""
        found = [f"{prefix}{name}" for name in names if f"{prefix}{name}" in store.keys]
        if not found:
            return None
        parts.append(np.asarray(store[found[0]][...]))
    values = np.concatenate(parts)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or len(values) != frames:
        problem = f"holds {frames} images but {names[0]} of shape {values.shape}"
        raise UnreadableImage(path, problem, "store one of them an image")
    return values


def _texts(values: np.ndarray | None) -> tuple[str, ...] | None:
    """Labels or patients as text; None for several targets an image."""
    if values is None or values.ndim == 2:
        return None
    return tuple(item.decode() if isinstance(item, bytes) else str(item) for item in values.tolist())


class _Store:
    """The arrays of a file by name, read as they are sliced."""

    def __init__(self, file: Path, path: str) -> None:
        self.path = path
        self._close = None
        try:
            self._open(file)
        except (UnreadableImage, MissingExtra):
            raise
        except Exception as error:  # numpy, h5py and zarr have no common exception
            raise UnreadableImage(path, f"is cut short or damaged ({error})") from error

    def _open(self, file: Path) -> None:
        if file.is_dir():
            self._open_zarr(file)
            return
        with file.open("rb") as stream:
            head = stream.read(8)
        if head.startswith(b"\x93NUMPY"):
            self._arrays = {SINGLE: _mapped(file, self.path)}
        elif head.startswith(b"PK"):
            stat = file.stat()
            self._arrays = _members(file, self.path, stat.st_mtime_ns, stat.st_size)
        else:
            self._open_hdf5(file)

    def _open_hdf5(self, file: Path) -> None:
        try:
            import h5py
        except ImportError as error:
            raise MissingExtra("h5py", "hdf5", f"reading {self.path}") from error
        opened = h5py.File(file, "r")
        self._close = opened.close
        self._arrays = {name: item for name, item in opened.items() if hasattr(item, "shape")}

    def _open_zarr(self, folder: Path) -> None:
        try:
            import zarr
        except ImportError as error:
            raise MissingExtra("zarr", "zarr", f"reading {self.path}") from error
        opened = zarr.open(str(folder), mode="r")
        self._arrays = {SINGLE: opened} if hasattr(opened, "shape") else dict(opened.arrays())

    @property
    def keys(self) -> set[str]:
        return set(self._arrays)

    def __getitem__(self, key: str) -> Any:
        return self._arrays[key]

    def __enter__(self) -> _Store:
        return self

    def __exit__(self, *_: object) -> None:
        if self._close is not None:
            self._close()


_OBJECTS = ("holds pickled Python objects, which are never loaded", "store a plain array of numbers")


def _mapped(file: Path, path: str) -> np.ndarray:
    with file.open("rb") as stream:
        _, dtype = _header(stream)
    if dtype.hasobject:
        raise UnreadableImage(path, *_OBJECTS)
    return np.load(file, mmap_mode="r", allow_pickle=False)


def _header(stream: Any) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, dtype


@functools.lru_cache(maxsize=4)
def _members(file: Path, path: str, changed: int, size: int) -> dict[str, _Member]:
    with zipfile.ZipFile(file) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    return {name: _Member(file, name, path.split("#")[0]) for name in names}


class _Member:
    """An array of an npz: its header is read at once, its values when asked for."""

    def __init__(self, file: Path, name: str, path: str) -> None:
        self._file, self._name, self._path = file, name, path
        with zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as stream:
            self.shape, self.dtype = _header(stream)

    def __getitem__(self, rows: Any) -> np.ndarray:
        if self.dtype.hasobject:
            raise UnreadableImage(self._path, *_OBJECTS)
        check_size(self._path, *self.shape)
        stat = self._file.stat()
        return _whole(self._file, self._name, stat.st_mtime_ns, stat.st_size)[rows]


@functools.lru_cache(maxsize=1)
def _whole(file: Path, name: str, changed: int, size: int) -> np.ndarray:
    with np.load(file, allow_pickle=False) as archive:
        return archive[name]
