"""Restoration of images in memory: clean them, or give clean ones the noise of an acquisition.

`restore` returns the mean of several samples and their spread. Each sample is an image that *could* have been there
and may show structure that never was; only the mean and the spread are for reporting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fourfold.comparison import Progress, no_progress
from fourfold.devices import enough_memory
from fourfold.errors import InputError
from fourfold.generate.noise import Noise
from fourfold.generate.provenance import seed_of
from fourfold.generate.restoration.noise_estimation import estimate_read_shot, estimate_rician
from fourfold.generate.restoration.noise_models import KnownNoise, NoiseModel
from fourfold.generate.restoration.restorer import Restorer
from fourfold.generate.restoration.sampler import Posterior, posterior
from fourfold.generate.restoration.training import REGION_DEVIATION

__all__ = ["CHAINS", "Restored", "noise_of", "renoise", "restore"]

CHAINS = 8
BATCH = 16

_MEMORY = "use a smaller --batch"


@dataclass(frozen=True)
class Restored:
    """Restored images.

    Parameters
    ----------
    images : array, shape (n, C, H, W) or (n, C, D, H, W)
        float32 in [0, 1]: the mean over the chains, an estimate of the posterior mean.
    spread : array of the same shape, or None
        Standard deviation over the chains, in the same units; None for one chain. It is the network's own, by finite
        steps a little small, and knows nothing of what the network has not learned.
    noise : NoiseModel
        What was taken for the noise.
    """

    images: np.ndarray
    spread: np.ndarray | None
    noise: NoiseModel


def restore(
    images: np.ndarray,
    restorer: Restorer,
    noise: NoiseModel | str = "auto",
    *,
    chains: int = CHAINS,
    seed: int = 0,
    first: int = 0,
    batch: int = BATCH,
    stride: float = 1.0,
    progress: Progress = no_progress,
) -> Restored:
    """Remove noise that may differ from pixel to pixel.

    Parameters
    ----------
    images : array, shape (n, C, H, W) or (n, C, D, H, W)
        Linear intensities, scaled as the restorer's training images, best not clipped.
    restorer : Restorer
    noise : NoiseModel or {"auto", "rician"}
        ``"auto"`` estimates read and shot noise from these images, ``"rician"`` Rician noise from their background.
    chains : int
        Samples an image; the error of their mean exceeds that of the posterior mean by one part in this many.
    seed, first : int
        Image k of these is number ``first + k`` of the set with this seed, and depends on that alone.
    batch : int
        Images at once.
    stride : float
        Steps that are taken at once; above 1 faster and with too little spread.
    progress : callable

    Raises
    ------
    InputError
        Where the images are not such as the restorer was trained on, or their noise is none or too strong.
    """
    values = _checked(images, restorer)
    if chains < 1 or batch < 1 or not stride > 0:
        raise InputError(f"restoration takes 1 chain, 1 image at once and a stride above 0 at least, got {chains}, "
                         f"{batch} and {stride:g}")  # fmt: skip
    model = noise_of(values, noise) if isinstance(noise, str) else noise
    found = []
    for start in range(0, len(values), batch):
        part = torch.tensor(values[start : start + batch])
        seeds = [seed_of(seed, first + start + place) for place in range(len(part))]
        with enough_memory(_MEMORY):
            found.append(_cleaned(part, restorer, _rows(model, start, len(part)), seeds, chains, stride))
        progress("restoring images", start + len(part), len(values))
    means = np.concatenate([one.mean.numpy(force=True) for one in found])
    spreads = None if chains == 1 else np.concatenate([one.spread.numpy(force=True) for one in found])
    return Restored(means.clip(0, 1), spreads, model)


def renoise(images: np.ndarray, noise: NoiseModel, *, seed: int = 0, first: int = 0) -> np.ndarray:
    """Give images noise.

    Parameters
    ----------
    images : array, shape (n, C, H, W) or (n, C, D, H, W)
        In [0, 1], too clean.
    noise : NoiseModel
        For example from `estimate_read_shot` of real images, less what these have themselves, `missing_noise`.
    seed, first : int
        As for `restore`.

    Returns
    -------
    array of the same shape
        float32; not clipped, so that dark pixels keep Gaussian noise.
    """
    values = torch.tensor(np.asarray(images, dtype=np.float32))
    draw = Noise([seed_of(seed, first + place) for place in range(len(values))], tuple(values.shape[1:]))
    return noise.add(values, draw).numpy()


def noise_of(images: np.ndarray, kind: str) -> NoiseModel:
    """Noise estimated from images: read and shot for ``"auto"``, ``"rician"``; raises InputError for other words."""
    if kind not in ("auto", "rician"):
        raise InputError(f"noise is a NoiseModel, 'auto' or 'rician', got {kind!r}")
    return estimate_rician(images) if kind == "rician" else estimate_read_shot(images)


def _cleaned(
    noisy: Tensor, restorer: Restorer, model: NoiseModel, seeds: Sequence[int], chains: int, stride: float
) -> Posterior:
    device = next(restorer.network.parameters()).device
    y = model.working(noisy.to(device))
    deviation = model.deviation(noisy.to(device))
    largest = float(deviation.max())
    if largest > REGION_DEVIATION:
        raise InputError(
            f"noise of {largest:.3g} of the full range leaves nothing to restore, {REGION_DEVIATION:g} is the limit; "
            "check the noise model"
        )
    time = restorer.schedule.time(deviation.square())
    return posterior(restorer.estimate, y, time, restorer.schedule, seeds, chains, stride=stride, finish=model.finished)


def _rows(model: NoiseModel, start: int, count: int) -> NoiseModel:
    """The model of some of the images: a map may have a row for each."""
    if isinstance(model, KnownNoise) and model.map.ndim > 2 and len(model.map) > 1:
        return KnownNoise(model.map[start : start + count])
    return model


def _checked(images: np.ndarray, restorer: Restorer) -> np.ndarray:
    values = np.asarray(images, dtype=np.float32)
    if values.ndim != restorer.dims + 2 or values.shape[1] != restorer.planes or not len(values):
        wanted = f"(n, {restorer.planes}, {'D, ' if restorer.dims == 3 else ''}H, W)"
        raise InputError(f"the restorer takes images of shape {wanted}, got {values.shape}")
    if not np.isfinite(values).all():
        raise InputError("the images hold values that are not finite (NaN or infinity); replace them")
    return values
