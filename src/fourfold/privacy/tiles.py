"""Tile by tile: copies of a part of an image, pasted into another one at its own place.

Each tile of a query is compared with the tile at the same place of every training image, on what is fine in them:
anatomy makes coarse tiles of all patients alike, while a pasted part keeps its grain. The few best tiles of a pair
count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.privacy.bank import ContrastGrid

__all__ = ["PreparedTiles", "Tiles"]

_CONTRAST_FLOOR = 0.003
"""Added to the local standard deviation: of the size of the grain of an 8-bit image after averaging."""

_EMPTY = 0.1
"""Contrast, after normalisation, below which tiles correlate by chance."""


@dataclass(frozen=True)
class Tiles:
    """Correlation of tiles.

    Parameters
    ----------
    name, summary : str
        What ``copy_kind`` calls it, and what it is.
    side : int
        Pixels of the grid.
    contrast : float
        Standard deviation, in pixels of the grid, of the neighbourhood in which mean and contrast are normalised.
    tile, stride : int
        Side of a tile and distance between tiles, in pixels of the grid.
    best : int
        How many of the best tiles of a pair count.
    leads : int
        How many patients it proposes for registration.
    """

    name: str
    summary: str
    side: int
    contrast: float
    tile: int
    stride: int
    best: int
    leads: int = 0

    def prepare(self, training: np.ndarray, aspect: float = 1.0) -> PreparedTiles:
        """Ready to be searched."""
        return PreparedTiles(self, training)


class PreparedTiles:
    """Tiles of the training images that are searched."""

    def __init__(self, tiles: Tiles, training: np.ndarray) -> None:
        self.tiles = tiles
        self._grid = ContrastGrid(tiles.side, training.shape[-1], tiles.contrast, _CONTRAST_FLOOR)
        self.size = len(training)
        self.slots = tiles.best + 2
        self._training = self._grid.of(training)

    def nearness(self, queries: np.ndarray) -> np.ndarray:
        """Mean correlation of the best tiles of each query with each training image, shape (n, N), float32."""
        tiles, size = self.tiles, min(self.tiles.tile, self._grid.side)
        seen = self._grid.of(queries)
        shape = (len(queries), self.size)
        product, larger = np.empty(shape, np.float32), np.empty(shape, np.float32)
        kept = [np.full(shape, -1.0, np.float32) for _ in range(tiles.best)]
        starts = range(0, self._grid.side - size + 1, tiles.stride)
        for top in starts:
            for left in starts:
                here = (..., slice(top, top + size), slice(left, left + size))
                np.matmul(_unit(seen[here]), _unit(self._training[here]).T, out=product)
                for place, best in enumerate(kept):
                    if place == len(kept) - 1:
                        np.maximum(best, product, out=best)
                        continue
                    np.maximum(best, product, out=larger)
                    np.minimum(best, product, out=product)
                    kept[place], larger = larger, best
        total = kept[0]
        for best in kept[1:]:
            total += best
        total /= len(kept)
        return total

    def distances(self, queries: np.ndarray, rows: np.ndarray) -> None:
        """Tiles tell parts; what is the same as a whole others tell better."""
        return None

    def motions(self, queries: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """None: tiles are compared where they are; as `PreparedBank.motions`."""
        return np.broadcast_to(np.eye(3)[:2], (*rows.shape, 2, 3)), np.ones(rows.shape)


def _unit(part: np.ndarray) -> np.ndarray:
    """A tile of each image as a (nearly) unit vector, shape (n, d)."""
    vectors = part.reshape(len(part), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    power = np.einsum("nd,nd->n", vectors, vectors) / vectors.shape[1] + _EMPTY**2
    return vectors / np.sqrt(vectors.shape[1] * power)[:, None]
