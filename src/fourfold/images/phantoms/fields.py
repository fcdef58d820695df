"""Random fields: the texture that makes every phantom patient another person.

A field is Gaussian with a power-law spectrum on a periodic grid, one grid a patient; images sample it at the
patient's own coordinates, so that a shifted or rotated film shows the same texture, shifted or rotated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from scipy import fft

__all__ = ["Fields", "draw_fields", "edge", "grid_coordinates"]

#: Side of the periodic cell, in units in which an image spans [-1, 1]: wide enough that no image meets its own copy.
PERIOD = 2.6
#: Cells along one side of the grid.
CELLS = {2: 96, 3: 40}


def grid_coordinates(shape: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """Pixel centres in [-1, 1] along each axis.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (D, H, W).

    Returns
    -------
    coordinates : array, shape (len(shape), *shape)
        float32, first axis in the order of `shape`.
    pixel : float
        Geometric mean side of a pixel in the same units.
    """
    axes = [(np.arange(side, dtype=np.float32) + 0.5) * (2.0 / side) - 1.0 for side in shape]
    pixel = float(np.prod([2.0 / side for side in shape]) ** (1 / len(shape)))
    return np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32), pixel


def edge(distance: np.ndarray, width: float) -> np.ndarray:
    """A soft step: 0 far below zero `distance`, 1 far above it, half at zero."""
    # The logistic function as a tanh, which NumPy vectorises: six times faster than scipy's expit.
    return np.float32(0.5) + np.float32(0.5) * np.tanh(distance * np.float32(0.5 / width))


@dataclass(frozen=True, eq=False)
class Fields:
    """Several periodic random fields on one grid.

    Parameters
    ----------
    values : array, shape (cells, ..., K)
        float32; K fields of mean 0 and, before the pixel's own smoothing, variance 1.
    """

    values: np.ndarray

    def at(self, coordinates: np.ndarray) -> np.ndarray:
        """Multilinear samples.

        Parameters
        ----------
        coordinates : array, shape (dims, ...)

        Returns
        -------
        array, shape (K, ...)
        """
        cells = self.values.shape[0]
        position = (coordinates + np.float32(PERIOD / 2)) * np.float32(cells / PERIOD)
        floor = np.floor(position)
        fraction = (position - floor).astype(np.float32)
        low = floor.astype(np.int64) % cells
        high = (low + 1) % cells
        table = self.values.reshape(-1, self.values.shape[-1])
        total: np.ndarray | None = None
        for corner in product((0, 1), repeat=len(coordinates)):
            index, weight = 0, 1.0
            for axis, side in enumerate(corner):
                index = index * cells + (high[axis] if side else low[axis])
                weight = weight * (fraction[axis] if side else 1 - fraction[axis])
            part = np.take(table, index, axis=0) * weight[..., None]
            total = part if total is None else np.add(total, part, out=total)
        return np.moveaxis(total, -1, 0)


def draw_fields(
    rng: np.random.Generator, dims: int, slopes: tuple[float, ...], longest: tuple[float, ...], pixel: float
) -> Fields:
    """Gaussian fields whose amplitude falls as a power of the frequency.

    Parameters
    ----------
    rng : numpy.random.Generator
        The patient's own; the draw does not depend on `pixel`.
    dims : {2, 3}
    slopes : tuple of float, length K
        Amplitude falls as frequency ** -slope: 0 is white, 2 and more is cloudy.
    longest : tuple of float, length K
        Longest wavelength kept, in units in which the image spans 2.
    pixel : float
        Side of a pixel; finer detail is averaged over it, as a detector does.
    """
    cells = CELLS[dims]
    axes = tuple(range(1, dims + 1))
    noise = rng.standard_normal((len(slopes), *(cells,) * dims), dtype=np.float32)
    spectrum = fft.rfftn(noise, axes=axes)
    spectrum *= _filters(dims, slopes, longest, pixel)
    values = fft.irfftn(spectrum, s=(cells,) * dims, axes=axes)
    return Fields(np.ascontiguousarray(np.moveaxis(values, 0, -1), dtype=np.float32))


@lru_cache(maxsize=64)
def _filters(dims: int, slopes: tuple[float, ...], longest: tuple[float, ...], pixel: float) -> np.ndarray:
    """Real filters on the half spectrum, shape (K, cells, ..., cells // 2 + 1)."""
    cells = CELLS[dims]
    full = fft.fftfreq(cells, PERIOD / cells)
    half = fft.rfftfreq(cells, PERIOD / cells)
    squares = np.meshgrid(*[full**2] * (dims - 1), half**2, indexing="ij")
    frequency = np.sqrt(np.sum(squares, axis=0))
    # Each frequency of the half spectrum but the first and the last stands for two of the full one.
    doubled = np.where((half == 0) | (np.arange(len(half)) == cells // 2), 1.0, 2.0)
    # A box of one pixel has a standard deviation of its side / sqrt(12).
    detector = np.exp(-2 * (np.pi * frequency * pixel) ** 2 / 12)
    filters = []
    for slope, wavelength in zip(slopes, longest, strict=True):
        kept = frequency >= 1 / wavelength
        amplitude = np.where(kept, np.maximum(frequency, 1e-6) ** -slope, 0.0)
        amplitude /= np.sqrt(np.sum(amplitude**2 * doubled) / cells**dims)
        filters.append(amplitude * detector)
    return np.asarray(filters, dtype=np.float32)
