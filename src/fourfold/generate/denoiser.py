"""The one contract of every diffusion model: ``D(x, sigma, condition)`` estimates x0 from ``x = x0 + sigma eps``.

Noise is added and never scaled: a model of the variance-preserving kind sees ``x / sqrt(1 + sigma^2)``, one of
rectified flow ``x / (1 + sigma)``, and so on; `fourfold.generate.parametrisations` holds these changes of variables.
From the denoiser follow the score ``(D - x) / sigma^2`` and the noise ``(x - D) / sigma`` (Karras et al., NeurIPS 2022,
equation 3), so samplers, guidance, likelihood, restoration and attacks need nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from fourfold.generate.condition import Condition
from fourfold.generate.parametrisations import Parametrisation

__all__ = ["Denoise", "Denoiser", "Preconditioned", "bind", "spread"]

Denoise = Callable[[Tensor, Tensor], Tensor]
"""A denoiser whose condition and guidance are settled: ``(x, sigma) -> x0``, what samplers take."""


class Denoiser(Protocol):
    """Anything with this call is a diffusion model of the house."""

    def __call__(self, x: Tensor, sigma: Tensor, condition: Condition | None = None) -> Tensor:
        """Estimate of x0.

        Parameters
        ----------
        x : tensor, shape (n, C, H, W) or (n, C, D, H, W)
            Images in [-1, 1], or latents, with noise added.
        sigma : tensor, shape () or (n,) or (n, 1, *spatial)
            Standard deviation of the noise: one for all, one an image, or a map, one a pixel.
        condition : Condition or None
            n rows.

        Returns
        -------
        tensor, shape of `x`
        """
        ...


def spread(sigma: Tensor | float, x: Tensor) -> Tensor:
    """`sigma` as a tensor that broadcasts against `x`, whichever of the three forms it has.

    Raises
    ------
    ValueError
        Where it has none of them.
    """
    sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if sigma.ndim == 0:
        return sigma.expand(len(x)).reshape(-1, *(1,) * (x.ndim - 1))
    if sigma.shape == x.shape[:1]:
        return sigma.reshape(-1, *(1,) * (x.ndim - 1))
    fits = sigma.ndim == x.ndim and sigma.shape[1] in (1, x.shape[1])
    if fits and all(s in (1, size) for s, size in zip(sigma.shape[2:], x.shape[2:], strict=True)):
        return sigma.expand(len(x), *sigma.shape[1:])
    raise ValueError(
        f"sigma of shape {tuple(sigma.shape)} does not fit images of shape {tuple(x.shape)}: "
        f"give one number, {len(x)} numbers, or a map (n, 1, {', '.join(map(str, x.shape[2:]))})"
    )


def bind(denoiser: Denoiser, condition: Condition | None = None) -> Denoise:
    """The denoiser under one condition."""
    return lambda x, sigma: denoiser(x, sigma, condition)


class Preconditioned(nn.Module):
    """A network under a parametrisation, as a denoiser: ``c_skip x + c_out F(c_in x, ln(sigma) / 4, condition)``.

    Parameters
    ----------
    network : nn.Module
        ``network(x, noise, condition)`` with noise of shape (n,), or (n, 1, *spatial) where it takes maps.
    parametrisation : Parametrisation

    References
    ----------
    T. Karras, M. Aittala, T. Aila, S. Laine, NeurIPS 2022, equation 7 and table 1.
    """

    def __init__(self, network: nn.Module, parametrisation: Parametrisation) -> None:
        super().__init__()
        self.network = network
        self.parametrisation = parametrisation

    def forward(self, x: Tensor, sigma: Tensor, condition: Condition | None = None) -> Tensor:
        """As `Denoiser`."""
        level = spread(sigma, x).clamp_min(1e-8)
        c_skip, c_out, c_in = self.parametrisation.coefficients(level)
        noise = level.log() / 4
        noise = noise.flatten() if noise[0].numel() == 1 else noise
        return c_skip * x + c_out * self.network(c_in * x, noise, condition)
