"""From noise to images: starts a sampler at a framework's largest level and runs it to the end."""

from __future__ import annotations

import torch
from torch import Tensor

from fourfold.generate.denoiser import Denoise
from fourfold.generate.frameworks import Framework
from fourfold.generate.noise import Noise
from fourfold.generate.sampling.register import sampler as by_name

__all__ = ["sample"]


def sample(
    denoise: Denoise,
    levels: Framework | Tensor,
    noise: Noise,
    *,
    sampler: str,
    evaluations: int | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Images, or latents, from noise.

    Parameters
    ----------
    denoise : Denoise
    levels : Framework or tensor, shape (K + 1,) or (K + 1, n, 1, *spatial)
        The levels themselves, falling to 0, or the framework that spaces them.
    noise : Noise
        A stream for each of the n images.
    sampler : str
        A name from `SAMPLERS`.
    evaluations : int or None
        Most network calls an image; needed with a framework, and meaningless with levels.
    temperature : float
        Scale of the initial noise.

    Returns
    -------
    tensor, shape (n, *shape of the noise)

    Raises
    ------
    InputError
        Where there is no such sampler, or it cannot do with so few evaluations, or the framework has no more levels.
    ValueError
        Where `evaluations` is missing or superfluous, or levels do not fall to 0.

    Examples
    --------
    >>> from fourfold.generate.analytic import reference_mixture
    >>> from fourfold.generate.frameworks import framework
    >>> law, noise = reference_mixture(), Noise(range(4), (1, 1, 2))
    >>> sample(law, framework("edm"), noise, sampler="dpm++2m", evaluations=18).shape
    torch.Size([4, 1, 1, 2])
    """
    chosen = by_name(sampler)
    if isinstance(levels, Tensor):
        if evaluations is not None:
            raise ValueError("give a framework and evaluations, or levels alone")
    else:
        if evaluations is None:
            raise ValueError("give evaluations with a framework")
        levels = chosen.levels(levels, evaluations)
    with torch.inference_mode():
        start = noise()
        return chosen.function(denoise, levels[0].to(start) * temperature * start, levels, noise)
