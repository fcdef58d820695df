"""What a feature extractor is: images in, vectors out, and a record of what it is."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from fourfold.images.sets import ImageSet

__all__ = ["FeatureExtractor"]


class FeatureExtractor(ABC):
    """Turns a batch of images into a batch of vectors.

    A subclass sets the class attributes, keeps its settings in plain attributes listed by `settings`, and
    implements `__call__`.

    Attributes
    ----------
    name : str
        As in the register.
    version : int
        Raised whenever the same images would give other numbers; part of the fingerprint.
    trained_on : str
        What the extractor has seen, since that decides what a score means (``"nothing"`` for formulas).
    source : str
        Paper or file.
    standardise : bool
        Whether distances in this space need each column scaled by the training set's mean and standard deviation.
    distance : {"euclidean", "cosine", "correlation", "hamming"}
        What is near in this space. Under ``"hamming"`` features are codes: their order and size mean nothing.
    """

    name: str
    version: ClassVar[int] = 1
    trained_on: str = "nothing"
    source: str = ""
    standardise: ClassVar[bool] = False
    distance: str = "euclidean"

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Features of a batch.

        Parameters
        ----------
        images : Tensor, shape (B, C, H, W) or (B, C, D, H, W)
            float32 in [0, 1], C = 1 or 3.

        Returns
        -------
        Tensor, shape (B, d)
            float32 or float64.
        """

    def learn(
        self,
        images: ImageSet,
        *,
        folder: Path | None = None,
        device: torch.device | str = "cpu",
        progress: Callable[[str, int, int], None] | None = None,
    ) -> FeatureExtractor:
        """Get ready for a comparison, which only extractors that are trained on the spot need to do; returns itself.

        Called before features and fingerprint are asked for, and not where images are compared with nothing.

        Parameters
        ----------
        images : ImageSet
            The reference set of the comparison, or its training set where there is none; prepared.
        folder : Path or None
            Where what was learned is kept for the next run; None keeps nothing.
        device : torch.device or str
        progress : callable or None
            Called with (task, done, total).

        Raises
        ------
        InputError
            Where the images do not suffice.
        """
        return self

    def settings(self) -> dict[str, Any]:
        """Whatever changes the numbers, as JSON can hold it; weights appear by their SHA-256."""
        return {}

    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the d columns, where they have any."""
        return None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of name, version and settings: two extractors with one fingerprint give the same numbers."""
        record = {"name": self.name, "version": self.version, "settings": self.settings()}
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """What a report says about the extractor."""
        return {
            "name": self.name,
            "version": self.version,
            "trained_on": self.trained_on,
            "source": self.source,
            "settings": self.settings(),
            "fingerprint": self.fingerprint,
        }

    def to(self, device: torch.device | str) -> FeatureExtractor:
        """Move weights, where there are any; returns itself."""
        return self
