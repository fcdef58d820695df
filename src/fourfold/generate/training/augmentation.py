"""Augmentation without leaks: images are flipped, moved, turned, scaled and shaded, and the network is told how.

A network that knows what was done to each training image keeps it apart from what images look like, and at sampling
time is told that nothing was done: a vector of zeros. A network that takes no such vector learns the altered images.
Where masks are the condition they are moved along.

Layout of the vector for images of d spatial axes, `width` numbers: d flips (0 or 1), log2 of the scale, cosine less one
and sine of the turn in the plane of the last two axes, d translations (shares of the side), log2 of the contrast,
brightness.

References
----------
T. Karras, M. Aittala, T. Aila, S. Laine, NeurIPS 2022, appendix F.2.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from fourfold.generate.training.trainee import Batch

__all__ = ["augment", "width"]

SCALE_STD, TRANSLATION_STD = 0.2, 0.125
"""Of log2 of the scale and of the translation over the side, EDM table 6."""

TURN_STD = math.radians(15)
CONTRAST_STD, BRIGHTNESS_STD = 0.2, 0.1
"""Ours: scanners differ by this much, and no patient lies on the head."""


def width(dims: int) -> int:
    """Length of the vector for images of this many spatial axes."""
    return 2 * dims + 5


def augment(batch: Batch, probability: float, generator: torch.Generator) -> Batch:
    """The batch with each augmentation made with this probability, image by image, and with the vector that says so.

    Parameters
    ----------
    batch : Batch
    probability : float
        In [0, 1].
    generator : torch.Generator
        On the CPU.
    """
    dims = batch.images.ndim - 2
    told = draw(len(batch), dims, probability, generator)
    geometric, intensity = told[:, : width(dims) - 2], told[:, width(dims) - 2 :]
    moved = geometric.ne(0).any(dim=1)
    images, condition = batch.images.clone(), batch.condition
    if moved.any():
        images[moved] = _warp(images[moved], geometric[moved], "bilinear")
        if condition is not None and condition.mask is not None:
            mask = condition.mask.clone()
            mask[moved] = _warp(mask[moved], geometric[moved], "nearest")
            condition = replace(condition, mask=mask)
    contrast, brightness = (part.reshape(-1, *(1,) * (dims + 1)) for part in intensity.unbind(dim=1))
    return Batch(images * 2**contrast + brightness, batch.rows, condition, told)


def draw(count: int, dims: int, probability: float, generator: torch.Generator) -> Tensor:
    """Vectors of `count` images, shape (count, `width`)."""

    def normal(columns: int, std: float) -> Tensor:
        made = torch.rand(count, 1, generator=generator) < probability
        return torch.randn(count, columns, generator=generator) * std * made

    flips = torch.rand(count, dims, generator=generator) < probability / 2
    scale = normal(1, SCALE_STD)
    turn = normal(1, TURN_STD)
    shift = normal(dims, TRANSLATION_STD)
    return torch.cat(
        [
            flips.float(), scale, turn.cos() - 1, turn.sin(), shift,
            normal(1, CONTRAST_STD), normal(1, BRIGHTNESS_STD),
        ],
        dim=1,
    )  # fmt: skip


def _warp(images: Tensor, told: Tensor, mode: str) -> Tensor:
    """Images of the geometric part of the vectors; what enters at a border is mirrored there."""
    n, dims = len(images), images.ndim - 2
    flips, scale, cosine, sine, shift = told.split([dims, 1, 1, 1, dims], dim=1)
    # grid_sample wants, for each place of the result, where to look: the inverse map, axes from last to first, in
    # units of half the side, so a turn must know how the sides differ.
    inverse = torch.eye(dims).repeat(n, 1, 1)
    height, across = images.shape[-2:]
    inverse[:, 0, 0] = inverse[:, 1, 1] = 1 + cosine[:, 0]
    inverse[:, 0, 1] = sine[:, 0] * height / across
    inverse[:, 1, 0] = -sine[:, 0] * across / height
    inverse = inverse * (1 - 2 * flips.flip(1))[:, :, None] * 2 ** -scale[:, :, None]
    offset = -inverse @ (2 * shift.flip(1))[:, :, None]
    grid = functional.affine_grid(torch.cat([inverse, offset], dim=2), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode=mode, padding_mode="reflection", align_corners=False)
