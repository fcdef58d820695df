"""Distortions of grey values by value or place: contrast, intensity, gamma, bias, clouds, window, grey levels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from fourfold.features.perceptual.distorting.fields import along, direction, field, sign

__all__ = ["bias", "clouds", "contrast", "gamma", "intensity", "levels", "local_contrast", "window"]

# What is local, as a share of the shorter side.
_NEIGHBOURHOOD = 0.1


def contrast(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Stretched or squeezed about the mean, by a share."""
    middle = image.mean()
    return middle + (1 + strength) ** sign(rng) * (image - middle)


def intensity(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Brighter or darker, in units of the range."""
    return image + sign(rng) * strength


def gamma(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Mid-grey moved, black and white kept."""
    return np.clip(image, 0, 1) ** ((1 + strength) ** sign(rng))


def bias(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Brighter on one side than on the other, by a share."""
    sides = image.shape[1:]
    ramp = sum(
        share * along(np.linspace(-1, 1, side), axis, len(sides))
        for axis, (share, side) in enumerate(zip(direction(len(sides), rng), sides, strict=True))
    )
    return image * (1 + strength * ramp)


def clouds(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth bright and dark patches, in units of the range."""
    return image + strength * field(image.shape[1:], _NEIGHBOURHOOD * min(image.shape[1:]), rng)


def window(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """The darkest and brightest share of the range cut off, the rest stretched."""
    low, high = float(image.min()), float(image.max())
    below = rng.uniform()
    start, end = low + below * strength * (high - low), high - (1 - below) * strength * (high - low)
    return (image - start) / max(end - start, 1e-6)


def levels(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Few grey levels, so far apart, in units of the range."""
    offset = rng.uniform() * strength
    return np.round((image - offset) / strength) * strength + offset


def local_contrast(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Departures from the neighbourhood stretched or squeezed, by a share."""
    width = _NEIGHBOURHOOD * min(image.shape[1:])
    around = ndimage.gaussian_filter(image, (0, *(width,) * (image.ndim - 1)), mode="nearest")
    return around + (1 + strength) ** sign(rng) * (image - around)
