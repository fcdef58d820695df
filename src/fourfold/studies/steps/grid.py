"""Which denoisers are sampled from, by which samplers, over which levels, with how many network calls."""

from __future__ import annotations

from collections.abc import Iterator

from fourfold.generate.frameworks import FRAMEWORKS
from fourfold.generate.sampling import SAMPLERS
from fourfold.studies.study import Cell, Scale

__all__ = [
    "BOUND",
    "COPIES",
    "EXACT",
    "FAST",
    "FEW",
    "HOME",
    "LEARNED",
    "MIXTURE",
    "ODE",
    "budgets",
    "cells",
    "learned",
]

MIXTURE, COPIES = "mixture", "copies"
EXACT = (MIXTURE, COPIES)

FEWEST, FEW, FAST = 5, 10, 20
"""Network calls: the least, those that claims about few steps speak of, those that claims about fast ones speak of."""

ODE, BOUND = "ode", "bound"
"""What stands for the sampler where a likelihood is computed: the flow's density, the bound of ancestral sampling."""

HOME = {
    "ddpm": "ddpm",
    "ddim": "ddpm",
    "euler": "edm",
    "heun": "edm",
    "dpm++2m": "ddpm",
    "sde-dpm++2m": "ddpm",
    "euler-maruyama": "vp",
    "predictor-corrector": "ve",
    "langevin": "ncsn",
}
"""The framework whose levels each sampler visits: the one that it was published with, or is used with."""


def learned(framework: str) -> str:
    """The name of the denoiser that was trained under a framework."""
    return f"learned-{framework}"


LEARNED = learned("edm")


def budgets(longest: float) -> tuple[int, ...]:
    """Network calls: doubled from the least of them up to `longest`."""
    found = [FEWEST]
    while 2 * found[-1] <= longest:
        found.append(2 * found[-1])
    return tuple(found)


def cells(scale: Scale) -> list[Cell]:
    """Every cell of the study, seed by seed; in a seed the exact denoisers first, which take seconds.

    Parameters
    ----------
    scale : Scale
        Settings ``longest``, ``settled``, ``reference`` (network calls: of the ladder, of what is meant to be without
        an error of its steps, of the thousand steps of DDPM) and ``frameworks_trained`` (0 or 1).
    """
    found: dict[str, Cell] = {}
    for seed in range(scale.seeds):
        for denoiser, framework, sampler, calls in _settings(scale):
            key = f"{denoiser}_{framework}_{sampler.replace('+', 'p')}_{calls}_{seed}"
            found[key] = Cell(
                key,
                {"denoiser": denoiser, "framework": framework, "sampler": sampler, "calls": calls, "seed": seed},
            )
    return list(found.values())


def _settings(scale: Scale) -> Iterator[tuple[str, str, str, int]]:
    ladder = budgets(scale["longest"])
    settled, reference = int(scale["settled"]), int(scale["reference"])
    for denoiser in (*EXACT, LEARNED):
        for sampler, home in HOME.items():
            for calls in ladder:
                if calls >= SAMPLERS[sampler].evaluations(SAMPLERS[sampler].fewest):
                    yield denoiser, home, sampler, calls
        yield denoiser, "ddpm", "ddpm", reference
        for framework in FRAMEWORKS:
            yield denoiser, framework, "heun", settled
        if denoiser == MIXTURE:
            yield from _own(denoiser, reference)
        if denoiser != COPIES:
            yield from _likelihoods(denoiser, ladder, settled, reference)
    if scale["frameworks_trained"]:
        for framework in FRAMEWORKS:
            yield from _own(learned(framework), reference, only=framework)


def _own(denoiser: str, calls: int, only: str | None = None) -> Iterator[tuple[str, str, str, int]]:
    """Each framework with the sampler that it was published with."""
    for name, framework in FRAMEWORKS.items():
        if only in (None, name):
            yield denoiser, name, framework.sampler, calls


def _likelihoods(
    denoiser: str, ladder: tuple[int, ...], settled: int, reference: int
) -> Iterator[tuple[str, str, str, int]]:
    for calls in ladder:
        if calls >= FEW:
            yield denoiser, "edm", ODE, calls
            yield denoiser, "ddpm", BOUND, calls
    for framework in FRAMEWORKS:
        yield denoiser, framework, ODE, settled
    yield denoiser, "ddpm", BOUND, reference
