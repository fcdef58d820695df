"""The image itself, averaged down: the feature space in which a verbatim copy is a copy."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor

__all__ = ["Pixels"]


class Pixels(FeatureExtractor):
    """Images averaged down to at most `size` pixels on the longer side, flattened.

    Sees whatever an eye sees at that size, and nothing finer; blind to nothing else, but a shift of a few pixels
    is as far away as another patient.

    Parameters
    ----------
    size : int
        Longest spatial side after averaging; smaller images are left as they are.

    Examples
    --------
    >>> import torch
    >>> Pixels(size=16)(torch.zeros(2, 1, 64, 32)).shape
    torch.Size([2, 128])
    """

    name = "pixels"
    source = "the image, area-averaged"

    def __init__(self, size: int = 32) -> None:
        if size < 1:
            raise InputError(f"the size of 'pixels' must be at least 1, got {size}")
        self.size = size

    def settings(self) -> dict[str, Any]:
        """The longest side."""
        return {"size": self.size}

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, C * h * w) or (B, C * d * h * w), in [0, 1]."""
        spatial = tuple(images.shape[2:])
        longest = max(spatial)
        if longest > self.size:
            smaller = tuple(max(1, round(side * self.size / longest)) for side in spatial)
            pool = functional.adaptive_avg_pool2d if images.ndim == 4 else functional.adaptive_avg_pool3d
            images = pool(images, smaller)
        return images.flatten(1)
