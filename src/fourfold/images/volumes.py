"""Volumes through nibabel: NIfTI-1 and -2 (single files and pairs), Analyze, MGH/MGZ, MINC, AFNI, Philips PAR/REC.

A volume is given as (C, D, H, W) along the axes of DICOM: D from feet to head, H from front to back, W from the
patient's right to left, as its affine says; slope and intercept are applied. A fourth axis counts images (``#0``,
``#1``), RGB voxels are three channels, and ``slices`` gives axial slices instead. Whether a file is compressed is read
from its bytes, whatever it is called.
"""

from __future__ import annotations

import functools
import gzip
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.errors import MissingExtra, UnreadableImage
from fourfold.images.formats import Contents, Decoded, FileReading, check_size

__all__ = ["VolumeReader"]

_GZIP = b"\x1f\x8b"
_DAMAGED = "is cut short or damaged"


class VolumeReader:
    """Reads what nibabel reads."""

    def contents(self, file: Path, path: str, reading: FileReading) -> Contents:
        """Shape and orientation from the header."""
        with _opened(file, path) as image:
            shape, frames = _shape(image, path)
            oriented, codes = _oriented_shape(image, shape)
            channels = _channels(image)
        count = frames or 1
        if reading.slices:
            return Contents(frames=count * oriented[0], shape=oriented[1:], channels=channels)
        return Contents(
            frames=frames,
            shape=oriented,
            channels=channels,
            facts={"orientation": "".join(codes)},
        )

    def read(self, file: Path, index: int | None, path: str, reading: FileReading) -> Decoded:
        """One volume as (C, D, H, W), or one axial slice as (C, H, W)."""
        if not reading.slices:
            return Decoded(_volume(file, path, index or 0))
        stat = file.stat()
        with _opened(file, path) as image:
            depth = _oriented_shape(image, _shape(image, path)[0])[0][0]
        frame, place = divmod(index or 0, depth)
        return Decoded(_kept(file, path.split("#")[0], frame, stat.st_mtime_ns, stat.st_size)[:, place])


@functools.lru_cache(maxsize=1)
def _kept(file: Path, path: str, frame: int, changed: int, size: int) -> np.ndarray:
    """The last volume, since its slices are asked for one after the other."""
    return _volume(file, path, frame)


@contextmanager
def _opened(file: Path, path: str) -> Iterator[Any]:
    with ExitStack() as stack:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image = _by_bytes(file, stack)
        except ImportError as error:
            raise MissingExtra("h5py", "hdf5", f"reading {path}") from error
        except Exception as error:  # nibabel raises whatever a damaged header makes it stumble over
            raise UnreadableImage(path, f"{_DAMAGED}: its header cannot be read") from error
        yield image


def _by_bytes(file: Path, stack: ExitStack) -> Any:
    """Open by the first bytes, since nibabel goes by the extension; `stack` closes what stays open."""
    import nibabel as nib

    with file.open("rb") as stream:
        compressed = stream.read(2) == _GZIP
    opener = gzip.open if compressed else open
    with opener(file, "rb") as stream:
        head = stream.read(1024)
    if head[344:348] == b"n+1\0":
        return nib.Nifti1Image.from_stream(stack.enter_context(opener(file, "rb")))
    if head[4:8] == b"n+2\0":
        return nib.Nifti2Image.from_stream(stack.enter_context(opener(file, "rb")))
    if compressed and head[:4] == b"\x00\x00\x00\x01":
        return nib.MGHImage.from_stream(stack.enter_context(opener(file, "rb")))
    image = nib.load(file)
    held = getattr(image.dataobj, "file_like", None)
    if hasattr(held, "close"):  # PAR/REC keeps its data file open
        stack.callback(held.close)
    return image


def _shape(image: Any, path: str) -> tuple[tuple[int, ...], int | None]:
    """Spatial extents (X, Y, Z) as stored, and the number of volumes where there are several."""
    shape = tuple(int(extent) for extent in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    check_size(path, *shape[:3])
    if len(shape) < 2 or len(shape) > 4 or min(shape) < 1:
        extents = " x ".join(str(extent) for extent in image.shape)
        raise UnreadableImage(path, f"holds {extents} values, which is no volume", "store 3-D volumes, or 4-D series")
    if image.get_data_dtype().kind == "c":
        raise UnreadableImage(path, "holds complex values", "store the magnitude")
    spatial = (*shape, 1)[:3]
    return spatial, shape[3] if len(shape) == 4 else None


def _channels(image: Any) -> int:
    return 3 if image.get_data_dtype().names else 1


def _orientation(image: Any) -> np.ndarray:
    """Where the stored axes go to be L, P, S, the axes of DICOM."""
    import nibabel as nib

    there = nib.io_orientation(image.affine)
    if np.isnan(there).any():
        there = np.array([[0, 1], [1, 1], [2, 1]], dtype=float)
    return nib.orientations.ornt_transform(there, nib.orientations.axcodes2ornt(("L", "P", "S")))


def _oriented_shape(image: Any, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    import nibabel as nib

    extents = [0, 0, 0]
    for extent, (axis, _) in zip(shape, _orientation(image), strict=True):
        extents[int(axis)] = extent
    codes = tuple(code or "?" for code in nib.aff2axcodes(image.affine))
    return (extents[2], extents[1], extents[0]), codes


def _volume(file: Path, path: str, frame: int) -> np.ndarray:
    import nibabel as nib

    with _opened(file, path) as image:
        spatial, frames = _shape(image, path)
        orientation = _orientation(image)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values = np.array(image.dataobj[..., frame] if frames else image.dataobj)
        except Exception as error:  # a cut gzip, a short file and a bad scaling all raise differently
            raise UnreadableImage(path, f"{_DAMAGED}: its voxels cannot be read") from error
    if values.dtype.names:
        values = np.stack([values[name] for name in values.dtype.names[:3]], axis=-1)
    else:
        values = values.reshape(*spatial, 1).astype(np.float32)
    values = values.reshape(*spatial, values.shape[-1])
    values = nib.orientations.apply_orientation(values, orientation)
    return np.ascontiguousarray(values.transpose(3, 2, 1, 0))
