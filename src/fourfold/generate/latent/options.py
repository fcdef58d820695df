"""What may be chosen about a latent diffusion model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fourfold.errors import InputError
from fourfold.generate.diffusion.options import DiffusionOptions

__all__ = ["LatentDiffusionOptions"]


@dataclass(frozen=True)
class LatentDiffusionOptions(DiffusionOptions):
    """Options of the autoencoder, beside those of the diffusion.

    Parameters
    ----------
    autoencoder : {"kl", "vq"}
        A Gaussian posterior held loosely to a standard normal, or a code book (the diffusion then runs on what is
        quantised only when decoded).
    autoencoder_channels : tuple of int
        Width of each level; every level but the last halves the sides.
    latent_channels : int
    autoencoder_steps : int
    autoencoder_learning_rate : float
    kl_weight : float
        Weight of the divergence a latent number, beside the mean absolute error a pixel.
    codes : int
        Size of the code book.
    adversarial : float
        Weight of a patch discriminator, which sharpens; 0 for none.
    """

    autoencoder: Literal["kl", "vq"] = "kl"
    autoencoder_channels: tuple[int, ...] = (32, 64, 64)
    latent_channels: int = 4
    autoencoder_steps: int = 2000
    autoencoder_learning_rate: float = 1e-3
    kl_weight: float = 1e-4
    codes: int = 256
    adversarial: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epsilon is not None:
            raise InputError(
                "latent diffusion is not offered with --epsilon: its autoencoder would learn from every patient "
                "without protection; use --recipe diffusion"
            )
        for name in ("latent_channels", "autoencoder_steps", "codes"):
            if getattr(self, name) < 1:
                raise InputError(f"the option {name} is a whole number from 1 up, got {getattr(self, name)}")
        for name in ("kl_weight", "adversarial"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"the option {name} is a number from 0 up, got {getattr(self, name):g}")
        if not self.autoencoder_learning_rate > 0:
            raise InputError("the option autoencoder_learning_rate is a number above 0")
        widths = self.autoencoder_channels
        if len(widths) < 2 or any(width < 8 or width % 8 for width in widths):
            raise InputError("the option autoencoder_channels takes two or more multiples of 8, such as 32,64,64")
