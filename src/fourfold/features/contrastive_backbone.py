"""The small network of the detectors that are trained on the spot: working images to unit vectors.

Its first layer is fixed: contrast-normalised maps of how strong the edges of eight orientations are, at two scales.
They do not change under gain, offset or inversion and little under a bias field, so that a minute of training on a
few hundred images goes into what is hard.
"""

from __future__ import annotations

import math
import threading

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fourfold.errors import InputError

__all__ = ["SIDE", "Backbone", "embedded", "new_backbone", "shrunk"]

SIDE = 32
"""Side at which the network looks at images, in pixels."""

_ORIENTATIONS = 8
_CONTRAST_FLOOR = 0.02
_FLAT = 1e-5
_BATCH = 512
_BUILDING = threading.Lock()


class Backbone(nn.Module):
    """Orientation maps, two stages of one residual block each, and a linear layer.

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
    Dalal, Triggs, "Histograms of oriented gradients for human detection", CVPR 2005 (the maps). He et al., "Deep
    residual learning for image recognition", CVPR 2016 (the blocks). Radenovic et al., "Fine-tuning CNN image
    retrieval with no human annotation", TPAMI 2019 (the pooling).
    """

    def __init__(self, planes: int, width: int, dimension: int) -> None:
        super().__init__()
        angles = 2 * math.pi * torch.arange(_ORIENTATIONS) / _ORIENTATIONS
        self.register_buffer("_cosine", angles.cos()[:, None, None])
        self.register_buffer("_sine", angles.sin()[:, None, None])
        self.layers = nn.Sequential(
            _convolution(2 * _ORIENTATIONS * planes, width, 2),
            nn.ReLU(),
            _Residual(width),
            _convolution(width, 2 * width, 2),
            nn.ReLU(),
            _Residual(2 * width),
        )
        self.head = nn.Linear(2 * width, dimension)

    def forward(self, images: Tensor) -> Tensor:
        """Unit vectors, shape (n, dimension), of images of shape (n, planes, SIDE, SIDE)."""
        seen = self.layers(self._orientations(images).contiguous(memory_format=torch.channels_last))
        pooled = (seen.clamp(min=1e-4) ** 3).mean(dim=(2, 3)) ** (1 / 3)
        return functional.normalize(self.head(pooled), dim=1)

    @torch.no_grad()
    def _orientations(self, images: Tensor) -> Tensor:
        """Strength of edges by orientation, shape (n, 16 planes, SIDE / 2, SIDE / 2)."""
        fine, coarse = self._edges(images), self._edges(functional.avg_pool2d(images, 2))
        maps = torch.cat([_normalised(functional.avg_pool2d(fine, 2)), _normalised(coarse)], dim=1)
        return maps.reshape(len(images), -1, *maps.shape[2:])

    def _edges(self, images: Tensor) -> Tensor:
        """Maps of shape (n planes, 8, side, side)."""
        padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
        right = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]).flatten(0, 1)[:, None]
        down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]).flatten(0, 1)[:, None]
        strength = (right**2 + down**2).sqrt() + 1e-8
        # The doubled angle makes an edge and its inversion the same.
        along, across = (right**2 - down**2) / strength, 2 * right * down / strength
        return functional.relu(along * self._cosine + across * self._sine - 0.5 * strength)


def new_backbone(planes: int, width: int, dimension: int, seed: int, device: torch.device | str) -> Backbone:
    """A backbone with random weights that depend on `seed` alone."""
    with _BUILDING, torch.random.fork_rng(devices=[]):
        # The layers draw their first weights from the global generator.
        torch.default_generator.manual_seed(seed)
        network = Backbone(planes, width, dimension)
    return network.to(device=device, memory_format=torch.channels_last)


def shrunk(images: np.ndarray, least: int) -> Tensor:
    """Images to train on, averaged over areas to `SIDE`.

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
    return _resized(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)))


@torch.inference_mode()
def embedded(network: Backbone, images: np.ndarray, views: bool) -> np.ndarray:
    """Unit vectors of working images, shape (n, d); with `views`, of each mirrored and turned image, (n, 8, d).

    An image without any contrast has the vector 0.
    """
    network.eval()
    weight = network.head.weight
    found = np.zeros((len(images), 8 if views else 1, len(weight)), dtype=np.float32)
    for start in range(0, len(images), _BATCH):
        batch = torch.from_numpy(np.ascontiguousarray(images[start : start + _BATCH], dtype=np.float32))
        flat = (batch.amax(dim=(1, 2, 3)) - batch.amin(dim=(1, 2, 3)) <= _FLAT)[:, None]
        small = _resized(batch).to(weight.device)
        for place in range(found.shape[1]):
            view = torch.rot90(small.flip(3) if place > 3 else small, place % 4, (2, 3))
            found[start : start + _BATCH, place] = network(view).cpu().masked_fill(flat, 0.0).numpy()
    return found if views else found[:, 0]


def _resized(images: Tensor) -> Tensor:
    if images.shape[-1] >= SIDE:
        return functional.adaptive_avg_pool2d(images, SIDE)
    return functional.interpolate(images, size=SIDE, mode="bilinear", align_corners=False)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width, 1), _convolution(width, width, 1)

    def forward(self, seen: Tensor) -> Tensor:
        return functional.relu(seen + self.second(functional.relu(self.first(seen))))


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))


def _normalised(maps: Tensor) -> Tensor:
    """Maps of shape (n planes, 8, side, side) against the strength around each place."""
    around = maps.sum(dim=1, keepdim=True)
    for _ in range(2):
        around = functional.avg_pool2d(around, 5, 1, 2, count_include_pad=False)
    return 4 * maps / (around + _CONTRAST_FLOOR)
