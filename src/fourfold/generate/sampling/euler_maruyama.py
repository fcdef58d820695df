"""Euler-Maruyama on the reverse stochastic equations of the variance-exploding and variance-preserving processes.

In unscaled variables the score is ``s = (D - x) / sigma^2``, and the diffusion of a step is integrated exactly:

    VE:  x' = x + (sigma^2 - sigma'^2) s + sqrt(sigma^2 - sigma'^2) z
    VP:  b = ln (1 + sigma^2) - ln (1 + sigma'^2), the integral of beta(t) over the step;
         in scaled variables y = x / sqrt(1 + sigma^2):   y' = y + b (y / 2 + s_y) + sqrt(b) z

The last step denoises, ``x' = D``, and adds nothing: for VE that is the formula without its noise, for VP the remedy of
Jolicoeur-Martineau et al. One network call a step.

References
----------
Y. Song, J. Sohl-Dickstein, D. Kingma, A. Kumar, S. Ermon, B. Poole, "Score-based generative modeling through stochastic
differential equations", ICLR 2021, equation 6 and appendices B, E and G.
A. Jolicoeur-Martineau, R. Piche-Taillefer, R. Tachet des Combes, I. Mitliagkas, ICLR 2021, section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fourfold.generate.denoiser import Denoise
from fourfold.generate.sampling.steps import Draw, Step, drawn, steps

__all__ = ["euler_maruyama", "euler_maruyama_ve", "reverse_diffusion"]


def euler_maruyama(denoise: Denoise, x: Tensor, levels: Tensor, noise: Draw | None) -> Tensor:
    """The variance-preserving process.

    Parameters
    ----------
    denoise : Denoise
    x : tensor, shape (n, C, *spatial)
        Noised at ``levels[0]``.
    levels : tensor, shape (K + 1,) or (K + 1, n, 1, *spatial)
        Falling, the last one 0.
    noise : callable

    Returns
    -------
    tensor, shape of `x`
    """
    for step in steps(levels):
        estimate = denoise(x, step.level.to(x))
        if step.last:
            moved = estimate
        else:
            before, after = 1 + step.level.square(), 1 + step.following.square()
            b = (before / after).log()
            # y / 2 + s_y, back in unscaled variables: x / 2 + (1 + sigma^2) (D - x) / sigma^2.
            pull = b * before / torch.where(step.level > 0, step.level.square(), 1.0)
            scale = (after / before).sqrt()
            moved = scale.to(x) * ((1 + b / 2).to(x) * x + pull.to(x) * (estimate - x))
            moved = moved + (b * after).sqrt().to(x) * drawn(noise, x)
            if step.following.ndim:
                moved = torch.where((step.following > 0).to(x.device), moved, estimate)
        x = step.settle(x, moved)
    return x


def euler_maruyama_ve(denoise: Denoise, x: Tensor, levels: Tensor, noise: Draw | None) -> Tensor:
    """The variance-exploding process; parameters and result as of `euler_maruyama`."""
    for step in steps(levels):
        x = reverse_diffusion(denoise, x, step, noise)
    return x


def reverse_diffusion(denoise: Denoise, x: Tensor, step: Step, noise: Draw | None) -> Tensor:
    """One step of the variance-exploding process, the predictor of `predictor_corrector`.

    Parameters
    ----------
    denoise : Denoise
    x : tensor, shape (n, C, *spatial)
    step : Step
    noise : callable

    Returns
    -------
    tensor, shape of `x`
    """
    estimate = denoise(x, step.level.to(x))
    # x + (sigma^2 - sigma'^2) s = D + (sigma'^2 / sigma^2) (x - D).
    moved = step.towards(x, estimate, step.ratio.square())
    if not step.last:
        fresh = (step.level.square() - step.following.square()).sqrt() * (step.following > 0)
        moved = moved + fresh.to(x) * drawn(noise, x)
    return step.settle(x, moved)
