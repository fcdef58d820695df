"""What would have been found: training images in disguise, planted and searched for like synthetic images.

"No copy was found" means little unless copies would have been. A few training images are disguised in the ways below
and go through the same search; the share that is found as the only copy of the whole set, at the same
false-discovery rate, is the power that a statement may claim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fourfold.privacy.representations import Warp, moved

__all__ = ["DISGUISES", "Detection", "Disguise"]

Change = Callable[[np.ndarray, np.random.Generator, float], np.ndarray]


@dataclass(frozen=True)
class Disguise:
    """A way to hide a copy.

    Parameters
    ----------
    name : str
    change : callable
        Working images (n, planes, side, side), generator and aspect ratio to changed images.
    """

    name: str
    change: Change

    def apply(self, images: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
        """Disguised images, float32 in [0, 1]."""
        return np.clip(self.change(images, rng, aspect), 0.0, 1.0).astype(np.float32)


@dataclass(frozen=True)
class Detection:
    """What became of planted copies.

    Parameters
    ----------
    planted, found, attributed : int
        Planted; found at the level at which a single copy is listed; found with the right training image.
    """

    planted: int
    found: int
    attributed: int

    @property
    def recall(self) -> float:
        """Share found."""
        return self.found / self.planted if self.planted else 0.0


def _noise(images: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    return images + rng.normal(0.0, 0.05, images.shape)


def _brightness(images: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    per_image = (len(images), 1, 1, 1)
    return images * rng.uniform(0.8, 1.2, per_image) + rng.uniform(-0.1, 0.1, per_image)


def _rotation(images: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    left = rng.random(len(images)) < 0.5
    turned = moved(images, Warp(angle=5.0), aspect)
    turned[left] = moved(images[left], Warp(angle=-5.0), aspect)
    return turned


def _mirror(images: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    return images[..., ::-1]


def _combined(images: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    return _noise(_brightness(_rotation(images, rng, aspect), rng, aspect), rng, aspect)


DISGUISES: tuple[Disguise, ...] = (
    Disguise("noise", _noise),
    Disguise("brightness", _brightness),
    Disguise("rotation", _rotation),
    Disguise("mirror", _mirror),
    Disguise("rotation, brightness and noise", _combined),
)
"""Noise of 5 % of the value range, gain 0.8 to 1.2 with an offset of up to 10 %, rotation by 5 degrees, left and right
exchanged, and the first three at once."""
