"""Predictor-corrector: a step of the reverse equation, then Langevin steps that repair what it got wrong.

    predictor  x' = x + (sigma^2 - sigma'^2) s(x; sigma) + sqrt(sigma^2 - sigma'^2) z
    corrector  x' = x + a s(x; sigma) + sqrt(2 a) z,      a = 2 (r |z| / |s|)^2

r is called the signal-to-noise ratio. A step that follows the norms of one image is biased where pixels are few, one
that follows those of the batch makes an image depend on the others, so the norms are replaced by what they are on
average, ``|z| = sigma |s|``: ``a = 2 r^2 sigma^2``. On maps that is Langevin dynamics with a preconditioner, each pixel
in units of its own level. Two network calls a step, one in the last, which denoises.

References
----------
Y. Song, J. Sohl-Dickstein, D. Kingma, A. Kumar, S. Ermon, B. Poole, "Score-based generative modeling through stochastic
differential equations", ICLR 2021, algorithms 2 and 4; r = 0.16 for the VE process, appendix G.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fourfold.generate.denoiser import Denoise
from fourfold.generate.sampling.euler_maruyama import reverse_diffusion
from fourfold.generate.sampling.steps import Draw, Step, drawn, steps

__all__ = ["correct", "predictor_corrector"]

SIGNAL_TO_NOISE = 0.16


def predictor_corrector(
    denoise: Denoise, x: Tensor, levels: Tensor, noise: Draw | None, *, signal_to_noise: float = SIGNAL_TO_NOISE
) -> Tensor:
    """The variance-exploding process with one corrector step after each predictor step but the last.

    Parameters
    ----------
    denoise : Denoise
    x : tensor, shape (n, C, *spatial)
        Noised at ``levels[0]``.
    levels : tensor, shape (K + 1,) or (K + 1, n, 1, *spatial)
        Falling, the last one 0.
    noise : callable
    signal_to_noise : float
        r.

    Returns
    -------
    tensor, shape of `x`
    """
    for step in steps(levels):
        x = reverse_diffusion(denoise, x, step, noise)
        if not step.last:
            x = correct(denoise, x, step, noise, signal_to_noise)
    return x


def correct(denoise: Denoise, x: Tensor, step: Step, noise: Draw | None, signal_to_noise: float) -> Tensor:
    """One Langevin step at the level that a step has led to, for the pixels that it has led there.

    Parameters
    ----------
    denoise : Denoise
    x : tensor, shape (n, C, *spatial)
    step : Step
    noise : callable
    signal_to_noise : float

    Returns
    -------
    tensor, shape of `x`
    """
    sigma = step.following.to(x)
    arrived = (step.level > step.following) & (step.following > 0)
    # a s = 2 r^2 (D - x), finite at any level.
    length = 2 * signal_to_noise**2
    moved = x + length * (denoise(x, sigma) - x) + (2 * length) ** 0.5 * sigma * drawn(noise, x)
    return torch.where(arrived.to(x.device), moved, x)
