"""How strong the edges of eight orientations are, place by place: what the trained detectors look at first.

Normalised by the strength around each place, the maps do not change under gain, offset or inversion and little under
a bias field. Compared as they are, without any network, they still find what lies where it lay in the source: blends,
halves, bias fields, slight warps. They learn nothing from images but their mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["MAPS", "SIDE", "OrientationMaps", "orientation_maps", "resized", "vectors_of"]

SIDE = 32
"""Side at which images are looked at, in pixels."""

_ORIENTATIONS = 8

MAPS = 2 * _ORIENTATIONS
"""Maps of each plane: eight orientations at two scales."""

_CONTRAST_FLOOR = 0.02
_FLAT = 1e-5
_BATCH = 512


@dataclass(frozen=True)
class OrientationMaps:
    """Orientation maps averaged over squares of 2 x 2, less their mean over given images, as unit vectors.

    Parameters
    ----------
    mean : Tensor, shape (d,)
        d is 1024 for each plane.

    References
    ----------
    Dalal, Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    """

    mean: Tensor

    @classmethod
    def train(cls, images: np.ndarray, groups: np.ndarray | None = None, **settings: object) -> OrientationMaps:
        """Take the mean of images, shape (n, planes, side, side); called like the training of a network.

        `groups` and `settings` (seed, steps, device, progress) have nothing to decide here.
        """
        total = torch.zeros((), dtype=torch.float64)
        for start in range(0, len(images), _BATCH):
            total = total + _pooled(resized(_tensor(images[start : start + _BATCH]))).sum(dim=0, dtype=torch.float64)
        return cls((total / len(images)).float())

    def embed(self, images: np.ndarray, views: bool = False) -> np.ndarray:
        """Unit vectors, shape (n, d), or (n, 8, d) with `views`; see `ContrastiveNetwork.embed`."""
        return vectors_of(
            lambda small: functional.normalize(_pooled(small) - self.mean, dim=1),
            images,
            len(self.mean),
            views,
            "cpu",
        )


@torch.no_grad()
def orientation_maps(images: Tensor) -> Tensor:
    """Strength of edges by orientation.

    Parameters
    ----------
    images : Tensor, shape (n, planes, side, side)
        In [0, 1].

    Returns
    -------
    Tensor, shape (n, 16 planes, side / 2, side / 2)
    """
    fine = _normalised(functional.avg_pool2d(_edges(images), 2))
    coarse = _normalised(_edges(functional.avg_pool2d(images, 2)))
    maps = torch.cat([fine, coarse], dim=1)
    return maps.reshape(len(images), -1, *maps.shape[2:])


def resized(images: Tensor) -> Tensor:
    """Images, shape (n, planes, side, side), at `SIDE`: averaged over areas, or interpolated where they are smaller."""
    if images.shape[-1] >= SIDE:
        return functional.adaptive_avg_pool2d(images, SIDE)
    return functional.interpolate(images, size=SIDE, mode="bilinear", align_corners=False)


@torch.inference_mode()
def vectors_of(
    embed: Callable[[Tensor], Tensor],
    images: np.ndarray,
    dimension: int,
    views: bool,
    device: torch.device | str,
) -> np.ndarray:
    """Vectors of working images, or of their eight mirrored and turned views; 0 for images without contrast.

    Parameters
    ----------
    embed : callable
        Images of shape (n, planes, SIDE, SIDE) on `device` to vectors of shape (n, dimension).
    images : array, shape (n, planes, side, side)
    dimension : int
    views : bool
    device : torch.device or str

    Returns
    -------
    array, shape (n, dimension), or (n, 8, dimension) with `views`
        float32. View k < 4 is turned by k quarters, view k >= 4 mirrored left to right and then turned by k - 4.
    """
    found = np.zeros((len(images), 8 if views else 1, dimension), dtype=np.float32)
    for start in range(0, len(images), _BATCH):
        batch = _tensor(images[start : start + _BATCH])
        flat = (batch.amax(dim=(1, 2, 3)) - batch.amin(dim=(1, 2, 3)) <= _FLAT)[:, None]
        small = resized(batch).to(device)
        for place in range(found.shape[1]):
            view = torch.rot90(small.flip(3) if place > 3 else small, place % 4, (2, 3))
            found[start : start + _BATCH, place] = embed(view).cpu().masked_fill(flat, 0.0).numpy()
    return found if views else found[:, 0]


def _tensor(images: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))


def _pooled(images: Tensor) -> Tensor:
    return functional.avg_pool2d(orientation_maps(images), 2).flatten(1)


def _edges(images: Tensor) -> Tensor:
    """Strength by orientation, shape (n planes, 8, side, side)."""
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    right = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]).flatten(0, 1)[:, None]
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]).flatten(0, 1)[:, None]
    strength = (right**2 + down**2).sqrt() + 1e-8
    # The doubled angle makes an edge and its inversion the same.
    angles = 2 * math.pi * torch.arange(_ORIENTATIONS, device=images.device)[:, None, None] / _ORIENTATIONS
    along, across = (right**2 - down**2) / strength, 2 * right * down / strength
    return functional.relu(along * angles.cos() + across * angles.sin() - 0.5 * strength)


def _normalised(maps: Tensor) -> Tensor:
    """Maps of shape (n planes, 8, side, side) against the strength around each place."""
    around = maps.sum(dim=1, keepdim=True)
    for _ in range(2):
        around = functional.avg_pool2d(around, 5, 1, 2, count_include_pad=False)
    return 4 * maps / (around + _CONTRAST_FLOOR)
