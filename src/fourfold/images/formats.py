"""What a file is, by its first bytes and never by its extension, and the small interface of its reader.

A reader is one module per family of formats (`pictures`, `dicom`, `volumes`, `arrays`). It answers two questions:
what a file holds (`Reader.contents`, from the header alone where the format allows it) and what one image of it
looks like (`Reader.read`). Everything above knows nothing about formats.
"""

from __future__ import annotations

import gzip
import importlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fourfold.errors import UnreadableImage

if TYPE_CHECKING:
    from fourfold.images.sets import Entry

__all__ = [
    "MAX_VALUES",
    "Contents",
    "Decoded",
    "FileDecoder",
    "FileReading",
    "Reader",
    "check_size",
    "companion",
    "is_plain_picture",
    "reader_of",
    "sniff",
]

MAX_VALUES = 1 << 28
"""Most values one image, volume or compressed array may hold (268 million; a CT of 512 x 512 x 1024).

Headers are checked against it before anything is decompressed, so that a small file cannot fill the memory.
Pictures keep to Pillow's own, lower limit (``PIL.Image.MAX_IMAGE_PIXELS``).
"""


@dataclass(frozen=True)
class FileReading:
    """How files of one set are read; the same for all of them.

    Parameters
    ----------
    window : bool
        Whether the display window of DICOM files is applied.
    slices : bool
        Whether volumes are cut into axial slices.
    arrays : tuple of str
        The arrays of an npz, HDF5 or Zarr file that hold the images, one after the other; empty for the usual names.
    """

    window: bool = True
    slices: bool = False
    arrays: tuple[str, ...] = ()

    @property
    def manner(self) -> str:
        """What sets this reading apart from the usual one; part of the digest of an image."""
        return "" if self == FileReading() else f"?window={self.window:d}&slices={self.slices:d}&arrays={self.arrays}"


@dataclass(frozen=True)
class Contents:
    """What the header of a file says.

    Parameters
    ----------
    frames : int or None
        None for a file that is one image; else the number of images in it, which are then numbered from 0.
    shape : tuple of int or None
        Spatial shape of one image, (H, W) or (D, H, W); None where the header alone does not tell.
    channels : int or None
    patient : str or None
        A pseudonym, never the identifier in the file.
    series : str or None
        What the slices of one volume share.
    position : tuple of float
        Where a slice lies in its series; sorts the slices.
    windowed : bool
        Whether a display window is stored.
    labels, patients : sequence of str or None
        One per image, where the file holds them.
    targets : array of shape (N, K) or None
        Several targets per image (multi-label), where the file holds them.
    facts : mapping of str to str
        Further facts for `fourfold check`: modality, orientation.
    """

    frames: int | None = None
    shape: tuple[int, ...] | None = None
    channels: int | None = None
    patient: str | None = None
    series: str | None = None
    position: tuple[float, ...] = ()
    windowed: bool = False
    labels: Sequence[str] | None = None
    patients: Sequence[str] | None = None
    targets: np.ndarray | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Decoded:
    """One image as its file gives it.

    Parameters
    ----------
    values : array, shape (C, H, W) or (C, D, H, W)
        Native values: modality rescale, palette and photometric inversion applied, no scaling to [0, 1].
    nominal : (float, float) or None
        The range the values live in by construction, such as (0, 255) after a display window; None where only the
        data tell.
    """

    values: np.ndarray
    nominal: tuple[float, float] | None = None


class Reader(Protocol):
    """What every family of formats offers; `path` is how messages call the file."""

    def contents(self, file: Path, path: str, reading: FileReading) -> Contents:
        """What the file holds; raises UnreadableImage."""

    def read(self, file: Path, index: int | None, path: str, reading: FileReading) -> Decoded:
        """One image of the file; raises UnreadableImage."""


_FAMILIES = {
    "picture": ("fourfold.images.pictures", "PictureReader"),
    "dicom": ("fourfold.images.dicom", "DicomReader"),
    "volume": ("fourfold.images.volumes", "VolumeReader"),
    "array": ("fourfold.images.arrays", "ArrayReader"),
}

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF87a", "picture"),
    (b"GIF89a", "picture"),
    (b"BM", "picture"),
    (b"II*\x00", "picture"),
    (b"MM\x00*", "picture"),
    (b"II+\x00", "picture"),
    (b"MM\x00+", "picture"),
    (b"\x00\x00\x00\x0cjP  ", "picture"),
    (b"\xff\x4f\xff\x51", "picture"),
    (b"\x93NUMPY", "array"),
    (b"PK\x03\x04", "array"),
    (b"CDF\x01", "volume"),
    (b"CDF\x02", "volume"),
    (b"\x00\x00\x00\x01\x00\x00", "volume"),
    (b"# === DATA DESCRIPTION FILE", "volume"),
    (b"NRRD000", "nrrd"),
    (b"ObjectType", "metaimage"),
    (b"NDims", "metaimage"),
)
_REFUSED = {
    "nrrd": ("is an NRRD file, a format that is not read", "convert it to NIfTI (.nii.gz), for example with 3D Slicer"),
    "metaimage": (
        "is a MetaImage file (.mha, .mhd), a format that is not read",
        "convert it to NIfTI (.nii.gz), for example with 3D Slicer",
    ),
}


def sniff(file: Path) -> str | None:
    """The family of a file: ``"picture"``, ``"dicom"``, ``"volume"``, ``"array"``, ``"nrrd"``, ``"metaimage"``.

    Returns None for what is none of these, and for an empty file. Raises OSError where the file cannot be opened.
    """
    with file.open("rb") as stream:
        head = stream.read(1024)
    if head.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(file, "rb") as stream:
                head = stream.read(1024)
        except (OSError, EOFError, zlib.error):
            return "volume"
        return "volume" if _family(head, file) in ("volume", None) else None
    return _family(head, file)


def _family(head: bytes, file: Path) -> str | None:
    if head[128:132] == b"DICM":  # first, since the preamble may hold the signature of a TIFF
        return "dicom"
    for magic, family in _MAGIC:
        if head.startswith(magic):
            return family
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "picture"
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return "volume" if file.suffix.lower() == ".mnc" else "array"
    if len(head) >= 348 and head[:4] in (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c"):
        return "volume"
    if head[4:7] in (b"n+2", b"ni2"):
        return "volume"
    suffix = file.suffix.lower()
    if suffix == ".head" and b"type" in head[:64]:
        return "volume"
    if companion(file) is not None:
        return "volume"
    return "dicom" if _bare_dicom(head) else None


def _bare_dicom(head: bytes) -> bool:
    """Whether the bytes begin like a DICOM data set without preamble: a low even group, then a VR or a length."""
    if len(head) < 16 or head[:2] not in (b"\x02\x00", b"\x08\x00", b"\x00\x08"):
        return False
    if head[0] == 0:
        return head[4:6].isalpha() and head[4:6].isupper()
    if head[3] != 0:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    return explicit or int.from_bytes(head[4:8], "little") <= 64


_COMPANIONS = {".img": (".hdr", ".HDR"), ".rec": (".PAR", ".par"), ".brik": (".HEAD", ".head")}


def companion(file: Path) -> Path | None:
    """The header that describes a data file of a pair (.img and .hdr, .rec and .par, .brik and .head)."""
    for suffix in _COMPANIONS.get(file.suffix.lower(), ()):
        header = file.with_suffix(suffix)
        if header.is_file():
            return header
    return None


def is_plain_picture(file: Path) -> bool:
    """Whether a file is a PNG, JPEG or BMP: one image, no patient in the header, so that opening it can wait."""
    try:
        with file.open("rb") as stream:
            head = stream.read(8)
    except OSError:
        return True
    return head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM"))


def reader_of(file: Path, path: str) -> Reader:
    """The reader for a file; raises UnreadableImage where there is none."""
    try:
        family = "array" if file.is_dir() else sniff(file)
        size = file.stat().st_size
    except FileNotFoundError as error:
        raise UnreadableImage(path, "does not exist", "correct the path or remove the entry") from error
    except OSError as error:
        problem = f"cannot be opened ({error.strerror or error})"
        raise UnreadableImage(path, problem, "check its permissions") from error
    if family in _REFUSED:
        raise UnreadableImage(path, *_REFUSED[family])
    if family is None:
        raise UnreadableImage(path, "is empty (0 bytes)" if size == 0 else "is not an image in a format that is read")
    module, name = _FAMILIES[family]
    return getattr(importlib.import_module(module), name)()


def check_size(path: str, *shape: int) -> None:
    """Refuse a header that announces more than `MAX_VALUES` values; raises UnreadableImage."""
    values = 1
    for extent in shape:
        values *= int(extent)
    if values > MAX_VALUES or values < 0:
        extents = " x ".join(str(int(extent)) for extent in shape)
        raise UnreadableImage(
            path, f"announces {extents} values, more than the limit of {MAX_VALUES}", "crop or downsample it"
        )


@dataclass(frozen=True)
class FileDecoder:
    """Gives the native values of an entry's file; picklable."""

    reading: FileReading = FileReading()

    def read(self, entry: Entry) -> Decoded:
        """One image with the range that its format promises."""
        if entry.files:
            parts = [reader_of(file, entry.path).read(file, None, str(file.name), self.reading) for file in entry.files]
            shapes = {part.values.shape for part in parts}
            if len(shapes) > 1:
                raise UnreadableImage(entry.path, f"is a series whose slices differ in shape: {sorted(shapes)}")
            check_size(entry.path, len(parts), *parts[0].values.shape)
            return Decoded(np.stack([part.values for part in parts], axis=1), parts[0].nominal)
        return reader_of(entry.file, entry.path).read(entry.file, entry.index, entry.path, self.reading)

    def contents(self, entry: Entry) -> Contents:
        """What the header of the entry's file says."""
        return reader_of(entry.file, entry.path).contents(entry.file, entry.path, self.reading)

    def __call__(self, entry: Entry) -> np.ndarray:
        """Native values of one image, channels first."""
        return self.read(entry).values
