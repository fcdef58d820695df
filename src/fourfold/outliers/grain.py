"""How much noise there is in an image, at its finest scale and at twice that.

A histogram of gradient magnitudes holds edges and noise together, and the images of a hospital differ so much in the
first that a change of the second hides in it. Differences along every axis at once cancel all edges but corners: what
is left is noise, and the median of its magnitudes is its level whatever the corners are (Donoho and Johnstone).
Where patients and exposures differ in noise, its level at the next scale differs with it, and the two together stay on
a line that added noise, smoothing and another pixel spacing all leave.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features import FeatureExtractor

__all__ = ["GrainLevels"]

_SCALES = 2
# Below the step of a 16-bit image: clipped background, flat by construction, says nothing of the noise beside it.
_FLAT = 1e-5


class GrainLevels(FeatureExtractor):
    """Logarithm of the noise level of each channel at the two finest scales.

    The level is the median magnitude of the differences along all axes at once, ``2^(-axes / 2) (1 - S_1) ... (1 -
    S_axes) x`` with S_a a shift by a pixel, over the places where it is not 0; the second scale is that of means of two
    pixels along each axis. Blind to place, brightness and whatever varies slowly.

    Examples
    --------
    >>> noise = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> levels = GrainLevels()(torch.cat([0.5 + 0.02 * noise, 0.5 + 0.04 * noise]))
    >>> (levels[1] - levels[0]).exp().round(decimals=3).tolist()
    [2.0, 2.0]

    References
    ----------
    D. L. Donoho, I. M. Johnstone, Biometrika 81 (1994) 425.
    """

    name = "grain"
    source = "Donoho and Johnstone 1994"
    standardise = True

    def settings(self) -> dict[str, Any]:
        """Number of scales."""
        return {"of": "logarithms of median magnitudes of differences along all axes", "scales": _SCALES}

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, C * 2), float32, at least log(1e-5).

        Raises
        ------
        InputError
            Where an axis is shorter than two pixels.
        """
        if min(images.shape[2:]) < 2:
            raise InputError(f"the grain needs at least 2 pixels a side, got {tuple(images.shape[2:])}")
        pool = functional.avg_pool2d if images.ndim == 4 else functional.avg_pool3d
        levels = []
        for _ in range(_SCALES):
            levels.append(_noise(images))
            # An axis of two or three pixels is left as it is: halved, it would have no differences.
            images = pool(images, [2 if side >= 4 else 1 for side in images.shape[2:]])
        return torch.stack(levels, dim=2).flatten(1)


def _noise(images: Tensor) -> Tensor:
    """Logarithm of the median magnitude of differences along all axes, shape (B, C)."""
    axes = range(2, images.ndim)
    for axis in axes:
        images = images.diff(dim=axis)
    magnitudes = images.flatten(2).abs() * 2.0 ** (-len(axes) / 2)
    seen = torch.where(magnitudes > _FLAT, magnitudes, torch.nan)
    return seen.nanmedian(dim=2).values.nan_to_num(_FLAT).log()
