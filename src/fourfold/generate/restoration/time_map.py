"""Noise that grows by addition, and a time for every pixel.

With ``x_t = x0 + sqrt(gamma_t) eps`` and nothing scaled, a pixel whose noise has variance sigma^2 stands at the time T*
where ``gamma(T*) = sigma^2``. A noisy image ``y`` is therefore the state of a diffusion whose pixels stand at different
times, and is cleaned by running each pixel back from where it stands.

``x_t`` and ``y`` are two times of one Brownian path. Drawn with independent noise instead, ``y`` would tell the network
about x0 beyond what ``x_t`` tells, in training alone, and it would learn to lean on that.

References
----------
N. Pearl et al., "SVNR: Spatially-variant Noise Removal with Denoising Diffusion", arXiv 2306.16052, 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["GammaSchedule", "correlated_pair"]

STEPS = 1000
BETAS = (1e-4, 0.02)
SCALE = 20.0
"""lambda of the paper."""


@dataclass(frozen=True)
class GammaSchedule:
    """Variance by time: ``gamma_t = scale (1 - prod_{s<=t} (1 - beta_s))`` with linear beta, linear between the times.

    Parameters
    ----------
    steps : int
    betas : (float, float)
        The first and the last.
    scale : float
        lambda: the larger, the fewer steps a given noise takes.

    Examples
    --------
    >>> [int(GammaSchedule().time(torch.tensor(sigma**2))) for sigma in (0.3, 0.5)]
    [17, 31]
    >>> [int(GammaSchedule(scale=5.0).time(torch.tensor(sigma**2))) for sigma in (0.3, 0.5)]
    [38, 67]
    """

    steps: int = STEPS
    betas: tuple[float, float] = BETAS
    scale: float = SCALE

    @property
    def largest(self) -> float:
        """The largest standard deviation that has a time."""
        return float(self._table()[-1].sqrt())

    def gamma(self, time: Tensor) -> Tensor:
        """Variance at times in [0, steps], of the shape and dtype of `time`."""
        table = self._table().to(time)
        below = time.detach().floor().clamp(0, self.steps - 1)
        place = below.long()
        return torch.lerp(table[place], table[place + 1], time - below)

    def time(self, variance: Tensor) -> Tensor:
        """T*, the inverse of `gamma`, of the shape and dtype of `variance`.

        Raises
        ------
        ValueError
            Where a variance is negative or beyond the last time.
        """
        table = self._table().to(variance)
        if not bool(((variance >= 0) & (variance <= table[-1] * (1 + 1e-6))).all()):
            raise ValueError(f"a standard deviation has a time from 0 to {self.largest:.3g}")
        above = torch.searchsorted(table, variance.contiguous()).clamp(1, self.steps)
        low, high = table[above - 1], table[above]
        return (above - 1 + (variance - low) / (high - low)).clamp(0, self.steps)

    def _table(self) -> Tensor:
        return _gammas(self.steps, *self.betas, self.scale)


@lru_cache(maxsize=8)
def _gammas(steps: int, first: float, last: float, scale: float) -> Tensor:
    """gamma_0 = 0 to gamma_steps, rising, float64."""
    left = torch.cumprod(1 - torch.linspace(first, last, steps, dtype=torch.float64), 0)
    return torch.cat([torch.zeros(1, dtype=torch.float64), scale * (1 - left)])


def correlated_pair(x0: Tensor, y: Tensor, gamma_end: Tensor, gamma: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """``x_t`` on the path that ends in `y`, and its standardised noise.

    ``eps~ = sqrt(gamma / gamma_end) eps_T + sqrt(1 - gamma / gamma_end) eps`` with ``eps_T`` the noise of `y`, and
    ``x_t = x0 + sqrt(gamma) eps~``.

    Parameters
    ----------
    x0, y : tensor, shape (n, C, H, W) or (n, C, D, H, W)
        Clean and noisy.
    gamma_end, gamma : tensor that broadcasts against `x0`
        Variance of the noise in `y` and of that in ``x_t``, ``0 <= gamma <= gamma_end``.
    noise : tensor, shape of `x0`
        eps, standard normal, independent of `y`.

    Returns
    -------
    x_t, eps : tensors, shape of `x0`
    """
    noisy = gamma_end > 0
    safe = torch.where(noisy, gamma_end, torch.ones_like(gamma_end))
    share = torch.where(noisy, gamma / safe, torch.zeros_like(gamma)).clamp(0, 1)
    end_noise = torch.where(noisy, (y - x0) * safe.rsqrt(), torch.zeros_like(x0))
    mixed = share.sqrt() * end_noise + (1 - share).sqrt() * noise
    return x0 + gamma.sqrt() * mixed, mixed
