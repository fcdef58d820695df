"""Distortions by what has nothing to do with the patient: noise of several grains, speckle, impulses, stripes."""

from __future__ import annotations

import numpy as np

from fourfold.features.perceptual.distorting.fields import along, field

__all__ = ["grain", "impulses", "noise", "speckle", "stripes"]

# How coarse a grain is, as a share of the shorter side.
_FINEST, _COARSEST = 0.01, 0.04


def noise(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """White noise, in units of the range."""
    return image + strength * rng.standard_normal(image.shape, dtype=np.float32)


def speckle(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """White noise that grows with the grey value, as a share of it."""
    return image * (1 + strength * rng.standard_normal(image.shape, dtype=np.float32))


def grain(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Noise that spans several pixels, in units of the range."""
    width = rng.uniform(_FINEST, _COARSEST) * min(image.shape[1:])
    return image + strength * np.stack([field(image.shape[1:], width, rng) for _ in image])


def impulses(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the pixels black or white."""
    hit = rng.uniform(size=image.shape) < strength
    return np.where(hit, rng.integers(0, 2, image.shape), image)


def stripes(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Rows, or columns, each brighter or darker, in units of the range."""
    axis = int(rng.integers(1, image.ndim))
    return image + strength * along(rng.standard_normal(image.shape[axis]), axis, image.ndim)
