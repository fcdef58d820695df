"""The U-Net of diffusion: MONAI's, on pixel-unshuffled input, with every kind of condition.

Unshuffling a factor of two turns an image of 64 pixels into four channels of 32, which is what makes training on a
processor bearable; MONAI's network itself is unchanged. A vector of conditions takes the place of the class number that
MONAI embeds; words enter by cross-attention; masks by spatially adaptive normalisation (SPADE).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fourfold.errors import InputError
from fourfold.generate.condition import Condition

__all__ = ["DenoisingUNet", "shuffle", "unshuffle"]

TIME_SCALE, TIME_OFFSET = 300.0, 500.0
"""From ln(sigma) / 4 to the times 0 to 1000 that MONAI's sinusoids are made for."""


def unshuffle(x: Tensor, factor: int) -> Tensor:
    """Blocks of pixels as channels, (n, C, H, W) to (n, C f^2, H/f, W/f), in 2-D and 3-D."""
    if factor == 1:
        return x
    n, channels, *spatial = x.shape
    dims = len(spatial)
    split = x.reshape(n, channels, *(part for size in spatial for part in (size // factor, factor)))
    order = [0, 1, *(3 + 2 * axis for axis in range(dims)), *(2 + 2 * axis for axis in range(dims))]
    return split.permute(order).reshape(n, channels * factor**dims, *(size // factor for size in spatial))


def shuffle(x: Tensor, factor: int) -> Tensor:
    """The inverse of `unshuffle`."""
    if factor == 1:
        return x
    n, channels, *spatial = x.shape
    dims = len(spatial)
    split = x.reshape(n, channels // factor**dims, *(factor,) * dims, *spatial)
    order = [0, 1, *(place for axis in range(dims) for place in (2 + dims + axis, 2 + axis))]
    return split.permute(order).reshape(n, channels // factor**dims, *(size * factor for size in spatial))


class DenoisingUNet(nn.Module):
    """MONAI's `DiffusionModelUNet`, or its SPADE form where masks are the condition.

    Parameters
    ----------
    shape : tuple of int
        (C, H, W) or (C, D, H, W) of what is denoised.
    channels : sequence of int
        A number a level.
    blocks : int
        Residual blocks a level.
    attention : sequence of bool or None
        Which levels attend; None for the lowest alone.
    patch : int
        Factor of pixel-unshuffling.
    vector : int
        Columns of the condition's vector, 0 for none.
    text : nn.Module or None
        From a condition to word vectors (n, L, `width`), see `fourfold.generate.networks.text`; None for no text.
    mask : int
        Regions of the condition's mask, 0 for none.
    augmentation : int
        Columns of what augmentation tells, 0 for none.
    maps : bool
        Whether a map of noise levels is taken, as a further input channel.

    Raises
    ------
    InputError
        Where the sides cannot be halved so often.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        channels: Sequence[int] = (64, 96),
        *,
        blocks: int = 1,
        attention: Sequence[bool] | None = None,
        patch: int = 1,
        vector: int = 0,
        text: nn.Module | None = None,
        mask: int = 0,
        augmentation: int = 0,
        maps: bool = False,
    ) -> None:
        super().__init__()
        from monai.networks.nets import DiffusionModelUNet, SPADEDiffusionModelUNet

        planes, *spatial = shape
        divisor = patch * 2 ** (len(channels) - 1)
        if any(size % divisor for size in spatial):
            sizes = " x ".join(map(str, spatial))
            raise InputError(
                f"the network halves {sizes} images {divisor.bit_length() - 1} times, which their sides do not allow; "
                f"choose sides that are multiples of {divisor} with --size, or a network of fewer levels"
            )
        attention = [*[False] * (len(channels) - 1), True] if attention is None else list(attention)
        dims = len(spatial)
        self.patch = patch
        self.maps = maps
        self.regions = mask
        self.text = text
        # A class number is embedded by a table in MONAI; one of two classes is asked for here, and then replaced.
        given = {
            "spatial_dims": dims,
            "in_channels": (planes + maps) * patch**dims,
            "out_channels": planes * patch**dims,
            "num_res_blocks": [blocks] * len(channels),
            "channels": list(channels),
            "attention_levels": attention,
            "norm_num_groups": _groups(channels),
            "num_head_channels": [min(32, size) for size in channels],
            "with_conditioning": text is not None,
            "cross_attention_dim": None if text is None else text.width,
            "num_class_embeds": 2 if vector + augmentation else None,
        }
        if mask:
            self.unet = SPADEDiffusionModelUNet(label_nc=mask, spade_intermediate_channels=32, **given)
        else:
            self.unet = DiffusionModelUNet(**given)
        self.vector = vector
        self.augmentation = augmentation
        if vector + augmentation:
            self.unet.class_embedding = nn.Linear(vector + augmentation, 4 * channels[0])

    def forward(self, x: Tensor, noise: Tensor, condition: Condition | None = None) -> Tensor:
        """What the parametrisation asks for.

        Parameters
        ----------
        x : tensor, shape (n, C, *spatial)
        noise : tensor, shape (n,) or (n, 1, *spatial)
            ``ln(sigma) / 4``.
        condition : Condition or None
            Needed where the network was built for one.
        """
        time = noise.flatten(1).mean(dim=1) if noise.ndim > 1 else noise
        if self.maps:
            level = noise if noise.ndim > 1 else noise.reshape(-1, *(1,) * (x.ndim - 1))
            x = torch.cat([x, level.expand(-1, 1, *x.shape[2:]).to(x)], dim=1)
        words = None if self.text is None else self.text(condition)
        given: dict[str, Tensor | None] = {"timesteps": TIME_OFFSET + TIME_SCALE * time, "context": words}
        if self.vector + self.augmentation:
            given["class_labels"] = self._told(x, condition)
        if self.regions:
            given["seg"] = condition.mask
        return shuffle(self.unet(unshuffle(x, self.patch), **given), self.patch)

    def _told(self, x: Tensor, condition: Condition | None) -> Tensor:
        """The condition's vector and what augmentation did, nothing where nobody says."""
        told = None if condition is None else condition.told
        if told is None:
            told = x.new_zeros(len(x), self.augmentation)
        return torch.cat([condition.vector, told], dim=1) if self.vector else told


def _groups(channels: Sequence[int]) -> int:
    """Groups of the normalisation: eight channels or more each.

    Noise level and condition enter as a shift of whole channels, which a group of one channel would take out again.
    """
    most = max(1, min(32, min(channels) // 8))
    return next(groups for groups in range(most, 0, -1) if all(size % groups == 0 for size in channels))
