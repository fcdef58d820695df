"""Masks of images: which region every pixel belongs to, one whole number a pixel, 0 the background.

A mask is read as its image is: sliced where the image is a slice, along the same axes. Where images are resampled,
masks are by the nearest neighbour, so that no value arises that was not there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fourfold.errors import InputError
from fourfold.images.formats import FileDecoder, FileReading, reader_of
from fourfold.images.scaling import extent, is_grey
from fourfold.images.sets import ImageSet

__all__ = [
    "MOST_REGIONS",
    "nearest",
    "read_mask",
    "refuse_other_size",
    "region_numbers",
    "region_values",
    "stored_mask",
]

MOST_REGIONS = 31
"""More values above 0 than these are no regions but the greys of a compressed or interpolated mask."""

_EXACT = 2**53
"""From here on float64 does not tell one whole number from the next."""


def read_mask(file: Path, dimensions: int, index: int | None = None, reading: FileReading | None = None) -> np.ndarray:
    """The values of a mask file.

    Parameters
    ----------
    file : Path
    dimensions : int
        2 or 3, as its image has.
    index : int or None
        Frame, slice or row of the image in its own file; says which mask it is where `file` holds several.
    reading : FileReading or None
        How the image is read; None for the usual way.

    Returns
    -------
    array, shape (H, W) or (D, H, W)
        int64, from 0 up.

    Raises
    ------
    InputError
        Where the file cannot be read, or holds several masks, colours, fractions or another number of dimensions.
    """
    path, reading = str(file), FileReading() if reading is None else reading
    reader = reader_of(file, path)
    several = reader.contents(file, path, reading).frames is not None
    if several and index is None:
        raise InputError(f"{path}: holds several masks for one image; give each image its own file")
    values = reader.read(file, index if several else None, path, reading).values
    if values.shape[0] == 3 and is_grey(values):
        values = values[:1]
    if values.shape[0] != 1:
        raise InputError(f"{path}: is a mask in colour; store one whole number a region, as grey PNG or NIfTI")
    if values.ndim - 1 != dimensions:
        raise InputError(f"{path}: is a {values.ndim - 1}-D mask of a {dimensions}-D image; give a {dimensions}-D one")
    given = values[0].astype(np.float64)
    whole = np.rint(given)
    if not (np.isfinite(whole).all() and (whole == given).all() and whole.min() >= 0 and whole.max() < _EXACT):
        raise InputError(f"{path}: holds values that are no region numbers; store whole numbers, 0 for the background")
    return whole.astype(np.int64)


def stored_mask(images: ImageSet, row: int) -> np.ndarray:
    """The values of the mask of an image that has one, of the size that the image is stored in.

    Returns
    -------
    array, shape (H, W) or (D, H, W)
        int64, from 0 up.

    Raises
    ------
    InputError
        As `read_mask`, and where the mask has another size than its image.
    """
    entry = images.entries[row]
    if entry.mask is None:
        raise ValueError(f"image {row} of the {images.name} set has no mask")
    own = _stored_size(images, row)
    values = read_mask(Path(entry.mask), len(own), entry.index, getattr(images.decode, "reading", None))
    refuse_other_size(values.shape, str(entry.mask), own, entry.path)
    return values


def refuse_other_size(mask: tuple[int, ...], mask_path: str, image: tuple[int, ...], image_path: str) -> None:
    """Raise InputError where a mask has another spatial shape than its image."""
    if mask != image:
        raise InputError(
            f"{mask_path}: the mask is {extent(mask)} and its image {image_path} is {extent(image)}; "
            "give a mask of the size of its image"
        )


def region_values(images: ImageSet) -> tuple[int, ...]:
    """The values above 0 that occur in the masks of a set, ascending; images without a mask add none.

    Raises
    ------
    InputError
        As `stored_mask`, and where there is nothing but background or more than `MOST_REGIONS` values.
    """
    found: set[int] = set()
    for row, entry in enumerate(images.entries):
        if entry.mask is None:
            continue
        found |= set(np.unique(stored_mask(images, row)).tolist()) - {0}
        if len(found) > MOST_REGIONS:
            raise InputError(
                f"{entry.mask}: with it the masks hold more than {MOST_REGIONS} regions, as compressed (JPEG) or "
                "interpolated masks do; store one whole number a region, as PNG or NIfTI"
            )
    if not found:
        raise InputError(f"the masks of the {images.name} set hold nothing but background; check them")
    return tuple(sorted(found))


def region_numbers(mask: np.ndarray, values: tuple[int, ...], path: str, of: str) -> np.ndarray:
    """The values of a mask as numbers of regions.

    Parameters
    ----------
    mask : array of int
    values : tuple of int
        R values above 0, ascending.
    path : str
        How messages call the mask.
    of : str
        Whose regions they are, ``"model"`` or ``"task"``, in messages.

    Returns
    -------
    array, shape of `mask`
        uint8: 0 the background, r + 1 where the value is ``values[r]``.

    Raises
    ------
    InputError
        Where it holds another value.
    """
    known = np.array([0, *values])
    places = np.searchsorted(known, mask).clip(max=len(known) - 1)
    strange = mask[known[places] != mask]
    if strange.size:
        raise InputError(
            f"{path}: holds the value {int(strange[0])}, which is no region of the {of}; "
            f"it knows: {', '.join(map(str, known))}"
        )
    return places.astype(np.uint8)


def nearest(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resampled to `shape`: the value at the centre of each new pixel."""
    for axis, (new, old) in enumerate(zip(shape, mask.shape, strict=True)):
        if new != old:
            mask = np.take(mask, ((np.arange(new) + 0.5) * old / new).astype(np.intp), axis=axis)
    return mask


def _stored_size(images: ImageSet, row: int) -> tuple[int, ...]:
    """Spatial shape of an image as stored; from its header where that tells."""
    entry = images.entries[row]
    shape = None
    if isinstance(images.decode, FileDecoder) and not entry.files:
        shape = images.decode.contents(entry).shape
    return images.raw(row).shape[1:] if shape is None else shape
