"""MONAI's `AutoencoderKL` and `VQVAE`: how they are built, what they encode and decode, and what they lose.

Images in [-1, 1] become a grid of latents: Gaussians of a mean and a variance (``"kl"``), or vectors of which only the
number of the nearest entry of a code book is kept (``"vq"``). Latent diffusion draws such latents; the `autoencoder`
feature spaces compare them.

References
----------
R. Rombach, A. Blattmann, D. Lorenz, P. Esser, B. Ommer, CVPR 2022, section 3.1 and appendix G. A. van den Oord,
O. Vinyals, K. Kavukcuoglu, "Neural discrete representation learning", NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fourfold.errors import InputError

__all__ = [
    "build_autoencoder",
    "codes",
    "decode",
    "encode",
    "rebuild",
    "reconstruction_report",
    "regularised",
]

_BATCH = 64
_REPORTED = 512
_CODE_BOOK_DECAY = 0.99


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


def codes(autoencoder: nn.Module, images: Tensor) -> Tensor:
    """Numbers of the entries of the code book that images in [-1, 1] become, shape (n, *grid), int64."""
    return autoencoder.index_quantize(images)


def regularised(autoencoder: nn.Module, images: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
    """Images through the autoencoder and back, and what is added to the loss of that.

    Parameters
    ----------
    autoencoder : nn.Module
    images : tensor, shape (n, C, *spatial)
        In [-1, 1].
    noise : tensor of the shape of the latents, or None
        Standard normal; None with a code book.

    Returns
    -------
    rebuilt : tensor, shape (n, C, *spatial)
    regulariser : tensor, shape ()
        Divergence of the posterior from a standard normal, a latent number; with a code book its commitment.
    """
    if noise is None:
        return autoencoder(images)
    mean, log_variance = encode(autoencoder, images)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    return autoencoder.decode(mean + (log_variance / 2).exp() * noise), divergence


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
            found = codes(autoencoder, 2 * shown - 1).flatten()
        shares = torch.bincount(found).double() / len(found)
        shares = shares[shares > 0]
        report |= {"codes_used": len(shares), "perplexity": round(float((-shares * shares.log()).sum().exp()), 2)}
    return report


def rebuild(autoencoder: nn.Module, images: Tensor) -> Tensor:
    """Images in [0, 1] through the autoencoder and back, by the means of their latents."""
    with torch.no_grad():
        parts = [decode(autoencoder, encode(autoencoder, 2 * part - 1)[0]) for part in images.split(_BATCH)]
    return (torch.cat(parts) + 1) / 2
