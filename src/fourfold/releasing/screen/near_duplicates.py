"""Near-duplicates of training images whose source is known: what the veto is calibrated on.

A filter that finds copies of real images may miss copies as a generator makes them, which are smoother and carry its
own artefacts. So disguised training images are also given the look of the candidates (their mean spectrum), and where
a denoiser of the generator is at hand, training images are noised and denoised back by it (Meng et al. 2022): copies
made by the generator itself, graded by the noise level.

References
----------
C. Meng et al., "SDEdit: Guided image synthesis and editing with stochastic differential equations", ICLR 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fourfold.images import ImageSet, Preparation
from fourfold.privacy import DISGUISES, Disguise, working_images

__all__ = [
    "NEAR_DUPLICATES",
    "SOURCES",
    "NearDuplicates",
    "disguised_near_duplicates",
    "generated_near_duplicates",
    "with_the_look_of",
]

SOURCES = 24
"""Training images that each kind is made of."""

_FURTHER = ("strong noise", "bias field", "coarse", "elastic", "blend 70 %")

NEAR_DUPLICATES: tuple[Disguise, ...] = tuple(one for one in DISGUISES if one.ordinary or one.name in _FURTHER)
"""Disguises that generators are known to give copies, and five harder ones."""

LEVELS = (0.1, 0.2, 0.4, 0.8)
"""Noise levels of generated near-duplicates; the standard deviation of images in [-1, 1] is about 0.5."""

_STEPS, _LEAST_LEVEL, _RHO = 8, 0.002, 7.0
_MOST_GAIN = 2.0


@dataclass(frozen=True)
class NearDuplicates:
    """Near-duplicates with their sources.

    Parameters
    ----------
    images : array, shape (n, planes, side, side)
        Working images, float32 in [0, 1].
    sources : array of int64, shape (n,)
        Training rows.
    kinds : array of str, shape (n,)
        How each was made.
    """

    images: np.ndarray
    sources: np.ndarray
    kinds: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def joined(cls, parts: Sequence[NearDuplicates]) -> NearDuplicates:
        """Several as one."""
        columns = [(one.images, one.sources, one.kinds) for one in parts]
        return cls(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def disguised_near_duplicates(
    training: np.ndarray,
    candidates: np.ndarray,
    *,
    disguises: Sequence[Disguise] = NEAR_DUPLICATES,
    count: int = SOURCES,
    aspect: float = 1.0,
    seed: int = 0,
) -> NearDuplicates:
    """Disguised training images, as they are and with the look of the candidates.

    Parameters
    ----------
    training, candidates : arrays, shapes (N, planes, side, side) and (M, planes, side, side)
        Working images; candidates lend their look, and some disguises mix them in.
    disguises : sequence of Disguise
    count : int
        Training images, the same for each disguise.
    aspect : float
        Height of the original images by their width.
    seed : int

    Returns
    -------
    NearDuplicates
        Kinds: the names of the disguises, and the same with ``", softened"``.
    """
    rng = np.random.default_rng([seed, 33])
    found = []
    # The same sources for every kind: where half of them choose a threshold, each half holds as many of each kind.
    sources = rng.permutation(len(training))[:count]
    for disguise in disguises:
        hosts = candidates[rng.integers(len(candidates), size=len(sources))]
        images = disguise.apply(training[sources], hosts, rng, aspect)
        softened = with_the_look_of(images, training, candidates)
        for name, own in ((disguise.name, images), (f"{disguise.name}, softened", softened)):
            found.append(NearDuplicates(own, sources.astype(np.int64), np.full(len(own), name, dtype=object)))
    whole = NearDuplicates.joined(found)
    return replace(whole, kinds=whole.kinds.astype(str))


def with_the_look_of(images: np.ndarray, real: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Images whose frequencies are as strong as those of the candidates are, relative to real images.

    Parameters
    ----------
    images, real, candidates : arrays, shapes (n, planes, side, side)

    Returns
    -------
    array, shape of `images`
        float32 in [0, 1]; every frequency times the ratio of root mean square amplitudes, at most 2.
    """
    side = images.shape[-1]
    radius = np.rint(np.hypot(*np.meshgrid(np.fft.fftfreq(side) * side, np.fft.rfftfreq(side) * side, indexing="ij")))
    radius = radius.astype(np.int64)
    gain = np.sqrt(_power(candidates, radius) / np.maximum(_power(real, radius), 1e-12))
    # The mean brightness is no look.
    gain[0] = 1.0
    spectrum = np.fft.rfft2(images) * np.minimum(gain, _MOST_GAIN)[radius]
    return np.clip(np.fft.irfft2(spectrum, s=(side, side)), 0.0, 1.0).astype(np.float32)


def _power(images: np.ndarray, radius: np.ndarray, most: int = 256) -> np.ndarray:
    """Mean power by whole frequency."""
    chosen = images[:: max(1, len(images) // most)]
    power = (np.abs(np.fft.rfft2(chosen)) ** 2).mean(axis=(0, 1))
    return np.bincount(radius.ravel(), power.ravel()) / np.maximum(np.bincount(radius.ravel()), 1)


def generated_near_duplicates(
    training: ImageSet,
    denoiser: Any,
    *,
    levels: Sequence[float] = LEVELS,
    count: int = SOURCES,
    steps: int = _STEPS,
    batch: int = 16,
    seed: int = 0,
    device: str = "cpu",
) -> NearDuplicates:
    """Training images that a diffusion model noised and denoised back.

    Parameters
    ----------
    training : ImageSet
        Prepared as the model was trained.
    denoiser : callable
        ``D(x, sigma)`` with a `value_range`, as `fourfold.generate.Model.denoiser` gives it.
    levels : sequence of float
        Noise levels, in the values of the denoiser.
    count : int
        Training images, the same for each level.
    steps : int
        Of Heun's method from each level to 0.
    batch : int
    seed : int
    device : str

    Returns
    -------
    NearDuplicates
        Kinds ``"generated from 0.2"``, by level.
    """
    import torch

    from fourfold.generate.sampling.heun import heun

    low, high = denoiser.value_range
    rng = np.random.default_rng([seed, 35])
    parts = []
    sources = rng.permutation(len(training))[:count]
    for level in levels:
        places = np.linspace(level ** (1 / _RHO), min(_LEAST_LEVEL, level / 2) ** (1 / _RHO), steps) ** _RHO
        falling = torch.tensor([*places, 0.0], dtype=torch.float32, device=device)
        images = np.empty((len(sources), *training.shape), dtype=np.float32)
        for start in range(0, len(sources), batch):
            clean = training.load(sources[start : start + batch]) * (high - low) + low
            noised = (clean + level * rng.normal(size=clean.shape)).astype(np.float32)
            with torch.inference_mode():
                x = heun(
                    lambda x, sigma: denoiser(x, sigma.reshape(-1)[:1].expand(len(x))),
                    torch.from_numpy(noised).to(device),
                    falling,
                )
            images[start : start + len(clean)] = np.clip((x.numpy(force=True) - low) / (high - low), 0.0, 1.0)
        parts.append(
            NearDuplicates(
                working_images(_as_set(images)),
                sources.astype(np.int64),
                np.full(len(sources), f"generated from {level:g}"),
            )
        )
    return NearDuplicates.joined(parts)


def _as_set(images: np.ndarray) -> ImageSet:
    preparation = Preparation("range", 0.0, 1.0, tuple(images.shape[2:]), images.shape[1])
    return replace(ImageSet.from_array(images, name="near-duplicates"), preparation=preparation)
