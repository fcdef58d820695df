"""Classes: one of a few names an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning.part import Part, Request
from fourfold.images import ImageSet

__all__ = ["ClassPart"]


class ClassPart(Part):
    """Classes and their frequencies.

    Parameters
    ----------
    names : tuple of str
    frequencies : array, shape (K,)
        Shares of the training images, sum 1.
    """

    kind: ClassVar[str] = "class"

    def __init__(self, names: tuple[str, ...], frequencies: np.ndarray) -> None:
        self.names = tuple(names)
        self.frequencies = np.asarray(frequencies, dtype=np.float64)

    @classmethod
    def fit(
        cls, images: ImageSet, patients: np.ndarray, request: Request, others: Mapping[str, np.ndarray]
    ) -> ClassPart:
        """As `Part.fit`."""
        labels = images.labels
        if labels is None:
            raise InputError(
                f"the {images.name} set has no class for every image; add a label column, class folders, "
                "or train without --condition class"
            )
        names, counts = np.unique(labels, return_counts=True)
        if len(names) < 2:
            raise InputError(
                f"every image of the {images.name} set is of the class {str(names[0])!r}; "
                "a class condition needs two or more: train with --condition none"
            )
        shares = np.full(len(names), 1 / len(names)) if request.private else counts / counts.sum()
        return cls(tuple(map(str, names)), shares)

    def read(self, images: ImageSet) -> np.ndarray:
        """As `Part.read`."""
        for entry in images.entries:
            if entry.label not in self.names:
                said = "no class" if entry.label is None else f"the class {entry.label!r}"
                raise InputError(f"{entry.path}: has {said}; the model knows: {', '.join(self.names)}")
        return np.array([entry.label for entry in images.entries], dtype=str)

    def encode(self, column: np.ndarray) -> Condition:
        """As `Part.encode`: one-hot."""
        places = [self.names.index(str(name)) for name in column]
        return Condition(vector=torch.eye(len(self.names))[places])

    def draw(self, rng: np.random.Generator, others: Mapping[str, Any]) -> str:
        """As `Part.draw`: by the frequencies of the training set."""
        return self.names[int(rng.choice(len(self.names), p=self.frequencies))]

    def parse(self, text: str) -> str:
        """As `Part.parse`."""
        if text not in self.names:
            raise InputError(f"the model knows no class {text!r}; it knows: {', '.join(self.names)}")
        return text

    def record(self) -> dict[str, Any]:
        """As `Part.record`."""
        return {"names": list(self.names), "frequencies": self.frequencies.tolist()}

    @classmethod
    def restore(cls, record: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> ClassPart:
        """As `Part.restore`."""
        return cls(tuple(record["names"]), np.array(record["frequencies"]))

    def table(self, column: np.ndarray) -> dict[str, list[str]]:
        """As `Part.table`."""
        return {"label": [str(name) for name in column]}

    @property
    def width(self) -> int:
        """As `Part.width`."""
        return len(self.names)
