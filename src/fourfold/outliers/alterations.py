"""What can be wrong with an image, at a known dose: controls that a gate should find, and some that it may not.

Each takes an image of shape (C, H, W) or (C, D, H, W) in [0, 1] and gives another of the same shape and range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

__all__ = ["ALTERATIONS", "Alteration", "noise_level"]

_SMALLEST_NOISE = 1 / 255
_MEDIAN_OF_ABSOLUTE_NORMAL = 0.6745

Another = Callable[[], np.ndarray]
Alter = Callable[[np.ndarray, np.random.Generator, Another], np.ndarray]


@dataclass(frozen=True)
class Alteration:
    """One control.

    Parameters
    ----------
    name : str
    meaning : str
        What it stands for, a clause.
    alter : callable
        (image, random generator, what gives another real image) to the altered image.
    """

    name: str
    meaning: str
    alter: Alter


def noise_level(image: np.ndarray) -> float:
    """Standard deviation of the noise, from the differences of differences of neighbouring pixels.

    Parameters
    ----------
    image : array, shape (C, H, W) or (C, D, H, W)

    Returns
    -------
    float
        ``median |w| / 0.6745`` over the diagonal Haar coefficients w that are not 0 (as they are where values are
        clipped), in units of the range [0, 1]; 0 for an image without noise.

    References
    ----------
    D. L. Donoho, I. M. Johnstone, Biometrika 81 (1994) 425.

    Examples
    --------
    >>> grain = np.random.default_rng(0).standard_normal((1, 64, 64))
    >>> round(noise_level(0.5 + 0.02 * grain), 3)
    0.02
    """
    height, width = (side // 2 * 2 for side in image.shape[-2:])
    even = image[..., :height, :width].astype(np.float64)
    across = even[..., ::2] - even[..., 1::2]
    details = np.abs(across[..., ::2, :] - across[..., 1::2, :]) / 2
    details = details[details > 0]
    return float(np.median(details)) / _MEDIAN_OF_ABSOLUTE_NORMAL if details.size else 0.0


def _noisier(image: np.ndarray, rng: np.random.Generator, other: Another, times: float) -> np.ndarray:
    added = max(noise_level(image), _SMALLEST_NOISE) * np.sqrt(times**2 - 1)
    return np.clip(image + np.float32(added) * rng.standard_normal(image.shape, dtype=np.float32), 0, 1)


def _smoothed(image: np.ndarray, rng: np.random.Generator, other: Another, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(image, (0, *(sigma,) * (image.ndim - 1)), mode="nearest")


def _bent(image: np.ndarray, rng: np.random.Generator, other: Another, gamma: float) -> np.ndarray:
    return image**gamma


def _windowed(image: np.ndarray, rng: np.random.Generator, other: Another, gain: float) -> np.ndarray:
    return 0.5 + gain * (image - 0.5)


def _inverted(image: np.ndarray, rng: np.random.Generator, other: Another) -> np.ndarray:
    return 1 - image


def _magnified(image: np.ndarray, rng: np.random.Generator, other: Another, times: float) -> np.ndarray:
    sides = np.array(image.shape[1:])
    start = (sides - 1) / 2 * (1 - 1 / times)
    planes = [
        ndimage.affine_transform(plane, np.full(len(sides), 1 / times), start, order=1, mode="nearest")
        for plane in image
    ]
    return np.stack(planes)


def _upside_down(image: np.ndarray, rng: np.random.Generator, other: Another) -> np.ndarray:
    return image[..., ::-1, :]


def _mirrored(image: np.ndarray, rng: np.random.Generator, other: Another) -> np.ndarray:
    return image[..., ::-1]


def _shuffled(image: np.ndarray, rng: np.random.Generator, other: Another) -> np.ndarray:
    order = rng.permutation(image[0].size)
    return image.reshape(len(image), -1)[:, order].reshape(image.shape)


def _halved(image: np.ndarray, rng: np.random.Generator, other: Another) -> np.ndarray:
    middle = image.shape[-2] // 2
    return np.concatenate([image[..., :middle, :], other()[..., middle:, :]], axis=-2)


def _spotted(image: np.ndarray, rng: np.random.Generator, other: Another, radius: float) -> np.ndarray:
    sides = image.shape[1:]
    centre = rng.uniform(0.3, 0.7, len(sides)) * sides
    squared = sum(
        ((axis - middle) / (radius * min(sides))) ** 2 for axis, middle in zip(np.indices(sides), centre, strict=True)
    )
    return np.clip(image + np.float32(0.3) * np.exp(-(squared**2)).astype(np.float32), 0, 1)


ALTERATIONS = (
    Alteration("noise x2", "noise of twice the level", partial(_noisier, times=2.0)),
    Alteration("noise x1.3", "noise of 1.3 times the level", partial(_noisier, times=1.3)),
    Alteration(
        "smoothing", "an image too clean, as generators and resampling make them", partial(_smoothed, sigma=1.0)
    ),
    Alteration("contrast", "another contrast between tissues (gamma 1.4)", partial(_bent, gamma=1.4)),
    Alteration("window", "another window (contrast of 0.7 about mid-grey)", partial(_windowed, gain=0.7)),
    Alteration("inverted", "black and white exchanged", _inverted),
    Alteration("magnified", "another pixel spacing (magnified 1.2 times)", partial(_magnified, times=1.2)),
    Alteration("upside down", "turned upside down", _upside_down),
    Alteration("mirrored", "left and right exchanged", _mirrored),
    Alteration("shuffled", "all pixels in random places", _shuffled),
    Alteration("two patients", "the lower half from another patient", _halved),
    Alteration("large lesion", "a bright spot with a radius of 15 % of the side", partial(_spotted, radius=0.15)),
    Alteration("small lesion", "a bright spot with a radius of 4 % of the side", partial(_spotted, radius=0.04)),
)
"""From what a gate should find to what it hardly can."""
