"""Arrays in memory as a source of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.images.sets import Entry

__all__ = ["ArrayDecoder"]


@dataclass(frozen=True, eq=False)
class ArrayDecoder:
    """Gives row ``entry.index`` of an array of shape (N, C, ...)."""

    images: np.ndarray

    def __call__(self, entry: Entry) -> np.ndarray:
        return self.images[entry.index]
