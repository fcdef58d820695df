"""The way back: from a noisy image to one that could have been clean, every pixel from the time at which it stands.

A step from variance gamma to gamma' < gamma draws from the Brownian bridge between x0 and ``x``, with the estimate of
x0 in its place. All pixels walk together; the less noisy ones arrive first and stay. As many calls of the network are
needed as the largest time has steps.

One chain is a *sample* of what may have been there. It can show structure that is not in the patient; the mean of
several chains is the estimate, and their spread says how far it can be trusted. Steps of finite length spread less than
they should: at unit stride about 0.93 of the posterior's standard deviation at sigma = 0.5, less for weaker noise.

References
----------
N. Pearl et al., arXiv 2306.16052, 2023.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fourfold.generate.noise import Noise
from fourfold.generate.provenance import seed_of
from fourfold.generate.restoration.time_map import GammaSchedule

__all__ = ["Estimate", "Posterior", "bridge_step", "calls_of", "posterior", "reverse_chain"]

Estimate = Callable[[Tensor, Tensor, Tensor], Tensor]
"""``(x_t, y, time) -> x0``, all of one shape."""


@dataclass(frozen=True)
class Posterior:
    """What several chains say.

    Parameters
    ----------
    mean : tensor, shape (n, C, H, W) or (n, C, D, H, W)
    spread : tensor of the same shape, or None
        Standard deviation over the chains; None for a single one.
    """

    mean: Tensor
    spread: Tensor | None


def calls_of(time: Tensor, stride: float = 1.0) -> int:
    """How often the network is called: the largest time in steps."""
    return math.ceil(float(time.max()) / stride)


def bridge_step(x: Tensor, x0: Tensor, gamma: Tensor, after: Tensor, noise: Tensor) -> Tensor:
    """``(g'/g) x + ((g - g')/g) x0 + sqrt(g' (g - g') / g) z``; pixels that have arrived (g = 0) are left as they are.

    Parameters
    ----------
    x, x0, noise : tensors of one shape
        State, estimate and z.
    gamma, after : tensor that broadcasts against `x`
        g and g', with ``0 <= g' <= g``.
    """
    arrived = gamma <= 0
    share = torch.where(arrived, torch.ones_like(gamma), after / torch.where(arrived, torch.ones_like(gamma), gamma))
    moved = share * x + (1 - share) * x0 + (after * (1 - share)).sqrt() * noise
    return torch.where(arrived, x, moved)


def reverse_chain(
    estimate: Estimate, y: Tensor, time: Tensor, schedule: GammaSchedule, noise: Noise, *, stride: float = 1.0
) -> Tensor:
    """One sample for each image, from `y` itself on.

    Parameters
    ----------
    estimate : callable
    y : tensor, shape (n, C, H, W) or (n, C, D, H, W)
        Noisy; never clipped.
    time : tensor, shape of `y`
        T* of every pixel.
    schedule : GammaSchedule
    noise : Noise
        A stream an image.
    stride : float
        Steps that are taken at once.

    Returns
    -------
    tensor, shape of `y`
    """
    x = y
    calls = calls_of(time, stride)
    for call in range(calls):
        now = (time - call * stride).clamp_min(0)
        after = (time - (call + 1) * stride).clamp_min(0)
        x0 = estimate(x, y, now)
        # The last step adds no noise anywhere.
        z = noise().to(x) if call + 1 < calls else torch.zeros_like(x)
        x = bridge_step(x, x0, schedule.gamma(now), schedule.gamma(after), z)
    return x


def posterior(
    estimate: Estimate,
    y: Tensor,
    time: Tensor,
    schedule: GammaSchedule,
    seeds: Sequence[int],
    chains: int,
    *,
    stride: float = 1.0,
    finish: Callable[[Tensor], Tensor] | None = None,
) -> Posterior:
    """Mean and spread of several chains.

    Parameters
    ----------
    estimate, y, time, schedule, stride
        As for `reverse_chain`.
    seeds : sequence of int, length n
        Of the images; chain k of an image depends on its seed and k alone.
    chains : int
    finish : callable or None
        Applied to the end of each chain before averaging, for chains that ran on transformed values.
    """
    mean = torch.zeros(y.shape, dtype=torch.float64, device=y.device)
    squares = torch.zeros_like(mean)
    for chain in range(chains):
        noise = Noise([seed_of(seed, chain) for seed in seeds], tuple(y.shape[1:]), y.device)
        end = reverse_chain(estimate, y, time, schedule, noise, stride=stride)
        end = (end if finish is None else finish(end)).double()
        # Welford's update.
        difference = end - mean
        mean += difference / (chain + 1)
        squares += difference * (end - mean)
    spread = (squares / (chains - 1)).sqrt().to(y) if chains > 1 else None
    return Posterior(mean.to(y), spread)
