"""Regions drawn anew: burnt-in marks, a face, a lesion to be replaced. Outside the region nothing changes, to the bit.

Three ways, by what is at hand; `regenerate` chooses. Nothing of the old content of the region enters any of them.

- `regenerate_by_restorer`: the network of restoration, with time 0 outside and a late time inside. It was trained on
  exactly that.
- `regenerate_by_map`: any denoiser that takes a map of noise levels, 0 outside and falling inside.
- `regenerate_by_projection`: any other denoiser, with one level for the whole image; before each call the known part
  is put back with fresh noise of that level, and each step is taken several times so that both parts come to agree
  (RePaint). The only one that is not exact for a perfect denoiser: where the surroundings nearly settle what must stand
  in a region, it stays off by more than what they leave open.

References
----------
A. Lugmayr et al., "RePaint", CVPR 2022, algorithm 1. N. Pearl et al., arXiv 2306.16052, 2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.denoiser import Denoise
from fourfold.generate.diffusion.generator import DiffusionGenerator
from fourfold.generate.generator import Generator
from fourfold.generate.noise import Noise
from fourfold.generate.provenance import seed_of
from fourfold.generate.restoration.restorer import Restorer
from fourfold.generate.restoration.sampler import bridge_step, reverse_chain
from fourfold.generate.restoration.training import REGION_DEVIATION

__all__ = ["regenerate", "regenerate_by_map", "regenerate_by_projection", "regenerate_by_restorer"]

STEPS = 50
"""Noise levels that a generator's denoiser is asked at."""

RESAMPLINGS = 10
"""How often each step of the projection is taken, as in RePaint."""


def regenerate(
    images: np.ndarray,
    masks: np.ndarray,
    model: Restorer | Generator,
    *,
    seed: int = 0,
    first: int = 0,
    steps: int = STEPS,
    device: str = "cpu",
) -> np.ndarray:
    """Draw regions anew with a restorer, or with a diffusion generator of the same images.

    Parameters
    ----------
    images : array, shape (n, C, H, W) or (n, C, D, H, W)
        float32 in [0, 1].
    masks : array of bool, shape (n, H, W) or (n, D, H, W)
        True where the image is to be replaced.
    model : Restorer or Generator
        A generator of the recipe ``diffusion`` for images of this shape; its condition is withheld. Where its network
        takes maps of noise levels these are used, else projection.
    seed, first : int
        Image k of these is number ``first + k`` of the set with this seed, and depends on that alone.
    steps : int
        Noise levels of a generator; a restorer has those of its schedule.
    device : str
        Where the model is.

    Returns
    -------
    array of the shape of `images`
        float32 in [0, 1]; equal to `images` outside the masks.

    Raises
    ------
    InputError
        Where masks and images, or images and model, do not fit together.
    """
    if isinstance(model, Restorer):
        return regenerate_by_restorer(images, masks, model, seed=seed, first=first)
    denoise = _unconditional(model, np.shape(images), device)
    levels = model.framework.levels(steps)
    way = regenerate_by_map if getattr(model.denoiser.network, "maps", False) else regenerate_by_projection
    return way(images, masks, denoise, levels, seed=seed, first=first)


def regenerate_by_restorer(
    images: np.ndarray, masks: np.ndarray, restorer: Restorer, *, seed: int = 0, first: int = 0, stride: float = 1.0
) -> np.ndarray:
    """Draw regions anew with a restorer.

    Parameters
    ----------
    images, masks, seed, first
        As for `regenerate`.
    restorer : Restorer
    stride : float
        Steps that are taken at once.
    """
    if np.ndim(images) != restorer.dims + 2 or np.shape(images)[1] != restorer.planes:
        raise InputError(
            f"the restorer was trained on {restorer.dims}-D images of {restorer.planes} channels and these have the "
            f"shape {np.shape(images)}; give images of that kind"
        )
    device = next(restorer.network.parameters()).device
    known, inside = (part.to(device) for part in _tensors(images, masks))
    noise = Noise(_seeds(len(known), seed, first), tuple(known.shape[1:]), device)
    # What is replaced starts from the mean of what stays, never from its own old content.
    start = _mean_of_known(known, inside) + REGION_DEVIATION * noise()
    y = torch.where(inside, start, known)
    variance = inside.expand_as(known).to(known) * REGION_DEVIATION**2
    time = restorer.schedule.time(variance)
    end = reverse_chain(restorer.estimate, y, time, restorer.schedule, noise, stride=stride)
    return _joined(images, inside, end)


@torch.no_grad()
def regenerate_by_map(
    images: np.ndarray, masks: np.ndarray, denoise: Denoise, levels: Tensor, *, seed: int = 0, first: int = 0
) -> np.ndarray:
    """Draw regions anew with a denoiser that takes maps of noise levels.

    Parameters
    ----------
    images, masks, seed, first
        As for `regenerate`.
    denoise : callable
        `fourfold.generate.denoiser.Denoise` with sigma of shape (n, 1, *spatial), on images in [-1, 1].
    levels : tensor, shape (steps + 1,)
        Falling noise levels, the last one 0.
    """
    known, inside = _tensors(images, masks)
    known = 2 * known - 1
    noise = Noise(_seeds(len(known), seed, first), tuple(known.shape[1:]))
    x = torch.where(inside, float(levels[0]) * noise(), known)
    for now, after in zip(levels[:-1].float(), levels[1:].float(), strict=True):
        sigma = torch.where(inside, now, torch.zeros_like(now))
        stepped = torch.where(inside, after, torch.zeros_like(after))
        x = bridge_step(x, denoise(x, sigma), sigma.square(), stepped.square(), noise())
    return _joined(images, inside, (x + 1) / 2)


@torch.no_grad()
def regenerate_by_projection(
    images: np.ndarray,
    masks: np.ndarray,
    denoise: Denoise,
    levels: Tensor,
    *,
    seed: int = 0,
    first: int = 0,
    resamplings: int = RESAMPLINGS,
) -> np.ndarray:
    """Draw regions anew with any denoiser.

    Parameters
    ----------
    images, masks, seed, first
        As for `regenerate`.
    denoise : callable
        `fourfold.generate.denoiser.Denoise` with a scalar sigma, on images in [-1, 1].
    levels : tensor, shape (steps + 1,)
        Falling noise levels, the last one 0.
    resamplings : int
        How often each step is taken; 1 is replacement alone, whose regions fit worse into their surroundings.
    """
    known, inside = _tensors(images, masks)
    known = 2 * known - 1
    noise = Noise(_seeds(len(known), seed, first), tuple(known.shape[1:]))
    x = float(levels[0]) * noise()
    for now, after in zip(levels[:-1].float(), levels[1:].float(), strict=True):
        for turn in range(resamplings):
            x = torch.where(inside, x, known + now * noise())
            x = bridge_step(x, denoise(x, now), now.square(), after.square(), noise())
            if turn + 1 < resamplings and after > 0:
                x = x + (now.square() - after.square()).sqrt() * noise()
    return _joined(images, inside, (x + 1) / 2)


def _unconditional(model: Generator, shape: tuple[int, ...], device: str) -> Denoise:
    """The denoiser of a generator without its condition, from and to the processor."""
    if not isinstance(model, DiffusionGenerator) or model.drawn_shape != model.shape:
        raise InputError(
            f"a {model.recipe} model cannot draw a region anew, since it does not work on pixels; give a restorer "
            "(fourfold restore fit) or a model of the recipe diffusion"
        )
    if tuple(shape[1:]) != model.shape:
        raise InputError(
            f"the model makes images of shape {model.shape} and these have {tuple(shape[1:])}; resample them with "
            "--size"
        )
    if model.conditioning.kinds and not model.settings()["guided"]:
        raise InputError(
            "the model was never trained without its condition, which a region does not bring; train one with "
            "--condition none, or with --set dropout=0.1"
        )

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        condition = model.conditioning.withheld(len(x))
        condition = None if condition is None else condition.to(device)
        return model.denoise(condition)(x.to(device), sigma.to(device)).to(x)

    return denoise


def _tensors(images: np.ndarray, masks: np.ndarray) -> tuple[Tensor, Tensor]:
    values, inside = np.asarray(images, dtype=np.float32), np.asarray(masks, dtype=bool)
    if values.shape[:1] + values.shape[2:] != inside.shape:
        raise InputError(
            f"masks of shape {inside.shape} do not fit images of shape {values.shape}; give one mask an image, of its "
            "size"
        )
    return torch.tensor(values), torch.tensor(inside).unsqueeze(1)


def _seeds(count: int, seed: int, first: int) -> Sequence[int]:
    return [seed_of(seed, first + place) for place in range(count)]


def _mean_of_known(known: Tensor, inside: Tensor) -> Tensor:
    """Mean of each channel outside the mask, 1/2 where nothing is outside."""
    axes = tuple(range(2, known.ndim))
    outside = (~inside).to(known)
    count = outside.sum(dim=axes, keepdim=True)
    mean = (known * outside).sum(dim=axes, keepdim=True) / count.clamp_min(1)
    return torch.where(count > 0, mean, torch.full_like(mean, 0.5))


def _joined(images: np.ndarray, inside: Tensor, drawn: Tensor) -> np.ndarray:
    new = drawn.clamp(0, 1).numpy(force=True).astype(np.float32)
    return np.where(inside.numpy(force=True), new, np.asarray(images, dtype=np.float32))
