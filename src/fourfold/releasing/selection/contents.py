"""Images by their pixels alone: an order that says nothing about where they come from, and exact duplicates."""

from __future__ import annotations

import hashlib

import numpy as np

from fourfold.comparison import Progress, no_progress
from fourfold.images.sets import ImageSet

__all__ = ["content_keys", "first_of_each"]

_BATCH = 256


def content_keys(images: ImageSet, seed: int, progress: Progress = no_progress) -> np.ndarray:
    """A key for each image, made of its pixels and a seed.

    Sorting by it is a random order that depends on the seed and the images, and not on the order in which they come.

    Parameters
    ----------
    images : ImageSet
        M images, prepared; read in batches.
    seed : int
    progress : callable
        Called with (task, images done, images in all).

    Returns
    -------
    array of bytes, shape (M,)
        Equal where the pixels are equal at 256 grey levels, which is what eyes and most files keep.
    """
    found = []
    start = hashlib.sha256(str(seed).encode())
    for first, batch in images.batches(_BATCH):
        grey = np.rint(np.clip(batch, 0.0, 1.0) * 255).astype(np.uint8)
        for image in grey:
            key = start.copy()
            key.update(image.tobytes())
            found.append(key.digest())
        progress(f"pixels of the {images.name} set", first + len(batch), len(images))
    # A fixed width of raw bytes would lose trailing zeros.
    return np.array([key.hex() for key in found], dtype="S64")


def first_of_each(keys: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Rows without exact duplicates, in the order of the keys.

    Parameters
    ----------
    keys : array of bytes, shape (M,)
    names : array of str, shape (M,)
        Of images with equal pixels the one whose name comes first is kept.

    Returns
    -------
    array of int, shape (rows,)
    """
    order = np.lexsort((names, keys))
    return order[np.unique(keys[order], return_index=True)[1]]
