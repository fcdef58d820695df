"""Classical augmentation: small rotations, shifts and zooms, and small changes of brightness and contrast.

The control that synthetic images have to beat: more variety from the same patients. Ranges are those that leave an
image of a patient plausible; mirroring is not among them unless it is asked for, since a heart on the right is
another diagnosis.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["augmented"]

ROTATION = math.radians(10.0)
SHIFT = 0.05
"""Of the side."""
ZOOM = 0.1
CONTRAST = 0.1
BRIGHTNESS = 0.05
"""In units of the range [0, 1]."""


def augmented(
    images: Tensor, maps: Tensor | None, random: torch.Generator, flips: tuple[int, ...] = ()
) -> tuple[Tensor, Tensor | None]:
    """Every image changed a little, each in its own way.

    Parameters
    ----------
    images : Tensor, shape (B, C, *spatial)
        float32 in [0, 1].
    maps : Tensor or None, shape (B, *spatial)
        Region numbers, which move with the images.
    random : torch.Generator
    flips : tuple of int
        Spatial axes, 0 the first, along which an image is mirrored half of the time.

    Returns
    -------
    images, maps
        Of the same shapes; what comes in from outside repeats the border.
    """
    count, dims = len(images), images.ndim - 2
    placing = _placing(count, images.shape[2:], random)
    grid = functional.affine_grid(placing, list(images.shape), align_corners=False)
    images = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if maps is not None:
        levels = maps[:, None].to(torch.float32)
        moved = functional.grid_sample(levels, grid, mode="nearest", padding_mode="border", align_corners=False)
        maps = moved[:, 0].to(maps.dtype)
    each = (count, *[1] * (dims + 1))
    centre = images.mean(dim=tuple(range(1, images.ndim)), keepdim=True)
    contrast, brightness = (_even(each, width, random) for width in (CONTRAST, BRIGHTNESS))
    images = (centre + (images - centre) * (1 + contrast) + brightness).clamp(0.0, 1.0)
    for axis in flips:
        turned = torch.rand(count, generator=random) < 0.5
        images = torch.where(turned.view(each), images.flip(2 + axis), images)
        if maps is not None:
            maps = torch.where(turned.view(count, *[1] * dims), maps.flip(1 + axis), maps)
    return images, maps


def _placing(count: int, sides: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Affine maps of the output grid to the input's, shape (count, dims, dims + 1), in the units of `affine_grid`."""
    dims = len(sides)
    turn = torch.eye(dims).repeat(count, 1, 1)
    for first, second in itertools.combinations(range(dims), 2):
        angle = _even((count,), ROTATION, random)
        plane = torch.eye(dims).repeat(count, 1, 1)
        plane[:, first, first] = plane[:, second, second] = angle.cos()
        plane[:, first, second], plane[:, second, first] = -angle.sin(), angle.sin()
        turn = turn @ plane
    turn = turn / (1 + _even((count, 1, 1), ZOOM, random))
    # Both grids run from -1 to 1 whatever the sides, in the order x, y, z: the last axis first.
    reach = torch.tensor(sides[::-1], dtype=torch.float32)
    turn = turn * reach[None, None, :] / reach[None, :, None]
    return torch.cat([turn, _even((count, dims, 1), 2 * SHIFT, random)], dim=2)


def _even(shape: tuple[int, ...], width: float, random: torch.Generator) -> Tensor:
    """Drawn evenly from -width to width."""
    return (2 * torch.rand(shape, generator=random) - 1) * width
