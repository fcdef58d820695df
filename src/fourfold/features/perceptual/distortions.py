"""Distortions of one strength: what rule-made triplets are made of.

A distortion takes an image of shape (C, H, W) or (C, D, H, W) in [0, 1] and a strength, and gives an image of the same
shape and range. Strengths run from hardly seen to obvious; lengths are shares of the shorter side, so that one strength
means the same at any size. What is random about a distortion (direction, sign, place, grain) is drawn anew each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = ["DISTORTIONS", "Distortion"]

Distort = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Distortion:
    """One way in which an image departs from another.

    Parameters
    ----------
    name, meaning : str
    weakest, strongest : float
        Range of strengths, in which they are drawn evenly in their logarithm.
    distort : callable
        (image, strength, random generator) to an image, before it is clipped to [0, 1].
    """

    name: str
    meaning: str
    weakest: float
    strongest: float
    distort: Distort

    def __call__(self, image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
        """The distorted image, float32 in [0, 1].

        Parameters
        ----------
        image : array, shape (C, H, W) or (C, D, H, W)
        strength : float
        rng : Generator
        """
        return np.clip(self.distort(image, strength, rng), 0, 1).astype(np.float32)

    def strength(self, level: float) -> float:
        """The strength at a level in [0, 1]: 0 for the weakest, 1 for the strongest."""
        return float(self.weakest * (self.strongest / self.weakest) ** level)


def _sign(rng: np.random.Generator) -> float:
    return 1.0 if rng.uniform() < 0.5 else -1.0


def _direction(axes: int, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.standard_normal(axes)
    return drawn / np.linalg.norm(drawn)


def _resampled(image: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Every channel read at ``matrix @ place + offset``."""
    return np.stack([ndimage.affine_transform(plane, matrix, offset, order=1, mode="nearest") for plane in image])


def _shift(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    axes = image.ndim - 1
    return _resampled(image, np.eye(axes), strength * min(image.shape[1:]) * _direction(axes, rng))


def _rotation(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    angle = _sign(rng) * np.deg2rad(strength)
    matrix = np.eye(image.ndim - 1)
    # Volumes turn about their first axis, as patients do on the table.
    matrix[-2:, -2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    centre = (np.array(image.shape[1:]) - 1) / 2
    return _resampled(image, matrix, centre - matrix @ centre)


def _zoom(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    matrix = np.eye(image.ndim - 1) * (1 + strength) ** _sign(rng)
    centre = (np.array(image.shape[1:]) - 1) / 2
    return _resampled(image, matrix, centre - matrix @ centre)


def _blur(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    sigma = strength * min(image.shape[1:])
    return ndimage.gaussian_filter(image, (0, *(sigma,) * (image.ndim - 1)), mode="nearest")


def _noise(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return image + strength * rng.standard_normal(image.shape, dtype=np.float32)


def _contrast(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    middle = image.mean()
    return middle + (1 + strength) ** _sign(rng) * (image - middle)


def _intensity(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return image + _sign(rng) * strength


def _gamma(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(image, 0, 1) ** ((1 + strength) ** _sign(rng))


def _bias(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    sides = image.shape[1:]
    ramp = sum(
        share * np.linspace(-1, 1, side).reshape(-1, *(1,) * (len(sides) - 1 - axis))
        for axis, (share, side) in enumerate(zip(_direction(len(sides), rng), sides, strict=True))
    )
    return image * (1 + strength * ramp)


def _occlusion(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    hidden = image.copy()
    spans = [max(1, round(strength * side)) for side in image.shape[1:]]
    starts = [int(rng.integers(0, side - span + 1)) for side, span in zip(image.shape[1:], spans, strict=True)]
    hidden[(slice(None), *(slice(start, start + span) for start, span in zip(starts, spans, strict=True)))] = 0.5
    return hidden


DISTORTIONS: dict[str, Distortion] = {
    one.name: one
    for one in (
        Distortion("shift", "moved in any direction, by a share of the side", 0.005, 0.08, _shift),
        Distortion("rotation", "turned, in degrees", 0.5, 15.0, _rotation),
        Distortion("zoom", "magnified or shrunk", 0.01, 0.2, _zoom),
        Distortion("blur", "smoothed, sigma as a share of the side", 0.005, 0.04, _blur),
        Distortion("noise", "white noise, in units of the range", 0.01, 0.2, _noise),
        Distortion("contrast", "stretched or squeezed about the mean", 0.05, 0.8, _contrast),
        Distortion("intensity", "brighter or darker, in units of the range", 0.02, 0.3, _intensity),
        Distortion("gamma", "mid-grey moved, black and white kept", 0.05, 1.0, _gamma),
        Distortion("bias", "brighter on one side than on the other", 0.05, 0.6, _bias),
        Distortion("occlusion", "a grey box, side as a share of the image's", 0.06, 0.5, _occlusion),
    )
}
"""By name; ``"lesion"`` needs images without the lesion and is not among them."""
