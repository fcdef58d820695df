"""A tuned extractor as a feature extractor: usable wherever features are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourfold.features.extractor import FeatureExtractor
from fourfold.features.perceptual.network import TunedNetwork

__all__ = ["Tuned"]


class Tuned(FeatureExtractor):
    """Embeddings of an extractor that was tuned to rank; the distance of two images is 1 - cosine of their features.

    Parameters
    ----------
    network : TunedNetwork
    sha256 : str
        Of the file of what was tuned.
    tuned_on : str
        What it has seen beyond its extractor.
    name : str or None
        How reports call the space; the extractor's name behind ``tuned_`` where None.
    """

    source = "Fu et al., DreamSim, arXiv:2306.09344 (the method)"

    def __init__(self, network: TunedNetwork, sha256: str, tuned_on: str, *, name: str | None = None) -> None:
        self.network = network
        self.sha256 = sha256
        self.name = name or f"tuned_{network.extractor.name}"
        self.trained_on = f"{network.extractor.trained_on}; then tuned on {tuned_on}"

    @classmethod
    def open(cls, folder: str | Path, base: str | None = None, *, name: str | None = None) -> Tuned:
        """The extractor in a folder that ``fourfold rank fit`` wrote; see `fourfold.features.perceptual.storage`."""
        from fourfold.features.perceptual.storage import open_tuned

        return open_tuned(folder, base, name=name)

    def settings(self) -> dict[str, Any]:
        """The extractor that was tuned, and SHA-256 of what was tuned."""
        base = self.network.extractor
        return {
            "base": {"name": base.name, "version": base.version, "settings": base.settings()},
            "weights": self.sha256,
        }

    def to(self, device: torch.device | str) -> Tuned:
        """Move the weights; returns itself."""
        self.network.to(device)
        return self

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (B, d), of length 1 and mean 0."""
        return self.network(images)
