"""An extractor with what is tuned about it: low-rank changes of its weights, or a head behind frozen features.

Beside the features may stand the image itself, small: a network that learnt from photographs takes weak noise for a
large change and hardly sees a shift, and a head can only weigh what it is given. DISTS has the image as its stage 0.

All columns, each in standard deviations over the images that were tuned on, distorted ones too (so that columns of
different units count alike, and one that leaps at any distortion does not drown the others), pass the head where there
is one; less their own mean and of length 1 they are the embedding.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.features.perceptual.low_rank import LowRank, opened
from fourfold.features.perceptual.ranking import embedding

__all__ = ["Head", "Method", "TunedNetwork", "small_image"]

Method = Literal["lora", "mlp"]

# Sides of the small image, of planes and of volumes.
_SIDES = {4: (16, 16), 5: (8, 8, 8)}


def small_image(images: Tensor) -> Tensor:
    """Images averaged to 16 x 16 pixels or volumes to 8 x 8 x 8, of any shape and colour: shape (B, 256) or (B, 512).

    Examples
    --------
    >>> small_image(torch.zeros(2, 3, 64, 48)).shape
    torch.Size([2, 256])
    """
    pool = functional.adaptive_avg_pool2d if images.ndim == 4 else functional.adaptive_avg_pool3d
    return pool(images.float().mean(dim=1, keepdim=True), _SIDES[images.ndim]).flatten(1)


class Head(nn.Module):
    """Features plus what a hidden layer makes of them; nothing at first.

    Parameters
    ----------
    features : int
    hidden : int
    generator : torch.Generator
        Of the first weights.

    References
    ----------
    Fu et al., "DreamSim", arXiv:2306.09344 (the residual MLP).
    """

    def __init__(self, features: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.randn(hidden, features, generator=generator) / features**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.outer = nn.Parameter(torch.zeros(features, hidden))

    def forward(self, features: Tensor) -> Tensor:
        """Shape (B, d) to (B, d)."""
        return features + functional.relu(features @ self.inner.T + self.bias) @ self.outer.T


class TunedNetwork(nn.Module):
    """Images to embeddings, by way of an extractor.

    Parameters
    ----------
    extractor : FeatureExtractor
        Never changed itself.
    columns : int
        d, of its features and of the small image together.
    method : {"lora", "mlp"}
    rank, alpha
        As for `LowRank`.
    hidden : int
        As for `Head`.
    seed : int

    Raises
    ------
    InputError
        Where the weights of the extractor cannot be reached, and LoRA was asked for.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        columns: int,
        method: Method,
        *,
        rank: int = 16,
        alpha: float = 16.0,
        hidden: int = 512,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.extractor = extractor
        self.method = method
        generator = torch.Generator().manual_seed(seed)
        self.opened = opened(extractor) if method == "lora" else None
        if method == "lora" and self.opened is None:
            raise InputError(
                f"the weights of {extractor.name!r} cannot be reached, as those of a TorchScript or ONNX file or of "
                "formulas; tune a head behind its features with the method mlp"
            )
        self.low_rank = None if self.opened is None else LowRank(self.opened.weights, rank, alpha, generator)
        self.head = Head(columns, hidden, generator) if method == "mlp" else None
        self.register_buffer("centre", torch.zeros(columns))
        self.register_buffer("spread", torch.ones(columns))

    def to(self, device: torch.device | str) -> TunedNetwork:
        """Move the weights, those of the extractor too; returns itself."""
        super().to(device)
        self.extractor.to(device)
        if self.opened is not None:
            self.opened = opened(self.extractor)
        return self

    def measure(self, values: Tensor, image_columns: int, image_weight: float) -> None:
        """Take centre and spread of each column.

        Parameters
        ----------
        values : Tensor, shape (n, d)
            Untuned `features` of references and of distorted images.
        image_columns : int
            How many columns, the last ones, are the image's.
        image_weight : float
            How much more the image counts than the features in distances of what is not tuned yet, however many columns
            either has; 0: not at all.
        """
        values = values.double()
        spread = values.std(dim=0, correction=0)
        # A column that is the same for all images says nothing, and must not be blown up where it differs at last.
        spread = torch.where(spread > 1e-6 * values.abs().amax(dim=0) + 1e-12, spread, torch.inf)
        share = image_weight**2 / (1 + image_weight**2)
        for part, counts in ((spread[:-image_columns], 1 - share), (spread[-image_columns:], share)):
            part *= (len(part) / len(spread) / counts) ** 0.5 if counts else torch.inf
        self.centre.copy_(values.mean(dim=0))
        self.spread.copy_(spread)

    def features(self, images: Tensor) -> Tensor:
        """Features of the extractor, with changed weights where weights are tuned, and the small image: shape (B, d).

        Raises
        ------
        InputError
            Where the columns are not those that were tuned, as those of volumes after planes.
        """
        if self.low_rank is None or self.opened is None:
            found = self.extractor(images)
        else:
            found = self.opened.run(self.low_rank(self.opened.weights), images)
        columns = torch.cat([found.float(), small_image(images).to(found.device)], dim=1)
        if columns.shape[1] != len(self.centre):
            raise InputError(
                f"{self.extractor.name!r} was tuned on images that make {len(self.centre)} columns, and these make "
                f"{columns.shape[1]}; give planes to what was tuned on planes, and volumes to what was tuned on volumes"
            )
        return columns

    def embed(self, features: Tensor) -> Tensor:
        """Embeddings of shape (B, d), of length 1, of `features` of shape (B, d)."""
        values = (features.to(self.centre.dtype) - self.centre) / self.spread
        return embedding(values if self.head is None else self.head(values))

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings of shape (B, d) of images (B, C, H, W) or volumes (B, C, D, H, W) in [0, 1]."""
        return self.embed(self.features(images))
