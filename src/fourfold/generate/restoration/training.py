"""What restoration learns from: clean images that are made noisy in as many ways as will be met, and more.

Three kinds of noise are mixed, one an image:

- read and shot noise of random strength, as acquisitions have it;
- the same with a random half-plane or ellipse in which it is weaker or stronger, so that a map is believed wherever it
  comes from;
- nothing outside a random region and so much inside that nothing is left, which is what drawing a region anew is.

The time map is made from the *noisy* image, as it will be later: a map made from the clean one shows it, and a network
would read the answer off the map. The time from which an image is seen is drawn for each image, not for each batch.

References
----------
N. Pearl et al., arXiv 2306.16052, 2023.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.noise import Noise
from fourfold.generate.restoration.network import RestorationNet
from fourfold.generate.restoration.noise_models import noisy_variance
from fourfold.generate.restoration.sampler import reverse_chain
from fourfold.generate.restoration.time_map import GammaSchedule, correlated_pair
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.trainee import Batch, Trainee

__all__ = ["REGION_DEVIATION", "Example", "RestorationOptions", "RestorationTrainee"]

REGION_DEVIATION = 2.0
"""Noise under which an image in [0, 1] is lost, about eight times its standard deviation."""

GAIN = 10.0
"""Noise in the random part of an image against the rest, at most, either way."""

WATCHED_DEVIATION = 0.3
SNAPSHOT_STRIDE = 8.0


@dataclass(frozen=True)
class RestorationOptions:
    """Options of `fourfold.generate.restoration.fit_restorer`.

    Parameters
    ----------
    channels : tuple of int
        Width of each level of the U-Net.
    blocks : int
        Residual blocks a level.
    read, shot : (float, float)
        Smallest and largest noise, drawn evenly in their logarithm.
    varying, regions : float
        Shares of the images with noise that varies in space, and with a region to be drawn anew.
    scale : float
        lambda of the schedule: the larger, the fewer steps.
    steps, batch, learning_rate, accumulate, warmup
        Of the optimiser (AdamW).
    balance : {"none", "patient", "class"}
        Who is drawn evenly.
    average : float
        Relative width of the average of the weights.
    """

    channels: tuple[int, ...] = (32, 64, 64)
    blocks: int = 1
    read: tuple[float, ...] = (1e-3, 0.5)
    shot: tuple[float, ...] = (1e-4, 0.3)
    varying: float = 0.25
    regions: float = 0.25
    scale: float = 20.0
    steps: int = 4000
    batch: int = 32
    learning_rate: float = 1e-3
    accumulate: int = 1
    warmup: int = 100
    balance: Literal["none", "patient", "class"] = "patient"
    average: float = 0.1

    def __post_init__(self) -> None:
        for name in ("read", "shot"):
            bounds = getattr(self, name)
            if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1] <= 1:
                raise InputError(
                    f"the option {name} takes two standard deviations above 0 and up to 1, such as 0.001,0.5"
                )
        if not (min(self.varying, self.regions) >= 0 and self.varying + self.regions <= 1):
            raise InputError("the options varying and regions are shares from 0 up that are 1 together at most")
        if GammaSchedule(scale=self.scale).largest <= REGION_DEVIATION:
            raise InputError(f"the option scale is a number above {REGION_DEVIATION**2:g}, got {self.scale:g}")
        for name, least in (("blocks", 1), ("steps", 1), ("batch", 1), ("accumulate", 1), ("warmup", 0)):
            if getattr(self, name) < least:
                raise InputError(f"the option {name} is a whole number from {least} up, got {getattr(self, name)}")
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(f"the option learning_rate is a number above 0, got {self.learning_rate:g}")

    def schedule(self) -> Schedule:
        """How the loop runs under these options."""
        return Schedule(
            self.steps, self.batch, self.accumulate, self.balance, average=(self.average,), warmup=self.warmup
        )


@dataclass(frozen=True)
class Example:
    """Images as restoration will meet them.

    Parameters
    ----------
    noisy : tensor, shape (n, C, H, W) or (n, C, D, H, W)
    variance : tensor of the same shape
        As far as the noisy images tell.
    """

    noisy: Tensor
    variance: Tensor


class RestorationTrainee(Trainee):
    """A network of restoration while it is trained.

    Parameters
    ----------
    network : RestorationNet
    shape : tuple of int
        (C, H, W) or (C, D, H, W) of the training images.
    options : RestorationOptions
    """

    averaged = ("network",)

    def __init__(self, network: RestorationNet, shape: tuple[int, ...], options: RestorationOptions) -> None:
        self.shape = shape
        self.options = options
        self.times = GammaSchedule(scale=options.scale)
        self.modules = {"network": network}
        self.optimizers = {"loss": torch.optim.AdamW(network.parameters(), options.learning_rate)}

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        """``|eps~ - f(x_t, y, t)|^2`` over the pixels that carry noise, the mean of the images' means."""
        x0 = (batch.images + 1) / 2
        example = self.example(x0.cpu(), generator)
        start = torch.rand(len(x0), generator=generator)
        noise = torch.randn(x0.shape, generator=generator)
        noisy, variance = example.noisy.to(x0), example.variance.to(x0)
        return self._losses(self.modules["network"], x0, noisy, variance, start.to(x0), noise.to(x0)).mean()

    def describe(self) -> dict[str, Any]:
        """The options."""
        return asdict(self.options)

    def example(self, x0: Tensor, generator: torch.Generator) -> Example:
        """Noisy images of clean ones in [0, 1], and what is known of their noise."""
        options, count, ones = self.options, len(x0), (1,) * (x0.ndim - 1)
        read, shot = (
            _log_uniform(bounds, count, generator).square().reshape(-1, *ones)
            for bounds in (options.read, options.shot)
        )
        kind = torch.rand(count, generator=generator).reshape(-1, *ones)
        gain = _log_uniform((1 / GAIN, GAIN), count, generator).square().reshape(-1, *ones)
        inside = _random_regions(count, x0.shape[2:], generator)
        varying = inside & (kind < options.varying)
        read, shot = (torch.where(varying, gain * variance, variance) for variance in (read, shot))
        # More noise than this has no time; an image in which it is met is as good as lost.
        limit = REGION_DEVIATION**2
        true = (read + shot * x0).clamp_max(limit)
        drawn = kind >= 1 - options.regions
        true = torch.where(drawn, inside * limit, true)
        noisy = x0 + true.sqrt() * torch.randn(x0.shape, generator=generator)
        told = torch.where(drawn, true, noisy_variance(noisy, read, shot).clamp_max(limit))
        return Example(noisy, told)

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        """Images in [0, 1], drawn anew as one region each."""
        device = next(modules["network"].parameters()).device
        noise = Noise(seeds, self.shape, device)
        y = 0.5 + REGION_DEVIATION * noise()
        time = self.times.time(torch.full_like(y, REGION_DEVIATION**2))

        def estimate(x: Tensor, y: Tensor, time: Tensor) -> Tensor:
            gamma = self.times.gamma(time)
            return x - gamma.sqrt() * modules["network"](x, y, time, gamma)

        return reverse_chain(estimate, y, time, self.times, noise, stride=SNAPSHOT_STRIDE).clamp(0, 1)

    def watched(
        self, modules: Mapping[str, nn.Module], images: Tensor, condition: Condition | None, generator: torch.Generator
    ) -> Tensor:
        """The loss of each image under noise of one strength, seen from where it starts."""
        x0 = (images + 1) / 2
        noise = torch.randn(x0.shape, generator=generator).to(x0)
        variance = torch.full_like(x0, WATCHED_DEVIATION**2)
        start = torch.zeros(len(x0)).to(x0)
        return self._losses(modules["network"], x0, x0 + WATCHED_DEVIATION * noise, variance, start, noise)

    def _losses(
        self, network: nn.Module, x0: Tensor, noisy: Tensor, variance: Tensor, start: Tensor, noise: Tensor
    ) -> Tensor:
        """One loss an image; `start` in [0, 1) is t0 as a share of the largest time of its image."""
        end = self.times.time(variance)
        largest = end.flatten(1).amax(dim=1)
        time = (end - (start * largest).reshape(-1, *(1,) * (x0.ndim - 1))).clamp_min(0)
        gamma = self.times.gamma(time)
        x, mixed = correlated_pair(x0, noisy, variance, gamma, noise)
        error = (mixed - network(x, noisy, time, gamma)).square()
        # A pixel that has arrived carries no noise that could be told.
        alive = (time > 0).to(error)
        return (error * alive).flatten(1).sum(dim=1) / alive.flatten(1).sum(dim=1).clamp_min(1)


def _log_uniform(bounds: Sequence[float], count: int, generator: torch.Generator) -> Tensor:
    low, high = torch.tensor(bounds, dtype=torch.float32).log()
    return (low + (high - low) * torch.rand(count, generator=generator)).exp()


def _random_regions(count: int, spatial: Sequence[int], generator: torch.Generator) -> Tensor:
    """A half-plane, an ellipse or the whole for each image, bool, shape (count, 1, *spatial)."""
    axes = [torch.linspace(-1, 1, size) for size in spatial]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    dims, ones = len(spatial), (1,) * len(spatial)
    centre = (1.6 * torch.rand(count, dims, generator=generator) - 0.8).reshape(count, dims, *ones)
    radius = (0.15 + 0.85 * torch.rand(count, dims, generator=generator)).reshape(count, dims, *ones)
    direction = torch.randn(count, dims, generator=generator).reshape(count, dims, *ones)
    offset = places - centre
    ellipse = (offset / radius).square().sum(dim=1) <= 1
    half = (offset * direction).sum(dim=1) > 0
    kind = torch.rand(count, generator=generator).reshape(count, *ones)
    chosen = torch.where(kind < 0.6, ellipse, torch.where(kind < 0.85, half, torch.ones_like(half)))
    return chosen.unsqueeze(1)
