"""Annealed Langevin dynamics: Langevin steps at one level after the other, and a denoising step at the end.

    x' = x + a s(x; sigma) + sqrt(2 a) z,     a = e sigma^2

The step e follows technique 4 of NCSNv2: with what is left of the noise of the level before, the variance after T steps
is as near to sigma^2 as it can be. The first level takes no steps, since x already has its noise.

References
----------
Y. Song, S. Ermon, "Generative modeling by estimating gradients of the data distribution", NeurIPS 2019, algorithm 1.
Y. Song, S. Ermon, "Improved techniques for training score-based generative models", NeurIPS 2020, algorithm 1 and
techniques 3 and 4.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from fourfold.generate.denoiser import Denoise
from fourfold.generate.sampling.steps import Draw, Step, drawn, steps

__all__ = ["EACH", "langevin", "step_size"]

EACH = 5
"""Langevin steps a level, T; NCSNv2 appendix B for 32-pixel images."""


def langevin(denoise: Denoise, x: Tensor, levels: Tensor, noise: Draw | None, *, each: int = EACH) -> Tensor:
    """Annealed Langevin dynamics.

    Parameters
    ----------
    denoise : Denoise
    x : tensor, shape (n, C, *spatial)
        Noised at ``levels[0]``.
    levels : tensor, shape (K + 1,) or (K + 1, n, 1, *spatial)
        Falling, the last one 0.
    noise : callable
    each : int
        Steps a level.

    Returns
    -------
    tensor, shape of `x`
    """
    for step in steps(levels):
        ends = (step.level > 0) & (step.following == 0)
        if bool(ends.any()):
            x = torch.where(ends.to(x.device), denoise(x, step.level.to(x)), x)
        if step.last:
            continue
        sigma = step.following.to(x)
        size = step_size(step, each)
        pulled, kicked = size.to(x), ((2 * size).sqrt() * step.following).to(x)
        for _ in range(each):
            moved = x + pulled * (denoise(x, sigma) - x) + kicked * drawn(noise, x)
            x = step.settle(x, torch.where(sigma > 0, moved, x))
    return x


def step_size(step: Step, each: int) -> Tensor:
    """The step e of each pixel, shape of its levels.

    Parameters
    ----------
    step : Step
    each : int
        Langevin steps a level.
    """
    gamma = torch.where(step.following > 0, step.level / step.following, 1.0).clamp_min(1.0)
    table_gamma, table_size = _table(each)
    found = np.interp(gamma.log().numpy(), table_gamma, table_size)
    return torch.as_tensor(found, dtype=torch.float64)


@cache
def _table(each: int) -> tuple[np.ndarray, np.ndarray]:
    """The logarithm of gamma, the ratio of two levels, and the e that is best for it.

    On data of one point the variance after T steps, in units of ``sigma^2``, is
    ``(1 - e)^2T (gamma^2 - v) + v`` with ``v = 2 / (2 - e)``, which is nowhere below 1 (NCSNv2, proposition 3).
    """
    log_gamma = np.linspace(0, np.log(1e4), 400)
    size = np.concatenate([[0.0], np.geomspace(1e-4, 1, 4000)])
    rest = 2 / (2 - size)
    variance = (1 - size) ** (2 * each) * (np.exp(2 * log_gamma)[:, None] - rest) + rest
    return log_gamma, size[variance.argmin(axis=1)]
