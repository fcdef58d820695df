"""Acquisition: what differs between two images of one patient.

Position, exposure, contrast, noise and breath are drawn for every image; none of them changes the anatomy.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields

import numpy as np

__all__ = ["Acquisition", "acquire", "draw_acquisition", "pose"]


@dataclass(frozen=True)
class Acquisition:
    """How one image was taken.

    Parameters
    ----------
    shift_z, shift_y, shift_x : float
        Displacement in units in which the image spans 2; `shift_z` is 0 for 2-D images.
    rotation : float
        In the plane of the last two axes, degrees.
    scale : float
        Magnification.
    gain, offset, gamma : float
        The displayed value is ``offset + gain * value ** gamma``.
    noise : float
        Standard deviation of the noise at mid-grey, in units of the range [0, 1].
    breath : float
        Chest: how much lower the diaphragm stands; brain: how much higher the slice lies. In image units.
    """

    shift_z: float
    shift_y: float
    shift_x: float
    rotation: float
    scale: float
    gain: float
    offset: float
    gamma: float
    noise: float
    breath: float

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The parameters' names, in the order of `row`."""
        return tuple(field.name for field in fields(cls))

    def row(self) -> tuple[float, ...]:
        """The parameters as numbers."""
        return astuple(self)


def draw_acquisition(rng: np.random.Generator, dims: int) -> Acquisition:
    """One image's acquisition."""
    n = rng.standard_normal(9).tolist()
    return Acquisition(
        shift_z=0.016 * n[0] if dims == 3 else 0.0,
        shift_y=0.016 * n[1],
        shift_x=0.016 * n[2],
        rotation=1.1 * n[3],
        scale=math.exp(0.010 * n[4]),
        gain=math.exp(0.05 * n[5]),
        offset=0.02 * n[6],
        gamma=math.exp(0.08 * n[7]),
        noise=rng.uniform(0.008, 0.028),
        breath=0.016 * n[8],
    )


def pose(grid: np.ndarray, acquisition: Acquisition) -> np.ndarray:
    """Where each pixel of the image lies in the patient.

    Parameters
    ----------
    grid : array, shape (2, H, W) or (3, D, H, W)
        Pixel centres in [-1, 1].
    acquisition : Acquisition

    Returns
    -------
    array, same shape
    """
    turn = np.deg2rad(acquisition.rotation)
    cos, sin = np.float32(np.cos(turn) / acquisition.scale), np.float32(np.sin(turn) / acquisition.scale)
    y = grid[-2] - np.float32(acquisition.shift_y)
    x = grid[-1] - np.float32(acquisition.shift_x)
    posed = np.empty_like(grid)
    posed[-2] = cos * y + sin * x
    posed[-1] = cos * x - sin * y
    if len(grid) == 3:
        posed[0] = (grid[0] - np.float32(acquisition.shift_z)) / np.float32(acquisition.scale)
    return posed


def acquire(image: np.ndarray, acquisition: Acquisition, rng: np.random.Generator) -> np.ndarray:
    """The recorded image: contrast, exposure and noise, float32 in [0, 1].

    Noise is a little stronger where the image is bright, as quantum noise is.
    """
    value = np.clip(image, 0, None).astype(np.float32)
    shown = np.float32(acquisition.offset) + np.float32(acquisition.gain) * value ** np.float32(acquisition.gamma)
    grain = rng.standard_normal(shown.shape, dtype=np.float32)
    shown = shown + np.float32(acquisition.noise) * (np.float32(0.6) + np.float32(0.8) * value) * grain
    return np.clip(shown, 0, 1)
