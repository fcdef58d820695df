"""DICOM through pydicom and pylibjpeg: stored pixels, then modality, then display window, as the standard orders them.

What an image of a DICOM file is here: the stored values, through the modality rescale or table (PS3.3 C.11.1), through
the first display window or VOI table where the whole set has them (PS3.3 C.11.2; then on the scale 0..255 of a
display), with MONOCHROME1 inverted, and palette and YBR colours as RGB. Overlays are not burnt in. Frames of a
multi-frame file are images of their own.

No identifier leaves this module: a patient is the first 12 hexadecimal digits of the SHA-256 of the identifier.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fourfold.errors import UnreadableImage
from fourfold.images.formats import Contents, Decoded, FileReading, check_size

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["DISPLAY", "DicomReader", "pseudonym", "stored_pixels"]

DISPLAY = (0.0, 255.0)
"""The scale of values after a display window, so that they stand beside 8-bit pictures."""

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


class DicomReader:
    """Reads DICOM files, with or without preamble and meta header."""

    def contents(self, file: Path, path: str, reading: FileReading) -> Contents:
        """Frames, size, series and position from the header; the pixels are not read."""
        with _quietly():
            header = _header(file, path)
            if "Rows" not in header or "Columns" not in header:
                raise _without_pixels(header, path)
            frames = int(header.get("NumberOfFrames") or 1)
            rows, columns = int(header.Rows), int(header.Columns)
            colour = (
                header.get("PhotometricInterpretation") == "PALETTE COLOR" or int(header.get("SamplesPerPixel", 1)) == 3
            )
            return Contents(
                frames=frames if frames > 1 else None,
                shape=(rows, columns),
                channels=3 if colour else 1,
                patient=pseudonym(header.get("PatientID")),
                series=_digest(header.get("SeriesInstanceUID")),
                position=_position(header),
                windowed=colour or _window(header, 0) is not None,
                facts={"modality": str(header.get("Modality") or "unknown")},
            )

    def read(self, file: Path, index: int | None, path: str, reading: FileReading) -> Decoded:
        """One frame as (1, H, W) or (3, H, W)."""
        with _quietly():
            dataset = _dataset(file, path)
            frame = index or 0
            stored = _pixels(dataset, path, frame)
            try:
                return _displayed(dataset, stored, frame, reading.window)
            except Exception as error:  # pydicom raises whatever a wrong element makes it stumble over
                problem = f"has a modality, palette or window element that cannot be applied ({error})"
                raise UnreadableImage(path, problem, "mend its header or remove the file") from error


def stored_pixels(file: Path | str, frame: int | None = None) -> np.ndarray:
    """The pixels as the file stores them, decompressed, before any rescale, window, inversion or palette; YBR as RGB.

    Parameters
    ----------
    file : path
    frame : int or None
        None for all frames.

    Returns
    -------
    array, shape (H, W), (H, W, 3), (F, H, W) or (F, H, W, 3)
        In little-endian byte order whatever that of the file, so that equal pixels have equal bytes.

    Raises
    ------
    UnreadableImage
        Where the file has no pixels or they cannot be decoded.
    """
    file = Path(file)
    with _quietly():
        values = _pixels(_dataset(file, file.name), file.name, frame)
    return values.astype(values.dtype.newbyteorder("<"), copy=False)


def pseudonym(identifier: Any) -> str | None:
    """A name for a patient that is not the identifier: 12 hexadecimal digits of its SHA-256. None where it is empty.

    It keeps patients apart and recognises the same one in another set. It does not protect against someone who
    can guess identifiers.
    """
    text = "" if identifier is None else str(identifier).strip()
    return None if not text else "p-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def _digest(identifier: Any) -> str | None:
    return None if not identifier else hashlib.sha256(str(identifier).encode()).hexdigest()[:12]


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep pydicom's warnings away: they quote header values."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _header(file: Path, path: str) -> Dataset:
    return _read(file, path, stop_before_pixels=True)


def _dataset(file: Path, path: str) -> Dataset:
    """The data set of a file; the last one is kept, since frames are asked for one after the other."""
    stat = file.stat()
    return _kept(file, path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=1)
def _kept(file: Path, path: str, changed: int, size: int) -> Dataset:
    return _read(file, path)


def _read(file: Path, path: str, **options: Any) -> Dataset:
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        dataset = pydicom.dcmread(file, force=True, **options)
        if "TransferSyntaxUID" not in dataset.file_meta:
            implicit, little = dataset.original_encoding
            explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    except Exception as error:  # a damaged file may raise anything
        raise UnreadableImage(path, "is a damaged DICOM file whose header cannot be read") from error
    if not len(dataset):
        raise UnreadableImage(path, "is a damaged DICOM file without any element")
    return dataset


def _without_pixels(dataset: Dataset, path: str) -> UnreadableImage:
    kind = str(dataset.get("Modality") or "unknown kind")
    return UnreadableImage(path, f"is a DICOM object without pixels ({kind})", "remove it from the set")


def _pixels(dataset: Dataset, path: str, frame: int | None) -> np.ndarray:
    from pydicom.pixels import pixel_array

    if not any(keyword in dataset for keyword in _PIXELS):
        raise _without_pixels(dataset, path)
    samples, frames = int(dataset.get("SamplesPerPixel", 1)), int(dataset.get("NumberOfFrames") or 1)
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    check_size(path, frames if frame is None else 1, rows, columns, samples)
    if frame is not None and frame >= frames:
        raise UnreadableImage(path, f"has no frame {frame}")
    _check_length(dataset, path)
    try:
        return pixel_array(dataset, index=frame)
    except Exception as error:  # decoders raise whatever a damaged stream makes them stumble over
        syntax = dataset.file_meta.TransferSyntaxUID.name
        problem = f"holds pixels that cannot be decoded ({syntax})"
        raise UnreadableImage(path, problem, "export it again, uncompressed where possible") from error


def _check_length(dataset: Dataset, path: str) -> None:
    """Say "cut short" in bytes where the pixels are uncompressed."""
    if dataset.file_meta.TransferSyntaxUID.is_compressed or "PixelData" not in dataset:
        return
    values = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel", 1))
    values *= int(dataset.get("NumberOfFrames") or 1)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        values = values // 3 * 2
    expected = (values * int(dataset.BitsAllocated) + 7) // 8
    found = len(dataset.PixelData)
    if found < expected:
        problem = f"is cut short: it holds {found} bytes of pixels where {expected} are expected"
        raise UnreadableImage(path, problem)


def _displayed(dataset: Dataset, stored: np.ndarray, frame: int, window: bool) -> Decoded:
    from pydicom.pixels import apply_color_lut, apply_modality_lut

    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    if photometric == "PALETTE COLOR":
        colours = apply_color_lut(stored, dataset)
        bits = int(dataset.RedPaletteColorLookupTableDescriptor[2])
        stored = (colours >> 8).astype(np.uint8) if bits == 16 else colours
    if stored.ndim == 3:
        return Decoded(np.ascontiguousarray(stored.transpose(2, 0, 1)))
    rules = _frame_rules(dataset, frame)
    values = apply_modality_lut(stored, rules)
    inverted = photometric == "MONOCHROME1"
    if window and _window(rules, 0) is not None:
        shown = _windowed(values, rules)
        return Decoded((np.float32(1) - shown if inverted else shown)[None] * np.float32(DISPLAY[1]), DISPLAY)
    if inverted:
        ends = apply_modality_lut(_stored_ends(dataset, stored), rules)
        values = float(ends.min()) + float(ends.max()) - values.astype(np.float64)
    eight_bit = values.dtype == np.uint8
    return Decoded(values[None] if eight_bit else values[None].astype(np.float32))


def _stored_ends(dataset: Dataset, stored: np.ndarray) -> np.ndarray:
    """Smallest and largest value that the file could store, in the type of its pixels."""
    bits = int(dataset.get("BitsStored") or 16)
    if stored.dtype.kind == "f":
        return np.array([stored.min(), stored.max()])
    signed = int(dataset.get("PixelRepresentation", 0)) == 1
    ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return np.array(ends).astype(stored.dtype)


def _frame_rules(dataset: Dataset, frame: int) -> Dataset:
    """The elements that rule a frame's values, lifted from the functional groups of an enhanced object (C.7.6.16)."""
    from pydicom import Dataset

    groups = []
    shared = dataset.get("SharedFunctionalGroupsSequence")
    single = dataset.get("PerFrameFunctionalGroupsSequence")
    if shared:
        groups.append(shared[0])
    if single and frame < len(single):
        groups.append(single[frame])
    if not groups:
        return dataset
    rules = Dataset()
    rules.update({element.tag: element for element in dataset if element.tag.group == 0x0028})
    for group in groups:
        for sequence in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in group.get(sequence) or ():
                rules.update(item)
    return rules


def _window(dataset: Dataset, which: int) -> tuple[float, float] | str | None:
    """The display window (centre, width), ``"table"`` for a VOI table, None where there is neither."""
    table = dataset.get("VOILUTSequence")
    if table:
        return "table"
    centre, width = (_number(dataset.get(keyword), which) for keyword in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or width <= 0:
        for group in (dataset.get("SharedFunctionalGroupsSequence"), dataset.get("PerFrameFunctionalGroupsSequence")):
            if group and group[0].get("FrameVOILUTSequence"):
                return _window(group[0].FrameVOILUTSequence[0], which)
        return None
    return centre, width


def _number(value: Any, which: int) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return float(value)
    return float(value[which]) if len(value) > which else None


def _windowed(values: np.ndarray, rules: Dataset) -> np.ndarray:
    """Values through the first VOI table or window, as float32 in [0, 1] (PS3.3 C.11.2.1)."""
    from pydicom.pixels import apply_voi

    window = _window(rules, 0)
    if window == "table":
        bits = int(rules.VOILUTSequence[0].LUTDescriptor[2])
        table = apply_voi(np.rint(values).astype(np.int32), rules)
        return np.clip(table / float((1 << bits) - 1), 0.0, 1.0).astype(np.float32)
    centre, width = window
    kind = str(rules.get("VOILUTFunction") or "LINEAR").upper()
    values = values.astype(np.float64)
    if kind == "SIGMOID":
        return (1.0 / (1.0 + np.exp(-4.0 * (values - centre) / width))).astype(np.float32)
    if kind == "LINEAR_EXACT" or width <= 1:
        return np.clip((values - centre) / width + 0.5, 0.0, 1.0).astype(np.float32)
    return np.clip((values - (centre - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0).astype(np.float32)


def _position(header: Dataset) -> tuple[float, ...]:
    """Where a slice lies along the normal of its plane; its number where the position is missing."""
    number = _number(header.get("InstanceNumber"), 0) or 0.0
    place, axes = header.get("ImagePositionPatient"), header.get("ImageOrientationPatient")
    if place is None or axes is None or len(place) != 3 or len(axes) != 6:
        return (0.0, number)
    normal = np.cross(np.array(axes[:3], dtype=float), np.array(axes[3:], dtype=float))
    return (float(normal @ np.array(place, dtype=float)), number)
