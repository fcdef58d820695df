"""DISTS: the distance of two images by the texture (means) and structure (correlations) of a network's maps.

With mu, sigma^2 and sigma_xy the means, variances and covariance of channel i of stage l over places, the image itself
being stage 0, and weights alpha and beta that sum to 1 together:

    1 - sum_li [ alpha_li (2 mu_x mu_y + c) / (mu_x^2 + mu_y^2 + c)
               + beta_li (2 sigma_xy + c) / (sigma_x^2 + sigma_y^2 + c) ]

The stages are VGG16's with a smooth pooling of squares in the place of the maximum.

References
----------
Ding, Ma, Wang and Simoncelli, "Image quality assessment: unifying structure and texture similarity", IEEE TPAMI 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.inputs import IMAGENET_MEAN, IMAGENET_STD, with_channels
from fourfold.features.perceptual.stages import read_backbone, stage_maps
from fourfold.features.weights import read_arrays, sha256_of, weights_file

__all__ = ["Dists", "open_dists"]

_WIDTHS = (3, 64, 128, 256, 512, 512)
_SMALL = 1e-6


@dataclass(frozen=True, eq=False)
class Dists:
    """The distance of pairs; called with two batches.

    Parameters
    ----------
    backbone : dict of str to Tensor
        VGG16.
    alpha, beta : Tensor, shape (1475,)
        Weights of means and of correlations.
    sha256 : dict of str to str
        Of the files, by ``"backbone"`` and ``"heads"``.
    """

    backbone: dict[str, Tensor]
    alpha: Tensor
    beta: Tensor
    sha256: dict[str, str]

    name = "dists"

    def describe(self) -> dict[str, Any]:
        """SHA-256 of the files."""
        return {"name": self.name, "weights": dict(self.sha256), "source": "Ding et al. 2022"}

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances of row i of x and row i of y.

        Parameters
        ----------
        x, y : Tensors, shape (B, C, H, W)
            In [0, 1], C = 1 or 3, at least 32 pixels a side.

        Returns
        -------
        Tensor, shape (B,)
            0 for equal images; the same either way round.
        """
        whole = self.alpha.sum() + self.beta.sum()
        alphas, betas = ((weights / whole).to(x).split(_WIDTHS) for weights in (self.alpha, self.beta))
        alike = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for alpha, beta, one, other in zip(alphas, betas, self._maps(x), self._maps(y), strict=True):
            one, other = one.flatten(2), other.flatten(2)
            mean, mean_other = one.mean(dim=2), other.mean(dim=2)
            variance, variance_other = one.var(dim=2, correction=0), other.var(dim=2, correction=0)
            covariance = ((one - mean[..., None]) * (other - mean_other[..., None])).mean(dim=2)
            texture = (2 * mean * mean_other + _SMALL) / (mean.square() + mean_other.square() + _SMALL)
            structure = (2 * covariance + _SMALL) / (variance + variance_other + _SMALL)
            alike = alike + texture @ alpha + structure @ beta
        return 1 - alike

    def _maps(self, images: Tensor) -> list[Tensor]:
        colour = with_channels(images, 3)
        mean, std = (torch.tensor(row).to(images).reshape(1, 3, 1, 1) for row in (IMAGENET_MEAN, IMAGENET_STD))
        weights = {name: value.to(images) for name, value in self.backbone.items()}
        return [colour, *stage_maps("vgg", weights, (colour - mean) / std, _halved)]


def _halved(seen: Tensor) -> Tensor:
    """Every second place of the root of squares smoothed by a Hann window of three."""
    window = torch.tensor([0.25, 0.5, 0.25]).to(seen)
    kernel = (window[:, None] * window).expand(seen.shape[1], 1, 3, 3)
    return (functional.conv2d(seen.square(), kernel, stride=2, padding=1, groups=seen.shape[1]) + 1e-12).sqrt()


def open_dists(backbone: str | Path, heads: str | Path | None = None) -> Dists:
    """DISTS from the weights of VGG16.

    Parameters
    ----------
    backbone : str or Path
        torchvision's ``vgg16``, trained on ImageNet; see `read_backbone`.
    heads : str or Path or None
        The learned weights ``alpha`` and ``beta``; None for those that come with torchmetrics from version 1.7.

    Raises
    ------
    InputError
        Where a file is missing, or holds something else.
    """
    weights = read_backbone("vgg", backbone)
    file = weights_file(_with_torchmetrics() if heads is None else heads)
    arrays = read_arrays(file)
    try:
        alpha, beta = (torch.from_numpy(arrays[name]).float().flatten() for name in ("alpha", "beta"))
    except KeyError as error:
        raise InputError(f"{file}: has no array {error}; give the weights of DISTS, alpha and beta") from error
    if {len(alpha), len(beta)} != {sum(_WIDTHS)}:
        raise InputError(f"{file}: its weights are not of {sum(_WIDTHS)} channels; give those of DISTS")
    return Dists(weights, alpha, beta, {"backbone": sha256_of(Path(backbone)), "heads": sha256_of(file)})


def _with_torchmetrics() -> Path:
    found = find_spec("torchmetrics")
    folder = Path(found.origin).parent if found is not None and found.origin else Path()
    file = folder / "functional" / "image" / "dists_models" / "weights.pt"
    if not file.is_file():
        raise InputError("this version of torchmetrics brings no weights of DISTS; update it, or give heads a file")
    return file
