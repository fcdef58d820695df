"""The generator of StyleGAN2, small: a latent becomes a style, and the style steers every layer of a pyramid.

The mapping network turns a normal latent z and a condition into a style w. The synthesis network starts from a learned
constant on a coarse grid; each layer convolves under the control of w and adds noise of its own; every level adds its
image to the enlarged image of the level before (the "skip" architecture of the paper, figure 7). Truncation pulls w
towards its mean *under the same condition*, so that a truncated pneumonia remains a pneumonia.

Written from the papers, for 2-D and 3-D alike, with no compiled operation of its own.

References
----------
Karras, Laine, Aila, "A style-based generator architecture for generative adversarial networks", CVPR 2019.
Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020.
Dobler et al., "Art creation with multi-conditional StyleGANs", IJCAI 2022 (truncation under a condition).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from fourfold.generate.networks.equalized import (
    DemodulatedConvolution,
    EqualizedLinear,
    ModulatedConvolution,
    activate,
    normalise,
)
from fourfold.generate.networks.pyramid import pyramid, widths

__all__ = ["MappingNetwork", "StyleGenerator", "SynthesisNetwork"]

MAPPING_RATE = 0.01
"""Learning rate of the mapping network relative to the rest (Karras et al. 2019, appendix C)."""
PROBES = 256
"""Latents over which the mean style under a condition is taken."""


class MappingNetwork(nn.Module):
    """From latents and conditions to styles.

    Parameters
    ----------
    latent : int
        Length of a latent, and of a style.
    condition : int
        Columns of the condition's vector, 0 for none.
    layers : int
    """

    probes: Tensor

    def __init__(self, latent: int, condition: int = 0, layers: int = 3) -> None:
        super().__init__()
        self.embedding = EqualizedLinear(condition, latent) if condition else None
        inputs = [2 * latent if condition else latent, *[latent] * (layers - 1)]
        self.layers = nn.ModuleList(EqualizedLinear(size, latent, rate=MAPPING_RATE) for size in inputs)
        self.register_buffer("probes", torch.randn(PROBES, latent))

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Styles, shape (n, latent), of latents (n, latent) under vectors (n, k)."""
        x = normalise(z)
        if self.embedding is not None:
            x = torch.cat([x, normalise(self.embedding(condition))], dim=1)
        for layer in self.layers:
            x = activate(layer(x))
        return x

    def centre(self, condition: Tensor | None = None) -> Tensor:
        """The mean style under each condition, shape (n, latent); (1, latent) without conditions."""
        if self.embedding is None:
            return self(self.probes).mean(dim=0, keepdim=True)
        found, places = torch.unique(condition, dim=0, return_inverse=True)
        means = [self(self.probes, row.expand(len(self.probes), -1)).mean(dim=0) for row in found]
        return torch.stack(means)[places]


class SynthesisNetwork(nn.Module):
    """From styles to images.

    Parameters
    ----------
    shape : tuple of int
        (C, H, W) or (C, D, H, W) of an image.
    latent : int
        Length of a style.
    channels : int
        Channels of the finest level.

    Attributes
    ----------
    noises : list of int
        Numbers of noise that each layer takes.
    """

    def __init__(self, shape: Sequence[int], latent: int, channels: int) -> None:
        super().__init__()
        planes, *spatial = shape
        self.sizes = pyramid(spatial)
        dims = len(spatial)
        wide = widths(len(self.sizes), channels)
        self.constant = nn.Parameter(torch.randn(1, wide[0], *self.sizes[0]))
        self.layers = nn.ModuleList([_StyledLayer(wide[0], wide[0], self.sizes[0], latent)])
        for (before, after), size in zip(pairwise(wide), self.sizes[1:]):
            self.layers.append(_StyledLayer(before, after, size, latent))
            self.layers.append(_StyledLayer(after, after, size, latent))
        self.images = nn.ModuleList(ModulatedConvolution(size, planes, 1, dims, latent) for size in wide)
        self.bias = nn.Parameter(torch.zeros(planes))
        self.noises = [math.prod(layer.size) for layer in self.layers]

    def forward(self, styles: Tensor, noise: Tensor) -> Tensor:
        """Images around [-1, 1], shape (n, *shape).

        Parameters
        ----------
        styles : tensor, shape (n, layers, latent)
        noise : tensor, shape (n, sum of `noises`)
            Standard normal.
        """
        parts = noise.split(self.noises, dim=1)
        x = self.constant.expand(len(styles), *self.constant.shape[1:])
        image = torch.zeros(len(styles), len(self.bias), *self.sizes[0], device=styles.device)
        for level, size in enumerate(self.sizes):
            for place in [0] if level == 0 else [2 * level - 1, 2 * level]:
                x = self.layers[place](x, styles[:, place], parts[place])
            image = _enlarged(image, size) + self.images[level](x, styles[:, 2 * level])
        return image + self.bias.reshape(-1, *(1,) * len(self.sizes[0]))


class StyleGenerator(nn.Module):
    """Mapping and synthesis.

    Parameters
    ----------
    shape : tuple of int
        (C, H, W) or (C, D, H, W) of an image.
    condition : int
        Columns of the condition's vector, 0 for none.
    latent : int
        Length of a latent and of a style.
    channels : int
        Channels of the finest level; coarser ones have up to four times as many.
    layers : int
        Of the mapping network.
    """

    def __init__(
        self, shape: Sequence[int], condition: int = 0, *, latent: int = 64, channels: int = 16, layers: int = 3
    ) -> None:
        super().__init__()
        self.latent = latent
        self.mapping = MappingNetwork(latent, condition, layers)
        self.synthesis = SynthesisNetwork(shape, latent, channels)

    @property
    def noises(self) -> int:
        """Numbers of noise that an image takes beside its latent."""
        return sum(self.synthesis.noises)

    def forward(
        self,
        z: Tensor,
        noise: Tensor,
        condition: Tensor | None = None,
        other: Tensor | None = None,
        crossover: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Images and the styles they were made of, for training.

        Parameters
        ----------
        z : tensor, shape (n, latent)
        noise : tensor, shape (n, `noises`)
        condition : tensor, shape (n, k), or None
        other : tensor, shape (n, latent), or None
            Latents that take over from a layer on (style mixing).
        crossover : tensor of int, shape (n,), or None
            The first layer of the other latents.

        Returns
        -------
        images : tensor, shape (n, *shape)
        styles : tensor, shape (n, layers, latent)
        """
        styles = self._in_every_layer(self.mapping(z, condition))
        if other is not None and crossover is not None:
            layers = torch.arange(styles.shape[1], device=styles.device)
            taken_over = (layers >= crossover[:, None])[..., None]
            styles = torch.where(taken_over, self._in_every_layer(self.mapping(other, condition)), styles)
        return self.synthesis(styles, noise), styles

    def draw(self, z: Tensor, noise: Tensor, condition: Tensor | None = None, truncation: float = 1.0) -> Tensor:
        """Images, shape (n, *shape), with styles pulled towards their mean under the condition.

        Parameters
        ----------
        z : tensor, shape (n, latent)
        noise : tensor, shape (n, `noises`)
        condition : tensor, shape (n, k), or None
        truncation : float
            psi: 1 for none, 0 for the mean style.
        """
        return self.synthesis(self._in_every_layer(self.styles(z, condition, truncation)), noise)

    def styles(self, z: Tensor, condition: Tensor | None = None, truncation: float = 1.0) -> Tensor:
        """Truncated styles, shape (n, latent) (Karras et al. 2019, appendix B)."""
        w = self.mapping(z, condition)
        if truncation == 1.0:
            return w
        return torch.lerp(self.mapping.centre(condition).expand_as(w), w, truncation)

    def _in_every_layer(self, w: Tensor) -> Tensor:
        return w[:, None].expand(-1, len(self.synthesis.layers), -1)


class _StyledLayer(nn.Module):
    """Convolve under a style, enlarge where the level is new, add noise and bias, rectify.

    Enlarging after the convolution costs a quarter (an eighth in 3-D) of what it would cost before it.
    """

    def __init__(self, inputs: int, outputs: int, size: tuple[int, ...], latent: int) -> None:
        super().__init__()
        self.size = size
        self.convolution = DemodulatedConvolution(inputs, outputs, 3, len(size), latent)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        x = _enlarged(self.convolution(x, w), self.size)
        shift = self.bias.reshape(-1, *(1,) * len(self.size))
        return activate(x + self.strength * noise.reshape(-1, 1, *self.size) + shift)


def _enlarged(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Linear interpolation, which for a factor of two is the [1, 3, 3, 1] filter of the paper."""
    if x.shape[2:] == size:
        return x
    return functional.interpolate(x, size=size, mode="bilinear" if len(size) == 2 else "trilinear")
