"""DPM-Solver++(2M) and its SDE form: second order with one network call a step.

With ``lambda = -ln sigma`` and ``h = lambda' - lambda`` the two equations have exact solutions for a constant D; the
multistep form extrapolates D from this step and the one before, to the middle of the step:

    D2 = D + (D - D_before) h / (2 h_before)
    x' = e^-h x + (1 - e^-h) D2                                      ODE, 2M
    x' = e^-2h x + (1 - e^-2h) D2 + sigma' sqrt(1 - e^-2h) z         SDE, 2M

The first step has nothing before it, and in the last one h is infinite: both are of first order, there x' = D. No other
step is lowered, however few there are. Levels are even in lambda: extrapolation is best between steps of one length,
and levels that are even in time, or EDM's, need about twice as many calls for the same error.

References
----------
C. Lu, Y. Zhou, F. Bao, J. Chen, C. Li, J. Zhu, "DPM-Solver++: fast solver for guided sampling of diffusion
probabilistic models", arXiv 2211.01095, algorithm 2 and appendix A; levels even in lambda: C. Lu et al., "DPM-Solver",
NeurIPS 2022, section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fourfold.generate.denoiser import Denoise
from fourfold.generate.frameworks import Framework
from fourfold.generate.sampling.steps import Draw, Step, drawn, steps

__all__ = ["dpm_solver_2m", "logarithmic", "sde_dpm_solver_2m"]


def dpm_solver_2m(denoise: Denoise, x: Tensor, levels: Tensor, noise: Draw | None = None) -> Tensor:
    """DPM-Solver++(2M); deterministic.

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
    memory = _Memory()
    for step in steps(levels):
        middle = memory.extrapolate(denoise(x, step.level.to(x)), step)
        x = step.settle(x, step.towards(x, middle, step.ratio))
    return x


def sde_dpm_solver_2m(denoise: Denoise, x: Tensor, levels: Tensor, noise: Draw | None) -> Tensor:
    """SDE-DPM-Solver++(2M), which adds as much noise as ancestral sampling.

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
    memory = _Memory()
    for step in steps(levels):
        middle = memory.extrapolate(denoise(x, step.level.to(x)), step)
        moved = step.towards(x, middle, step.ratio.square())
        if not step.last:
            moved = moved + (step.following * (1 - step.ratio.square()).sqrt()).to(x) * drawn(noise, x)
        x = step.settle(x, moved)
    return x


def logarithmic(framework: Framework, steps: int) -> Tensor:
    """Levels even in lambda over a framework's range, and 0 at the end; shape (steps + 1,), float64."""
    place = torch.linspace(0, 1, steps, dtype=torch.float64) if steps > 1 else torch.zeros(1, dtype=torch.float64)
    levels = framework.sigma_max ** (1 - place) * framework.sigma_min**place
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


class _Memory:
    """The estimate of the step before, and how long that step was in lambda."""

    def __init__(self) -> None:
        self._estimate: Tensor | None = None
        self._length: Tensor | None = None

    def extrapolate(self, estimate: Tensor, step: Step) -> Tensor:
        """The estimate in the middle of this step; then this one is what is remembered."""
        length = -step.ratio.log()
        middle = estimate
        if self._estimate is not None and self._length is not None:
            # A pixel that only now begins to move, or comes to its end, has no second order.
            usable = (self._length > 0) & self._length.isfinite() & length.isfinite()
            share = torch.where(usable, length / (2 * self._length), 0.0)
            middle = estimate + share.to(estimate) * (estimate - self._estimate)
        self._estimate, self._length = estimate, length
        return middle
