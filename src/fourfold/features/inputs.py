"""How images in [0, 1] become what a trained network expects, declared and recorded.

A network sees a fixed size, a number of channels and a value range. An `InputPolicy` states them, applies them
and goes into the fingerprint of the extractor, since another policy gives other features. Volumes meet a network
for planes as slices (`fourfold.features.slices`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.slices import SlicePolicy, over_slices

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "InputPolicy",
    "over_slices",
    "resize",
    "resize_like_tensorflow",
    "with_channels",
]

# Mean and standard deviation of the red, green and blue channel over the ImageNet training set.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Standard deviation below which an image counts as constant, and is not blown up when it is standardised by itself.
_CONSTANT = 1e-6


@dataclass(frozen=True)
class InputPolicy:
    """What a network is fed.

    Parameters
    ----------
    size : int or None
        Side of the square (or cube) that images are resampled to; None leaves them as they are.
    channels : {1, 3}
        Grey images are repeated to three channels, colour images become grey by Rec. 601 luma.
    low, high : float
        The values that 0 and 1 are mapped to, before `mean` and `std`.
    mean, std : tuple of float
        One value, or one a channel; ``(value - mean) / std``.
    volumes : {"slices", "whole"}
        ``"slices"``: the network takes planes, and sees those that `slices` names.
        ``"whole"``: the network takes volumes of shape (B, C, D, H, W).
    slices : SlicePolicy
    resampling : {"antialiased", "bicubic", "bilinear", "tensorflow"}
        How planes reach `size`: bilinear with antialiasing, bicubic with antialiasing, bilinear without (aliases where
        it shrinks), or bilinear as TensorFlow 1 did, which also shifts the image by half a pixel. The last two are
        there because published networks were measured with them. Volumes: see `resize`.
    by_image : bool
        Whether each image is first brought to mean 0 and standard deviation 1 of its own values, which hides
        differences of brightness and contrast between sets.
    """

    size: int | None = None
    channels: int = 3
    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    volumes: Literal["slices", "whole"] = "slices"
    slices: SlicePolicy = field(default_factory=SlicePolicy)
    resampling: Literal["antialiased", "bicubic", "bilinear", "tensorflow"] = "antialiased"
    by_image: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise InputError(f"the input size must be at least 1 pixel, got {self.size}")
        if self.channels not in (1, 3):
            raise InputError(f"a network takes 1 or 3 channels, got channels={self.channels}")
        for name in ("mean", "std"):
            count = len(getattr(self, name))
            if count not in (1, self.channels):
                raise InputError(f"{name} needs 1 or {self.channels} values (one a channel), got {count}")
        if min(self.std) <= 0:
            raise InputError(f"std must be above 0, got {min(self.std)}")
        if not self.low < self.high:
            raise InputError(f"the value range must rise, got {self.low} to {self.high}")
        if self.volumes not in ("slices", "whole"):
            raise InputError(f"volumes must be 'slices' or 'whole', got {self.volumes!r}")
        if self.resampling not in _RESAMPLINGS:
            raise InputError(f"resampling must be one of {', '.join(_RESAMPLINGS)}, got {self.resampling!r}")

    def describe(self) -> dict[str, Any]:
        """The policy as JSON can hold it."""
        return {
            "size": self.size,
            "channels": self.channels,
            "range": [self.low, self.high],
            "mean": list(self.mean),
            "std": list(self.std),
            "resampling": self.resampling,
            "by_image": self.by_image,
            "volumes": self.volumes if self.volumes == "whole" else self.slices.describe(),
        }

    def apply(self, images: Tensor) -> Tensor:
        """Images of shape (B, C, ...) in [0, 1] as the network expects them."""
        images = with_channels(images, self.channels)
        if self.size is not None:
            shape = (self.size,) * (images.ndim - 2)
            images = resize(images, shape) if images.ndim == 5 else _RESAMPLINGS[self.resampling](images, shape)
        if self.by_image:
            images = _by_image(images)
        ones = (1,) * (images.ndim - 2)
        mean = torch.tensor(self.mean, dtype=images.dtype, device=images.device).reshape(1, -1, *ones)
        std = torch.tensor(self.std, dtype=images.dtype, device=images.device).reshape(1, -1, *ones)
        return (images * (self.high - self.low) + self.low - mean) / std

    def features(self, images: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
        """Features of shape (B, d) of images or volumes under this policy."""
        if images.ndim == 5 and self.volumes == "slices":
            return self.slices.features(images, lambda planes: network(self.apply(planes)))
        return network(self.apply(images))


def with_channels(images: Tensor, channels: int) -> Tensor:
    """Images of shape (B, 1 or 3, ...) with 1 or 3 channels: grey repeated, or colour as luma (ITU-R BT.601)."""
    found = images.shape[1]
    if found == channels:
        return images
    if found == 1:
        return images.expand(-1, channels, *images.shape[2:])
    if found == 3 and channels == 1:
        weights = torch.tensor([0.299, 0.587, 0.114], dtype=images.dtype, device=images.device)
        return torch.einsum("bc...,c->b...", images, weights).unsqueeze(1)
    raise InputError(f"images need 1 or 3 channels, got {found}")


def resize(images: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Images of shape (B, C, H, W) or (B, C, D, H, W) resampled to the spatial `shape`.

    Planes are resampled bilinearly with antialiasing. Volumes are first averaged along the axes that shrink, then
    interpolated trilinearly along those that grow.
    """
    if tuple(images.shape[2:]) == shape:
        return images
    if images.ndim == 4:
        return functional.interpolate(images, shape, mode="bilinear", antialias=True, align_corners=False)
    shrunk = tuple(min(have, want) for have, want in zip(images.shape[2:], shape))
    images = functional.adaptive_avg_pool3d(images, shrunk)
    if shrunk == shape:
        return images
    return functional.interpolate(images, shape, mode="trilinear", align_corners=False)


def resize_like_tensorflow(images: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Planes of shape (B, C, H, W) resampled to the spatial `shape` as TensorFlow 1 did, and so the first FID.

    Bilinear without antialiasing; pixel k of n takes the value at k times (old length / n), so that the first pixels
    of both images coincide rather than their corners.
    """
    for axis, length in zip((2, 3), shape):
        have = images.shape[axis]
        places = torch.arange(length, dtype=torch.float32, device=images.device) * (have / length)
        low = places.long().clamp(max=have - 1)
        high = (low + 1).clamp(max=have - 1)
        share = (places - low).to(images.dtype).reshape((-1, 1) if axis == 2 else (-1,))
        images = torch.lerp(images.index_select(axis, low), images.index_select(axis, high), share)
    return images


def _bilinear(images: Tensor, shape: tuple[int, ...]) -> Tensor:
    return functional.interpolate(images, shape, mode="bilinear", align_corners=False)


def _bicubic(images: Tensor, shape: tuple[int, ...]) -> Tensor:
    return functional.interpolate(images, shape, mode="bicubic", antialias=True, align_corners=False)


def _by_image(images: Tensor) -> Tensor:
    axes = tuple(range(1, images.ndim))
    mean = images.mean(dim=axes, keepdim=True)
    spread = images.std(dim=axes, keepdim=True, correction=0)
    return (images - mean) / torch.where(spread > _CONSTANT, spread, 1.0)


_RESAMPLINGS: dict[str, Callable[[Tensor, tuple[int, ...]], Tensor]] = {
    "antialiased": resize,
    "bicubic": _bicubic,
    "bilinear": _bilinear,
    "tensorflow": resize_like_tensorflow,
}
