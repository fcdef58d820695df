"""A trainee that is small enough to look at each weight."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from fourfold.generate.training.trainee import Trainee

SHAPE = (1, 8, 8)


class Shrinker(Trainee):
    """A denoiser of a few weights; with `kick` 0 its losses draw nothing."""

    averaged = ("network",)

    def __init__(self, kick: float = 0.5, scale: float = 1.0, rate: float = 1.0) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            size = math.prod(SHAPE)
            network = nn.Sequential(nn.Flatten(), nn.Linear(size, 4), nn.SiLU(), nn.Linear(4, size))
        self.kick, self.scale = kick, scale
        self.modules = {"network": network}
        self.optimizers = {"loss": torch.optim.SGD(network.parameters(), rate)}

    def loss(self, phase, batch, generator):
        return self.independent_losses(batch, generator).mean()

    def independent_losses(self, batch, generator):
        noise = self.kick * torch.randn(batch.images.shape, generator=generator)
        found = self.modules["network"](batch.images + noise)
        return self.scale * (found - batch.images.flatten(1)).square().mean(dim=1)

    def draw(self, modules, seeds, condition):
        return torch.zeros(len(seeds), *SHAPE)

    def weights(self) -> torch.Tensor:
        return nn.utils.parameters_to_vector(self.modules["network"].parameters()).detach().clone()


@pytest.fixture(scope="session")
def shrinker() -> type[Shrinker]:
    """The class, so that a test may train several."""
    return Shrinker
