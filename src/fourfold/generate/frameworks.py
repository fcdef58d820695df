"""DDPM, NCSN, VP, VE, EDM and rectified flow: which noise levels are trained on, and which are visited in sampling.

They share one denoiser (`fourfold.generate.denoiser`); a framework is a law of sigma for training, a parametrisation
and a row of falling levels for sampling, nothing more.

References
----------
ddpm: J. Ho, A. Jain, P. Abbeel, NeurIPS 2020. ncsn: Y. Song, S. Ermon, NeurIPS 2019 and 2020. vp, ve: Y. Song et al.,
ICLR 2021. edm: T. Karras et al., NeurIPS 2022, tables 1 and 5. flow: X. Liu, C. Gong, Q. Liu, ICLR 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.parametrisations import Parametrisation, Prediction

__all__ = ["FRAMEWORKS", "Framework", "framework", "karras_levels"]

P_MEAN, P_STD = -1.2, 1.2
"""Mean and standard deviation of ln(sigma) in training, EDM table 1."""

RHO = 7.0
"""Curvature of the levels, EDM equation 5."""

BETA_MIN, BETA_D = 0.1, 19.9
"""VP: slope of beta(t), EDM table 1."""

DDPM_TIMES = 1000
DDPM_BETAS = (1e-4, 0.02)
NCSN_SIGMAS = (0.01, 50.0, 232)
"""Smallest, largest and number of levels for 32-pixel images, NCSNv2 appendix B."""


@dataclass(frozen=True)
class Framework:
    """A law of noise levels.

    Parameters
    ----------
    name : str
    prediction : str
        The parametrisation it was published with.
    sampler : str
        Its own sampler, by the name in `fourfold.generate.sampling`.
    sigma_min, sigma_max : float
        The levels between which it samples.
    quantile : callable
        From uniform numbers in (0, 1) to training levels.
    between : callable
        From positions in [0, 1] to falling levels, 0 the largest and 1 the smallest.
    source : str
    """

    name: str
    prediction: Prediction
    sampler: str
    sigma_min: float
    sigma_max: float
    quantile: Callable[[Tensor], Tensor]
    between: Callable[[Tensor], Tensor]
    source: str

    def parametrisation(self, sigma_data: float) -> Parametrisation:
        """The parametrisation for data of this standard deviation."""
        return Parametrisation(self.prediction, sigma_data)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Training levels, shape (count,): stratified over the batch, so that no batch lacks a part of the range."""
        strata = (torch.arange(count) + torch.rand(count, generator=generator, dtype=torch.float64)) / count
        return self.quantile(strata.clamp(1e-6, 1 - 1e-6)).float()

    def levels(self, steps: int) -> Tensor:
        """``steps + 1`` falling levels of float64, the last one 0.

        Raises
        ------
        InputError
            Where `steps` is not positive.
        """
        if steps < 1:
            raise InputError(f"sampling takes at least 1 step, got {steps}")
        positions = torch.linspace(0, 1, steps, dtype=torch.float64) if steps > 1 else torch.zeros(1).double()
        return torch.cat([self.between(positions), torch.zeros(1, dtype=torch.float64)])


def karras_levels(positions: Tensor, sigma_min: float, sigma_max: float, rho: float = RHO) -> Tensor:
    """EDM equation 5, from positions 0 (largest) to 1 (smallest)."""
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return (high + positions * (low - high)) ** rho


def _edm_quantile(u: Tensor) -> Tensor:
    return (P_MEAN + P_STD * torch.special.ndtri(u)).exp()


def _geometric(low: float, high: float) -> Callable[[Tensor], Tensor]:
    return lambda u: low ** (1 - u) * high**u


def _vp_sigma(t: Tensor) -> Tensor:
    return torch.expm1(BETA_D * t.square() / 2 + BETA_MIN * t).sqrt()


def ddpm_sigmas() -> Tensor:
    """Levels of the thousand times of DDPM, rising, float64."""
    abar = torch.cumprod(1 - torch.linspace(*DDPM_BETAS, DDPM_TIMES, dtype=torch.float64), 0)
    return ((1 - abar) / abar).sqrt()


def _ddpm_quantile(u: Tensor) -> Tensor:
    return ddpm_sigmas()[(u * DDPM_TIMES).long().clamp_max(DDPM_TIMES - 1)]


def _ddpm_between(positions: Tensor) -> Tensor:
    return ddpm_sigmas()[((1 - positions) * (DDPM_TIMES - 1)).round().long()]


def _ncsn_quantile(u: Tensor) -> Tensor:
    low, high, count = NCSN_SIGMAS
    place = (u * count).long().clamp_max(count - 1).double() / (count - 1)
    return low ** (1 - place) * high**place


def _flow_sigma(t: Tensor) -> Tensor:
    return t / (1 - t)


_VP_RANGE = (1e-3, 1.0)
_VE_RANGE = (0.02, 100.0)
_FLOW_TIMES = (0.002, 0.99)
_VP_ENDS = tuple(float(_vp_sigma(torch.tensor(t, dtype=torch.float64))) for t in _VP_RANGE)
_DDPM_ENDS = (float(ddpm_sigmas()[0]), float(ddpm_sigmas()[-1]))
_FLOW_ENDS = tuple(t / (1 - t) for t in _FLOW_TIMES)

FRAMEWORKS: dict[str, Framework] = {
    one.name: one
    for one in (
        Framework(
            "edm", "edm", "heun", 0.002, 80.0, _edm_quantile,
            lambda p: karras_levels(p, 0.002, 80.0), "Karras et al., NeurIPS 2022",
        ),
        Framework(
            "ddpm", "eps", "ddpm", *_DDPM_ENDS, _ddpm_quantile, _ddpm_between, "Ho, Jain, Abbeel, NeurIPS 2020"
        ),
        Framework(
            "ncsn", "score", "langevin", *NCSN_SIGMAS[:2], _ncsn_quantile,
            lambda p: _geometric(*NCSN_SIGMAS[:2])(1 - p), "Song & Ermon, NeurIPS 2019, 2020",
        ),
        Framework(
            "vp", "eps", "euler-maruyama", *_VP_ENDS,
            lambda u: _vp_sigma(_VP_RANGE[0] + u * (_VP_RANGE[1] - _VP_RANGE[0])),
            lambda p: _vp_sigma(_VP_RANGE[1] - p * (_VP_RANGE[1] - _VP_RANGE[0])), "Song et al., ICLR 2021",
        ),
        Framework(
            "ve", "score", "predictor-corrector", *_VE_RANGE, _geometric(*_VE_RANGE),
            lambda p: _geometric(*_VE_RANGE)(1 - p), "Song et al., ICLR 2021",
        ),
        Framework(
            "flow", "flow", "euler", *_FLOW_ENDS,
            lambda u: _flow_sigma(_FLOW_TIMES[0] + u * (_FLOW_TIMES[1] - _FLOW_TIMES[0])),
            lambda p: _flow_sigma(_FLOW_TIMES[1] - p * (_FLOW_TIMES[1] - _FLOW_TIMES[0])),
            "Liu, Gong, Liu, ICLR 2023",
        ),
    )
}  # fmt: skip


def framework(name: str) -> Framework:
    """A framework by name; raises InputError where there is none."""
    if name not in FRAMEWORKS:
        raise InputError(f"there is no framework {name!r}; there are: {', '.join(FRAMEWORKS)}")
    return FRAMEWORKS[name]
