"""What an autoencoder makes of the training images: encoded once, standardised by measured statistics.

Latents are patients' data as much as their images are: the cache lies among the training files and is removed when the
training is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fourfold.features.autoencoder.network import encode
from fourfold.features.store import write_atomically
from fourfold.generate.training_set import TrainingSet

__all__ = ["SPREAD", "Latents", "Scale", "encode_all"]

SPREAD = 0.5
"""Standard deviation that every channel is brought to: what the noise levels of EDM are made for."""

_BATCH = 64


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each channel of the raw latents, measured over the training set.

    Parameters
    ----------
    mean, deviation : tensor, shape (c,)
    """

    mean: Tensor
    deviation: Tensor

    def standard(self, raw: Tensor) -> Tensor:
        """Raw latents, (n, c, *spatial), with mean 0 and standard deviation `SPREAD` a channel."""
        mean, deviation = self._fitting(raw)
        return (raw - mean) * (SPREAD / deviation)

    def raw(self, standard: Tensor) -> Tensor:
        """The inverse of `standard`."""
        mean, deviation = self._fitting(standard)
        return standard * (deviation / SPREAD) + mean

    def _fitting(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        form = (1, -1, *(1,) * (latents.ndim - 2))
        return self.mean.to(latents).reshape(form), self.deviation.to(latents).reshape(form)


@dataclass(frozen=True)
class Latents:
    """Posteriors of all training images.

    Parameters
    ----------
    mean, log_variance : tensor, shape (N, c, *spatial)
        Raw.
    scale : Scale
    """

    mean: Tensor
    log_variance: Tensor
    scale: Scale

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one latent."""
        return tuple(self.mean.shape[1:])

    def draw(self, rows: np.ndarray, generator: torch.Generator) -> Tensor:
        """One draw of the standardised latents of some images."""
        chosen = torch.from_numpy(np.asarray(rows, dtype=np.int64))
        noise = torch.randn((len(chosen), *self.shape), generator=generator)
        return self.scale.standard(self.mean[chosen] + (self.log_variance[chosen] / 2).exp() * noise)


def encode_all(
    autoencoder: nn.Module, data: TrainingSet, cache: Path, progress: Callable[[str, int, int], None]
) -> Latents:
    """The latents of a training set, from the cache where it fits.

    Parameters
    ----------
    autoencoder : nn.Module
        In evaluation mode, on the CPU.
    data : TrainingSet
    cache : Path
        A safetensors file; written anew where it is of another autoencoder or other images.
    progress : callable
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import save

    key = _fingerprint(autoencoder, data)
    try:
        with safe_open(cache, "pt") as stored:
            if (stored.metadata() or {}).get("fingerprint") == key:
                return _latents(stored.get_tensor("mean"), stored.get_tensor("log_variance"))
    except (OSError, SafetensorError):
        # No cache, or a damaged one: it is made anew below, and nothing else depends on it.
        pass
    means, variances = [], []
    for start in range(0, len(data), _BATCH):
        images = torch.from_numpy(data.load(range(start, min(start + _BATCH, len(data)))))
        with torch.no_grad():
            mean, log_variance = encode(autoencoder, 2 * images - 1)
        means.append(mean)
        variances.append(log_variance)
        progress("encoding", min(start + _BATCH, len(data)), len(data))
    mean, log_variance = torch.cat(means).contiguous(), torch.cat(variances).contiguous()
    content = save({"mean": mean, "log_variance": log_variance}, {"fingerprint": key})
    write_atomically(cache, lambda stream: stream.write(content))
    return _latents(mean, log_variance)


def _latents(mean: Tensor, log_variance: Tensor) -> Latents:
    """With the statistics of what is drawn: between images, and within each image's posterior."""
    over = (0, *range(2, mean.ndim))
    variance = mean.double().var(dim=over, correction=0) + log_variance.double().exp().mean(dim=over)
    return Latents(
        mean, log_variance, Scale(mean.double().mean(dim=over).float(), variance.sqrt().clamp_min(1e-6).float())
    )


def _fingerprint(autoencoder: nn.Module, data: TrainingSet) -> str:
    digest = hashlib.sha256(data.digest().encode())
    for name, value in sorted(autoencoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.contiguous().numpy(force=True).tobytes())
    return digest.hexdigest()
