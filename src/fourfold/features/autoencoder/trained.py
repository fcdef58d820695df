"""A trained autoencoder and what it gives as features, with the record of what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from fourfold.errors import InputError
from fourfold.features.autoencoder.network import build_autoencoder, codes, encode
from fourfold.features.first_weights import drawn_from
from fourfold.features.inputs import resize, with_channels

__all__ = ["KINDS", "Kind", "Seen", "TrainedAutoencoder", "new_autoencoder", "working_shape"]

Kind = Literal["kl", "vq"]
KINDS: tuple[Kind, ...] = ("kl", "vq")

_WIDTHS = (16, 32, 32)
"""Channels of each level; every level but the last halves the sides."""

_LATENT_CHANNELS = 4
_CODES = 256
_DIVISOR = 2 ** (len(_WIDTHS) - 1)


@dataclass(frozen=True)
class Seen:
    """What an autoencoder was trained on.

    Parameters
    ----------
    role : str
        Of the set in the comparison that it was trained for: ``"training"`` or ``"reference"``.
    images : int
    digest : str
        SHA-256 of the contents of the whole set, so that it is known again.
    """

    role: str
    images: int
    digest: str


@dataclass(frozen=True)
class TrainedAutoencoder:
    """An autoencoder that encodes images of any size at the size it was trained at.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    kind : {"kl", "vq"}
        MONAI's `AutoencoderKL` or `VQVAE`.
    shape : tuple of int
        (C, H, W) or (C, D, H, W), which images are brought to.
    seen : Seen
    reconstruction : mapping of str to float
        What is lost of images it was trained on, see `fourfold.features.autoencoder.network.reconstruction_report`.
    """

    network: nn.Module
    kind: Kind
    shape: tuple[int, ...]
    seen: Seen
    reconstruction: Mapping[str, Any]

    def features(self, images: Tensor) -> Tensor:
        """What images become.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W) or (B, C, D, H, W)
            float32 in [0, 1], C = 1 or 3.

        Returns
        -------
        Tensor, shape (B, d)
            float32. ``"kl"``: the means of the latents, d = 4 H W / 16 of the working size (4 D H W / 64 for volumes).
            ``"vq"``: the number of the code at each place, a whole number below 256, d a quarter of that.

        Raises
        ------
        InputError
            Where planes meet an autoencoder for volumes, or the other way round.
        """
        shown = 2 * at_working_shape(images, self.shape) - 1
        if self.kind == "vq":
            return codes(self.network, shown).flatten(1).float()
        return encode(self.network, shown)[0].flatten(1)


def new_autoencoder(kind: Kind, shape: tuple[int, ...], seed: int) -> nn.Module:
    """An autoencoder for images of `shape` with first weights of `seed`."""
    settings = {
        "autoencoder": kind,
        "autoencoder_channels": _WIDTHS,
        "latent_channels": _LATENT_CHANNELS,
        "codes": _CODES,
    }
    with drawn_from(seed):
        return build_autoencoder(shape, settings)


def working_shape(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The shape (C, ...) that images of `shape` are encoded at: longest side `size` at most, sides multiples of 4.

    Examples
    --------
    >>> working_shape((1, 512, 384), 32), working_shape((3, 28, 28), 32)
    ((1, 32, 24), (3, 28, 28))
    """
    shrink = min(1.0, size / max(shape[1:]))
    sides = (max(2, round(side * shrink / _DIVISOR)) * _DIVISOR for side in shape[1:])
    return (shape[0], *sides)


def at_working_shape(images: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Images (B, C, ...) in [0, 1] as an autoencoder of `shape` takes them."""
    if images.ndim != len(shape) + 1:
        kinds = {4: "planes", 5: "volumes"}
        raise InputError(
            f"the autoencoder was trained on {kinds[len(shape) + 1]} and cannot encode "
            f"{kinds.get(images.ndim, f'arrays of {images.ndim} axes')}; train one on images of that kind"
        )
    return resize(with_channels(images, shape[0]), shape[1:]).clamp(0, 1)
