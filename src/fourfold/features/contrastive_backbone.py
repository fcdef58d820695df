"""The small network of the detectors that are trained on the spot: working images to unit vectors.

Its first layer is fixed: the orientation maps of `fourfold.features.contrastive_orientation`, which hardly change with
tone, so that a minute of training on a few hundred images goes into what is hard.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.contrastive_orientation import MAPS, orientation_maps, resized, vectors_of
from fourfold.features.first_weights import drawn_from

__all__ = ["Backbone", "embedded", "new_backbone", "shrunk"]


class Backbone(nn.Module):
    """Orientation maps, two stages of one residual block each, a generalised mean over places, and a linear layer.

    Parameters
    ----------
    planes : int
        Of the images.
    width : int
        Channels of the first stage; the second has twice as many.
    dimension : int
        Of the vectors.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016 (the blocks). Radenovic et al., "Fine-tuning
    CNN image retrieval with no human annotation", TPAMI 2019 (the pooling).
    """

    def __init__(self, planes: int, width: int, dimension: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(MAPS * planes, width, 2),
            nn.ReLU(),
            _Residual(width),
            _convolution(width, 2 * width, 2),
            nn.ReLU(),
            _Residual(2 * width),
        )
        self.head = nn.Linear(2 * width, dimension)

    def forward(self, images: Tensor) -> Tensor:
        """Unit vectors, shape (n, dimension), of images of shape (n, planes, 32, 32)."""
        seen = self.layers(orientation_maps(images).contiguous(memory_format=torch.channels_last))
        pooled = (seen.clamp(min=1e-4) ** 3).mean(dim=(2, 3)) ** (1 / 3)
        return functional.normalize(self.head(pooled), dim=1)


def new_backbone(planes: int, width: int, dimension: int, seed: int, device: torch.device | str) -> Backbone:
    """A backbone with random weights that depend on `seed` alone."""
    with drawn_from(seed):
        network = Backbone(planes, width, dimension)
    return network.to(device=device, memory_format=torch.channels_last)


def shrunk(images: np.ndarray, least: int) -> Tensor:
    """Images to train on, averaged over areas to a side of 32.

    Parameters
    ----------
    images : array, shape (n, planes, side, side)
        float32 in [0, 1].
    least : int
        Images that are needed.

    Raises
    ------
    InputError
        Where there are fewer, or their shape is another one.
    """
    if images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise InputError(f"images must have the shape (n, planes, side, side), got {images.shape}; resample them first")
    if len(images) < least:
        raise InputError(
            f"a network cannot be trained on {len(images)} images; it needs {least}: give more training images"
        )
    return resized(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)))


def embedded(network: Backbone, images: np.ndarray, views: bool) -> np.ndarray:
    """Unit vectors of working images, shape (n, d); with `views`, of each mirrored and turned image, (n, 8, d).

    An image without any contrast has the vector 0.
    """
    network.eval()
    weight = network.head.weight
    return vectors_of(network, images, len(weight), views, weight.device)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width, 1), _convolution(width, width, 1)

    def forward(self, seen: Tensor) -> Tensor:
        return functional.relu(seen + self.second(functional.relu(self.first(seen))))


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))
