"""Write images as files that every program reads, with a metadata table that `open_set` reads.

Pictures become grey or RGB PNG, volumes NIfTI; what PNG cannot hold becomes TIFF (grey fractions) or npy (deep colour).
A folder, like a file, appears whole or not at all: it is written under a temporary name beside its place and renamed
when complete.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from fourfold.errors import InputError
from fourfold.images.sets import ImageSet

__all__ = ["BITS", "write_image", "write_images"]

BITS = (8, 16, 32)
"""Depths of a written image: whole numbers of 8 or 16 bits, or 32-bit fractions."""

_BATCH = 64


def write_images(
    images: ImageSet | np.ndarray,
    folder: str | os.PathLike[str],
    labels: Sequence[str] | None = None,
    patients: Sequence[str] | None = None,
    *,
    bits: int = 8,
) -> Path:
    """Write images and ``metadata.csv`` (``path``, ``label``, ``label:NAME``, ``patient``) into a new folder.

    Parameters
    ----------
    images : ImageSet or array, shape (N, C, H, W) or (N, C, D, H, W), C = 1 or 3
        Values in [0, 1]; values beyond are clipped. A set that is not prepared is prepared by itself. Classes and
        patients are those of the set where none are given.
    folder : path
        Must not exist, or be empty.
    labels, patients : sequence of length N or None
    bits : {8, 16}
        Depth of grey pictures and of volumes; RGB pictures have 8.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        Where the folder holds something, cannot be written, or the labels or patients do not fit the images.
    """
    folder = Path(folder)
    if bits not in (8, 16):
        raise InputError(f"images are written with 8 or 16 bits, got {bits}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; choose a new folder")
    batches, count, columns = _source(images, labels, patients)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        (partial / "images").mkdir()
        rows = []
        for start, batch in batches:
            for place, image in enumerate(batch, start=start):
                path = f"images/{place:0{max(5, len(str(count)))}d}"
                depth = 8 if image.ndim == 3 and len(image) == 3 else bits
                rows.append({"path": write_image(image, partial, path, bits=depth), **columns[place]})
        with (partial / "metadata.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        partial.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(f"{folder}: cannot be written ({error.strerror or error}); free space or choose another folder")


def _source(
    images: ImageSet | np.ndarray, labels: Sequence[str] | None, patients: Sequence[str] | None
) -> tuple[Iterator[tuple[int, np.ndarray]], int, list[dict[str, object]]]:
    """Batches of images, their number, and the columns of each row of the table."""
    count = len(images)
    if not count:
        raise InputError("there is no image to write")
    for name, values in (("labels", labels), ("patients", patients)):
        if values is not None and len(values) != count:
            raise InputError(f"there are {len(values)} {name} for {count} images; give one an image")
    columns: list[dict[str, object]] = [{} for _ in range(count)]
    if isinstance(images, ImageSet):
        labels = images.labels if labels is None else labels
        patients = images.patients if patients is None else patients
        for row, entry in zip(columns, images.entries, strict=True):
            row.update({f"label:{name}": f"{value:g}" for name, value in entry.labels.items()})
        batches = _prepared(images).batches(_BATCH)
    else:
        array = np.asarray(images)
        if array.ndim not in (4, 5) or array.shape[1] not in (1, 3):
            raise InputError(f"images of shape {array.shape} cannot be written; give (N, C, H, W) with C = 1 or 3")
        batches = ((start, array[start : start + _BATCH]) for start in range(0, count, _BATCH))
    for name, values in (("label", labels), ("patient", patients)):
        if values is not None:
            for row, value in zip(columns, values, strict=True):
                row[name] = str(value)
    return batches, count, columns


def _prepared(image_set: ImageSet) -> ImageSet:
    from fourfold.images.prepare import prepare

    return image_set if image_set.preparation is not None else prepare({image_set.name: image_set})[image_set.name]


def write_image(
    image: np.ndarray,
    folder: str | os.PathLike[str],
    name: str,
    *,
    bits: int = 8,
    low: float | None = None,
    high: float | None = None,
) -> str:
    """Write one image; the file appears whole or not at all.

    ==========  =======  ==============================================================
    image       bits     file
    ==========  =======  ==============================================================
    grey        8, 16    PNG of whole numbers
    grey        32       TIFF of fractions
    RGB         8        PNG of whole numbers
    RGB         16, 32   npy, shape (3, H, W), of whole numbers or fractions
    volume      8, 16    NIfTI whose slope and intercept give the values from low to high
    volume      32       NIfTI of fractions
    ==========  =======  ==============================================================

    Parameters
    ----------
    image : array, shape (C, H, W), C = 1 or 3, or (1, D, H, W)
        Values in [0, 1]; values beyond are clipped, NaN becomes 0.
    folder : path
        Exists.
    name : str
        Of the file within the folder, without its ending.
    bits : {8, 16, 32}
    low, high : float or None
        Values that 0 and 1 stand for. None for all the whole numbers that a picture of these bits can hold, and for 0
        and 1 in volumes and fractions. Pictures of whole numbers round, so both should be whole and fit the bits.

    Returns
    -------
    str
        `name` with its ending.

    Raises
    ------
    InputError
        Where the image has a shape, or `bits` or the range a value, that cannot be written.
    """
    _check_writable(image, bits)
    values = np.clip(np.nan_to_num(np.asarray(image, dtype=np.float64)), 0.0, 1.0)
    whole = bits < 32 and values.ndim == 3
    low = 0.0 if low is None else float(low)
    high = (float(2**bits - 1) if whole else 1.0) if high is None else float(high)
    if not low < high or (whole and not 0 <= low < high <= 2**bits - 1):
        raise InputError(f"the range {low:g} to {high:g} cannot be written with {bits} bits; choose another depth")
    if values.ndim == 4:
        ending, write = ".nii.gz", _volume(values[0], bits, low, high)
    else:
        values = low + values * (high - low)
        stored = np.rint(values).astype(np.uint8 if bits == 8 else np.uint16) if whole else values.astype(np.float32)
        ending, write = _picture(stored)
    # The ending stays last, since libraries choose the format by it.
    partial = Path(folder) / f"{name}.partial{ending}"
    try:
        write(partial)
        partial.replace(Path(folder) / f"{name}{ending}")
    finally:
        partial.unlink(missing_ok=True)
    return f"{name}{ending}"


def _check_writable(image: np.ndarray, bits: int) -> None:
    if bits not in BITS:
        raise InputError(f"an image is written with 8, 16 or 32 bits, got {bits}")
    if image.ndim == 4 and image.shape[0] != 1:
        raise InputError("colour volumes cannot be written; give volumes with one channel")
    if image.ndim not in (3, 4) or image.shape[0] not in (1, 3):
        raise InputError(f"an image of shape {image.shape} cannot be written; give (C, H, W) or (1, D, H, W)")


def _picture(stored: np.ndarray) -> tuple[str, Callable[[Path], None]]:
    """Ending and writer of stored values of shape (C, H, W)."""
    from PIL import Image

    if stored.shape[0] == 3 and stored.dtype != np.uint8:
        return ".npy", lambda file: np.save(file, stored)
    levels = stored[0] if stored.shape[0] == 1 else np.ascontiguousarray(stored.transpose(1, 2, 0))
    ending = ".tiff" if stored.dtype == np.float32 else ".png"
    return ending, lambda file: Image.fromarray(levels).save(file)


def _volume(values: np.ndarray, bits: int, low: float, high: float) -> Callable[[Path], None]:
    """Writer of values of shape (D, H, W) along S, P, L as NIfTI, the way `volumes` reads it back."""
    import nibabel as nib

    if bits == 32:
        stored, slope, intercept = (low + values * (high - low)).astype(np.float32), 1.0, 0.0
    else:
        steps = 2**bits - 1
        stored = np.rint(values * steps).astype(np.uint8 if bits == 8 else np.uint16)
        slope, intercept = (high - low) / steps, low
    volume = nib.Nifti1Image(stored.transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0]))
    volume.header.set_slope_inter(slope, intercept)
    return lambda file: nib.save(volume, file)
