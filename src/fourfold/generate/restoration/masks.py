"""Which pixels of an image are to be drawn anew: what is not 0 in its mask.

Masks come from the ``mask`` column of the images' table, or as a set of their own whose files are called as the images
are. Where images are resampled so are masks, and a pixel that is touched by the region belongs to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

import numpy as np
import torch
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.images.scaling import extent

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
    """The masks in the order of the images, by their names without ending, with folders or without.

    Raises
    ------
    InputError
        Where an image has no mask of its name.
    """
    missing = ""
    for key in (_whole_name, _last_name):
        places = {key(path): row for row, path in enumerate(masks.paths)}
        wanted = [key(path) for path in images.paths]
        lost = [path for path, name in zip(images.paths, wanted, strict=True) if name not in places]
        if not lost and len(set(wanted)) == len(wanted):
            return masks.take([places[name] for name in wanted])
        missing = lost[0] if lost else images.paths[0]
    raise InputError(
        f"{missing}: there is no mask of this name alone; call masks as their images, or name them in a column mask of "
        "the images' table"
    )


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
    stored = images.raw(row).shape[1:]
    if inside.shape != stored:
        raise InputError(
            f"{masks.entries[row].path}: the mask is {extent(inside.shape)} and its image "
            f"{images.entries[row].path} is {extent(stored)}; give a mask of the size of its image"
        )
    pool: Callable[..., torch.Tensor] = (
        functional.adaptive_max_pool2d if len(shape) == 2 else functional.adaptive_max_pool3d
    )
    return pool(torch.from_numpy(inside).float()[None], shape)[0].numpy() > 0


def _whole_name(path: str) -> str:
    return _without_ending(path)


def _last_name(path: str) -> str:
    # Rows of array files are told apart by their number alone.
    return path[path.rindex("[") :] if path.endswith("]") and "[" in path else _without_ending(PurePath(path).name)


def _without_ending(path: str) -> str:
    file, mark, frame = path.partition("#")
    name = PurePath(file)
    while name.suffix in (".gz", ".nii", ".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".dcm", ".npy"):
        name = name.with_suffix("")
    return f"{name}{mark}{frame}"
