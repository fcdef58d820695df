"""File size of the mean image: a crude sign of collapse.

The mean of a varied set is blurred and compresses well; the mean of a few prototypes keeps their edges and does not.
Fewer bytes were therefore read as more variety. It is weak evidence: the size does not change when images are drawn
towards their mean, falls when every image is blurred and as the set grows, and only collapse to few prototypes raises
it. The comparison with real images in equal number is what is left of it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from fourfold.errors import InputError

__all__ = ["mean_image_file_size"]


def mean_image_file_size(images: np.ndarray, *, labels: np.ndarray | None = None) -> int:
    """Bytes of the PNG file of the mean image.

    Parameters
    ----------
    images : array, shape (N, C, H, W) or (N, C, D, H, W)
        float in [0, 1], C = 1 or 3.
    labels : array, shape (N,), or None
        The mean of each class is truncated to 8 bits, then the mean of the class means again, so that classes weigh
        equally. None for one class.

    Returns
    -------
    int
        At least 1. Depends on the image size and on N. Volumes are written as their slices side by side.

    Raises
    ------
    InputError
        Where there is no image or the shape is another.

    References
    ----------
    Xing et al. 2023, "You don't have to be perfect to be amazing: unveil the utility of synthetic images".

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((50, 1, 32, 32))
    >>> mean_image_file_size(images) < mean_image_file_size(images[:1])
    True
    """
    images = np.asarray(images)
    if images.ndim not in (4, 5) or len(images) == 0:
        raise InputError(f"images must have the shape (N, C, H, W) or (N, C, D, H, W), got {images.shape}")
    classes = np.zeros(len(images), dtype=np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    means = [images[classes == one].mean(axis=0, dtype=np.float64) for one in range(classes.max() + 1)]
    return file_size(means)


def file_size(class_means: Sequence[np.ndarray]) -> int:
    """Bytes of the PNG of the mean of class means, each (C, H, W) or (C, D, H, W) in [0, 1]."""
    truncated = [np.clip(mean * 255.0, 0.0, 255.0).astype(np.uint8) for mean in class_means]
    mean = np.mean(truncated, axis=0, dtype=np.float64).astype(np.uint8)
    if mean.ndim == 4:
        mean = np.concatenate(list(mean.transpose(1, 0, 2, 3)), axis=-1)
    picture = Image.fromarray(mean[0] if len(mean) == 1 else np.ascontiguousarray(mean.transpose(1, 2, 0)))
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return stream.tell()
