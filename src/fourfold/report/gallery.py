"""The images behind a score, as small PNG data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fourfold.images.sets import ImageSet

__all__ = ["Gallery", "Pair", "Tile", "data_uri", "difference", "slice_of", "tiles"]

GREY_SIDE = 128
COLOUR_SIDE = 96


@dataclass(frozen=True)
class Tile:
    """One image: its data URI, what it is in words, and the lines under it."""

    uri: str
    alt: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """Some of the images of a set, and how many there are in all."""

    title: str
    note: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Pair:
    """A synthetic image, its nearest training image and their difference."""

    title: str
    tiles: tuple[Tile, Tile, Tile]
    facts: tuple[tuple[str, str], ...]
    suspicious: bool


def tiles(images: ImageSet, rows: Sequence[int], kind: str, lines: Sequence[Sequence[str]]) -> tuple[Tile, ...]:
    """The chosen images with the lines under each.

    Parameters
    ----------
    images : ImageSet
        Prepared.
    rows : sequence of int, length n
    kind : str
        What each image is, for readers who cannot see it.
    lines : sequence of sequences of str, length n
    """
    loaded = images.load(rows) if len(rows) else ()
    return tuple(
        Tile(uri=data_uri(slice_of(image)), alt=f"{kind} {images.entries[int(row)].path}", lines=tuple(below))
        for row, image, below in zip(rows, loaded, lines, strict=True)
    )


def slice_of(image: np.ndarray) -> np.ndarray:
    """An image as it can be shown: itself, or the central slice along the first spatial axis of a volume.

    Parameters
    ----------
    image : array, shape (C, H, W) or (C, D, H, W)

    Returns
    -------
    array, shape (C, H, W)
    """
    return image if image.ndim == 3 else image[:, image.shape[1] // 2]


def difference(synthetic: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Synthetic minus training around middle grey: equal pixels are 0.5.

    Parameters
    ----------
    synthetic, training : arrays, shape (C, H, W)
        float32 in [0, 1].

    Returns
    -------
    array, shape (1, H, W)
        Mean over channels.
    """
    return 0.5 + 0.5 * (synthetic - training).mean(axis=0, keepdims=True)


def data_uri(image: np.ndarray) -> str:
    """A PNG of at most 128 pixels a side (96 in colour), as a data URI.

    Parameters
    ----------
    image : array, shape (C, H, W), C = 1 or 3
        In [0, 1].
    """
    values = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    picture = Image.fromarray(values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0)))
    side = GREY_SIDE if len(values) == 1 else COLOUR_SIDE
    if max(picture.size) > side:
        scale = side / max(picture.size)
        size = tuple(max(1, round(length * scale)) for length in picture.size)
        picture = picture.resize(size, Image.Resampling.BOX if scale < 0.5 else Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
