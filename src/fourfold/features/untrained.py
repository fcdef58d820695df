"""A network that has learnt nothing, for comparison only."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.inputs import with_channels

__all__ = ["Untrained"]

_WIDTHS = (32, 64, 128, 256)


class Untrained(FeatureExtractor):
    """Globally pooled last map of a small convolutional network with random weights.

    Nearly blind to blur and noise: on chest films the Frechet distance of blurred or noisy images to real ones is
    no larger than that of two halves of the real ones. Never a default; it shows what a trained network adds.

    Parameters
    ----------
    seed : int
        Of the weights, which are normal with variance 2 / fan-in.

    References
    ----------
    He et al., "Delving deep into rectifiers", ICCV 2015 (initialisation).
    """

    name = "random"
    source = "He et al. 2015 (initialisation); no training"

    def __init__(self, seed: int = 0) -> None:
        if seed < 0:
            raise InputError(f"the seed of 'random' must be 0 or above, got {seed}")
        self.seed = seed
        self._device = torch.device("cpu")
        self._weights: dict[int, list[Tensor]] = {}

    def settings(self) -> dict[str, Any]:
        """Seed and widths."""
        return {"seed": self.seed, "widths": list(_WIDTHS)}

    def to(self, device: torch.device | str) -> Untrained:
        """Move the weights; returns itself."""
        self._device = torch.device(device)
        self._weights.clear()
        return self

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, 256) of images or volumes."""
        axes = images.ndim - 2
        convolve = functional.conv2d if axes == 2 else functional.conv3d
        values = (with_channels(images, 3) - 0.5) / 0.25
        for weight in self.weights(axes):
            values = functional.relu(convolve(values, weight, stride=2, padding=1))
        return values.flatten(2).mean(dim=2)

    def weights(self, axes: int) -> list[Tensor]:
        """Weights of the layers, each of shape (out, in, 3, ...), for images (2 axes) or volumes (3)."""
        if axes not in self._weights:
            generator = torch.Generator().manual_seed(self.seed)
            layers, inputs = [], 3
            for width in _WIDTHS:
                fan_in = inputs * 3**axes
                weight = torch.randn(width, inputs, *(3,) * axes, generator=generator) * math.sqrt(2 / fan_in)
                layers.append(weight.to(self._device))
                inputs = width
            self._weights[axes] = layers
        return self._weights[axes]

    def with_weights(self, weights: Sequence[Tensor]) -> Untrained:
        """The same extractor with other weights for images, which a gradient may run through; it takes no volumes."""
        other = copy.copy(self)
        other._weights = {2: list(weights)}
        return other
