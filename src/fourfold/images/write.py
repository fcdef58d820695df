"""Write images as files that every program reads, with a metadata table that `open_set` reads.

Pictures become grey or RGB PNG, volumes NIfTI. The folder appears whole or not at all: it is written under a temporary
name beside its place and renamed when complete.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fourfold.errors import InputError
from fourfold.images.sets import ImageSet

__all__ = ["write_images"]

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
                rows.append({"path": _write_one(image, partial, path, bits), **columns[place]})
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


def _write_one(image: np.ndarray, folder: Path, path: str, bits: int) -> str:
    values = np.clip(np.nan_to_num(np.asarray(image, dtype=np.float64)), 0.0, 1.0)
    if image.ndim == 4:
        return _write_volume(values, folder, path, bits)
    from PIL import Image

    deep = bits == 16 and values.shape[0] == 1
    levels = np.rint(values * (65535 if deep else 255)).astype(np.uint16 if deep else np.uint8)
    picture = levels[0] if levels.shape[0] == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0))
    Image.fromarray(picture).save(folder / f"{path}.png")
    return f"{path}.png"


def _write_volume(values: np.ndarray, folder: Path, path: str, bits: int) -> str:
    """(C, D, H, W) along S, P, L as NIfTI, the way `volumes` reads it back."""
    import nibabel as nib

    if values.shape[0] != 1:
        raise InputError("colour volumes cannot be written; give volumes with one channel")
    levels = np.rint(values[0] * (2**bits - 1)).astype(np.uint16 if bits == 16 else np.uint8)
    volume = nib.Nifti1Image(levels.transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0]))
    volume.header.set_slope_inter(1.0 / (2**bits - 1), 0.0)
    nib.save(volume, folder / f"{path}.nii.gz")
    return f"{path}.nii.gz"
