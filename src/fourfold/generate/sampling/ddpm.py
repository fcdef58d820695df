"""DDPM: ancestral sampling from the posterior of the step before, given the estimate of x0.

DDPM's chain divided by its scale is a random walk ``x_t = x_{t-1} + sqrt(sigma_t^2 - sigma_{t-1}^2) z``, so the
posterior needs no betas:

    x' = D + (sigma'^2 / sigma^2) (x - D) + s z
    s^2 = sigma'^2 (sigma^2 - sigma'^2) / sigma^2                  posterior variance, beta-tilde
    s^2 = (1 + sigma'^2) (sigma^2 - sigma'^2) / (1 + sigma^2)      beta

No noise is added in the last step. One network call a step. On maps this is the reverse chain of spatially varying
noise removal.

References
----------
J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020, algorithm 2, equations 6 and 7.
N. Pearl et al., "SVNR: spatially-variant noise removal with denoising diffusion", arXiv 2306.16052, for maps.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from fourfold.generate.denoiser import Denoise
from fourfold.generate.sampling.steps import Draw, Step, drawn, steps

__all__ = ["ddpm"]


def ddpm(
    denoise: Denoise,
    x: Tensor,
    levels: Tensor,
    noise: Draw | None,
    *,
    variance: Literal["posterior", "beta"] = "posterior",
) -> Tensor:
    """Ancestral sampling.

    Parameters
    ----------
    denoise : Denoise
    x : tensor, shape (n, C, *spatial)
        Noised at ``levels[0]``.
    levels : tensor, shape (K + 1,) or (K + 1, n, 1, *spatial)
        Falling, the last one 0.
    noise : callable
    variance : {"posterior", "beta"}
        The two choices of the paper's section 3.2: right for data of one point, and for standard normal data.

    Returns
    -------
    tensor, shape of `x`
    """
    spread = _posterior_spread if variance == "posterior" else _beta_spread
    for step in steps(levels):
        estimate = denoise(x, step.level.to(x))
        moved = step.towards(x, estimate, step.ratio.square())
        if not step.last:
            moved = moved + spread(step).to(x) * drawn(noise, x)
        x = step.settle(x, moved)
    return x


def _posterior_spread(step: Step) -> Tensor:
    return step.following * (1 - step.ratio.square()).sqrt()


def _beta_spread(step: Step) -> Tensor:
    level, following = step.level.square(), step.following.square()
    # The last step of a pixel adds nothing, as the paper's z = 0 for t = 1.
    return ((following + 1) * (level - following) / (level + 1)).sqrt() * (following > 0)
