"""The samplers by name, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.frameworks import Framework
from fourfold.generate.sampling.ddim import ddim
from fourfold.generate.sampling.ddpm import ddpm
from fourfold.generate.sampling.dpm_solver import dpm_solver_2m, logarithmic, sde_dpm_solver_2m
from fourfold.generate.sampling.euler import euler
from fourfold.generate.sampling.euler_maruyama import euler_maruyama
from fourfold.generate.sampling.heun import heun
from fourfold.generate.sampling.langevin import EACH, langevin
from fourfold.generate.sampling.predictor_corrector import predictor_corrector

__all__ = ["SAMPLERS", "Sampler", "sampler"]


@dataclass(frozen=True)
class Sampler:
    """A way from noise to images.

    Parameters
    ----------
    name : str
    function : callable
        ``f(denoise, x, levels, noise) -> x``, x noised at ``levels[0]``.
    each : int
        Network calls a step.
    beside : int
        Network calls beside those: negative where the last step takes fewer.
    stochastic : bool
        Whether it draws noise on the way.
    source : str
    space : callable
        ``f(framework, steps)``: the levels that it visits, ``steps + 1`` of them, the last one 0.
    fewest : int
        Steps below which its result would mean nothing.
    """

    name: str
    function: Callable[..., Tensor]
    each: int
    beside: int
    stochastic: bool
    source: str
    space: Callable[[Framework, int], Tensor] = Framework.levels
    fewest: int = 1

    def steps(self, evaluations: int) -> int:
        """How many steps a budget of network calls allows.

        Raises
        ------
        InputError
            Where it allows none; the message holds the least.
        """
        least = self.evaluations(self.fewest)
        if evaluations < least:
            raise InputError(
                f"the sampler {self.name} takes at least {least} evaluation{'s' * (least > 1)} of the network, "
                f"got {evaluations}; allow more"
            )
        return (evaluations - self.beside) // self.each

    def evaluations(self, steps: int) -> int:
        """Network calls of that many steps."""
        return steps * self.each + self.beside

    def levels(self, framework: Framework, evaluations: int) -> Tensor:
        """The levels to visit with a budget of network calls, float64, falling, the last one 0.

        Raises
        ------
        InputError
            Where the budget is too small, or the framework has fewer levels than it would pay for.
        """
        steps = self.steps(evaluations)
        levels = self.space(framework, steps)
        if not bool((levels[:-1] > levels[1:]).all()):
            raise InputError(
                f"the framework {framework.name} has fewer than {steps} noise levels; "
                "allow fewer evaluations of the network"
            )
        return levels


SAMPLERS: dict[str, Sampler] = {
    one.name: one
    for one in (
        Sampler("ddpm", ddpm, 1, 0, True, "Ho, Jain, Abbeel, NeurIPS 2020"),
        Sampler("ddim", ddim, 1, 0, False, "Song, Meng, Ermon, ICLR 2021"),
        Sampler("euler", euler, 1, 0, False, "Karras et al., NeurIPS 2022"),
        Sampler("heun", heun, 2, -1, False, "Karras et al., NeurIPS 2022"),
        Sampler("dpm++2m", dpm_solver_2m, 1, 0, False, "Lu et al., arXiv 2211.01095", logarithmic),
        Sampler("sde-dpm++2m", sde_dpm_solver_2m, 1, 0, True, "Lu et al., arXiv 2211.01095", logarithmic),
        Sampler("euler-maruyama", euler_maruyama, 1, 0, True, "Song et al., ICLR 2021"),
        Sampler("predictor-corrector", predictor_corrector, 2, -1, True, "Song et al., ICLR 2021"),
        Sampler("langevin", langevin, EACH, 1 - EACH, True, "Song & Ermon, NeurIPS 2019, 2020", fewest=4),
    )
}


def sampler(name: str) -> Sampler:
    """A sampler by name; raises InputError where there is none."""
    if name not in SAMPLERS:
        raise InputError(f"there is no sampler {name!r}; there are: {', '.join(SAMPLERS)}")
    return SAMPLERS[name]
