"""What the acquisition adds to an image: read and shot noise, Rician noise of MRI magnitudes, or a known map.

A model says two things: how noise is put on a clean image, and in which values of a noisy image the noise is Gaussian
with a known standard deviation a pixel, which is where restoration works.

- Read and shot noise (linear detectors): ``y = x0 + sigma eps`` with ``sigma^2 = read^2 + shot^2 x0``.
- Rician noise (magnitude of a complex signal with noise in both parts): ``A = |x0 + sigma (n1 + i n2)|``; the values
  ``z = sqrt(max(A^2 / sigma^2 - 1/2, 0)) / sqrt(1 / sigma^2 - 1/2)`` have nearly the same noise everywhere.

Intensities are linear and in [0, 1]. Nothing is clipped here: an image that was clipped at 0 has no Gaussian noise in
the dark, and what restoration sees there is a little too bright.

References
----------
N. Pearl et al., arXiv 2306.16052, 2023 (read and shot). A. Foi, "Noise estimation and removal in MR imaging: the
variance-stabilization approach", ISBI 2011 (Rician noise and its unbiased inverse).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError

__all__ = ["KnownNoise", "NoiseModel", "ReadShotNoise", "RicianNoise", "local_mean", "parse_noise"]


class NoiseModel(ABC):
    """Noise of an acquisition."""

    name: ClassVar[str]

    @abstractmethod
    def add(self, images: Tensor, draw: Callable[[], Tensor]) -> Tensor:
        """Put noise on clean images.

        Parameters
        ----------
        images : tensor, shape (n, C, H, W) or (n, C, D, H, W)
            In [0, 1].
        draw : callable
            Gives standard normal numbers of that shape, new ones each time.

        Returns
        -------
        tensor of the same shape
            Not clipped: dark pixels become negative under Gaussian noise.
        """

    @abstractmethod
    def deviation(self, noisy: Tensor) -> Tensor:
        """Standard deviation of the noise in `working(noisy)` as far as the noisy image tells, of its shape."""

    def working(self, noisy: Tensor) -> Tensor:
        """Values in which the noise is Gaussian."""
        return noisy

    def finished(self, working: Tensor) -> Tensor:
        """Intensities of clean working values."""
        return working

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The model as JSON can hold it."""


@dataclass(frozen=True)
class ReadShotNoise(NoiseModel):
    """``sigma^2 = read^2 + shot^2 x0``.

    Parameters
    ----------
    read : float
        Standard deviation where it is dark.
    shot : float
        Square root of the further variance at full intensity; a detector that counts n quanta there has
        ``shot = 1 / sqrt(n)``.
    """

    name: ClassVar[str] = "read-shot"
    read: float
    shot: float = 0.0

    def __post_init__(self) -> None:
        for what, value in (("read", self.read), ("shot", self.shot)):
            if not 0 <= value <= 1:
                raise InputError(f"{what} noise is a standard deviation from 0 to 1 of the full range, got {value:g}")

    def variance(self, clean: Tensor) -> Tensor:
        """``read^2 + shot^2 x0``, negative intensities taken as 0."""
        return self.read**2 + self.shot**2 * clean.clamp_min(0)

    def add(self, images: Tensor, draw: Callable[[], Tensor]) -> Tensor:
        """As `NoiseModel.add`."""
        return images + self.variance(images).sqrt() * draw().to(images)

    def deviation(self, noisy: Tensor) -> Tensor:
        """As `NoiseModel.deviation`, from `noisy_variance`."""
        return noisy_variance(noisy, self.read**2, self.shot**2).sqrt()

    def describe(self) -> dict[str, Any]:
        """As `NoiseModel.describe`."""
        return {"model": self.name, **asdict(self)}


@dataclass(frozen=True)
class RicianNoise(NoiseModel):
    """Magnitude of a complex signal with Gaussian noise of standard deviation `sigma` in both parts."""

    name: ClassVar[str] = "rician"
    sigma: float

    def __post_init__(self) -> None:
        if not 0 < self.sigma <= 1:
            raise InputError(f"Rician noise has a sigma above 0 and up to 1 of the full range, got {self.sigma:g}")

    @property
    def unit(self) -> float:
        """``sqrt(1 / sigma^2 - 1/2)``: what divides stabilised values so that full intensity stays 1."""
        return (1 / self.sigma**2 - 0.5) ** 0.5

    def stabilise(self, magnitude: Tensor) -> Tensor:
        """``sqrt(max(A^2 / sigma^2 - 1/2, 0)) / sqrt(1 / sigma^2 - 1/2)``."""
        return ((magnitude / self.sigma).square() - 0.5).clamp_min(0).sqrt() / self.unit

    def magnitude(self, stabilised: Tensor) -> Tensor:
        """The inverse of `stabilise` value by value: ``sigma sqrt((z unit)^2 + 1/2)``, never below 0.7 sigma."""
        return self.sigma * ((stabilised * self.unit).square() + 0.5).sqrt()

    def signal(self, stabilised: Tensor) -> Tensor:
        """The signal whose stabilised magnitudes average to these: 0 where there is nothing but noise."""
        means, signals = _rician_means()
        base = stabilised.double() * self.unit
        inside = np.interp(base.numpy(force=True), means, signals)
        # Beyond the table E[sqrt(A^2 - 1/2)] = sqrt(theta^2 + 1/2) to 1e-4.
        beyond = (base.square() - 0.5).clamp_min(0).sqrt()
        found = torch.where(base > means[-1], beyond, torch.as_tensor(inside).to(beyond))
        return (self.sigma * found).to(stabilised)

    def add(self, images: Tensor, draw: Callable[[], Tensor]) -> Tensor:
        """As `NoiseModel.add`."""
        first, second = (self.sigma * draw().to(images) for _ in range(2))
        return torch.hypot(images + first, second)

    def deviation(self, noisy: Tensor) -> Tensor:
        """As `NoiseModel.deviation`: the same everywhere."""
        return torch.full_like(noisy, 1 / self.unit)

    def working(self, noisy: Tensor) -> Tensor:
        """As `NoiseModel.working`."""
        return self.stabilise(noisy)

    def finished(self, working: Tensor) -> Tensor:
        """As `NoiseModel.finished`: the signal, without the floor that noise lends to magnitudes."""
        return self.signal(working)

    def describe(self) -> dict[str, Any]:
        """As `NoiseModel.describe`."""
        return {"model": self.name, **asdict(self)}


@dataclass(frozen=True, eq=False)
class KnownNoise(NoiseModel):
    """Gaussian noise whose standard deviation is known for every pixel, for example from the coil sensitivities.

    Parameters
    ----------
    map : tensor that broadcasts against the images
        Standard deviation; 0 where pixels are to stay as they are.
    """

    name: ClassVar[str] = "map"
    map: Tensor

    def __post_init__(self) -> None:
        if not bool((torch.isfinite(self.map) & (self.map >= 0)).all()):
            raise InputError("a map of noise holds standard deviations, finite and from 0 up")

    def add(self, images: Tensor, draw: Callable[[], Tensor]) -> Tensor:
        """As `NoiseModel.add`."""
        return images + self.map.to(images) * draw().to(images)

    def deviation(self, noisy: Tensor) -> Tensor:
        """As `NoiseModel.deviation`: the map."""
        return self.map.to(noisy).expand_as(noisy)

    def describe(self) -> dict[str, Any]:
        """As `NoiseModel.describe`: mean and extremes alone."""
        return {"model": self.name, "mean": float(self.map.mean()), "largest": float(self.map.max())}


def local_mean(images: Tensor) -> Tensor:
    """Mean over the 3 x 3 (x 3) neighbourhood of each pixel, of the same shape."""
    pool = functional.avg_pool2d if images.ndim == 4 else functional.avg_pool3d
    return pool(images, 3, stride=1, padding=1, count_include_pad=False)


def noisy_variance(noisy: Tensor, read: Tensor | float, shot: Tensor | float) -> Tensor:
    """``read + shot max(y, 0)`` with the mean of y over its neighbourhood, which is much less noisy than y itself.

    A neighbourhood in which less than a single quantum was counted cannot be told from an empty one, so the intensity
    is taken as that of one quantum at least; else a variance of next to 0 would be trusted by chance in the dark.

    Parameters
    ----------
    noisy : tensor, shape (n, C, H, W) or (n, C, D, H, W)
    read, shot : float or tensor that broadcasts against `noisy`
        Variances: ``read^2`` and ``shot^2``.
    """
    quantum = torch.as_tensor(shot, dtype=noisy.dtype, device=noisy.device) / 3 ** (noisy.ndim - 2)
    return read + shot * torch.maximum(local_mean(noisy), quantum)


@lru_cache(maxsize=1)
def _rician_means() -> tuple[np.ndarray, np.ndarray]:
    """E[sqrt(max(A^2 - 1/2, 0))] of magnitudes with sigma = 1, rising, and the signals theta they belong to."""
    from scipy.special import ive

    theta = np.linspace(0, 12, 241)
    magnitude = np.linspace(np.sqrt(0.5), 20, 4001)
    means = np.empty_like(theta)
    for place, signal in enumerate(theta):
        density = magnitude * np.exp(-((magnitude - signal) ** 2) / 2) * ive(0, magnitude * signal)
        means[place] = np.trapezoid(np.sqrt(np.maximum(magnitude**2 - 0.5, 0)) * density, magnitude)
    return means, theta


def parse_noise(text: str) -> NoiseModel | str:
    """``auto``, ``rician`` (both to be estimated), ``read=0.02,shot=0.05``, or ``rician=0.03``.

    Raises
    ------
    InputError
        For anything else.
    """
    if text in ("auto", "rician"):
        return text
    values: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            values[name.strip()] = float(number)
        except ValueError:
            values.clear()
            break
    if set(values) == {"rician"}:
        return RicianNoise(values["rician"])
    if values and set(values) <= {"read", "shot"}:
        return ReadShotNoise(values.get("read", 0.0), values.get("shot", 0.0))
    raise InputError(
        f"noise is auto, rician, rician=SIGMA, or read=SIGMA,shot=SIGMA in units of the full range, got {text!r}"
    )
