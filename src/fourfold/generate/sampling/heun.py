"""Heun's method on the probability-flow equation, the second-order sampler of EDM, with churn as an option.

    d  = (x - D(x; sigma)) / sigma,            x' = x + (sigma' - sigma) d
    d' = (x' - D(x'; sigma')) / sigma',        x' = x + (sigma' - sigma) (d + d') / 2    unless sigma' = 0

Churn first raises the level, ``sigma_hat = (1 + gamma) sigma``, by adding noise. Two network calls a step, one in the
last.

References
----------
T. Karras, M. Aittala, T. Aila, S. Laine, "Elucidating the design space of diffusion-based generative models",
NeurIPS 2022, algorithms 1 and 2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fourfold.generate.denoiser import Denoise
from fourfold.generate.sampling.steps import Draw, Step, drawn, steps

__all__ = ["heun"]


def heun(
    denoise: Denoise,
    x: Tensor,
    levels: Tensor,
    noise: Draw | None = None,
    *,
    churn: float = 0.0,
    churn_between: tuple[float, float] = (0.0, math.inf),
    churn_noise: float = 1.0,
) -> Tensor:
    """Heun's method; deterministic without churn.

    Parameters
    ----------
    denoise : Denoise
    x : tensor, shape (n, C, *spatial)
        Noised at ``levels[0]``.
    levels : tensor, shape (K + 1,) or (K + 1, n, 1, *spatial)
        Falling, the last one 0.
    noise : callable or None
        Needed for churn.
    churn : float
        S_churn: noise added over the whole way; 0 for none.
    churn_between : tuple of float
        S_tmin and S_tmax: the levels at which it is added.
    churn_noise : float
        S_noise: its standard deviation.

    Returns
    -------
    tensor, shape of `x`
    """
    gamma = min(churn / (len(levels) - 1), math.sqrt(2) - 1)
    for step in steps(levels):
        start, taken = x, step
        if gamma:
            taken, start = _churned(step, x, gamma, churn_between, churn_noise, noise)
        level, following = taken.level.to(x), taken.following.to(x)
        slope = _slope(start, denoise(start, level), level)
        moved = start + (following - level) * slope
        if not step.last:
            correction = _slope(moved, denoise(moved, following), following)
            corrected = start + (following - level) * (slope + correction) / 2
            moved = torch.where(following > 0, corrected, moved)
        x = step.settle(x, moved)
    return x


def _slope(x: Tensor, estimate: Tensor, level: Tensor) -> Tensor:
    """The derivative of x by sigma; finite also where the level is 0, and there not used."""
    return (x - estimate) / torch.where(level > 0, level, 1.0)


def _churned(
    step: Step, x: Tensor, gamma: float, between: tuple[float, float], spread: float, noise: Draw | None
) -> tuple[Step, Tensor]:
    """The step from the raised level, and x with the noise that raises it."""
    inside = (step.level >= between[0]) & (step.level <= between[1]) & (step.level > step.following)
    raised = torch.where(inside, step.level * (1 + gamma), step.level)
    added = (raised.square() - step.level.square()).clamp_min(0).sqrt()
    return Step(raised, step.following), x + (spread * added).to(x) * drawn(noise, x)
