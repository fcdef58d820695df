"""Noise of an acquisition from its images alone: one of them, or a set from one scanner.

No clean image is needed. What is measured is what the eye calls grain: it must be independent from pixel to pixel, so
images that were interpolated, smoothed or strongly compressed show less noise than they were acquired with, and fine
texture of the anatomy is taken for noise.

References
----------
J. Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding, 1996 (second differences).
S. Pyatykh, J. Hesser, IEEE Trans. Image Processing, 2014 (variance that is linear in the intensity). A. Foi, ISBI 2011.
"""

from __future__ import annotations

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.restoration.noise_models import ReadShotNoise, RicianNoise

__all__ = ["estimate_read_shot", "estimate_rician", "missing_noise"]

FEWEST = 200
"""Usable pixels below which nothing is estimated."""

_BINS = 24
_NORMAL_MEDIAN = 0.6744897501960817
"""Median of |eps| for a standard normal eps."""

_RAYLEIGH_MEDIAN = (2 * np.log(2)) ** 0.5
_CUT_GROWTH = 1.05
_MISFIT = 0.05
_RATES = (1e-3, 500.0)


def estimate_read_shot(images: np.ndarray) -> ReadShotNoise:
    """Read and shot noise.

    Second differences along every axis remove whatever is smooth; their median size, over pixels of about the same
    intensity and away from edges, gives the variance at that intensity; a line through the variances gives both parts.

    Parameters
    ----------
    images : array, shape (N, C, H, W) or (N, C, D, H, W)
        In [0, 1], noisy; one image will do. Pixels at 0 or 1 may have been clipped and are not used.

    Returns
    -------
    ReadShotNoise

    Raises
    ------
    InputError
        Where there are too few pixels to tell.
    """
    levels, grains = [], []
    for image in np.asarray(images, dtype=np.float64).reshape(-1, *np.shape(images)[2:]):
        level, grain = _grain(image)
        levels.append(level)
        grains.append(grain)
    level, grain = np.concatenate(levels), np.concatenate(grains)
    if len(level) < FEWEST:
        raise InputError(
            f"{len(level)} pixels are neither clipped nor beside an edge, too few to estimate noise from; give more or "
            "larger images, or say it with --noise read=SIGMA,shot=SIGMA"
        )
    order = np.argsort(level, kind="stable")
    parts = np.array_split(order, min(_BINS, len(order) // (FEWEST // 2)))
    centres = np.array([level[part].mean() for part in parts])
    variances = np.array([(np.median(np.abs(grain[part])) / _NORMAL_MEDIAN) ** 2 for part in parts])
    read, shot = _line(centres, variances)
    return ReadShotNoise(float(min(read, 1.0) ** 0.5), float(min(shot, 1.0) ** 0.5))


def estimate_rician(images: np.ndarray) -> RicianNoise:
    """Rician noise from the background, where magnitudes are Rayleigh distributed.

    The median of the darkest tenth over ``sqrt(2 ln 2)`` starts the search. It would be the answer if that tenth were
    the whole background; where the background is larger the darkest tenth is only its lower tail, and the start is too
    small by up to 3. So cuts are raised from there until those magnitudes below the cut that follow a Rayleigh law
    reach up to 2 sigma, and sigma is the maximum of their likelihood as of a law that is cut there. Whatever part of
    the image is background, its law below the cut is the same. What is smooth below the cut is no noise, whatever its
    distribution.

    Parameters
    ----------
    images : array, shape (N, C, H, W) or (N, C, D, H, W)
        Magnitudes in [0, 1] with air around the patient. Exact zeros are masked, not measured, and are not used. Where
        the dark is not empty sigma comes out too large.

    Raises
    ------
    InputError
        Where there is no such background.
    """
    values = np.asarray(images, dtype=np.float64).ravel()
    values = np.sort(values[values > 0])
    if len(values) >= FEWEST:
        squares = np.cumsum(values**2)
        start = np.median(values[: len(values) // 10]) / _RAYLEIGH_MEDIAN
        for cut in start * _CUT_GROWTH ** np.arange(np.ceil(np.log(values[-1] / start) / np.log(_CUT_GROWTH))):
            count = int(np.searchsorted(values, cut, side="right"))
            if count < FEWEST // 2:
                continue
            rate = _cut_exponential(squares[count - 1] / count / cut**2)
            sigma = cut / (2 * rate) ** 0.5 if rate >= 2 else np.inf
            if sigma <= 1 and _misfit(values[:count], cut, rate) < _MISFIT and _is_grainy(images, cut, sigma):
                return RicianNoise(float(sigma))
    raise InputError(
        "there is no background of pure noise in these images to estimate Rician noise from; say it with "
        "--noise rician=SIGMA"
    )


def missing_noise(clean: ReadShotNoise, like: ReadShotNoise) -> ReadShotNoise:
    """The noise that, put on images that have `clean`, gives them `like`: differences of variances, 0 at least.

    What estimation takes for noise and is texture stands in both and cancels.
    """
    return ReadShotNoise(
        max(like.read**2 - clean.read**2, 0.0) ** 0.5,
        max(like.shot**2 - clean.shot**2, 0.0) ** 0.5,
    )


def _grain(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local mean and standardised second differences of the pixels of one channel that are usable."""
    if min(image.shape) < 5:
        return np.empty(0), np.empty(0)
    grain, level = _second_differences(image), image
    for axis in range(image.ndim):
        level = sum(_part(level, axis, start) for start in range(3)) / 3
    usable = ~_spread_out((image == 0) | (image == 1))
    if not usable.any():
        return np.empty(0), np.empty(0)
    slope = np.sqrt(sum(part**2 for part in np.gradient(level)))
    # The mean of a neighbourhood and its second difference are uncorrelated, so flat places are not chosen for
    # showing little noise.
    usable &= slope <= np.median(slope[usable])
    return level[usable], grain[usable]


def _is_grainy(images: np.ndarray, cut: float, sigma: float) -> bool:
    """Whether neighbours below `cut` differ as independent magnitudes do, about 0.3 sigma, or at least half of that."""
    values = np.asarray(images, dtype=np.float64)
    found = []
    for axis in range(2, values.ndim):
        pairs = np.moveaxis(values, axis, 0)
        first, second = pairs[:-1], pairs[1:]
        inside = (first > 0) & (second > 0) & (np.maximum(first, second) < cut)
        found.append(np.abs(first - second)[inside] / 2**0.5)
    sizes = np.concatenate(found)
    return len(sizes) > 0 and float(np.median(sizes)) > 0.15 * sigma


def _second_differences(image: np.ndarray) -> np.ndarray:
    """Along every axis: what is smooth along one of them vanishes, white noise keeps its standard deviation."""
    for axis in range(image.ndim):
        low, middle, high = (_part(image, axis, start) for start in range(3))
        # The weights 1, -2, 1 have the norm sqrt(6).
        image = (low - 2 * middle + high) / 6**0.5
    return image


def _spread_out(chosen: np.ndarray) -> np.ndarray:
    """Whether any pixel of a neighbourhood is chosen."""
    for axis in range(chosen.ndim):
        chosen = np.logical_or.reduce([_part(chosen, axis, start) for start in range(3)])
    return chosen


def _part(values: np.ndarray, axis: int, start: int) -> np.ndarray:
    size = values.shape[axis] - 2
    return np.take(values, range(start, start + size), axis=axis)


def _line(level: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Intercept and slope, both from 0 up, of variances whose own error is in proportion to them."""
    fit = np.full_like(variance, np.median(variance) + 1e-12)
    read, shot = float(np.median(variance)), 0.0
    for _ in range(20):
        # Bins far above the line hold texture and count less.
        excess = np.maximum(variance / fit - 1, 0)
        weight = 1 / fit**2 / (1 + (excess / 0.5) ** 2)
        read, shot = _nonnegative_line(level, variance, weight)
        fit = np.maximum(read + shot * level, 1e-12)
    return read, shot


def _nonnegative_line(level: np.ndarray, variance: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    mean, height = np.average(level, weights=weight), np.average(variance, weights=weight)
    scatter = np.average((level - mean) ** 2, weights=weight)
    slope = np.average((level - mean) * (variance - height), weights=weight) / max(scatter, 1e-12)
    if slope <= 0 or scatter < 1e-8:
        return float(height), 0.0
    if height - slope * mean < 0:
        return 0.0, float(np.average(level * variance, weights=weight) / np.average(level**2, weights=weight))
    return float(height - slope * mean), float(slope)


def _cut_exponential(mean: float) -> float:
    """The rate u of an exponential law that is cut at 1 and has this mean, ``1 / u - 1 / (exp(u) - 1)``; 0 for none."""
    from scipy.optimize import brentq

    def excess(u: float) -> float:
        return 1 / u - 1 / np.expm1(u) - mean

    if not excess(_RATES[1]) < 0 < excess(_RATES[0]):
        return 0.0
    return float(brentq(excess, *_RATES))


def _misfit(values: np.ndarray, cut: float, rate: float) -> float:
    """Largest distance between the distribution of rising magnitudes below `cut` and the cut Rayleigh law."""
    expected = np.expm1(-rate * (values / cut) ** 2) / np.expm1(-rate)
    return float(np.abs(expected - (np.arange(len(values)) + 0.5) / len(values)).max())
