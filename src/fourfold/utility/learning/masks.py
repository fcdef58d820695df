"""Masks of an image set as numbers of regions: 0 the background, 1 to R the regions of a task.

A mask file holds one whole number a pixel. Where there is one region, whatever lies above 0 belongs to it: 1, 255 or
true. An image without a mask, in a set whose other images have one, holds nothing but background; that is how sets
with healthy patients are written down.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fourfold.errors import InputError
from fourfold.images.formats import Reading, reader_of
from fourfold.images.scaling import extent, is_grey
from fourfold.images.sets import Entry, ImageSet

__all__ = ["MOST_REGIONS", "region_values", "regions"]

MOST_REGIONS = 31
"""More values than these are no regions but the greys of a compressed or interpolated mask."""


def region_values(images: ImageSet) -> tuple[int, ...]:
    """The values above 0 that occur in the masks of a set, ascending.

    Raises
    ------
    InputError
        No masks, nothing but background, or more than `MOST_REGIONS` values.
    """
    _demand_masks(images)
    found: set[int] = set()
    for entry in images.entries:
        if entry.mask is not None:
            found |= set(np.unique(_read(images, entry)).tolist())
            if len(found - {0}) > MOST_REGIONS:
                raise InputError(
                    f"{entry.mask}: with it the masks hold more than {MOST_REGIONS} regions, as compressed (JPEG) or "
                    "interpolated masks do; store one whole number a region, as PNG or NIfTI"
                )
    if not found - {0}:
        raise InputError(f"the masks of the {images.name} set hold nothing but background; check them")
    return tuple(sorted(found - {0}))


def regions(images: ImageSet, values: tuple[int, ...]) -> np.ndarray:
    """Maps of the prepared size.

    Parameters
    ----------
    images : ImageSet
        Prepared, N images.
    values : tuple of int
        R values of a mask file, one a region.

    Returns
    -------
    array, shape (N, *spatial)
        uint8 from 0 to R; masks are resampled by the nearest neighbour.

    Raises
    ------
    InputError
        No masks; a mask that cannot be read, is of another size than its image, or holds a value that is no region.
    """
    _demand_masks(images)
    shape = images.shape[1:]
    maps = np.zeros((len(images), *shape), dtype=np.uint8)
    for row, entry in enumerate(images.entries):
        if entry.mask is None:
            continue
        given = _read(images, entry)
        own = images.raw(row).shape[1:]
        if given.shape != own:
            raise InputError(
                f"{entry.mask}: the mask is {extent(given.shape)} and its image {entry.path} is {extent(own)}; "
                "give a mask of the size of its image"
            )
        maps[row] = _nearest(_numbered(given, values, str(entry.mask)), shape)
    return maps


def _demand_masks(images: ImageSet) -> None:
    if all(entry.mask is None for entry in images.entries):
        raise InputError(
            f"no image of the {images.name} set has a mask, and segmentation is learned from masks; "
            "add a column mask with a file for each image to its metadata"
        )


def _numbered(given: np.ndarray, values: tuple[int, ...], path: str) -> np.ndarray:
    if len(values) == 1:
        return (given > 0).astype(np.uint8)
    known = np.array([0, *values])
    places = np.searchsorted(known, given).clip(max=len(known) - 1)
    strange = given[known[places] != given]
    if strange.size:
        raise InputError(
            f"{path}: holds the value {int(strange[0])}, which is no region of the task; "
            f"it knows: {', '.join(map(str, known))}"
        )
    return places.astype(np.uint8)


def _read(images: ImageSet, entry: Entry) -> np.ndarray:
    """Whole numbers of a mask file, shape (H, W) or (D, H, W), read as its image is."""
    file, path = Path(entry.mask or ""), str(entry.mask)
    reading = getattr(images.decode, "reading", Reading())
    reader = reader_of(file, path)
    several = reader.contents(file, path, reading).frames is not None
    if several and entry.index is None:
        raise InputError(f"{path}: holds several masks for one image; give each image its own file")
    values = reader.read(file, entry.index if several else None, path, reading).values
    if values.shape[0] == 3 and is_grey(values):
        values = values[:1]
    if values.shape[0] != 1:
        raise InputError(f"{path}: is a mask in colour; store one whole number a region, as grey PNG or NIfTI")
    dimensions = len(images.shape) - 1
    if values.ndim - 1 != dimensions:
        raise InputError(f"{path}: is a {values.ndim - 1}-D mask of a {dimensions}-D image; give a {dimensions}-D one")
    given = values[0].astype(np.float64)
    whole = np.rint(given)
    if not (np.isfinite(whole).all() and (whole == given).all() and whole.min() >= 0):
        raise InputError(f"{path}: holds values that are no region numbers; store whole numbers, 0 for the background")
    return whole.astype(np.int64)


def _nearest(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Resampled to `shape`: the value at the centre of each new pixel."""
    for axis, (new, old) in enumerate(zip(shape, mask.shape, strict=True)):
        if new != old:
            mask = np.take(mask, ((np.arange(new) + 0.5) * old / new).astype(np.intp), axis=axis)
    return mask
