"""Training a denoiser on latents: images are looked up by their place, encoded once for all steps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fourfold.features.autoencoder.network import decode, encode
from fourfold.generate.condition import Condition
from fourfold.generate.denoiser import Preconditioned
from fourfold.generate.diffusion.options import DiffusionOptions
from fourfold.generate.diffusion.trainee import DiffusionTrainee
from fourfold.generate.frameworks import Framework
from fourfold.generate.latent.latents import Latents, Scale
from fourfold.generate.training.trainee import Batch

__all__ = ["LatentTrainee"]


class LatentTrainee(DiffusionTrainee):
    """A denoiser of latents while it is trained.

    Parameters
    ----------
    denoiser, framework, options, feature_columns
        As for `DiffusionTrainee`.
    latents : Latents
        Of the training images.
    autoencoder : nn.Module
        Frozen.
    """

    def __init__(
        self,
        denoiser: Preconditioned,
        framework: Framework,
        latents: Latents,
        options: DiffusionOptions,
        autoencoder: nn.Module,
        feature_columns: slice | None = None,
    ) -> None:
        super().__init__(denoiser, framework, latents.shape, options, feature_columns)
        self.latents = latents
        self.autoencoder = autoencoder

    @property
    def scale(self) -> Scale:
        """Between raw latents and those that are denoised."""
        return self.latents.scale

    def clean(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """A draw of each image's latent, anew at every step."""
        return self.latents.draw(batch.rows, generator).to(batch.images)

    def shown(self, modules: Mapping[str, nn.Module], drawn: Tensor) -> Tensor:
        """Images in [0, 1] of drawn latents."""
        with torch.no_grad():
            self.autoencoder.to(drawn.device)
            return ((decode(self.autoencoder, self.scale.raw(drawn)) + 1) / 2).clamp(0, 1)

    def watched(
        self, modules: Mapping[str, nn.Module], images: Tensor, condition: Condition | None, generator: torch.Generator
    ) -> Tensor:
        """As in pixel space, on the means of the latents."""
        with torch.no_grad():
            self.autoencoder.to(images.device)
            latents = self.scale.standard(encode(self.autoencoder, images)[0])
        return super().watched(modules, latents, condition, generator)
