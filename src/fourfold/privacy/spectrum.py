"""Fourier magnitude: the same wherever the image was shifted to, and whether or not it was inverted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.privacy.bank import ContrastGrid

__all__ = ["PreparedSpectrum", "Spectrum"]


_EMPTY = 0.05
"""Share of the typical strength below which a spectrum is that of an image without contrast."""


@dataclass(frozen=True)
class Spectrum:
    """Correlation of square roots of Fourier magnitudes, of images with normalised local contrast.

    Parameters
    ----------
    name, summary : str
        What ``copy_kind`` calls it, and what it is.
    side : int
        Pixels of the grid.
    contrast : float
        Standard deviation, in pixels of the grid, of the neighbourhood in which mean and contrast are normalised.
    leads : int
        How many patients it proposes for registration.
    """

    name: str
    summary: str
    side: int
    contrast: float
    leads: int = 0

    def prepare(self, training: np.ndarray, aspect: float = 1.0) -> PreparedSpectrum:
        """Ready to be searched."""
        return PreparedSpectrum(self, training)


class PreparedSpectrum:
    """Magnitudes of the training images that are searched."""

    def __init__(self, spectrum: Spectrum, training: np.ndarray) -> None:
        self._grid = ContrastGrid(spectrum.side, training.shape[-1], spectrum.contrast)
        self.size = len(training)
        self.slots = 1
        window = np.hanning(self._grid.side + 2)[1:-1].astype(np.float32)
        self._window = window[:, None] * window[None, :]
        magnitudes = self._magnitudes(training)
        # All spectra fall off alike; what is left tells the images apart.
        self._mean = magnitudes.mean(axis=0)
        self._points = _unit(magnitudes - self._mean)

    def nearness(self, queries: np.ndarray) -> np.ndarray:
        """Correlation of each query with each training image, shape (n, N), float32."""
        magnitudes = self._magnitudes(queries)
        vectors = _unit(magnitudes - self._mean)
        # An image without contrast has the spectrum of rounding errors.
        vectors[np.linalg.norm(magnitudes, axis=1) < _EMPTY * np.linalg.norm(self._mean)] = 0.0
        return vectors @ self._points.T

    def distances(self, queries: np.ndarray, rows: np.ndarray) -> None:
        """None: what is the same as a whole others tell better."""
        return None

    def motions(self, queries: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """None is known: registration finds the shift; as `PreparedBank.motions`."""
        return np.broadcast_to(np.eye(3)[:2], (*rows.shape, 2, 3)), np.ones(rows.shape)

    def _magnitudes(self, images: np.ndarray) -> np.ndarray:
        seen = self._grid.of(images)
        seen = (seen - seen.mean(axis=(2, 3), keepdims=True)) * self._window
        return np.sqrt(np.abs(np.fft.rfft2(seen))).reshape(len(images), -1).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 1e-6)
