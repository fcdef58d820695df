"""The discriminator of StyleGAN2: residual blocks, the spread of the batch as a channel, conditions by projection.

References
----------
Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020, figure 7 (residual discriminator).
Karras et al., "Progressive growing of GANs", ICLR 2018, section 3 (minibatch standard deviation).
Miyato, Koyama, "cGANs with projection discriminator", ICLR 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fourfold.generate.networks.equalized import EqualizedConvolution, EqualizedLinear, activate
from fourfold.generate.networks.pyramid import pyramid, widths

__all__ = ["Discriminator", "batch_spread", "halving"]

GROUP = 4
"""Images whose spread is measured together."""
_TINY = 1e-8


def batch_spread(x: Tensor) -> Tensor:
    """The mean standard deviation of features over groups of four images, shape (n, 1, *spatial).

    Lets the discriminator see that a batch lacks variety. The whole batch is one group where four do not divide it.
    """
    group = GROUP if len(x) % GROUP == 0 else len(x)
    grouped = x.reshape(group, len(x) // group, -1)
    spread = torch.sqrt(grouped.var(dim=0, correction=0) + _TINY).mean(dim=1)
    return spread.repeat(group).reshape(-1, *(1,) * (x.ndim - 1)).expand(-1, 1, *x.shape[2:])


def halving(size: int) -> Tensor:
    """The matrix that blurs a side with [1, 3, 3, 1] / 8 and keeps every second pixel, shape (size, size / 2).

    Without the blur gradients come back in blocks, and the generator draws chequers. As a matrix product it is quick
    for the sides of images, the same in 2-D and 3-D, and can be differentiated as often as one likes.

    Examples
    --------
    >>> (8 * halving(6)).int().T.tolist()
    [[4, 3, 1, 0, 0, 0], [0, 1, 3, 3, 1, 0], [0, 0, 0, 1, 3, 4]]
    """
    matrix = torch.zeros(size, size // 2)
    for small in range(size // 2):
        for offset, weight in zip(range(-1, 3), (1, 3, 3, 1)):
            # What would be beyond an edge is taken to be the edge.
            matrix[min(max(2 * small + offset, 0), size - 1), small] += weight / 8
    return matrix


class Discriminator(nn.Module):
    """How real images look, as a logit.

    Parameters
    ----------
    shape : tuple of int
        (C, H, W) or (C, D, H, W) of an image.
    condition : int
        Columns of the condition's vector, 0 for none.
    channels : int
        Channels of the finest level; coarser ones have up to four times as many.
    """

    def __init__(self, shape: Sequence[int], condition: int = 0, *, channels: int = 16) -> None:
        super().__init__()
        planes, *spatial = shape
        sizes = pyramid(spatial)
        dims = len(spatial)
        wide = widths(len(sizes), channels)
        self.start = EqualizedConvolution(planes, wide[-1], 1, dims)
        self.blocks = nn.ModuleList(
            _Halving(wide[level], wide[level - 1], sizes[level], sizes[level - 1])
            for level in range(len(sizes) - 1, 0, -1)
        )
        self.last = EqualizedConvolution(wide[0] + 1, wide[0], 3, dims)
        self.features = EqualizedLinear(wide[0] * math.prod(sizes[0]), wide[0])
        self.logit = EqualizedLinear(wide[0], 1)
        self.embedding = EqualizedLinear(condition, wide[0]) if condition else None

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """Logits, shape (n,), of images (n, *shape) around [-1, 1] under vectors (n, k)."""
        x = activate(self.start(images))
        for block in self.blocks:
            x = block(x)
        x = activate(self.last(torch.cat([x, batch_spread(x)], dim=1)))
        x = activate(self.features(x.flatten(1)))
        logits = self.logit(x).squeeze(1)
        if self.embedding is not None:
            logits = logits + (x * self.embedding(condition)).sum(dim=1) / math.sqrt(x.shape[1])
        return logits.float()


class _Halving(nn.Module):
    """A residual block between two levels; sides that do not change between them are kept."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, ...], smaller: tuple[int, ...]) -> None:
        super().__init__()
        dims = len(size)
        self.first = EqualizedConvolution(inputs, inputs, 3, dims)
        self.second = EqualizedConvolution(inputs, outputs, 3, dims)
        self.shortcut = EqualizedConvolution(inputs, outputs, 1, dims, bias=False)
        self.axes = [axis for axis, (large, small) in enumerate(zip(size, smaller, strict=True), 2) if large != small]
        for axis in self.axes:
            self.register_buffer(f"halving_{axis}", halving(size[axis - 2]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        short = self.shortcut(self._halved(x))
        x = activate(self.second(self._halved(activate(self.first(x)))))
        return (x + short) / math.sqrt(2)

    def _halved(self, x: Tensor) -> Tensor:
        for axis in self.axes:
            x = (x.movedim(axis, -1) @ getattr(self, f"halving_{axis}")).movedim(-1, axis)
        return x
