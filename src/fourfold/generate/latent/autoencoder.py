"""The autoencoder of latent diffusion: MONAI's `AutoencoderKL` or `VQVAE`, its training and its report.

References
----------
R. Rombach, A. Blattmann, D. Lorenz, P. Esser, B. Ommer, CVPR 2022, section 3.1 and appendix G.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, relu, softplus

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.latent.options import LatentDiffusionOptions
from fourfold.generate.training.trainee import Batch, Trainee

__all__ = ["AutoencoderTrainee", "build_autoencoder", "decode", "encode", "reconstruction_report"]

_BATCH = 64
_REPORTED = 512
_CODE_BOOK_DECAY = 0.99
_ADVERSARY_BEGINS = 0.3
"""Share of the steps before the discriminator counts: before, there is nothing to sharpen."""


def build_autoencoder(shape: tuple[int, ...], settings: Mapping[str, Any]) -> nn.Module:
    """MONAI's autoencoder for images of `shape`, (C, H, W) or (C, D, H, W), with fresh weights.

    Parameters
    ----------
    shape : tuple of int
    settings : mapping
        ``autoencoder``, ``autoencoder_channels``, ``latent_channels``, ``codes``.

    Raises
    ------
    InputError
        Where the sides cannot be halved so often.
    """
    from monai.networks.nets import VQVAE, AutoencoderKL

    planes, *spatial = shape
    widths = list(settings["autoencoder_channels"])
    divisor = 2 ** (len(widths) - 1)
    if any(size % divisor for size in spatial):
        sizes = " x ".join(map(str, spatial))
        raise InputError(
            f"the autoencoder halves {sizes} images {len(widths) - 1} times, which their sides do not allow; "
            f"choose sides that are multiples of {divisor} with --size, or fewer autoencoder_channels"
        )
    if settings["autoencoder"] == "kl":
        return AutoencoderKL(
            spatial_dims=len(spatial),
            in_channels=planes,
            out_channels=planes,
            channels=widths,
            num_res_blocks=[1] * len(widths),
            attention_levels=[False] * len(widths),
            latent_channels=settings["latent_channels"],
            norm_num_groups=8,
            with_encoder_nonlocal_attn=False,
            with_decoder_nonlocal_attn=False,
        )
    halvings = len(widths) - 1
    return VQVAE(
        spatial_dims=len(spatial),
        in_channels=planes,
        out_channels=planes,
        channels=widths[1:],
        num_res_layers=1,
        num_res_channels=widths[1:],
        downsample_parameters=((2, 4, 1, 1),) * halvings,
        upsample_parameters=((2, 4, 1, 1, 0),) * halvings,
        num_embeddings=settings["codes"],
        embedding_dim=settings["latent_channels"],
        decay=_CODE_BOOK_DECAY,
        ddp_sync=False,
    )


def encode(autoencoder: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and logarithm of the variance of what images become, each of the shape of the latents.

    Parameters
    ----------
    autoencoder : nn.Module
    images : tensor, shape (n, C, *spatial)
        In [-1, 1].

    Returns
    -------
    mean, log_variance : tensor
        A code book has no variance: -30 then.
    """
    if hasattr(autoencoder, "quantizer"):
        mean = autoencoder.encode(images)
        return mean, torch.full_like(mean, -30.0)
    mean, deviation = autoencoder.encode(images)
    return mean, 2 * deviation.clamp_min(1e-8).log()


def decode(autoencoder: nn.Module, latents: Tensor) -> Tensor:
    """Images in [-1, 1] of latents; with a code book the nearest codes are decoded."""
    if hasattr(autoencoder, "quantizer"):
        quantised, _ = autoencoder.quantize(latents)
        return autoencoder.decode(quantised).clamp(-1, 1)
    return autoencoder.decode(latents).clamp(-1, 1)


class _Whole(nn.Module):
    """Gives reconstruction and regulariser in one call, as wrappers for several GPUs need it."""

    def __init__(self, autoencoder: nn.Module) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        # A buffer, so that a training that is taken up again knows whether the discriminator's turn has come.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, images: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        if noise is None:
            return self.autoencoder(images)
        mean, log_variance = encode(self.autoencoder, images)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        return self.autoencoder.decode(mean + (log_variance / 2).exp() * noise), divergence


class AutoencoderTrainee(Trainee):
    """An autoencoder while it is trained: mean absolute error, a regulariser, and a patch discriminator if asked for.

    Parameters
    ----------
    autoencoder : nn.Module
    latent_shape : tuple of int
    options : LatentDiffusionOptions
    dims : int
        Spatial dimensions.
    planes : int
        Channels of the images.
    """

    def __init__(
        self,
        autoencoder: nn.Module,
        latent_shape: tuple[int, ...],
        options: LatentDiffusionOptions,
        dims: int,
        planes: int,
    ) -> None:
        self.options = options
        self.latent_shape = latent_shape
        self.modules = {"autoencoder": _Whole(autoencoder)}
        self.optimizers = {"autoencoder": torch.optim.Adam(autoencoder.parameters(), options.autoencoder_learning_rate)}
        self.phases = ("autoencoder",)
        # A code book follows its own moving average, which a second average would blur.
        self.averaged = ("autoencoder",) if options.autoencoder == "kl" else ()
        if options.adversarial:
            from monai.networks.nets import PatchDiscriminator

            judge = PatchDiscriminator(dims, channels=32, in_channels=planes, num_layers_d=2, norm="INSTANCE")
            self.modules["discriminator"] = judge
            self.optimizers["discriminator"] = torch.optim.Adam(judge.parameters(), 2e-4, betas=(0.5, 0.9))
            self.phases = ("autoencoder", "discriminator")

    @property
    def _judged(self) -> bool:
        steps = int(_unwrapped(self.modules).steps)
        return "discriminator" in self.modules and steps >= _ADVERSARY_BEGINS * self.options.autoencoder_steps

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        """As `Trainee.loss`; hinge losses for the discriminator (Rombach et al. 2022, appendix G)."""
        noise = None
        if self.options.autoencoder == "kl":
            noise = torch.randn((len(batch), *self.latent_shape), generator=generator).to(batch.images)
        if phase == "discriminator":
            return self._discriminator_loss(batch.images, noise)
        rebuilt, regulariser = self.modules["autoencoder"](batch.images, noise)
        weight = self.options.kl_weight if self.options.autoencoder == "kl" else 1.0
        loss = l1_loss(rebuilt, batch.images) + weight * regulariser
        if self._judged:
            loss = loss - self.options.adversarial * self.modules["discriminator"](rebuilt)[-1].mean()
        return loss

    def _discriminator_loss(self, images: Tensor, noise: Tensor | None) -> Tensor:
        judge = self.modules["discriminator"]
        with torch.no_grad():
            rebuilt, _ = self.modules["autoencoder"](images, noise)
        real, built = judge(images)[-1], judge(rebuilt)[-1]
        if not self._judged:
            # It learns from the first step, without a say, so that it is ready when it gets one.
            return softplus(-real).mean() + softplus(built).mean()
        return relu(1 - real).mean() + relu(1 + built).mean()

    def describe(self) -> dict[str, Any]:
        """The options."""
        return asdict(self.options)

    def after_step(self, step: int) -> Mapping[str, float]:
        """Counts, for the discriminator's turn."""
        _unwrapped(self.modules).steps.fill_(step)
        return {}

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        """Decoded noise: no samples of a model yet, but whether the decoder is sane."""
        autoencoder = _unwrapped(modules).autoencoder
        device = next(autoencoder.parameters()).device
        streams = [torch.Generator().manual_seed(seed) for seed in seeds]
        noise = torch.stack([torch.randn(self.latent_shape, generator=stream) for stream in streams])
        with torch.no_grad():
            return (decode(autoencoder, noise.to(device)) + 1) / 2


def _unwrapped(modules: Mapping[str, nn.Module]) -> _Whole:
    whole = modules["autoencoder"]
    return getattr(whole, "module", whole)


def reconstruction_report(autoencoder: nn.Module, images: np.ndarray) -> dict[str, Any]:
    """How much the autoencoder loses, which no diffusion on its latents can bring back.

    Parameters
    ----------
    autoencoder : nn.Module
    images : array, shape (n, C, *spatial)
        float32 in [0, 1]; the first 512 are used.

    Returns
    -------
    dict
        ``images``, ``psnr`` and ``ssim`` (mean and 5 % quantile over images, for values in [0, 1]), and with a code
        book ``codes_used`` and ``perplexity`` (codes that are used, and their effective number).
    """
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    shown = torch.from_numpy(np.ascontiguousarray(images[:_REPORTED]))
    rebuilt = rebuild(autoencoder, shown)
    error = (rebuilt - shown).square().flatten(1).mean(dim=1).clamp_min(1e-10)
    psnr = -10 * error.log10()
    kernel = min(11, min(shown.shape[2:]) // 2 * 2 - 1)
    likeness = ssim(rebuilt, shown, data_range=1.0, reduction="none", kernel_size=kernel, gaussian_kernel=False)
    report: dict[str, Any] = {
        "images": len(shown),
        "psnr": round(float(psnr.mean()), 3),
        "psnr_5_percent": round(float(psnr.quantile(0.05)), 3),
        "ssim": round(float(likeness.mean()), 4),
        "ssim_5_percent": round(float(likeness.quantile(0.05)), 4),
    }
    if hasattr(autoencoder, "quantizer"):
        with torch.no_grad():
            codes = autoencoder.index_quantize(2 * shown - 1).flatten()
        shares = torch.bincount(codes).double() / len(codes)
        shares = shares[shares > 0]
        report |= {"codes_used": len(shares), "perplexity": round(float((-shares * shares.log()).sum().exp()), 2)}
    return report


def rebuild(autoencoder: nn.Module, images: Tensor) -> Tensor:
    """Images in [0, 1] through the autoencoder and back, by the means of their latents."""
    with torch.no_grad():
        parts = [decode(autoencoder, encode(autoencoder, 2 * part - 1)[0]) for part in images.split(_BATCH)]
    return (torch.cat(parts) + 1) / 2
