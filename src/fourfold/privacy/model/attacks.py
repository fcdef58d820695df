"""Attacks on a diffusion model whose weights, or whose denoiser as a service, are to be shared.

Each asks the denoiser about a real image at one noise level sigma and gives a score, higher for rather a member.
Noise ``eps_theta(x, sigma) = (x - D(x, sigma)) / sigma``; see `fourfold.privacy.model.denoisers`. Random noise is the
same for all images, so that images are compared under equal conditions and not by the luck of their draws.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.privacy.model.denoisers import Denoiser

__all__ = ["SIGMAS", "all_model_attacks", "loss_attack", "proximal_attack", "reversal_attack"]

SIGMAS = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Noise levels that are tried, in units of half of the model's value range."""

CLEAN = 0.02
"""The level that stands for an image without noise, in the same units."""

DRAWS = 8
"""Pairs of noise and its negative, for the loss."""

STEPS = 6
"""Levels of the deterministic inversion from a clean image to sigma, geometrically spaced."""


def loss_attack(denoiser: Denoiser, x: Tensor, sigma: float, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Minus the denoising loss, averaged over noise.

    Parameters
    ----------
    denoiser : Denoiser
    x : tensor, shape (n, C, H, W) or (n, C, D, H, W)
        float32 images in the model's range.
    sigma : float
        In the model's units.
    draws : int
        Noise is drawn so often, and used with both signs: terms that are odd in the noise cancel.
    seed : int

    Returns
    -------
    array of float64, shape (n,)
        ``-mean |D(x + sigma eps, sigma) - x|^2`` over pixels and draws, in the model's squared units.

    References
    ----------
    S. Yeom, I. Giacomelli, M. Fredrikson, S. Jha, CSF 2018 (loss threshold); T. Matsumoto, T. Miura, N. Yanai,
    2023, for diffusion models.
    """
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(len(x), dtype=torch.float64)
    for _ in range(draws):
        noise = torch.randn(x.shape[1:], generator=generator)
        for sign in (1.0, -1.0):
            error = _denoised(denoiser, x + sign * sigma * noise, sigma) - x
            total += _per_image(error.square())
    return (-total / (2 * draws)).numpy()


def proximal_attack(denoiser: Denoiser, x: Tensor, sigma: float, clean: float, normalised: bool) -> np.ndarray:
    """Minus the fourth power of the difference between the noise seen in a clean image and that seen after adding it.

    Parameters
    ----------
    denoiser, x, sigma
        As for `loss_attack`.
    clean : float
        The level at which the model is asked about the image itself, in the model's units.
    normalised : bool
        Rescale the first noise to the mean absolute value of a unit Gaussian, ``sqrt(2 / pi)`` (PIAN).

    Returns
    -------
    array of float64, shape (n,)
        ``-mean |eps0 - eps_theta(x + sigma eps0, sigma)|^4``, two queries.

    References
    ----------
    F. Kong, J. Duan, R. Ma, H. Shen, X. Zhu, X. Shi, K. Xu, ICLR 2024 (PIA, PIAN).
    """
    first = _noise(denoiser, x, clean)
    if normalised:
        size = first.abs().flatten(1).mean(dim=1).clamp_min(1e-12)
        first = first * (np.sqrt(2 / np.pi) / size).reshape(-1, *(1,) * (x.ndim - 1))
    second = _noise(denoiser, x + sigma * first, sigma)
    return -_per_image((first - second).pow(4)).numpy()


def reversal_attack(denoiser: Denoiser, x: Tensor, sigma: float, clean: float, steps: int = STEPS) -> np.ndarray:
    """Minus the error of one deterministic step forth and back, after inversion up to sigma.

    Parameters
    ----------
    denoiser, x, sigma, clean
        As for `proximal_attack`.
    steps : int
        Euler steps from `clean` to `sigma`, those of DDIM in these variables.

    Returns
    -------
    array of float64, shape (n,)
        ``-mean |x_sigma - x~_sigma|^2``; ``steps + 2`` queries.

    References
    ----------
    J. Duan, F. Kong, S. Wang, X. Shi, K. Xu, ICML 2023 (SecMI, its statistic without a learned classifier).
    """
    levels = np.geomspace(clean, sigma, steps + 1)
    state = x
    for level, further in itertools.pairwise(levels):
        state = state + float(further - level) * _noise(denoiser, state, float(level))
    step = float(levels[-1] * (levels[1] / levels[0]) - levels[-1])
    forth = state + step * _noise(denoiser, state, sigma)
    back = forth - step * _noise(denoiser, forth, sigma + step)
    return -_per_image((state - back).square()).numpy()


def all_model_attacks(
    denoiser: Denoiser, images: np.ndarray, sigmas: Sequence[float] = SIGMAS, seed: int = 0
) -> Mapping[tuple[str, str], np.ndarray]:
    """Every attack at every noise level.

    Parameters
    ----------
    denoiser : Denoiser
    images : array, shape (n, C, H, W) or (n, C, D, H, W)
        float32 in [0, 1].
    sigmas : sequence of float
        In units of half of the model's value range.
    seed : int

    Returns
    -------
    mapping of (str, str) to array of float64, shape (n,)
        By attack (``"loss"``, ``"PIA"``, ``"PIAN"``, ``"SecMI"``) and noise level.

    Raises
    ------
    InputError
        Where the denoiser gives back something else than finite images of the same shape.
    """
    low, high = denoiser.value_range
    half = (high - low) / 2
    x = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)) * (high - low) + low
    clean = CLEAN * half
    found = {}
    with torch.no_grad():
        for sigma in sigmas:
            level, name = sigma * half, f"sigma {sigma:g}"
            found["loss", name] = loss_attack(denoiser, x, level, seed=seed)
            found["PIA", name] = proximal_attack(denoiser, x, level, clean, normalised=False)
            found["PIAN", name] = proximal_attack(denoiser, x, level, clean, normalised=True)
            found["SecMI", name] = reversal_attack(denoiser, x, level, clean)
    return found


def _denoised(denoiser: Denoiser, x: Tensor, sigma: float) -> Tensor:
    estimate = denoiser(x, torch.full((len(x),), sigma, dtype=torch.float32))
    if not isinstance(estimate, Tensor) or estimate.shape != x.shape or not torch.isfinite(estimate).all():
        raise InputError(
            f"the denoiser does not turn images of shape {tuple(x.shape)} into finite ones of the same shape "
            f"at sigma {sigma:g}; check the size, the channels and the value range that it was trained on"
        )
    return estimate


def _noise(denoiser: Denoiser, x: Tensor, sigma: float) -> Tensor:
    return (x - _denoised(denoiser, x, sigma)) / sigma


def _per_image(values: Tensor) -> Tensor:
    return values.double().flatten(1).mean(dim=1)
