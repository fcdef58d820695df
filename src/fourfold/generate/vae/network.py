"""The network of the autoencoder: MONAI's, with a condition."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fourfold.errors import InputError

__all__ = ["Vae"]

# The layer between the last map and the latent grows with the positions of that map.
_MOST_POSITIONS = 1024


class Vae(nn.Module):
    """MONAI's `VarAutoEncoder` whose decoder takes a condition beside the latent.

    Parameters
    ----------
    shape : tuple of int
        (C, H, W) or (C, D, H, W).
    latent : int
        Length of the latent vector.
    channels : sequence of int
        A number a level; a level halves the image where all its sides are even.
    width : int
        Columns of the condition's vector, 0 for none.

    Raises
    ------
    InputError
        Where the sides cannot be halved often enough.
    """

    def __init__(self, shape: tuple[int, ...], latent: int, channels: Sequence[int], width: int = 0) -> None:
        super().__init__()
        from monai.networks.nets import VarAutoEncoder

        planes, *spatial = shape
        strides, left = [], list(spatial)
        for _ in channels:
            strides.append(1 if any(side % 2 for side in left) else 2)
            left = [side // strides[-1] for side in left]
        if math.prod(left) > _MOST_POSITIONS:
            sizes, halvings = " x ".join(map(str, spatial)), strides.count(2)
            raise InputError(
                f"the autoencoder halves {sizes} images only {halvings} times, which leaves too much for one vector; "
                f"choose sides that are multiples of {2 ** (halvings + 1)} with --size, or more levels, such as "
                f"--set channels={','.join(map(str, [*channels, channels[-1]]))}"
            )
        self.latent = latent
        self.network = VarAutoEncoder(
            len(spatial),
            shape,
            planes,
            latent,
            list(channels),
            strides,
            norm=("GROUP", {"num_groups": math.gcd(8, *channels)}),
            act="SWISH",
        )
        self.network.decodeL = nn.Linear(latent + width, self.network.decodeL.out_features)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the latents, shapes (n, latent), of images in [0, 1]."""
        mean, logarithm = self.network.encode_forward(2 * images - 1)
        # Beyond these bounds lies nothing but overflow.
        return mean, logarithm.clamp(-20.0, 10.0)

    def decode(self, z: Tensor, vector: Tensor | None = None) -> Tensor:
        """Images in [0, 1] of latents (n, latent) and of the condition's vector (n, width)."""
        return self.network.decode_forward(z if vector is None else torch.cat([z, vector], dim=1))

    def forward(self, images: Tensor, vector: Tensor | None, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Images in [0, 1] through the bottleneck and back, and the divergence of each latent from N(0, 1), (n,)."""
        mean, logarithm = self.encode(images)
        rebuilt = self.decode(mean + (logarithm / 2).exp() * noise, vector)
        return rebuilt, (mean.square() + logarithm.exp() - 1 - logarithm).sum(dim=1) / 2
