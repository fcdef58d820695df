"""The two denoisers of images: the exact one of the training images with a little noise, and a trained one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fourfold.comparison import Progress
from fourfold.generate.denoiser import Denoise, bind, spread
from fourfold.generate.diffusion.generator import DiffusionGenerator
from fourfold.generate.frameworks import framework
from fourfold.generate.likelihood import (
    GREY_LEVELS,
    bits_per_dimension,
    dequantised,
    log_likelihood,
    variational_bound,
)
from fourfold.generate.models import MODEL, open_model
from fourfold.generate.noise import Noise
from fourfold.generate.sampling import sample
from fourfold.generate.train import train
from fourfold.studies.steps.grid import ODE
from fourfold.studies.steps.standard import Patients
from fourfold.studies.study import Cell, Figures, Scale

__all__ = ["DEVIATION", "Smeared", "drawn_images", "likelihood_figures", "trained"]

DEVIATION = 0.1
"""Of the noise around each training image under the law that copies, in units of [-1, 1]."""

_RECIPE = "diffusion"


@dataclass(frozen=True)
class Smeared:
    """The law of training images with Gaussian noise: its draws, and its denoiser, by matrix products.

    Parameters
    ----------
    points : tensor, shape (N, d)
        Flat images in [-1, 1], float64.
    shape : tuple of int
    """

    points: Tensor
    shape: tuple[int, ...]

    @classmethod
    def of(cls, images: np.ndarray) -> Smeared:
        """The law of images in [0, 1], shape (N, C, H, W)."""
        return cls(2 * torch.from_numpy(images).double().flatten(1) - 1, images.shape[1:])

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The posterior mean of x0, computed in float64; as `fourfold.generate.analytic.MixtureLaw`."""
        given = x.double().flatten(1)
        noise = spread(sigma, given).square()
        total = DEVIATION**2 + noise
        nearness = 2 * given @ self.points.T - self.points.square().sum(dim=1)
        shares = (nearness / (2 * total)).softmax(dim=1)
        return (given + noise / total * (shares @ self.points - given)).reshape(x.shape).to(x.dtype)

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Images in [0, 1], shape (count, *shape), float32."""
        chosen = torch.from_numpy(rng.integers(len(self.points), size=count))
        noise = torch.from_numpy(rng.standard_normal((count, self.points.shape[1])))
        return _shown((self.points[chosen] + DEVIATION * noise).reshape(count, *self.shape))


def trained(name: str, patients: Patients, scale: Scale, work: Path, progress: Progress) -> DiffusionGenerator:
    """The denoiser of a seed, trained without a condition; kept in `work`.

    Parameters
    ----------
    name : str
        The framework that it is trained under.
    patients : Patients
    scale : Scale
        Settings ``train_steps``, ``batch``, ``width`` and ``patch``.
    work : Path
    progress : callable
    """
    decided = "-".join(str(int(scale[part])) for part in ("train_steps", "batch", "width", "patch"))
    folder = work / f"denoiser-{name}-{patients.digest[:12]}-{patients.seed}-{len(patients.training)}-{decided}"
    if (folder / MODEL).exists():
        return open_model(folder).generator
    return train(
        patients.training,
        recipe=_RECIPE,
        output=folder,
        condition="none",
        scaling="0:1",
        seed=patients.seed,
        progress=progress,
        options={
            "framework": name,
            "steps": int(scale["train_steps"]),
            "batch": int(scale["batch"]),
            "channels": (int(scale["width"]),) * 2,
            "patch": int(scale["patch"]),
            "balance": "none",
        },
    ).generator


def drawn_images(denoise: Denoise, cell: Cell, shape: tuple[int, ...], count: int) -> np.ndarray:
    """Images of a cell in [0, 1], shape (count, *shape); every sampler of a seed starts from the same noise."""
    settings = cell.settings
    drawn = sample(
        denoise,
        framework(str(settings["framework"])),
        Noise(range(cell.seed * count, (cell.seed + 1) * count), shape),
        sampler=str(settings["sampler"]),
        evaluations=int(settings["calls"]),
    )
    return _shown(drawn)


def likelihood_figures(generator: DiffusionGenerator, cell: Cell, holdout: np.ndarray, count: int) -> Figures:
    """How probable holdout images of 256 grey levels are, in bits a dimension."""
    settings, chosen = cell.settings, np.random.default_rng([cell.seed, 7]).permutation(len(holdout))[:count]
    rounded = 2 * torch.from_numpy(np.round(holdout[chosen] * (GREY_LEVELS - 1)) / (GREY_LEVELS - 1)) - 1
    noise = Noise(range(len(chosen)), holdout.shape[1:])
    levels_of, calls, pixels = framework(str(settings["framework"])), int(settings["calls"]), rounded[0].numel()
    denoise: Callable[[Tensor, Tensor], Tensor] = bind(generator.denoiser)
    if settings["sampler"] == ODE:
        nats = log_likelihood(
            denoise,
            dequantised(rounded, noise),
            levels_of,
            noise,
            sigma_data=generator.settings()["sigma_data"],
            intervals=calls // 2,
        )
        bits = bits_per_dimension(nats, pixels)
    else:
        bound = variational_bound(denoise, rounded, levels_of.levels(calls), noise).total
        bits = bits_per_dimension(-bound, pixels, grey_levels=None)
    return {"bits": float(bits.mean()), "draws": len(chosen)}


def _shown(drawn: Tensor) -> np.ndarray:
    return ((drawn + 1) / 2).clamp(0, 1).float().numpy()
