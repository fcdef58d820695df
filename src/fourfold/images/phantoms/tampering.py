"""How a copy can be disguised: the transforms of planted copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fourfold.errors import InputError

__all__ = ["TRANSFORMS", "Tampering", "tampered"]

TRANSFORMS = ("exact", "noise", "brightness", "flip", "shift", "rotate", "blend")


@dataclass(frozen=True)
class Tampering:
    """How strong each disguise is.

    Parameters
    ----------
    noise : float
        Standard deviation of white noise, in units of the range [0, 1].
    gain : float
        Brightness: contrast is multiplied by a factor drawn from 1 - gain to 1 + gain.
    offset : float
        Brightness: a number drawn from -offset to offset is added.
    shift : float
        Largest displacement along each axis as a share of its side.
    degrees : float
        Largest rotation, in the plane of the last two axes.
    alpha : (float, float)
        Blend: smallest and largest weight of the source; the rest is another image.
    """

    noise: float = 0.03
    gain: float = 0.15
    offset: float = 0.05
    shift: float = 0.04
    degrees: float = 5.0
    alpha: tuple[float, float] = (0.6, 0.8)


def tampered(
    image: np.ndarray,
    transform: str,
    rng: np.random.Generator,
    *,
    other: np.ndarray | None = None,
    strength: Tampering | None = None,
) -> np.ndarray:
    """One image disguised.

    Parameters
    ----------
    image : array, shape (C, H, W) or (C, D, H, W)
        Values in [0, 1].
    transform : str
        One of `TRANSFORMS`, or several joined by ``"+"``, applied in that order.
    rng : numpy.random.Generator
    other : array of the same shape or None
        What ``"blend"`` blends with.
    strength : Tampering or None

    Returns
    -------
    array, same shape and dtype
        Values in [0, 1].

    Raises
    ------
    InputError
        Where a transform is unknown, or there is nothing to blend with.
    """
    dose = strength or Tampering()
    value = image.astype(np.float32)
    for step in transform.split("+"):
        value = _step(value, step, rng, other, dose)
    return np.clip(value, 0, 1).astype(image.dtype)


def _step(
    value: np.ndarray, step: str, rng: np.random.Generator, other: np.ndarray | None, dose: Tampering
) -> np.ndarray:
    match step:
        case "exact":
            return value
        case "noise":
            return value + np.float32(dose.noise) * rng.standard_normal(value.shape, dtype=np.float32)
        case "brightness":
            factor = rng.uniform(1 - dose.gain, 1 + dose.gain)
            return np.float32(factor) * value + np.float32(rng.uniform(-dose.offset, dose.offset))
        case "flip":
            return value[..., ::-1]
        case "shift":
            sides = [rng.uniform(-dose.shift, dose.shift) * side for side in value.shape[1:]]
            return ndimage.shift(value, (0, *sides), order=1, mode="nearest")
        case "rotate":
            angle = rng.uniform(-dose.degrees, dose.degrees)
            return ndimage.rotate(value, angle, axes=(-1, -2), reshape=False, order=1, mode="nearest")
        case "blend":
            if other is None:
                raise InputError("a blended copy needs another image to blend with")
            weight = np.float32(rng.uniform(*dose.alpha))
            return weight * value + (1 - weight) * other.astype(np.float32)
    raise InputError(f"there is no transform {step!r}; choose from {', '.join(TRANSFORMS)}")
