"""Masks of an image set as numbers of regions: 0 the background, 1 to R the regions of a task.

Where there is one region, whatever lies above 0 belongs to it: 1, 255 or true. An image without a mask, in a set whose
other images have one, holds nothing but background; that is how sets with healthy patients are written down.
"""

from __future__ import annotations

import numpy as np

from fourfold.errors import InputError
from fourfold.images.masks import nearest, region_numbers, region_values, stored_mask
from fourfold.images.sets import ImageSet

__all__ = ["regions", "values_of_regions"]


def values_of_regions(images: ImageSet) -> tuple[int, ...]:
    """The values above 0 that occur in the masks of a set, ascending.

    Raises
    ------
    InputError
        No masks, or masks that `fourfold.images.masks.region_values` refuses.
    """
    _demand_masks(images)
    return region_values(images)


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
        given = stored_mask(images, row)
        numbers = given > 0 if len(values) == 1 else region_numbers(given, values, str(entry.mask), "task")
        maps[row] = nearest(numbers, shape)
    return maps


def _demand_masks(images: ImageSet) -> None:
    if all(entry.mask is None for entry in images.entries):
        raise InputError(
            f"no image of the {images.name} set has a mask, and segmentation is learned from masks; "
            "add a column mask with a file for each image to its metadata"
        )
