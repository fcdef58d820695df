"""Distortions of one strength: what rule-made triplets are made of.

A distortion takes an image of shape (C, H, W) or (C, D, H, W) in [0, 1] and a strength, and gives an image of the same
shape and range. Strengths run from hardly seen to obvious; lengths are shares of the shorter side, so that one strength
means the same at any size. What is random about a distortion (direction, sign, place, grain) is drawn anew each time.

The ranges follow one convention as far as it goes: what moves, moves by half a hundredth to a twelfth of the side on
average, and what changes grey values changes them by a hundredth to a fifth of the range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fourfold.features.perceptual.distorting import detail, geometry, grain, greys

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


DISTORTIONS: dict[str, Distortion] = {
    one.name: one
    for one in (
        Distortion("shift", "moved in any direction, by a share of the side", 0.005, 0.08, geometry.shift),
        Distortion("rotation", "turned, in degrees", 0.5, 15.0, geometry.rotation),
        Distortion("zoom", "magnified or shrunk", 0.01, 0.2, geometry.zoom),
        Distortion("shear", "slanted", 0.01, 0.25, geometry.shear),
        Distortion("stretch", "one axis magnified or shrunk", 0.015, 0.25, geometry.stretch),
        Distortion("warp", "bent, by a share of the side", 0.003, 0.05, geometry.warp),
        Distortion("blur", "smoothed, sigma as a share of the side", 0.005, 0.04, detail.blur),
        Distortion("motion", "smoothed along one axis, sigma as a share of the side", 0.008, 0.08, detail.motion),
        Distortion("sharpening", "fine detail raised, by a multiple", 0.2, 4.0, detail.sharpening),
        Distortion("ringing", "the highest frequencies cut off, a share", 0.2, 0.9, detail.ringing),
        Distortion("coarse", "wider pixels, by a multiple", 0.3, 5.0, detail.coarse),
        Distortion("noise", "white noise, in units of the range", 0.01, 0.2, grain.noise),
        Distortion("speckle", "white noise, as a share of the grey value", 0.02, 0.4, grain.speckle),
        Distortion("grain", "noise that spans several pixels, in units of the range", 0.01, 0.2, grain.grain),
        Distortion("impulses", "a share of the pixels black or white", 0.001, 0.15, grain.impulses),
        Distortion("stripes", "rows or columns brighter or darker, in units of the range", 0.01, 0.2, grain.stripes),
        Distortion("contrast", "stretched or squeezed about the mean", 0.05, 0.8, greys.contrast),
        Distortion("intensity", "brighter or darker, in units of the range", 0.02, 0.3, greys.intensity),
        Distortion("gamma", "mid-grey moved, black and white kept", 0.05, 1.0, greys.gamma),
        Distortion("bias", "brighter on one side than on the other", 0.05, 0.6, greys.bias),
        Distortion("clouds", "smooth bright and dark patches, in units of the range", 0.01, 0.2, greys.clouds),
        Distortion("window", "darkest and brightest shares of the range cut off", 0.03, 0.5, greys.window),
        Distortion("levels", "few grey levels, their distance in units of the range", 0.03, 0.4, greys.levels),
        Distortion("local_contrast", "stretched or squeezed about the neighbourhood", 0.1, 1.5, greys.local_contrast),
        Distortion("occlusion", "a grey box, side as a share of the image's", 0.06, 0.5, detail.occlusion),
        Distortion("transplant", "a box laid over another place, side as a share", 0.06, 0.5, detail.transplant),
        Distortion("border", "a black frame, as a share of the side", 0.03, 0.5, detail.border),
        Distortion("spot", "a bright or dark spot, in units of the range", 0.05, 0.6, detail.spot),
    )
}
"""By name; ``"lesion"`` needs images without the lesion and is not among them."""
