"""Pairs that show the same things a few pixels apart: how far, told by their edges.

Two kinds of image give one anatomy other intensities but mostly the same edges. With e the magnitude of the gradient
of a slightly smoothed image, standardised, the displacement of a pair is the v, up to k pixels in each axis, that
makes the squared distance of e_target(x) and e_source(x + v) smallest over a window that all v leave inside.

Edges see displacements only. Rotations, other scales and motion within the image are left to the student, and where
two kinds of image share no edges (an angiogram and a bone scan) the tolerance should stay 0.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

__all__ = ["displaced", "displacements", "edge_agreement"]

SMOOTHING = 1.0
"""Standard deviation in pixels under which edges are looked for: noise has edges too."""

_AT_ONCE = 64


def displacements(source: np.ndarray, target: np.ndarray, reach: int) -> np.ndarray:
    """Where in the source image each target image's content lies.

    Parameters
    ----------
    source, target : arrays, shape (n, C, *spatial)
        Pairs.
    reach : int
        k, in pixels; axes too short for it are searched less far.

    Returns
    -------
    array of int, shape (n, axes)
        v: what target shows at x, source shows at x + v.
    """
    axes = source.ndim - 2
    most = tuple(min(reach, (side - 1) // 4) for side in source.shape[2:])
    if not any(most):
        return np.zeros((len(source), axes), dtype=np.int64)
    found = []
    for start in range(0, len(source), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        distances = _distances(_edges(target[rows]), _edges(source[rows]), most)
        places = distances.flatten(1).argmin(dim=1).numpy()
        found.append(np.stack(np.unravel_index(places, distances.shape[1:]), axis=1) - np.array(most))
    return np.concatenate(found)


def displaced(images: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Images whose content at x is the given images' at x + v; the border is continued where nothing is known.

    Parameters
    ----------
    images : array, shape (n, C, *spatial)
    by : array of int, shape (n, axes)
        v.

    Examples
    --------
    >>> import numpy as np
    >>> displaced(np.arange(4.0).reshape(1, 1, 1, 4), np.array([[0, 1]])).ravel().tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    if not by.any():
        return images
    moved = np.empty_like(images)
    for place, shift in enumerate(by):
        rows = [
            np.clip(np.arange(side) + step, 0, side - 1) for side, step in zip(images.shape[2:], shift, strict=True)
        ]
        moved[place] = images[place][(slice(None), *np.ix_(*rows))]
    return moved


def edge_agreement(source: np.ndarray, target: np.ndarray) -> float:
    """Mean correlation of the edges of pairs, up to 1; near 0 where they have nothing to do with each other."""
    total = 0.0
    for start in range(0, len(source), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        total += float((_edges(source[rows]) * _edges(target[rows])).flatten(1).mean(dim=1).sum())
    return total / len(source)


def _edges(images: np.ndarray) -> Tensor:
    """Standardised magnitude of the gradient, the channels' mean, shape (n, 1, *spatial)."""
    grey = images.mean(axis=1)
    found = np.stack([ndimage.gaussian_gradient_magnitude(image, SMOOTHING, mode="nearest") for image in grey])
    axes = tuple(range(1, found.ndim))
    found -= found.mean(axis=axes, keepdims=True)
    found /= np.maximum(found.std(axis=axes, keepdims=True), 1e-6)
    return torch.from_numpy(found[:, None].astype(np.float32))


def _distances(still: Tensor, moving: Tensor, reach: tuple[int, ...]) -> Tensor:
    """Squared distances of pairs for all displacements, shape (n, 2 k + 1, ...), the middle for none."""
    inside = still
    for axis, most in enumerate(reach):
        inside = inside.narrow(2 + axis, most, inside.shape[2 + axis] - 2 * most)
    convolve = functional.conv2d if inside.ndim == 4 else functional.conv3d
    # Correlation is one convolution, each pair a group with its own image as the kernel.
    cross = convolve(moving[:, 0][None], inside, groups=len(inside))[0]
    energy = convolve(moving.square(), torch.ones(1, 1, *inside.shape[2:]))[:, 0]
    return energy - 2 * cross
