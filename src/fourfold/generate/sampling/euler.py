"""Euler's method on the probability-flow equation, the first-order ODE sampler.

    dx / dsigma = (x - D(x; sigma)) / sigma
    x' = x + (sigma' - sigma) (x - D) / sigma

One network call a step.

References
----------
T. Karras, M. Aittala, T. Aila, S. Laine, "Elucidating the design space of diffusion-based generative models",
NeurIPS 2022, equation 3 and algorithm 1 without its correction.
"""

from __future__ import annotations

from torch import Tensor

from fourfold.generate.denoiser import Denoise
from fourfold.generate.sampling.steps import Draw, steps

__all__ = ["euler"]


def euler(denoise: Denoise, x: Tensor, levels: Tensor, noise: Draw | None = None) -> Tensor:
    """Euler's method; deterministic.

    Parameters
    ----------
    denoise : Denoise
    x : tensor, shape (n, C, *spatial)
        Noised at ``levels[0]``.
    levels : tensor, shape (K + 1,) or (K + 1, n, 1, *spatial)
        Falling, the last one 0.
    noise : callable or None
        Not used.

    Returns
    -------
    tensor, shape of `x`
    """
    for step in steps(levels):
        estimate = denoise(x, step.level.to(x))
        x = step.settle(x, step.towards(x, estimate, step.ratio))
    return x
