"""What a network is asked to predict, and how that becomes an estimate of x0.

With ``x = x0 + sigma eps`` every choice is ``D = c_skip x + c_out F(c_in x)`` with three functions of sigma:

=======  =====================  ==========================  ==========================  =============================
name     F predicts             c_skip                      c_out                       c_in
=======  =====================  ==========================  ==========================  =============================
eps      noise eps              1                           -sigma                      1 / sqrt(1 + sigma^2)
score    sigma times the score  1                           sigma                       1
v        a eps - b x0           1 / (1 + sigma^2)           -sigma / sqrt(1 + sigma^2)  1 / sqrt(1 + sigma^2)
x0       x0                     0                           1                           1 / sqrt(s^2 + sigma^2)
edm      unit-variance target   s^2 / (s^2 + sigma^2)       s sigma / sqrt(...)         1 / sqrt(s^2 + sigma^2)
flow     eps - x0               1 / (1 + sigma)             -sigma / (1 + sigma)        1 / (1 + sigma)
=======  =====================  ==========================  ==========================  =============================

where s is the standard deviation of the data, ``a = 1 / sqrt(1 + sigma^2)`` and ``b = sigma a``. Weighted by
``1 / c_out^2`` the error of D is the plain squared error of F, the loss each was published with.

References
----------
eps: J. Ho, A. Jain, P. Abbeel, NeurIPS 2020. score: Y. Song, S. Ermon, NeurIPS 2019. v: T. Salimans, J. Ho,
ICLR 2022. edm: T. Karras et al., NeurIPS 2022, table 1. flow: X. Liu, C. Gong, Q. Liu, ICLR 2023, with
``t = sigma / (1 + sigma)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["PARAMETRISATIONS", "Parametrisation", "Prediction"]

Prediction = Literal["eps", "score", "v", "x0", "edm", "flow"]
PARAMETRISATIONS: tuple[Prediction, ...] = ("eps", "score", "v", "x0", "edm", "flow")


@dataclass(frozen=True)
class Parametrisation:
    """How a network's output becomes an estimate of x0.

    Parameters
    ----------
    prediction : {"eps", "score", "v", "x0", "edm", "flow"}
    sigma_data : float
        Standard deviation of the data, used by ``"edm"`` and ``"x0"``.
    """

    prediction: Prediction
    sigma_data: float = 0.5

    def __post_init__(self) -> None:
        if self.prediction not in PARAMETRISATIONS:
            raise ValueError(f"prediction must be one of {', '.join(PARAMETRISATIONS)}, got {self.prediction!r}")
        if not self.sigma_data > 0:
            raise ValueError(f"sigma_data must be positive, got {self.sigma_data!r}")

    def coefficients(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``(c_skip, c_out, c_in)``, each of the shape of `sigma`."""
        one = torch.ones_like(sigma)
        unit = (1 + sigma.square()).rsqrt()
        spread = (self.sigma_data**2 + sigma.square()).rsqrt()
        match self.prediction:
            case "eps":
                return one, -sigma, unit
            case "score":
                return one, sigma, one
            case "v":
                return unit.square(), -sigma * unit, unit
            case "x0":
                return torch.zeros_like(sigma), one, spread
            case "edm":
                return self.sigma_data**2 * spread.square(), self.sigma_data * sigma * spread, spread
            case "flow":
                return 1 / (1 + sigma), -sigma / (1 + sigma), 1 / (1 + sigma)

    def weight(self, sigma: Tensor) -> Tensor:
        """``1 / c_out^2``: the weight of ``|D - x0|^2`` that makes it the squared error of the network."""
        return self.coefficients(sigma)[1].square().reciprocal()

    def target(self, x0: Tensor, eps: Tensor, sigma: Tensor) -> Tensor:
        """What a perfect network would say: F for which D is x0."""
        c_skip, c_out, _ = self.coefficients(sigma)
        return (x0 - c_skip * (x0 + sigma * eps)) / c_out
