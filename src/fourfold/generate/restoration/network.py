"""The network of restoration: a small U-Net that is told the time of every pixel.

It takes ``x_t`` and ``y`` side by side. The time map becomes sinusoids, a perceptron makes them an embedding at every
pixel (convolutions of size 1), the embedding is averaged down to the size of each level, and there scales and shifts
the features at every place. Only convolutions, so images of any size go in; 2-D and 3-D.

References
----------
N. Pearl et al., arXiv 2306.16052, 2023. E. Perez et al., "FiLM", AAAI 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fourfold.errors import InputError

__all__ = ["RestorationNet"]

DATA_MEAN, DATA_DEVIATION = 0.5, 0.25
"""Of intensities in [0, 1], roughly: what inputs are normalised by."""

FREQUENCIES = 12
SLOWEST, FASTEST = math.pi / 1000, 2 * math.pi
"""Radians a step: from half a wave over all times to a wave in one step, within which weak noise lies."""


class RestorationNet(nn.Module):
    """Noise in ``x_t``, standardised.

    Parameters
    ----------
    planes : int
        Channels of an image.
    dims : {2, 3}
    channels : sequence of int
        Width of each level; sides are halved between levels.
    blocks : int
        Residual blocks a level.
    embedding : int
        Channels of the time embedding.

    Raises
    ------
    InputError
        Where the widths cannot be.
    """

    def __init__(
        self, planes: int, dims: int, channels: Sequence[int] = (32, 64, 64), *, blocks: int = 1, embedding: int = 32
    ) -> None:
        super().__init__()
        if not channels or min(channels) < 4 or any(size % 4 for size in channels):
            raise InputError("the option channels takes multiples of 4, one a level, such as 32,64,64")
        self.settings: dict[str, Any] = {
            "planes": planes, "dims": dims, "channels": list(channels), "blocks": blocks, "embedding": embedding,
        }  # fmt: skip
        conv = _conv(dims)
        self.register_buffer(
            "frequencies", torch.logspace(math.log10(SLOWEST), math.log10(FASTEST), FREQUENCIES), persistent=False
        )
        self.embed = nn.Sequential(
            conv(2 * FREQUENCIES * planes, embedding, 1), nn.SiLU(), conv(embedding, embedding, 1), nn.SiLU()
        )
        self.enter = conv(2 * planes, channels[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = channels[0]
        for width in channels:
            level = [_Block(dims, before if first == 0 else width, width, embedding) for first in range(blocks)]
            self.down.append(nn.ModuleList(level))
            before = width
        self.middle = _Block(dims, before, before, embedding)
        for width in reversed(channels):
            level = [_Block(dims, before + width if first == 0 else width, width, embedding) for first in range(blocks)]
            self.up.append(nn.ModuleList(level))
            before = width
        self.norm = nn.GroupNorm(_groups(before), before)
        self.leave = conv(before, planes, 3, padding=1)
        # The first estimate is that there is no noise, from which training starts evenly.
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor, y: Tensor, time: Tensor, gamma: Tensor) -> Tensor:
        """The standardised noise of `x`.

        Parameters
        ----------
        x, y : tensor, shape (n, C, H, W) or (n, C, D, H, W)
            State and noisy image, intensities.
        time, gamma : tensor of the same shape
            Time and variance of every pixel of `x`.
        """
        scale = (DATA_DEVIATION**2 + gamma).rsqrt()
        inputs = torch.cat([(x - DATA_MEAN) * scale, _squashed((y - DATA_MEAN) / DATA_DEVIATION), time], dim=1)
        spatial = x.shape[2:]
        inputs = _padded(inputs, 2 ** (len(self.down) - 1))
        images, time = inputs.tensor_split([2 * x.shape[1]], dim=1)
        embedding = self._embedding(time)
        found = self._levels(self.enter(images), embedding)
        found = self.leave(functional.silu(self.norm(found)))
        return found[(..., *(slice(0, size) for size in spatial))]

    def _embedding(self, time: Tensor) -> Tensor:
        angles = time.unsqueeze(2) * self.frequencies.to(time).reshape(-1, *(1,) * (time.ndim - 2))
        return self.embed(torch.cat([angles.sin(), angles.cos()], dim=2).flatten(1, 2))

    def _levels(self, found: Tensor, embedding: Tensor) -> Tensor:
        pool = functional.avg_pool2d if found.ndim == 4 else functional.avg_pool3d
        embeddings, kept = [embedding], []
        for number, level in enumerate(self.down):
            if number:
                found, embedding = pool(found, 2), pool(embeddings[-1], 2)
                embeddings.append(embedding)
            for block in level:
                found = block(found, embeddings[number])
            kept.append(found)
        found = self.middle(found, embeddings[-1])
        for number, level in zip(reversed(range(len(kept))), self.up, strict=True):
            if found.shape[2:] != kept[number].shape[2:]:
                found = functional.interpolate(found, scale_factor=2, mode="nearest")
            found = torch.cat([found, kept[number]], dim=1)
            for block in level:
                found = block(found, embeddings[number])
        return found


class _Block(nn.Module):
    """Two convolutions with a residual way around them; the time scales and shifts between them at every place."""

    def __init__(self, dims: int, before: int, after: int, embedding: int) -> None:
        super().__init__()
        conv = _conv(dims)
        self.first = nn.Sequential(nn.GroupNorm(_groups(before), before), nn.SiLU(), conv(before, after, 3, padding=1))
        self.norm = nn.GroupNorm(_groups(after), after)
        self.film = conv(embedding, 2 * after, 1)
        self.second = conv(after, after, 3, padding=1)
        self.around = conv(before, after, 1) if before != after else nn.Identity()
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, found: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film(embedding).chunk(2, dim=1)
        inner = self.norm(self.first(found)) * (1 + scale) + shift
        return self.around(found) + self.second(functional.silu(inner))


def _conv(dims: int) -> type[nn.Module]:
    return {2: nn.Conv2d, 3: nn.Conv3d}[dims]


def _groups(channels: int) -> int:
    return next(groups for groups in (8, 4, 2, 1) if channels % groups == 0)


def _squashed(values: Tensor) -> Tensor:
    """Nearly the same below 2, never beyond 4: where a region is drawn anew y is nothing but strong noise."""
    return values / (1 + (values / 4).square()).sqrt()


def _padded(inputs: Tensor, divisor: int) -> Tensor:
    """With edges repeated until the sides can be halved at every level."""
    missing = [-size % divisor for size in inputs.shape[2:]]
    if not any(missing):
        return inputs
    return functional.pad(inputs, [side for size in reversed(missing) for side in (0, size)], mode="replicate")
