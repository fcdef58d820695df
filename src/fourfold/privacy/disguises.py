"""Ways to hide a copy: what the search for copies is tested with, on the user's own images.

Each disguise changes working images of 64 pixels a side; lengths are therefore given as shares of the side.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from fourfold.privacy.warps import Warp, moved

__all__ = ["DISGUISES", "ORDINARY", "Disguise"]

Change = Callable[[np.ndarray, np.ndarray, np.random.Generator, float], np.ndarray]


@dataclass(frozen=True)
class Disguise:
    """A way to hide a copy.

    Parameters
    ----------
    name, summary : str
    change : callable
        Images (n, planes, side, side), as many other images to mix them with, generator and aspect ratio to changed
        images.
    ordinary : bool
        Whether generators that memorise are known to give such copies: those that the bound on the rate of copies is
        about. The others are disguises of somebody who hides a copy.
    """

    name: str
    summary: str
    change: Change
    ordinary: bool = False

    def apply(self, images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float = 1.0) -> np.ndarray:
        """Disguised images, float32 in [0, 1].

        Parameters
        ----------
        images, hosts : arrays, shape (n, planes, side, side)
            The images that are copied, and other people's images that some disguises mix them with.
        rng : Generator
        aspect : float
            Height of the original images by their width.
        """
        return np.clip(self.change(images, hosts, rng, aspect), 0.0, 1.0).astype(np.float32)


def _noise(strength: float) -> Change:
    return lambda images, hosts, rng, aspect: images + rng.normal(0.0, strength, images.shape)


def _exact(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    return images


def _brightness(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    each = (len(images), 1, 1, 1)
    return images * rng.uniform(0.8, 1.2, each) + rng.uniform(-0.1, 0.1, each)


def _gamma(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    return np.clip(images, 0, 1) ** rng.choice([0.5, 2.0], (len(images), 1, 1, 1))


def _inverted(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    return 1.0 - images


def _bias_field(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    side = images.shape[-1]
    field = ndimage.gaussian_filter(rng.normal(size=(len(images), 1, side, side)), (0, 0, side / 4, side / 4))
    field /= np.abs(field).max(axis=(1, 2, 3), keepdims=True)
    return images * np.exp(0.3 * field)


def _mirrored(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    return images[..., ::-1]


def _upside_down(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    return images[..., ::-1, :]


def _quarter_turn(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    turns = rng.integers(1, 4, len(images))
    return np.stack([np.rot90(image, k, axes=(-2, -1)) for image, k in zip(images, turns, strict=True)])


def _each(images: np.ndarray, warps: list[Warp], aspect: float) -> np.ndarray:
    """One motion an image; equal ones together."""
    found = np.empty_like(images)
    for warp in set(warps):
        rows = [row for row, own in enumerate(warps) if own == warp]
        found[rows] = moved(images[rows], warp, aspect)
    return found


def _rotation(degrees: float) -> Change:
    def change(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
        return _each(images, [Warp(angle=float(sign * degrees)) for sign in rng.choice([-1, 1], len(images))], aspect)

    return change


def _shift(share: float) -> Change:
    def change(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
        signs = rng.choice([-share, share], (len(images), 2))
        return _each(images, [Warp(down=float(down), right=float(right)) for down, right in signs], aspect)

    return change


def _scaled(share: float) -> Change:
    def change(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
        return moved(images, Warp(scale=share), aspect)

    return change


def _cropped(share: float) -> Change:
    def change(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
        # Not quite to the border: a part that is mostly background shows nobody.
        places = rng.uniform(-0.3 * (1 - share), 0.3 * (1 - share), (len(images), 2))
        warps = [Warp(down=float(down), right=float(right), scale=share) for down, right in places]
        return _each(images, warps, aspect)

    return change


def _blur(share: float) -> Change:
    def change(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
        sigma = share * images.shape[-1]
        return ndimage.gaussian_filter(images, (0, 0, sigma, sigma), mode="nearest")

    return change


def _coarse(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    side = images.shape[-1]
    small = images[..., : side // 4 * 4, : side // 4 * 4].reshape(*images.shape[:2], side // 4, 4, side // 4, 4)
    return ndimage.zoom(small.mean(axis=(3, 5)), (1, 1, side / (side // 4), side / (side // 4)), order=1)


def _compressed(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    found = np.empty_like(images)
    for place in np.ndindex(images.shape[:2]):
        stream = io.BytesIO()
        Image.fromarray((np.clip(images[place], 0, 1) * 255).round().astype(np.uint8)).save(stream, "JPEG", quality=10)
        found[place] = np.asarray(Image.open(stream), dtype=np.float32) / 255
    return found


def _elastic(share: float) -> Change:
    """Smooth displacements; `share` is their root mean square."""

    def change(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
        side = images.shape[-1]
        fields = ndimage.gaussian_filter(rng.normal(size=(len(images), 2, side, side)), (0, 0, side / 8, side / 8))
        fields *= share * side / np.sqrt((fields**2).mean(axis=(1, 2, 3), keepdims=True))
        here = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij")).astype(float)
        return np.stack(
            [
                np.stack([ndimage.map_coordinates(plane, here + field, order=1, mode="nearest") for plane in image])
                for image, field in zip(images, fields, strict=True)
            ]
        )

    return change


def _blend(share: float) -> Change:
    return lambda images, hosts, rng, aspect: share * images + (1 - share) * hosts


def _patch(share: float) -> Change:
    """A square of that share of the side, at its own place, in somebody else's image."""

    def change(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
        found = hosts.copy()
        side = images.shape[-1]
        size = max(2, round(share * side))
        # Towards the middle: a square of empty background shows nobody.
        reach = min((side - size) // 2, round(0.2 * side))
        corners = (side - size) // 2 + rng.integers(-reach, reach + 1, (len(images), 2))
        for row, (top, left) in enumerate(corners):
            there = (row, slice(None), slice(top, top + size), slice(left, left + size))
            found[there] = images[there]
        return found

    return change


def _half(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
    found = hosts.copy()
    middle = images.shape[-1] // 2
    for row, left in enumerate(rng.random(len(images)) < 0.5):
        columns = slice(None, middle) if left else slice(middle, None)
        found[row, ..., columns] = images[row, ..., columns]
    return found


def _chain(*changes: Change) -> Change:
    def change(images: np.ndarray, hosts: np.ndarray, rng: np.random.Generator, aspect: float) -> np.ndarray:
        for one in changes:
            images = np.clip(one(images, hosts, rng, aspect), 0.0, 1.0)
        return images

    return change


DISGUISES: tuple[Disguise, ...] = (
    Disguise("none", "the image as it is", _exact, ordinary=True),
    Disguise("noise", "noise of 5 % of the value range", _noise(0.05), ordinary=True),
    Disguise("strong noise", "noise of 15 % of the value range", _noise(0.15)),
    Disguise("brightness", "gain 0.8 to 1.2, offset up to 10 %", _brightness, ordinary=True),
    Disguise("gamma", "gamma 0.5 or 2", _gamma, ordinary=True),
    Disguise("inversion", "black for white", _inverted),
    Disguise("bias field", "a smooth gain from 0.74 to 1.35", _bias_field),
    Disguise("compression", "JPEG at quality 10", _compressed, ordinary=True),
    Disguise("mirror", "left and right exchanged", _mirrored, ordinary=True),
    Disguise("upside down", "top and bottom exchanged", _upside_down),
    Disguise("quarter turn", "by 90, 180 or 270 degrees", _quarter_turn),
    Disguise("rotation", "by 5 degrees", _rotation(5.0), ordinary=True),
    Disguise("large rotation", "by 15 degrees", _rotation(15.0)),
    Disguise("shift", "by 6 % of the side along both axes", _shift(4 / 64), ordinary=True),
    Disguise("large shift", "by 12 % of the side along both axes", _shift(8 / 64)),
    Disguise("enlarged", "by 10 %", _scaled(1 / 1.1), ordinary=True),
    Disguise("reduced", "by 15 %", _scaled(1 / 0.85)),
    Disguise("crop to 80 %", "of the side, around the middle, enlarged again", _cropped(0.8)),
    Disguise("crop to 65 %", "of the side, around the middle, enlarged again", _cropped(0.65)),
    Disguise("crop to 50 %", "of the side, around the middle, enlarged again", _cropped(0.5)),
    Disguise("blur", "Gaussian, 2.3 % of the side", _blur(1.5 / 64), ordinary=True),
    Disguise("strong blur", "Gaussian, 4.7 % of the side", _blur(3 / 64)),
    Disguise("coarse", "reduced to a quarter of the side and enlarged again", _coarse),
    Disguise("elastic", "smooth displacements of 2.3 % of the side", _elastic(1.5 / 64)),
    Disguise("strong elastic", "smooth displacements of 4.7 % of the side", _elastic(3 / 64)),
    Disguise("blend 70 %", "with 30 % of another image", _blend(0.7)),
    Disguise("blend 50 %", "with 50 % of another image", _blend(0.5)),
    Disguise("patch of 25 %", "of the area, pasted into another image", _patch(0.5)),
    Disguise("patch of 6 %", "of the area, pasted into another image", _patch(0.25)),
    Disguise("half", "the left or right half, in another image", _half),
    Disguise(
        "rotation, brightness and noise",
        "by 5 degrees, then the other two",
        _chain(_rotation(5.0), _brightness, _noise(0.05)),
        ordinary=True,
    ),
    Disguise("mirror, shift and noise", "shift of 6 % of the side", _chain(_mirrored, _shift(4 / 64), _noise(0.05))),
)
"""What is planted into the user's own data, and what the benchmark of planted copies runs."""

ORDINARY: tuple[Disguise, ...] = tuple(one for one in DISGUISES if one.ordinary)
"""Those that are planted where no full audit is asked for."""
