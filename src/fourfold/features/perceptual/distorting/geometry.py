"""Distortions that move what is seen: shift, rotation, zoom, shear, stretch, warp."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from fourfold.features.perceptual.distorting.fields import direction, field, sign

__all__ = ["rotation", "shear", "shift", "stretch", "warp", "zoom"]

# How smooth a warp is, as a share of the shorter side.
_WARP_WIDTH = 0.1


def _resampled(image: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Every channel read at ``matrix @ place + offset``."""
    return np.stack([ndimage.affine_transform(plane, matrix, offset, order=1, mode="nearest") for plane in image])


def _about_centre(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    centre = (np.array(image.shape[1:]) - 1) / 2
    return _resampled(image, matrix, centre - matrix @ centre)


def shift(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Moved in any direction, by a share of the side."""
    axes = image.ndim - 1
    return _resampled(image, np.eye(axes), strength * min(image.shape[1:]) * direction(axes, rng))


def rotation(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Turned, in degrees."""
    angle = sign(rng) * np.deg2rad(strength)
    matrix = np.eye(image.ndim - 1)
    # Volumes turn about their first axis, as patients do on the table.
    matrix[-2:, -2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return _about_centre(image, matrix)


def zoom(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Magnified or shrunk, by a share."""
    return _about_centre(image, np.eye(image.ndim - 1) * (1 + strength) ** sign(rng))


def shear(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """One axis slanted against another, by its tangent."""
    matrix = np.eye(image.ndim - 1)
    slanted, against = rng.permutation(image.ndim - 1)[:2]
    matrix[slanted, against] = sign(rng) * strength
    return _about_centre(image, matrix)


def stretch(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """One axis magnified or shrunk, by a share."""
    matrix = np.eye(image.ndim - 1)
    axis = int(rng.integers(image.ndim - 1))
    matrix[axis, axis] = (1 + strength) ** sign(rng)
    return _about_centre(image, matrix)


def warp(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Bent smoothly, by a root mean square displacement that is a share of the side."""
    shape = image.shape[1:]
    side = min(shape)
    reach = strength * side / np.sqrt(len(shape))
    places = np.meshgrid(*(np.arange(length) for length in shape), indexing="ij")
    read = [place + reach * field(shape, _WARP_WIDTH * side, rng) for place in places]
    return np.stack([ndimage.map_coordinates(plane, read, order=1, mode="nearest") for plane in image])
