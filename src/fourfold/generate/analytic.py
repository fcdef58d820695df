"""Denoisers of laws that are known: what a perfect network would say, to test everything else against.

For ``x = x0 + sigma eps`` the best estimate of x0 has a closed form where x0 is Gaussian or a mixture of Gaussians,
also where sigma is a map. Each law here draws images, gives its exact log-density with any noise added, and is a
denoiser.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from fourfold.generate.condition import Condition
from fourfold.generate.denoiser import spread

__all__ = ["GaussianLaw", "MixtureLaw", "reference_mixture", "sliced_wasserstein"]


class GaussianLaw:
    """A Gaussian with any covariance, shaped as images.

    Parameters
    ----------
    mean : tensor, shape (C, *spatial)
    covariance : tensor, shape (d, d)
        Of the flattened image, positive definite.
    """

    def __init__(self, mean: Tensor, covariance: Tensor) -> None:
        self.mean = mean.double()
        self.covariance = covariance.double()
        self._values, self._axes = torch.linalg.eigh(self.covariance)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return tuple(self.mean.shape)

    def __call__(self, x: Tensor, sigma: Tensor, condition: Condition | None = None) -> Tensor:
        """``mean + C (C + diag(sigma^2))^-1 (x - mean)``, computed in float64; see `Denoiser`."""
        offset = x.double() - self.mean
        level = spread(sigma, offset)
        if level[0].numel() == 1:
            shares = self._values / (self._values + level.reshape(-1, 1).square())
            found = ((offset.flatten(1) @ self._axes) * shares) @ self._axes.T
        else:
            total = self.covariance + torch.diag_embed(level.expand_as(offset).flatten(1).square())
            found = torch.linalg.solve(total, offset.flatten(1)) @ self.covariance
        return (self.mean + found.reshape(x.shape)).to(x.dtype)

    def draw(self, count: int, rng: np.random.Generator) -> Tensor:
        """Images, shape (count, C, *spatial), float64."""
        z = torch.from_numpy(rng.standard_normal((count, self.mean.numel())))
        return self.mean + ((z * self._values.sqrt()) @ self._axes.T).reshape(count, *self.shape)

    def log_density(self, x: Tensor, sigma: float = 0.0) -> Tensor:
        """Natural logarithm of the density of ``x0 + sigma eps`` at x, shape (n,)."""
        variances = self._values + sigma**2
        along = (x.double() - self.mean).flatten(1) @ self._axes
        return -0.5 * ((along.square() / variances).sum(dim=1) + (2 * math.pi * variances).log().sum())

    def entropy(self) -> float:
        """Differential entropy in nats."""
        return float(0.5 * (2 * math.pi * math.e * self._values).log().sum())


class MixtureLaw:
    """A mixture of Gaussians with diagonal covariances, shaped as images.

    Parameters
    ----------
    weights : tensor, shape (K,)
    means : tensor, shape (K, C, *spatial)
    deviations : tensor, shape (K,) or (K, C, *spatial)
        Standard deviation of each component, or of each of its pixels.
    """

    def __init__(self, weights: Tensor, means: Tensor, deviations: Tensor) -> None:
        self.weights = weights.double() / weights.double().sum()
        self.means = means.double()
        deviations = deviations.double()
        if deviations.ndim == 1:
            deviations = deviations.reshape(-1, *(1,) * (means.ndim - 1))
        self.variances = deviations.square().expand_as(self.means)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return tuple(self.means.shape[1:])

    def __call__(self, x: Tensor, sigma: Tensor, condition: Condition | None = None) -> Tensor:
        """The posterior mean of x0, computed in float64; see `Denoiser`."""
        given = x.double()
        noise = spread(sigma, given).square().unsqueeze(1)
        shares = self._log_joint(given, noise).softmax(dim=1)
        total = self.variances + noise
        estimates = self.means + self.variances / total * (given.unsqueeze(1) - self.means)
        return torch.einsum("nk,nk...->n...", shares, estimates).to(x.dtype)

    def draw(self, count: int, rng: np.random.Generator) -> Tensor:
        """Images, shape (count, C, *spatial), float64."""
        chosen = torch.from_numpy(rng.choice(len(self.weights), size=count, p=self.weights.numpy()))
        z = torch.from_numpy(rng.standard_normal((count, *self.shape)))
        return self.means[chosen] + self.variances[chosen].sqrt() * z

    def log_density(self, x: Tensor, sigma: float = 0.0) -> Tensor:
        """Natural logarithm of the density of ``x0 + sigma eps`` at x, shape (n,)."""
        return self._log_joint(x.double(), torch.tensor(sigma**2, dtype=torch.float64)).logsumexp(dim=1)

    def membership(self, x: Tensor) -> Tensor:
        """Probability that each image is of each component, shape (n, K)."""
        return self._log_joint(x.double(), torch.zeros((), dtype=torch.float64)).softmax(dim=1)

    def _log_joint(self, x: Tensor, noise: Tensor) -> Tensor:
        """Log of weight times density of every component, shape (n, K)."""
        total = (self.variances + noise).expand(len(x), *self.means.shape)
        distances = (x.unsqueeze(1) - self.means).square() / total
        return self.weights.log() - 0.5 * (distances + (2 * math.pi * total).log()).flatten(2).sum(dim=2)


def reference_mixture() -> MixtureLaw:
    """Four modes in two dimensions, the last one narrow and of 5 % weight: what samplers are compared on."""
    means = torch.tensor([[-1.0, -0.8], [1.0, -0.6], [0.2, 1.0], [-0.4, 0.3]], dtype=torch.float64)
    return MixtureLaw(
        torch.tensor([0.4, 0.3, 0.25, 0.05]), means.reshape(4, 1, 1, 2), torch.tensor([0.25, 0.2, 0.25, 0.05])
    )


def sliced_wasserstein(x: Tensor, law: MixtureLaw, directions: int = 64, points: int = 4096) -> float:
    """Mean over directions of the Wasserstein-1 distance between projected images and the projected law itself.

    Parameters
    ----------
    x : tensor, shape (n, *law.shape)
    law : MixtureLaw
    directions : int
        Evenly spaced over the half-circle in two dimensions, random (and always the same) in more.
    points : int
        Of the grid on which distribution functions are compared.
    """
    flat, means = x.double().flatten(1), law.means.flatten(1)
    if flat.shape[1] == 2:
        angle = (torch.arange(directions, dtype=torch.float64) + 0.5) * math.pi / directions
        axes = torch.stack([angle.cos(), angle.sin()])
    else:
        axes = torch.from_numpy(np.random.default_rng(0).standard_normal((flat.shape[1], directions)))
        axes = axes / axes.norm(dim=0)
    placed = (flat @ axes).T.contiguous().sort(dim=1).values
    centres, widths = (means @ axes).T, (law.variances.flatten(1) @ axes.square()).sqrt().T
    low = torch.minimum(placed[:, :1], (centres - 6 * widths).amin(dim=1, keepdim=True))
    high = torch.maximum(placed[:, -1:], (centres + 6 * widths).amax(dim=1, keepdim=True))
    grid = low + (high - low) * torch.linspace(0, 1, points, dtype=torch.float64)
    drawn = torch.searchsorted(placed, grid, right=True).double() / len(flat)
    standard = (grid.unsqueeze(2) - centres.unsqueeze(1)) / widths.unsqueeze(1)
    true = (torch.special.ndtr(standard) * law.weights).sum(dim=2)
    return float(torch.trapezoid((drawn - true).abs(), grid, dim=1).mean())
