"""What a copy may be disguised by, drawn at random for a whole batch of images at once.

Geometry (shifts, rotations, scales, crops, smooth warps), mixing with another image (blends, pasted parts), loss of
detail (blur, reduction) and changes of tone (gamma, gain, offset, bias field, inversion, noise). Mirroring and
quarter turns are left to whoever compares embeddings: eight views of a target cost less than learning them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Disguises"]

_REFERENCE_SIDE = 64
"""Lengths below are pixels of an image of this side."""

_WARP_PIXELS = 3.0
_BLUR_PIXELS = 3.0
_NOISE = 0.15


@dataclass(frozen=True)
class Disguises:
    """Random disguises; each of them befalls only a share of the images.

    Parameters
    ----------
    angle : float
        Largest rotation, degrees.
    shift : float
        Largest shift, as a share of the side.
    scale : float
        Images are enlarged or reduced by up to this factor.
    crop : float
        Smallest side of a crop, as a share of the side; 1 for none.
    warp : float
        Largest root mean square of a smooth displacement, in pixels of an image of side 64.
    mixing : float
        Share of images that are blended with another image, and share pasted into one.
    softness : float
        Share of images that are blurred or reduced.
    tone : float
        Strength of the changes of tone: at 1, gamma within 0.5 to 2, gain within 0.6 to 1.4, offset up to 0.2.
    noise : float
        Largest standard deviation of the noise at side 64; averaging to a smaller side lowers it.
    inversion : float
        Share of images whose intensities are inverted.
    """

    angle: float = 30.0
    shift: float = 0.12
    scale: float = 1.4
    crop: float = 0.5
    warp: float = _WARP_PIXELS
    mixing: float = 0.1
    softness: float = 0.35
    tone: float = 1.0
    noise: float = _NOISE
    inversion: float = 0.2

    @torch.no_grad()
    def __call__(self, images: Tensor, others: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Disguise every image.

        Parameters
        ----------
        images, others : Tensors, shape (n, planes, side, side)
            In [0, 1]; an image may be blended with, or pasted into, the one of `others` in its row.
        random : torch.Generator
            On the device of the images.

        Returns
        -------
        disguised : Tensor, shape (n, planes, side, side)
            In [0, 1].
        mixed : Tensor of bool, shape (n,)
            Which of them show the other image as well.
        """
        draw = _Draw(len(images), images.device, random)
        disguised, mixed = self._mixed(self._moved(images, draw), others, draw)
        return self._toned(self._softened(disguised, draw), draw), mixed

    def _moved(self, images: Tensor, draw: _Draw) -> Tensor:
        one = draw.uniform(1.0, 1.0)
        angle = torch.deg2rad(draw.uniform(-self.angle, self.angle)) * draw.chosen(0.5)
        zoom = torch.where(draw.chosen(0.4), draw.factor(self.scale), one)
        shift = 2 * self.shift * draw.uniform(-1, 1, 2) * draw.chosen(0.5)[:, None]
        cropped, side = draw.chosen(0.25), draw.uniform(self.crop, 1)
        zoom = torch.where(cropped, side, zoom)
        shift = torch.where(cropped[:, None], (1 - side)[:, None] * draw.uniform(-1, 1, 2), shift)
        cosine, sine = zoom * angle.cos(), zoom * angle.sin()
        matrices = torch.stack([cosine, -sine, shift[:, 0], sine, cosine, shift[:, 1]], dim=1).reshape(-1, 2, 3)
        grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
        strength = 2 * self.warp / _REFERENCE_SIDE * draw.uniform(0, 1) * draw.chosen(0.4)
        waves = draw.smooth(2, 4 + 2 * draw.coin(), images.shape[-1]) * strength[:, None, None, None]
        grid = grid + waves.permute(0, 2, 3, 1)
        moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
        black = (grid.abs() > 1).any(dim=-1) & draw.chosen(0.5)[:, None, None]
        return moved.masked_fill(black[:, None], 0.0)

    def _mixed(self, images: Tensor, others: Tensor, draw: _Draw) -> tuple[Tensor, Tensor]:
        blended, pasted = draw.chosen(self.mixing), draw.chosen(self.mixing)
        share = torch.where(blended, draw.uniform(0.5, 1), draw.uniform(1, 1))[:, None, None, None]
        area, shape = torch.exp(draw.uniform(math.log(0.06), math.log(0.6))), draw.factor(1.6)
        height, width = (area * shape).sqrt().clamp(max=1), (area / shape).sqrt().clamp(max=1)
        halved, lying = draw.chosen(0.3), draw.chosen(0.5)
        height = torch.where(halved, torch.where(lying, 0.5, 1.0), height)
        width = torch.where(halved, torch.where(lying, 1.0, 0.5), width)
        part = draw.stretch(height, images.shape[-1])[:, :, None] & draw.stretch(width, images.shape[-1])[:, None, :]
        kept = (part | ~pasted[:, None, None])[:, None]
        whole = torch.where(pasted[:, None, None, None], images, share * images + (1 - share) * others)
        return torch.where(kept, whole, others), blended | pasted

    def _softened(self, images: Tensor, draw: _Draw) -> Tensor:
        side = images.shape[-1]
        places = torch.arange(side, device=images.device, dtype=images.dtype)
        sigma = _BLUR_PIXELS * side / _REFERENCE_SIDE * draw.uniform(0.1, 1)
        kernel = torch.exp(-0.5 * ((places[:, None] - places[None, :]) / sigma[:, None, None]) ** 2)
        kernel = kernel / kernel.sum(dim=-1, keepdim=True)
        reduced = torch.stack([_reduction(side, factor) for factor in (2, 4)]).to(images.device)
        kernel = torch.where(draw.chosen(0.4)[:, None, None], reduced[draw.integers(2)], kernel)
        same = torch.eye(side, device=images.device)
        kernel = torch.where(draw.chosen(self.softness)[:, None, None], kernel, same)
        return torch.matmul(torch.matmul(kernel[:, None], images), kernel.transpose(1, 2)[:, None])

    def _toned(self, images: Tensor, draw: _Draw) -> Tensor:
        one = draw.uniform(1, 1)
        gamma = torch.where(draw.chosen(0.4), draw.factor(2**self.tone), one)
        gain = torch.where(draw.chosen(0.5), draw.uniform(1 - 0.4 * self.tone, 1 + 0.4 * self.tone), one)
        offset = draw.uniform(-0.2 * self.tone, 0.2 * self.tone) * draw.chosen(0.5)
        field = 0.3 * self.tone * draw.uniform(0, 1) * draw.chosen(0.3)
        level = draw.uniform(0, self.noise) * draw.chosen(0.4) * max(0.5, images.shape[-1] / _REFERENCE_SIDE)
        gamma, gain, offset, field, level = (
            value[:, None, None, None] for value in (gamma, gain, offset, field, level)
        )
        toned = gain * images.clamp(1e-4, 1) ** gamma + offset
        toned = toned * (1 + field * draw.smooth(1, 3, images.shape[-1]))
        toned = torch.where(draw.chosen(self.inversion)[:, None, None, None], 1 - toned, toned)
        return (toned + level * draw.normal(images.shape[1:])).clamp(0, 1)


class _Draw:
    """Random numbers for n images."""

    def __init__(self, count: int, device: torch.device, random: torch.Generator) -> None:
        self._count = count
        self._where = {"device": device, "generator": random}

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(self._count, *shape, **self._where)

    def factor(self, largest: float) -> Tensor:
        return torch.exp(self.uniform(-math.log(largest), math.log(largest)))

    def chosen(self, share: float) -> Tensor:
        return torch.rand(self._count, **self._where) < share

    def integers(self, high: int) -> Tensor:
        return torch.randint(0, high, (self._count,), **self._where)

    def coin(self) -> int:
        return int(torch.randint(0, 2, (1,), **self._where))

    def normal(self, shape: torch.Size) -> Tensor:
        return torch.randn(self._count, *shape, **self._where)

    def smooth(self, channels: int, knots: int, side: int) -> Tensor:
        """Smooth fields of about unit variance, shape (n, channels, side, side)."""
        coarse = torch.randn(self._count, channels, knots, knots, **self._where)
        return functional.interpolate(coarse, size=side, mode="bicubic", align_corners=True)

    def stretch(self, length: Tensor, side: int) -> Tensor:
        """Pixels within a stretch of the side at a random place, shape (n, side)."""
        start = ((1 - length) * self.uniform(0, 1))[:, None]
        places = (torch.arange(side, device=length.device) + 0.5) / side
        return (places >= start) & (places <= start + length[:, None])


def _reduction(side: int, factor: int) -> Tensor:
    """Matrix that averages over `factor` pixels and interpolates back, shape (side, side)."""
    columns = torch.eye(side)[None, None]
    small = functional.interpolate(columns, size=(max(2, round(side / factor)), side), mode="area")
    return functional.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)[0, 0]
