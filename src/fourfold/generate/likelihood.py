"""How probable an image is under a diffusion model: the exact density of its flow, and the variational bound.

The density is that of what the deterministic samplers draw in the limit of small steps: noise of ``N(0, sigma_max^2)``
carried along the probability-flow equation down to sigma_min. The bound is that of DDPM's chain from the same noise.
Both are in nats; `bits_per_dimension` turns them into the unit of papers.

References
----------
Y. Song et al., "Score-based generative modeling through stochastic differential equations", ICLR 2021, appendix D.2.
J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020, equations 5 and 13.
D. Kingma, T. Salimans, B. Poole, J. Ho, "Variational diffusion models", NeurIPS 2021, equations 11 to 14.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fourfold.generate.denoiser import Denoise
from fourfold.generate.frameworks import Framework
from fourfold.generate.sampling.steps import Draw, steps

__all__ = ["GREY_LEVELS", "Bound", "bits_per_dimension", "dequantised", "log_likelihood", "variational_bound"]

GREY_LEVELS = 256


def log_likelihood(
    denoise: Denoise,
    x: Tensor,
    framework: Framework,
    noise: Draw | None,
    *,
    sigma_data: float = 0.5,
    probes: int = 1,
    intervals: int = 64,
) -> Tensor:
    """Log-density of images under the flow of a diffusion model.

    With ``t = ln sigma`` and J the Jacobian of D, ``dx/dt = x - D`` and
    ``ln p(x) = ln N(x_T; 0, sigma_max^2) + integral of (d - tr J) dt``. What a Gaussian of standard deviation
    `sigma_data` would contribute is integrated in closed form, the rest by Heun's method in steps of one length.

    Parameters
    ----------
    denoise : Denoise
        Differentiable in x.
    x : tensor, shape (n, C, *spatial)
        Images in [-1, 1], dequantised where they are of whole grey levels, or latents.
    framework : Framework
        Gives sigma_min, where x is taken to be, and sigma_max.
    noise : callable or None
        A source of probes, for Hutchinson's estimate of the trace (their signs are used); None for the exact trace,
        which takes a derivative for every pixel.
    sigma_data : float
        Standard deviation of the data; a better guess means smaller errors, never other results.
    probes : int
        More of them, less scatter.
    intervals : int
        Of the integration, two network calls each.

    Returns
    -------
    tensor, shape (n,), float64
        In nats.
    """
    x = x.detach().clone()
    pixels = x[0].numel()
    trace = _exact_trace if noise is None else _hutchinson([noise().to(x).sign() for _ in range(probes)])
    low, high = math.log(framework.sigma_min), math.log(framework.sigma_max)
    length = (high - low) / intervals

    def change(scaled: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """Of ``x / sqrt(sigma_data^2 + sigma^2)``, and of the density; both 0 for the Gaussian."""
        total = sigma_data**2 + math.exp(2 * t)
        scale, share = math.sqrt(total), sigma_data**2 / total
        at = scaled * scale
        estimate, found = trace(denoise, at, torch.tensor(math.exp(t), dtype=torch.float64).to(x))
        return (share * at - estimate) / scale, pixels * share - found

    integral = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    scaled = x / math.sqrt(sigma_data**2 + framework.sigma_min**2)
    for index in range(intervals):
        slope, density = change(scaled, low + index * length)
        slope_after, density_after = change(scaled + length * slope, low + (index + 1) * length)
        scaled = scaled + length * (slope + slope_after) / 2
        integral += length * (density + density_after) / 2
    first, last = (math.log(sigma_data**2 + sigma**2) for sigma in (framework.sigma_min, framework.sigma_max))
    end = scaled.double().flatten(1) * math.exp(last / 2) / framework.sigma_max
    prior = -0.5 * (end.square().sum(dim=1) + pixels * math.log(2 * math.pi * framework.sigma_max**2))
    return prior + integral + pixels * (last - first) / 2


@dataclass(frozen=True)
class Bound:
    """The variational bound of n images on ``-ln p``, in nats; each part of shape (n,).

    Parameters
    ----------
    prior : tensor
        L_T: how far the noised image is from the noise that sampling starts at.
    steps : tensor
        The sum of the divergences of the steps.
    decoder : tensor
        L_0: the image given the last level.
    """

    prior: Tensor
    steps: Tensor
    decoder: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.prior + self.steps + self.decoder


def variational_bound(
    denoise: Denoise, x: Tensor, levels: Tensor, noise: Draw, *, grey_levels: int | None = GREY_LEVELS
) -> Bound:
    """The bound of ancestral sampling over given levels with the posterior variance.

    Every step costs ``(1 / sigma'^2 - 1 / sigma^2) |x - D|^2 / 2``. The last one decodes: a Gaussian around D whose
    variance is DDPM's first beta, over the width of a grey level, the outer two being open.

    Parameters
    ----------
    denoise : Denoise
    x : tensor, shape (n, C, *spatial)
        Images in [-1, 1], not dequantised, or latents.
    levels : tensor, shape (K + 1,)
        Falling, the last one 0: `Framework.levels`. One network call each.
    noise : callable
        Drawn from once a level.
    grey_levels : int or None
        Of the images; None for values of any precision, whose density is then bounded.

    Returns
    -------
    Bound
    """
    prior = x.double().square().flatten(1).sum(dim=1) / (2 * float(levels[0]) ** 2)
    total = torch.zeros_like(prior)
    decoder = torch.zeros_like(prior)
    for step in steps(levels):
        with torch.no_grad():
            estimate = denoise(x + step.level.to(x) * noise().to(x), step.level.to(x)).double()
        if step.last:
            spread = float(step.level / (1 + step.level.square()).sqrt())
            decoder = -_log_decoder(x.double(), estimate, spread, grey_levels).flatten(1).sum(dim=1)
        else:
            weight = float(1 / step.following.square() - 1 / step.level.square()) / 2
            total += weight * (x.double() - estimate).square().flatten(1).sum(dim=1)
    return Bound(prior, total, decoder)


def bits_per_dimension(nats: Tensor, pixels: int, grey_levels: int | None = GREY_LEVELS) -> Tensor:
    """``-log2`` of a probability, per value of the image.

    Parameters
    ----------
    nats : tensor
        Log-density of dequantised images in [-1, 1], or minus a bound on log-probabilities.
    pixels : int
        Values of one image, channels included.
    grey_levels : int or None
        Turns a density into the probability of a grey level, ``2 / (grey_levels - 1)`` wide; None for what is a
        probability already (a bound of grey levels), or to stay with the density.
    """
    bits = -nats / (pixels * math.log(2))
    return bits if grey_levels is None else bits + math.log2((grey_levels - 1) / 2)


def dequantised(x: Tensor, noise: Callable[[], Tensor], grey_levels: int = GREY_LEVELS) -> Tensor:
    """Images with uniform noise as wide as a grey level, whose mean log-density bounds their log-probability.

    Parameters
    ----------
    x : tensor, shape (n, C, *spatial)
        In [-1, 1], of `grey_levels` values.
    noise : callable
        Standard normal numbers of the shape of x; what is added is their distribution function.
    grey_levels : int
    """
    uniform = torch.special.ndtr(noise().to(x))
    return x + (uniform - 0.5) * 2 / (grey_levels - 1)


def _exact_trace(denoise: Denoise, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """D, and the trace of its Jacobian, shape (n,), pixel by pixel."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        estimate = denoise(x, sigma)
        flat = estimate.flatten(1)
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for pixel in range(flat.shape[1]):
            (row,) = torch.autograd.grad(flat[:, pixel].sum(), x, retain_graph=True)
            total += row.flatten(1)[:, pixel].double()
    return estimate.detach(), total


def _hutchinson(probes: list[Tensor]) -> Callable[[Denoise, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """D, and the mean over probes e of ``e^T J e``."""

    def trace(denoise: Denoise, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            estimate = denoise(x, sigma)
            total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
            for probe in probes:
                (row,) = torch.autograd.grad(estimate, x, probe, retain_graph=True)
                total += (row * probe).double().flatten(1).sum(dim=1)
        return estimate.detach(), total / len(probes)

    return trace


def _log_decoder(x: Tensor, mean: Tensor, spread: float, grey_levels: int | None) -> Tensor:
    """Log-probability of each pixel's grey level, or log-density, under a Gaussian."""
    if grey_levels is None:
        return -0.5 * ((x - mean) / spread).square() - math.log(spread * math.sqrt(2 * math.pi))
    half = 1 / (grey_levels - 1)
    # The bin seen from the mean lies in the lower tail, where logarithms keep their digits.
    distance = (x - mean).abs()
    near = torch.special.log_ndtr((half - distance) / spread)
    far = torch.special.log_ndtr((-half - distance) / spread)
    inside = near + torch.log1p(-(far - near).exp())
    lowest = torch.special.log_ndtr((x + half - mean) / spread)
    highest = torch.special.log_ndtr((mean - x + half) / spread)
    return torch.where(x <= -1 + half, lowest, torch.where(x >= 1 - half, highest, inside))
