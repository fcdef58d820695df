"""An extractor with what is tuned about it: low-rank changes of its weights, or a head behind frozen features.

The features, each in standard deviations over the images that were tuned on (so that features of different units count
alike), pass the head where there is one; less their own mean and of length 1 they are the embedding.
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

__all__ = ["Head", "Method", "TunedNetwork"]

Method = Literal["lora", "mlp"]


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
        d, of its features.
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

    def measure(self, features: Tensor) -> None:
        """Take centre and spread of each column from the untuned features of the references, shape (n, d)."""
        values = features.double()
        spread = values.std(dim=0, correction=0)
        self.centre.copy_(values.mean(dim=0))
        # A column that is the same for all images says nothing, and must not be blown up where it differs at last.
        self.spread.copy_(torch.where(spread > 1e-6 * values.abs().amax(dim=0) + 1e-12, spread, torch.inf))

    def features(self, images: Tensor) -> Tensor:
        """Features of shape (B, d) of the extractor, with changed weights where weights are tuned."""
        if self.low_rank is None or self.opened is None:
            return self.extractor(images)
        return self.opened.run(self.low_rank(self.opened.weights), images)

    def embed(self, features: Tensor) -> Tensor:
        """Embeddings of shape (B, d), of length 1, of features of shape (B, d)."""
        values = (features.to(self.centre.dtype) - self.centre) / self.spread
        return embedding(values if self.head is None else self.head(values))

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings of shape (B, d) of images (B, C, H, W) or volumes (B, C, D, H, W) in [0, 1]."""
        return self.embed(self.features(images))
