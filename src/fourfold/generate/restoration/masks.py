"""Which pixels of an image are to be drawn anew: what is not 0 in its mask.

Masks come from the ``mask`` column of the images' table, or as a set of their own whose files are called as the images
are. Where images are resampled so are masks, and a pixel that is touched by the region belongs to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.images.masks import refuse_other_size
from fourfold.images.names import called_alike

__all__ = ["mask_of", "masks_beside", "matched_masks"]


def masks_beside(images: ImageSet) -> ImageSet:
    """The masks that the table of the images names.

    Raises
    ------
    InputError
        Where an image has none.
    """
    entries = []
    for entry in images.entries:
        if entry.mask is None:
            raise InputError(
                f"{entry.path}: has no mask; add a column mask to the table, or give a set of masks with --masks"
            )
        entries.append(replace(entry, path=str(entry.mask), file=entry.mask, files=(), mask=None))
    return replace(images, name="masks", entries=tuple(entries), preparation=None)


def matched_masks(masks: ImageSet, images: ImageSet) -> ImageSet:
    """The masks in the order of the images, by their names, see `fourfold.images.names.called_alike`.

    Raises
    ------
    InputError
        Where an image has no mask of its name.
    """
    places, rows = called_alike(masks.paths, images.paths)
    if len(rows) < len(images):
        matched = set(rows)
        missing = next(path for row, path in enumerate(images.paths) if row not in matched)
        raise InputError(
            f"{missing}: there is no mask of this name alone; call masks as their images, or name them in a column "
            "mask of the images' table"
        )
    return masks.take(places)


def mask_of(masks: ImageSet, row: int, images: ImageSet) -> np.ndarray:
    """Where image `row` is to be drawn anew.

    Returns
    -------
    array of bool, shape (H, W) or (D, H, W)
        Of the prepared images.

    Raises
    ------
    InputError
        Where the mask has another size than its image.
    """
    inside = (masks.raw(row) != 0).any(axis=0)
    shape = images.shape[1:]
    if inside.shape == shape:
        return inside
    refuse_other_size(inside.shape, masks.entries[row].path, images.raw(row).shape[1:], images.entries[row].path)
    pool: Callable[..., torch.Tensor] = (
        functional.adaptive_max_pool2d if len(shape) == 2 else functional.adaptive_max_pool3d
    )
    return pool(torch.from_numpy(inside).float()[None], shape)[0].numpy() > 0
