"""Similarity of two images that should be one: peak signal-to-noise ratio, structural similarity, and any network's.

Plain functions on two arrays, one number a pair; `fourfold.fidelity.paired` gives their means with anchors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.score import Better

__all__ = ["CEILING", "DISTANCES", "PairDistance", "ms_ssim", "psnr", "ssim"]

CEILING = 107.1
"""Decibels beyond which a peak signal-to-noise ratio is not told from infinity: the rounding of 16-bit values."""

# Weights of the scales, finest first (Wang et al. 2003).
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW = 11
_SIGMA = 1.5
# (0.01 L)^2 and (0.03 L)^2 with L = 1 (Wang et al. 2004).
_CONSTANTS = (1e-4, 9e-4)
# Images worked on at once.
_AT_ONCE = 16


def psnr(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each pair, in decibels.

    Parameters
    ----------
    x, y : arrays, shape (N, C, H, W) or (N, C, D, H, W)
        In [0, 1]; image i of one is compared with image i of the other.

    Returns
    -------
    array, shape (N,)
        ``-10 log10 mean (x - y)^2``, at most 107.1 (equal images).

    Raises
    ------
    InputError
        Where shapes differ or values are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> psnr(np.zeros((1, 1, 8, 8)), np.full((1, 1, 8, 8), 0.1)).round(3)
    array([20.])
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    def measured(one: Tensor, other: Tensor) -> Tensor:
        axes = tuple(range(1, one.ndim))
        found = peak_signal_noise_ratio(one, other, data_range=1.0, reduction="none", dim=axes)
        return found.clamp(max=CEILING)

    return _over_batches(measured, x, y)


def ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Structural similarity of each pair, under a Gaussian window of 11 pixels (sigma 1.5).

    Parameters
    ----------
    x, y
        As for `psnr`; at least 11 pixels a side.

    Returns
    -------
    array, shape (N,)
        At most 1 (equal images); about 0 for unrelated texture.

    Raises
    ------
    InputError
        As `psnr`, and where images are too small.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image Processing 13 (2004) 600.
    """
    _check_sides(x, _WINDOW, "structural similarity")
    return _over_batches(lambda one, other: _structure(one, other)[0], x, y)


def ms_ssim(x: np.ndarray, y: np.ndarray, scales: int = 5) -> np.ndarray:
    """Structural similarity of each pair over several scales.

    Parameters
    ----------
    x, y
        As for `psnr`; more than ``10 * 2**(scales - 1)`` pixels a side, 161 for the five of the paper.
    scales : int
        1 to 5. With fewer than five, the weights of the finest are taken and scaled to sum to 1: values are comparable
        among equal `scales` only.

    Returns
    -------
    array, shape (N,)
        In [0, 1].

    Raises
    ------
    InputError
        As `psnr`, and where images are too small for the scales.

    References
    ----------
    Wang, Simoncelli and Bovik, "Multiscale structural similarity for image quality assessment", Asilomar 2003.
    """
    if not 1 <= scales <= len(_SCALES):
        raise InputError(f"multi-scale structural similarity has 1 to {len(_SCALES)} scales, got {scales}")
    _check_sides(x, (_WINDOW - 1) * 2 ** (scales - 1) + 1, f"multi-scale structural similarity over {scales} scales")
    weights = tuple(weight / sum(_SCALES[:scales]) for weight in _SCALES[:scales])
    return _over_batches(lambda one, other: _over_scales(one, other, weights), x, y)


@dataclass(frozen=True)
class PairDistance:
    """A distance, or a similarity, of pairs.

    Parameters
    ----------
    name : str
    better : {"higher", "lower"}
    source : str
    measure : callable
        Two arrays of shape (N, C, ...) in [0, 1] to one number a pair, shape (N,).
    limits : (float, float)
        Range of the mean.
    """

    name: str
    better: Better
    source: str
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray]
    limits: tuple[float, float] = (-math.inf, math.inf)

    @classmethod
    def by_layers(cls, distance: Callable[[Tensor, Tensor], Tensor], name: str, source: str) -> PairDistance:
        """Of a network: `fourfold.features.perceptual.Lpips` or `Dists`, or whatever takes two batches."""
        return cls(name, "lower", source, lambda x, y: _over_batches(distance, x, y, np.float32), (0.0, math.inf))


DISTANCES: dict[str, PairDistance] = {
    one.name: one
    for one in (
        PairDistance("psnr", "higher", "-10 log10 of the mean squared difference", psnr, (-math.inf, CEILING)),
        PairDistance("ssim", "higher", "Wang et al. 2004", ssim, (-1.0, 1.0)),
        PairDistance("ms_ssim", "higher", "Wang et al. 2003", ms_ssim, (0.0, 1.0)),
    )
}
"""Those that need no weights."""


def _over_scales(one: Tensor, other: Tensor, weights: tuple[float, ...]) -> Tensor:
    """Product of the contrasts of all scales but the coarsest, of which it is the whole; each to its weight."""
    halve = functional.avg_pool2d if one.ndim == 4 else functional.avg_pool3d
    product = torch.ones(len(one), dtype=one.dtype)
    for scale, weight in enumerate(weights):
        whole, contrast = _structure(one, other)
        product = product * (contrast if scale + 1 < len(weights) else whole).relu() ** weight
        one, other = halve(one, 2), halve(other, 2)
    return product


def _structure(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Structural similarity, mirrored at the edges, and its term of contrast, inside the edges; shape (B,) each.

    The numbers are those of torchmetrics. The window is taken an axis at a time, in volumes some 80 times as fast.
    """
    luminance, contrast = _CONSTANTS
    mean, mean_other = _smoothed(one), _smoothed(other)
    variance = (_smoothed(one.square()) - mean.square()).clamp(min=0.0)
    variance_other = (_smoothed(other.square()) - mean_other.square()).clamp(min=0.0)
    covariance = _smoothed(one * other) - mean * mean_other
    second = (2 * covariance + contrast) / (variance + variance_other + contrast)
    first = (2 * mean * mean_other + luminance) / (mean.square() + mean_other.square() + luminance)
    inside = second[(..., *[slice(_WINDOW // 2, -(_WINDOW // 2))] * (one.ndim - 2))]
    return (first * second).flatten(1).mean(dim=1), inside.flatten(1).mean(dim=1)


def _smoothed(images: Tensor) -> Tensor:
    """Under the Gaussian window; places beyond the edge are those before it."""
    places = torch.arange(_WINDOW, dtype=images.dtype) - _WINDOW // 2
    window = torch.exp(-(places / _SIGMA).square() / 2)
    window = (window / window.sum()).tolist()
    found = functional.pad(images, [_WINDOW // 2] * (2 * (images.ndim - 2)), mode="reflect")
    for axis in range(2, images.ndim):
        length = found.shape[axis] - _WINDOW + 1
        parts = (weight * found.narrow(axis, place, length) for place, weight in enumerate(window))
        found = sum(parts, start=torch.zeros((), dtype=images.dtype))
    return found


def _over_batches(
    measure: Callable[[Tensor, Tensor], Tensor], x: np.ndarray, y: np.ndarray, precision: type = np.float64
) -> np.ndarray:
    """One number a pair; the images a few at a time, in the precision in which they are measured.

    Structural similarity subtracts nearly equal squares, and single precision costs it the fourth digit.
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.shape != y.shape or x.ndim not in (4, 5) or not len(x):
        raise InputError(
            f"pairs are two arrays of one shape (N, C, H, W) or (N, C, D, H, W), got {x.shape} and {y.shape}"
        )
    found = []
    for start in range(0, len(x), _AT_ONCE):
        parts = [torch.from_numpy(np.asarray(one[start : start + _AT_ONCE], dtype=precision)) for one in (x, y)]
        if not all(bool(torch.isfinite(part).all()) for part in parts):
            raise InputError(f"a pair between {start} and {start + len(parts[0]) - 1} has values that are not finite")
        with torch.no_grad():
            found.append(measure(*parts).reshape(len(parts[0])).double().numpy(force=True))
    return np.concatenate(found)


def _check_sides(x: np.ndarray, least: int, what: str) -> None:
    if min(np.shape(x)[2:], default=0) < least:
        raise InputError(
            f"{what} needs at least {least} pixels a side, got images of {' x '.join(map(str, np.shape(x)[2:]))}; "
            "enlarge them, or use another distance"
        )
