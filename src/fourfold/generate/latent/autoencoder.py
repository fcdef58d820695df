"""The autoencoder of latent diffusion while it is trained; the network is `fourfold.features.autoencoder.network`.

References
----------
R. Rombach, A. Blattmann, D. Lorenz, P. Esser, B. Ommer, CVPR 2022, section 3.1 and appendix G.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, relu, softplus

from fourfold.features.autoencoder.network import decode, regularised
from fourfold.generate.condition import Condition
from fourfold.generate.latent.options import LatentDiffusionOptions
from fourfold.generate.training.trainee import Batch, Trainee

__all__ = ["AutoencoderTrainee"]

_ADVERSARY_BEGINS = 0.3
"""Share of the steps before the discriminator counts: before, there is nothing to sharpen."""


class _Whole(nn.Module):
    """Gives reconstruction and regulariser in one call, as wrappers for several GPUs need it."""

    def __init__(self, autoencoder: nn.Module) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        # A buffer, so that a training that is taken up again knows whether the discriminator's turn has come.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, images: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        return regularised(self.autoencoder, images, noise)


class AutoencoderTrainee(Trainee):
    """An autoencoder while it is trained: mean absolute error, a regulariser, and a patch discriminator if asked for.

    Parameters
    ----------
    autoencoder : nn.Module
    latent_shape : tuple of int
    options : LatentDiffusionOptions
    dims : int
        Spatial dimensions.
    planes : int
        Channels of the images.
    """

    def __init__(
        self,
        autoencoder: nn.Module,
        latent_shape: tuple[int, ...],
        options: LatentDiffusionOptions,
        dims: int,
        planes: int,
    ) -> None:
        self.options = options
        self.latent_shape = latent_shape
        self.modules = {"autoencoder": _Whole(autoencoder)}
        self.optimizers = {"autoencoder": torch.optim.Adam(autoencoder.parameters(), options.autoencoder_learning_rate)}
        self.phases = ("autoencoder",)
        # A code book follows its own moving average, which a second average would blur.
        self.averaged = ("autoencoder",) if options.autoencoder == "kl" else ()
        if options.adversarial:
            from monai.networks.nets import PatchDiscriminator

            judge = PatchDiscriminator(dims, channels=32, in_channels=planes, num_layers_d=2, norm="INSTANCE")
            self.modules["discriminator"] = judge
            self.optimizers["discriminator"] = torch.optim.Adam(judge.parameters(), 2e-4, betas=(0.5, 0.9))
            self.phases = ("autoencoder", "discriminator")

    @property
    def _judged(self) -> bool:
        steps = int(_unwrapped(self.modules).steps)
        return "discriminator" in self.modules and steps >= _ADVERSARY_BEGINS * self.options.autoencoder_steps

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        """As `Trainee.loss`; hinge losses for the discriminator (Rombach et al. 2022, appendix G)."""
        noise = None
        if self.options.autoencoder == "kl":
            noise = torch.randn((len(batch), *self.latent_shape), generator=generator).to(batch.images)
        if phase == "discriminator":
            return self._discriminator_loss(batch.images, noise)
        rebuilt, regulariser = self.modules["autoencoder"](batch.images, noise)
        weight = self.options.kl_weight if self.options.autoencoder == "kl" else 1.0
        loss = l1_loss(rebuilt, batch.images) + weight * regulariser
        if self._judged:
            loss = loss - self.options.adversarial * self.modules["discriminator"](rebuilt)[-1].mean()
        return loss

    def _discriminator_loss(self, images: Tensor, noise: Tensor | None) -> Tensor:
        judge = self.modules["discriminator"]
        with torch.no_grad():
            rebuilt, _ = self.modules["autoencoder"](images, noise)
        real, built = judge(images)[-1], judge(rebuilt)[-1]
        if not self._judged:
            # It learns from the first step, without a say, so that it is ready when it gets one.
            return softplus(-real).mean() + softplus(built).mean()
        return relu(1 - real).mean() + relu(1 + built).mean()

    def describe(self) -> dict[str, Any]:
        """The options."""
        return asdict(self.options)

    def after_step(self, step: int) -> Mapping[str, float]:
        """Counts, for the discriminator's turn."""
        _unwrapped(self.modules).steps.fill_(step)
        return {}

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        """Decoded noise: no samples of a model yet, but whether the decoder is sane."""
        autoencoder = _unwrapped(modules).autoencoder
        device = next(autoencoder.parameters()).device
        streams = [torch.Generator().manual_seed(seed) for seed in seeds]
        noise = torch.stack([torch.randn(self.latent_shape, generator=stream) for stream in streams])
        with torch.no_grad():
            return (decode(autoencoder, noise.to(device)) + 1) / 2


def _unwrapped(modules: Mapping[str, nn.Module]) -> _Whole:
    whole = modules["autoencoder"]
    return getattr(whole, "module", whole)
