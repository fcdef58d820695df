"""A trained latent diffusion model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from fourfold.features.autoencoder.network import build_autoencoder, decode
from fourfold.generate.conditioning import Conditioning
from fourfold.generate.denoiser import Preconditioned
from fourfold.generate.diffusion.generator import DiffusionGenerator
from fourfold.generate.latent.latents import Scale

__all__ = ["LatentDiffusionGenerator"]


class LatentDiffusionGenerator(DiffusionGenerator):
    """A denoiser of latents, their scale and the autoencoder.

    Parameters
    ----------
    shape, conditioning, settings, denoiser, guide
        As for `DiffusionGenerator`; settings hold those of `build_autoencoder` and ``latent_shape`` too.
    autoencoder : nn.Module
    scale : Scale
    """

    recipe: ClassVar[str] = "latent-diffusion"

    def __init__(
        self,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        denoiser: Preconditioned,
        guide: Preconditioned | None,
        autoencoder: nn.Module,
        scale: Scale,
    ) -> None:
        super().__init__(shape, conditioning, settings, denoiser, guide)
        self.autoencoder = autoencoder.eval().requires_grad_(False)
        self.scale = scale

    @property
    def drawn_shape(self) -> tuple[int, ...]:
        """Shape of a latent."""
        return tuple(self._settings["latent_shape"])

    def shown(self, drawn: Tensor) -> Tensor:
        """Images in [0, 1] of drawn latents."""
        with torch.no_grad():
            return ((decode(self.autoencoder, self.scale.raw(drawn)) + 1) / 2).clamp(0, 1)

    def arrays(self) -> Mapping[str, Tensor]:
        """As `Generator.arrays`."""
        own = {f"autoencoder.{name}": value for name, value in self.autoencoder.state_dict().items()}
        return {**super().arrays(), **own, "scale.mean": self.scale.mean, "scale.deviation": self.scale.deviation}

    @classmethod
    def restore(
        cls,
        shape: tuple[int, ...],
        conditioning: Conditioning,
        settings: Mapping[str, Any],
        arrays: Mapping[str, Tensor],
    ) -> LatentDiffusionGenerator:
        """As `Generator.restore`."""
        networks = cls._networks(tuple(settings["latent_shape"]), conditioning, settings, arrays)
        autoencoder = build_autoencoder(shape, settings)
        start = "autoencoder."
        autoencoder.load_state_dict(
            {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}
        )
        scale = Scale(arrays["scale.mean"], arrays["scale.deviation"])
        return cls(shape, conditioning, settings, *networks, autoencoder, scale)

    def to(self, device: str) -> LatentDiffusionGenerator:
        """As `Generator.to`."""
        super().to(device)
        self.autoencoder.to(device)
        return self
