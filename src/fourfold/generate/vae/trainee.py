"""Training the autoencoder by the evidence bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from fourfold.generate.condition import Condition
from fourfold.generate.noise import Noise
from fourfold.generate.training import Batch, Trainee
from fourfold.generate.vae.network import Vae
from fourfold.generate.vae.options import VaeOptions

__all__ = ["VaeTrainee"]

_LEAST_ERROR = 1e-6


class VaeTrainee(Trainee):
    """An autoencoder while it is trained.

    Parameters
    ----------
    vae : Vae
    options : VaeOptions
    """

    averaged = ("vae",)

    def __init__(self, vae: Vae, options: VaeOptions) -> None:
        self.options = options
        self.latent = vae.latent
        self.modules: dict[str, nn.Module] = {"vae": vae}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "loss": torch.optim.Adam(vae.parameters(), options.learning_rate)
        }

    def describe(self) -> dict[str, Any]:
        """The recipe and its options."""
        return {"recipe": "vae", **asdict(self.options)}

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        """As `Trainee.loss`: the negative evidence bound a value, but for a constant."""
        images = (batch.images + 1) / 2
        noise = torch.randn(len(batch), self.latent, generator=generator).to(images)
        vector = None if batch.condition is None else batch.condition.vector
        rebuilt, divergence = self.modules["vae"](images, vector, noise)
        error = (rebuilt.float() - images).square().mean().clamp_min(_LEAST_ERROR)
        return error.log() / 2 + self.options.beta * divergence.float().mean() / images[0].numel()

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        """As `Trainee.draw`, from the standard normal law, since no other is fitted yet."""
        vae = modules["vae"]
        noise = Noise(seeds, (self.latent,), next(vae.parameters()).device)()
        with torch.no_grad():
            return vae.decode(noise, None if condition is None else condition.vector.to(noise.device))

    def watched(
        self, modules: Mapping[str, nn.Module], images: Tensor, condition: Condition | None, generator: torch.Generator
    ) -> Tensor:
        """As `Trainee.watched`: the squared error of each image, through the mean of its latent."""
        vae, images = modules["vae"], (images + 1) / 2
        with torch.no_grad():
            rebuilt = vae.decode(vae.encode(images)[0], None if condition is None else condition.vector)
        return (rebuilt - images).square().flatten(1).mean(dim=1)
