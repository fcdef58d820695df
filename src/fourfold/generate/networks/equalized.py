"""Layers whose weights are drawn at unit variance and scaled when they are used, and those that a style modulates.

Scaling by ``1 / sqrt(inputs)`` at run time, not at the start, gives every weight the same range and so the same
effective learning rate under Adam. A modulated convolution multiplies each input channel with a style of the image;
demodulation then divides each output channel by what that does to its variance.

Everything here can be differentiated twice, in 2-D and in 3-D.

References
----------
Karras et al., "Progressive growing of GANs", ICLR 2018, section 4.1 (equalised learning rate).
Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020, section 2.2 (modulation).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "DemodulatedConvolution",
    "EqualizedConvolution",
    "EqualizedLinear",
    "ModulatedConvolution",
    "activate",
    "demodulation",
    "normalise",
]

SLOPE = 0.2
"""Of the leaky rectifier below zero."""
_TINY = 1e-8


def activate(x: Tensor) -> Tensor:
    """Leaky rectifier, scaled so that the second moment of a standard normal input is about kept."""
    return functional.leaky_relu(x, SLOPE) * math.sqrt(2)


def normalise(x: Tensor) -> Tensor:
    """Rows scaled to a mean square of 1, shape (n, k)."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + _TINY)


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """What an output channel is multiplied with so that its modulated weights have norm 1 (equation 3 of the paper).

    Parameters
    ----------
    weight : tensor, shape (outputs, inputs, *kernel)
    style : tensor, shape (n, inputs)

    Returns
    -------
    tensor, shape (n, outputs)
    """
    power = weight.square().flatten(2).sum(dim=2)
    return torch.rsqrt(style.square() @ power.T + _TINY)


class EqualizedLinear(nn.Module):
    """A linear layer with an equalised learning rate.

    Parameters
    ----------
    inputs, outputs : int
    bias : float
        At the start.
    rate : float
        Learning rate relative to other layers'.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale = rate / math.sqrt(inputs)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, inputs) to (n, outputs)."""
        return functional.linear(x, self.weight * self.scale, self.bias * self.rate)


class EqualizedConvolution(nn.Module):
    """A convolution with an equalised learning rate that keeps the size of its input.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Odd.
    dims : int
        2 or 3.
    bias : bool
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dims: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *(kernel,) * dims))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = 1 / math.sqrt(inputs * kernel**dims)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, inputs, *spatial) to (n, outputs, *spatial)."""
        return _convolve(x, self.weight * self.scale, self.bias)


class ModulatedConvolution(nn.Module):
    """A convolution whose input channels are weighted by a style; without bias.

    Weighting the input is the same as weighting the kernel, and lets all images of a batch share one convolution.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    kernel : int
        Odd.
    dims : int
        2 or 3.
    width : int
        Length of a style vector.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dims: int, width: int) -> None:
        super().__init__()
        self.style = EqualizedLinear(width, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *(kernel,) * dims))
        self.scale = 1 / math.sqrt(inputs * kernel**dims)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Shapes (n, inputs, *spatial) and (n, width) to (n, outputs, *spatial)."""
        return self._modulated(x, self.style(w))

    def _modulated(self, x: Tensor, style: Tensor) -> Tensor:
        return _convolve(x * _over_space(style, x), self.weight * self.scale)


class DemodulatedConvolution(ModulatedConvolution):
    """A modulated convolution whose output channels keep their variance whatever the style."""

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Shapes (n, inputs, *spatial) and (n, width) to (n, outputs, *spatial)."""
        style = self.style(w)
        x = self._modulated(x, style)
        return x * _over_space(demodulation(self.weight * self.scale, style), x)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    convolution = functional.conv2d if weight.ndim == 4 else functional.conv3d
    return convolution(x, weight, bias, padding=weight.shape[-1] // 2)


def _over_space(values: Tensor, x: Tensor) -> Tensor:
    """Numbers (n, channels) in a shape that multiplies images like x."""
    return values.reshape(*values.shape, *(1,) * (x.ndim - 2))
