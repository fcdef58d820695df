"""Distortions of detail and of parts: blur, motion, sharpening, ringing, coarse pixels; parts hidden or changed."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from fourfold.features.perceptual.distorting.fields import along, sign

__all__ = ["blur", "border", "coarse", "motion", "occlusion", "ringing", "sharpening", "spot", "transplant"]

# How fine the detail is that is sharpened, and how wide a spot, as shares of the shorter side.
_FINE, _SPOT = 0.02, 0.12


def _smooth(image: np.ndarray, width: float) -> np.ndarray:
    return ndimage.gaussian_filter(image, (0, *(width,) * (image.ndim - 1)), mode="nearest")


def blur(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Smoothed, sigma as a share of the side."""
    return _smooth(image, strength * min(image.shape[1:]))


def motion(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Smoothed along one axis, sigma as a share of the side."""
    axis = int(rng.integers(1, image.ndim))
    return ndimage.gaussian_filter1d(image, strength * min(image.shape[1:]), axis=axis, mode="nearest")


def sharpening(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Fine detail raised, by a multiple of it."""
    return image + strength * (image - _smooth(image, _FINE * min(image.shape[1:])))


def ringing(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the frequencies, the highest, cut off."""
    axes = tuple(range(1, image.ndim))
    spectrum = np.fft.fftn(image, axes=axes)
    radius = sum(along(2 * np.fft.fftfreq(length), axis, len(axes)) ** 2 for axis, length in enumerate(image.shape[1:]))
    spectrum[:, np.sqrt(radius) > 1 - strength] = 0
    return np.fft.ifftn(spectrum, axes=axes).real


def coarse(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Fewer pixels, each wider by this many of its own widths, brought back to the old number."""
    shape = np.array(image.shape[1:])
    fewer = np.maximum(1, np.round(shape / (1 + strength))) / shape

    def sampled(plane: np.ndarray, factors: np.ndarray) -> np.ndarray:
        return ndimage.zoom(plane, factors, order=1, grid_mode=True, mode="nearest")

    smooth = ndimage.gaussian_filter(image, (0, *(0.4 * strength,) * len(shape)), mode="nearest")
    return np.stack([sampled(sampled(plane, fewer), 1 / fewer) for plane in smooth])


def _box(image: np.ndarray, share: float, rng: np.random.Generator) -> tuple[slice, ...]:
    spans = [max(1, round(share * side)) for side in image.shape[1:]]
    starts = [int(rng.integers(0, side - span + 1)) for side, span in zip(image.shape[1:], spans, strict=True)]
    return (slice(None), *(slice(start, start + span) for start, span in zip(starts, spans, strict=True)))


def occlusion(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A grey box, side as a share of the image's."""
    hidden = image.copy()
    hidden[_box(image, strength, rng)] = 0.5
    return hidden


def transplant(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A box of the image laid over another place, side as a share of the image's."""
    changed = image.copy()
    changed[_box(image, strength, rng)] = image[_box(image, strength, rng)]
    return changed


def border(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A black frame, both sides of it together as a share of the image's side."""
    framed = np.zeros_like(image)
    widths = [max(1, round(strength * side / 2)) for side in image.shape[1:]]
    inside = (slice(None), *(slice(width, side - width) for width, side in zip(widths, image.shape[1:], strict=True)))
    framed[inside] = image[inside]
    return framed


def spot(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth bright or dark spot, in units of the range."""
    width = _SPOT * min(image.shape[1:])
    axes = image.ndim - 1
    squared = sum(
        along((np.arange(side) - rng.uniform(0.15, 0.85) * side) / width, axis, axes) ** 2
        for axis, side in enumerate(image.shape[1:])
    )
    return image + sign(rng) * strength * np.exp(-squared / 2)
