"""The images, masks and metadata table of a package: numbered files that tell nothing but what they show."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fourfold.errors import InputError
from fourfold.images import open_set, write_image
from fourfold.images.digest import set_digest
from fourfold.images.sets import ImageSet
from fourfold.releasing.dicom import synthetic_dicom
from fourfold.releasing.package.contents import Contents, Form

__all__ = ["METADATA", "folder_digest", "name_of", "open_images", "slice_of", "write_pictures"]

METADATA = "metadata.csv"

_BATCH = 64
_DIGITS = 6


def write_pictures(folder: Path, contents: Contents) -> list[dict[str, str]]:
    """Write ``images/``, ``masks/`` and ``metadata.csv`` into a folder.

    A package holds exactly these bytes, so a set written here can be audited before there is a package: its digest is
    the one that ``audit.json`` must state.

    Parameters
    ----------
    folder : Path
        Created where it does not exist; must hold nothing of this.
    contents : Contents
        The documents and the record are not needed yet.

    Returns
    -------
    list of dict
        The rows of the table: ``path``, ``label``, ``label:NAME``, ``mask``. One an image; one a slice for volumes in
        DICOM.

    Raises
    ------
    InputError
        Where a mask does not fit its image or holds something else than whole numbers from 0 to 255.
    """
    (folder / "images").mkdir(parents=True)
    if contents.masked:
        (folder / "masks").mkdir()
    total, rows = len(contents.images), []
    for start, batch in contents.images.batches(_BATCH):
        for row, image in enumerate(batch, start=start):
            labels = _labels(contents, row)
            mask = _write_mask(folder, contents, row, image.shape[1:])
            for path in _write(folder, contents, row, total, image):
                rows.append({"path": path, **labels, **({"mask": mask} if contents.masked else {})})
    (folder / METADATA).write_bytes(_table(rows))
    return rows


def name_of(number: int, total: int) -> str:
    """What an image is called, without folder and ending: its number from 1, in a release of `total` images.

    Examples
    --------
    >>> name_of(7, 1000)
    '000007'
    """
    return f"{number:0{max(_DIGITS, len(str(total)))}d}"


def slice_of(place: int) -> str:
    """What a slice of a volume in DICOM is called, without ending: its number from 1."""
    return f"{place:04d}"


def open_images(folder: Path, form: Form) -> ImageSet:
    """The images of a package, as everybody reads them."""
    return open_set(folder, name="synthetic", volumes=form == "dicom")


def folder_digest(image_set: ImageSet) -> str:
    """The digest of the images of a package, as an audit states it."""
    patients = image_set.patients
    groups = None if patients is None else np.unique(patients, return_inverse=True)[1].reshape(-1)
    return set_digest(image_set, patients=groups)


def _write(folder: Path, contents: Contents, row: int, total: int, image: np.ndarray) -> Iterator[str]:
    """Write one image; gives the path of each of its files."""
    name = f"images/{name_of(row + 1, total)}"
    if contents.form != "dicom":
        yield write_image(image, folder, name, bits=contents.bits)
        return
    files = synthetic_dicom(image, row + 1, contents.secret, contents.day, bits=contents.bits)
    volume = image.ndim == 4
    if volume:
        (folder / name).mkdir()
    for place, content in enumerate(files, start=1):
        path = f"{name}/{slice_of(place)}.dcm" if volume else f"{name}.dcm"
        (folder / path).write_bytes(content)
        yield path


def _labels(contents: Contents, row: int) -> dict[str, str]:
    entry = contents.images.entries[row]
    classed = contents.images.labels is not None
    found = {"label": str(entry.label)} if classed else {}
    return {**found, **{f"label:{name}": f"{value:g}" for name, value in sorted(entry.labels.items())}}


def _write_mask(folder: Path, contents: Contents, row: int, shape: tuple[int, ...]) -> str:
    """Write the mask of an image; gives its path, empty where there is none."""
    mask = _mask(contents, row)
    if mask is None:
        return ""
    where = f"the mask of image {row + 1}"
    mask = mask[0] if mask.ndim == len(shape) + 1 and len(mask) == 1 else mask
    if mask.shape != shape:
        raise InputError(f"{where} has the shape {mask.shape} and the image {shape}; give masks of the images' shape")
    values = mask.astype(np.float64) * (255.0 if mask.dtype == bool else 1.0)
    whole = bool(np.isfinite(values).all() and (values == np.rint(values)).all())
    if not whole or values.min() < 0 or values.max() > 255:
        raise InputError(f"{where} holds something else than whole numbers from 0 to 255; number its regions")
    top = None if len(shape) == 2 else 255.0
    name = f"masks/{name_of(row + 1, len(contents.images))}"
    return write_image(values[None] / 255.0, folder, name, bits=8, high=top)


def _mask(contents: Contents, row: int) -> np.ndarray | None:
    if contents.masks is not None:
        given = contents.masks[row]
        return None if given is None else np.asarray(given)
    file = contents.images.entries[row].mask
    return None if file is None else open_set(file, name="masks").raw(0)


def _table(rows: list[dict[str, str]]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()
