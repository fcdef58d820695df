"""Leading principal components of training images, in which a study measures distances."""

from __future__ import annotations

import numpy as np
import torch

from fourfold.features import get

__all__ = ["Axes"]

# Components at most, and images that one of them takes.
COMPONENTS, _IMAGES_A_COMPONENT = 16, 4


class Axes:
    """Leading principal components of the training images in one feature space.

    Parameters
    ----------
    name : {"pixels", "radiomics"}
    training : array, shape (N, C, H, W)
    """

    def __init__(self, name: str, training: np.ndarray) -> None:
        self._extractor = get(name)
        raw = self._raw(training)
        self._mean = raw.mean(axis=0)
        # Radiomics have units of all kinds; pixels have one.
        self._scale = np.ones(raw.shape[1]) if name == "pixels" else raw.std(axis=0).clip(1e-6)
        axes = np.linalg.svd((raw - self._mean) / self._scale, full_matrices=False)[2]
        self._axes = axes[: min(COMPONENTS, len(training) // _IMAGES_A_COMPONENT)].T

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features, shape (n, d), float32."""
        return (((self._raw(images) - self._mean) / self._scale) @ self._axes).astype(np.float32)

    def _raw(self, images: np.ndarray) -> np.ndarray:
        return self._extractor(torch.from_numpy(np.ascontiguousarray(images))).double().numpy()
