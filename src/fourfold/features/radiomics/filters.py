"""Filters whose output is measured like an image: Laplacian of Gaussian, and one level of a stationary wavelet.

Both are linear and separable, and an axis of n pixels is filtered by multiplying with an n x n matrix that holds the
filter and its rule at the border.

References
----------
Deriche, "Recursively implementing the Gaussian and its derivatives", INRIA report 1893 (1993), used by pyradiomics.
Daubechies, "Orthonormal bases of compactly supported wavelets II", SIAM J. Math. Anal. 24 (1993): coiflets.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

__all__ = ["laplacian_of_gaussian", "wavelet_bands", "wavelet_names"]

# Deriche 1993: the Gaussian (first column) and its second derivative (second) as two damped oscillations
# (a cos(w x / sigma) + b sin(w x / sigma)) exp(l x / sigma).
_OSCILLATIONS = (
    # w, l, (a, b) of the Gaussian, (a, b) of its second derivative
    (0.6681, -1.3932, (1.3530, 1.8151), (-1.3563, 5.2318)),
    (2.0787, -1.3732, (-0.3531, 0.0902), (0.3446, -2.2355)),
)
# Coiflet with two vanishing moments: sqrt(2) / 32 times whole numbers and multiples of sqrt(7).
_ROOT = np.sqrt(7.0)
_COIFLET = np.array([1 - _ROOT, 5 + _ROOT, 14 + 2 * _ROOT, 14 - 2 * _ROOT, 1 - _ROOT, -3 + _ROOT]) * np.sqrt(2) / 32


def laplacian_of_gaussian(images: Tensor, sigma: float) -> Tensor:
    """Sum over axes of second derivatives of the smoothed image, times sigma squared.

    Deriche's recursive filter of fourth order, the border value continued outwards: pyradiomics' ``LoG`` image to
    rounding. A sampled Gaussian differs from it by some percent of the largest response.

    Parameters
    ----------
    images : Tensor, shape (B, *spatial)
    sigma : float
        In pixels.

    Returns
    -------
    Tensor, shape (B, *spatial)
        float64.
    """
    images = images.double()
    axes = range(1, images.ndim)
    total = torch.zeros_like(images)
    for derived in axes:
        part = images
        for axis in axes:
            matrix = _gaussian_matrix(images.shape[axis], sigma, axis == derived)
            part = _along(part, matrix, axis)
        total += part
    return total


def wavelet_bands(images: Tensor) -> dict[str, Tensor]:
    """Low and high passes of the first coiflet along every axis, undecimated: one level, periodic border.

    Parameters
    ----------
    images : Tensor, shape (B, *spatial)

    Returns
    -------
    dict of str to Tensor, shape (B, *spatial)
        float64, by names such as ``LH``; as in pyradiomics the first letter is the last axis, and the band of low
        passes only comes last.
    """
    bands = {"": images.double()}
    for axis in range(images.ndim - 1, 0, -1):
        low, high = _wavelet_matrices(images.shape[axis])
        bands = {
            name + letter: _along(band, matrix, axis)
            for (name, band), (letter, matrix) in product(bands.items(), (("L", low), ("H", high)))
        }
    return {name: bands[name] for name in wavelet_names(images.ndim - 1)}


def wavelet_names(axes: int) -> tuple[str, ...]:
    """Names of the bands of an image with `axes` spatial axes, in the order of `wavelet_bands`."""
    names = ["".join(letters) for letters in product("LH", repeat=axes)]
    return (*names[1:], names[0])


def _along(images: Tensor, matrix: np.ndarray, axis: int) -> Tensor:
    """Each line along `axis` multiplied by the matrix."""
    weights = torch.from_numpy(matrix).to(images.device)
    return (images.movedim(axis, -1) @ weights.T).movedim(-1, axis).contiguous()


@lru_cache(maxsize=64)
def _wavelet_matrices(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Low and high pass for an axis of `length`; an odd axis is extended by its first pixel, the result cut."""
    even = length + length % 2
    low = np.zeros((even, even))
    high = np.zeros((even, even))
    taps = len(_COIFLET)
    mirrored = _COIFLET * (-1.0) ** np.arange(taps)
    for row in range(even):
        for tap in range(taps):
            column = (row + taps // 2 - tap) % even
            low[row, column] += _COIFLET[taps - 1 - tap]
            high[row, column] += -mirrored[tap]
    fold = np.eye(even)[:, :length]
    if even > length:
        fold[-1, 0] = 1
    return (low @ fold)[:length], (high @ fold)[:length]


@lru_cache(maxsize=64)
def _gaussian_matrix(length: int, sigma: float, second_derivative: bool) -> np.ndarray:
    """Deriche's filter for an axis of `length`, shape (length, length)."""
    forward, recursive = _coefficients(sigma, second_derivative)
    # Symmetry of the kernel fixes the anticausal half.
    backward = np.append(forward[1:], 0.0) - recursive * forward[0]
    gain = 1 + recursive.sum()
    steady_forward, steady_backward = forward.sum() / gain, backward.sum() / gain
    x = np.eye(length)
    causal, anticausal = np.zeros((length, length)), np.zeros((length, length))
    last = length - 1
    for k in range(length):
        for j in range(4):
            causal[k] += forward[j] * x[max(k - j, 0)]
            before = causal[k - j - 1] if k - j - 1 >= 0 else steady_forward * x[0]
            causal[k] -= recursive[j] * before
    for k in range(last, -1, -1):
        for j in range(4):
            anticausal[k] += backward[j] * x[min(k + 1 + j, last)]
            after = anticausal[k + j + 1] if k + j + 1 <= last else steady_backward * x[last]
            anticausal[k] -= recursive[j] * after
    return causal + anticausal


def _coefficients(sigma: float, second_derivative: bool) -> tuple[np.ndarray, np.ndarray]:
    """Feed-forward n_0..n_3 and recursive d_1..d_4 of the causal half, normalised."""
    (w1, l1, gaussian1, derivative1), (w2, l2, gaussian2, derivative2) = _OSCILLATIONS
    c1, s1, e1 = np.cos(w1 / sigma), np.sin(w1 / sigma), np.exp(l1 / sigma)
    c2, s2, e2 = np.cos(w2 / sigma), np.sin(w2 / sigma), np.exp(l2 / sigma)
    # Denominator: product of the two oscillations' own, 1 - 2 e c z + e^2 z^2; numerator: cross-multiplied sums.
    poles1, poles2 = np.array([1, -2 * e1 * c1, e1**2]), np.array([1, -2 * e2 * c2, e2**2])
    denominator = np.convolve(poles1, poles2)

    def numerator(first: tuple[float, float], second: tuple[float, float]) -> np.ndarray:
        zeros1 = np.array([first[0], e1 * (first[1] * s1 - first[0] * c1)])
        zeros2 = np.array([second[0], e2 * (second[1] * s2 - second[0] * c2)])
        return np.convolve(zeros1, poles2) + np.convolve(zeros2, poles1)

    orders = np.arange(5)
    d0, d1, d2 = (float((denominator * orders**power).sum()) for power in (0, 1, 2))
    gaussian = numerator(gaussian1, gaussian2)
    if not second_derivative:
        # A constant is kept as it is.
        return gaussian / (2 * gaussian.sum() / d0 - gaussian[0]), denominator[1:]
    derivative = numerator(derivative1, derivative2)
    # A constant becomes 0, and half of x^2 becomes 1.
    beta = -(2 * derivative.sum() - d0 * derivative[0]) / (2 * gaussian.sum() - d0 * gaussian[0])
    mixed = derivative + beta * gaussian
    n0, n1, n2 = (float((mixed * orders[:4] ** power).sum()) for power in (0, 1, 2))
    alpha = (n2 * d0**2 - d2 * n0 * d0 - 2 * n1 * d1 * d0 + 2 * d1**2 * n0) / d0**3
    return mixed * sigma**2 / alpha, denominator[1:]
