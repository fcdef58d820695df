"""What several distortions draw: signs, directions, and smooth random fields."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["along", "direction", "field", "sign"]


def sign(rng: np.random.Generator) -> float:
    """1 or -1."""
    return 1.0 if rng.uniform() < 0.5 else -1.0


def direction(axes: int, rng: np.random.Generator) -> np.ndarray:
    """A vector of length 1, shape (axes,)."""
    drawn = rng.standard_normal(axes)
    return drawn / np.linalg.norm(drawn)


def field(shape: tuple[int, ...], width: float, rng: np.random.Generator) -> np.ndarray:
    """A random field of standard deviation 1, smooth over `width` pixels, without an edge."""
    drawn = ndimage.gaussian_filter(rng.standard_normal(shape), width, mode="wrap")
    return drawn / max(float(drawn.std()), 1e-12)


def along(values: np.ndarray, axis: int, axes: int) -> np.ndarray:
    """A row of values laid along one of several axes, of length 1 along the others."""
    return values.reshape([-1 if place == axis else 1 for place in range(axes)])
