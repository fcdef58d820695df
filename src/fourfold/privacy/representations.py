"""The views of an image in which a copy is looked for.

A copy that was moved, turned, mirrored, brightened or made noisy is not the nearest training image pixel by pixel.
Each `Representation` is a size, a contrast rule, a window and a bank of small warps; the distance of a synthetic
image to a training image is the smallest over the bank, and the images that serve as null go through the same bank.

The distance is ``1 - r``, r the (weighted) Pearson correlation: 0 for a verbatim copy, 1 for unrelated images.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = ["REPRESENTATIONS", "Representation", "View", "Warp", "area_matrix", "moved"]


@dataclass(frozen=True)
class Warp:
    """A rigid motion of the image plane, applied to a query before it is compared.

    Parameters
    ----------
    angle : float
        Degrees about the centre.
    down, right : float
        Shift as a share of the side.
    mirrored : bool
        Left and right exchanged.
    turns : int
        Quarter turns.
    """

    angle: float = 0.0
    down: float = 0.0
    right: float = 0.0
    mirrored: bool = False
    turns: int = 0


def _grid(angles: Sequence[float], shifts: Sequence[float], mirrors: Sequence[bool]) -> tuple[Warp, ...]:
    # The identity comes first, so that ties go to it.
    warps = (
        Warp(angle, down, right, mirrored)
        for mirrored, down, right, angle in itertools.product(mirrors, shifts, shifts, angles)
    )
    return tuple(sorted(warps, key=lambda warp: (warp.mirrored, abs(warp.down) + abs(warp.right), abs(warp.angle))))


_SHIFT = 2.5 / 64
_STEPS = (-3.0 / 64, -1.5 / 64, 0.0, 1.5 / 64, 3.0 / 64)
_SMALL = (
    *_grid((-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0), (0.0,), (False,)),
    *_grid((0.0,), (-_SHIFT, 0.0, _SHIFT), (False,))[1:],
)
_LARGE = _grid((-6.0, -3.0, 0.0, 3.0, 6.0), _STEPS, (False, True))
_TURNED = tuple(Warp(mirrored=mirrored, turns=turns) for mirrored in (False, True) for turns in (1, 2, 3))


@dataclass(frozen=True)
class Representation:
    """One way to look at an image.

    Parameters
    ----------
    name : str
        What ``copy_kind`` calls it.
    summary : str
    side : int
        Pixels of the square grid that is compared.
    contrast : float or None
        Standard deviation, in pixels of that grid, of the neighbourhood in which mean and contrast are normalised;
        None for plain intensities.
    windowed : bool
        Whether a soft disc hides the corners, which a rotation fills with something else.
    warps : tuple of Warp
    """

    name: str
    summary: str
    side: int
    contrast: float | None
    windowed: bool
    warps: tuple[Warp, ...] = (Warp(),)


REPRESENTATIONS: tuple[Representation, ...] = (
    Representation("correlation", "Pearson correlation of intensities", 64, None, False),
    Representation("local contrast", "correlation after local contrast normalisation", 64, 3.0, False),
    Representation(
        "small motions",
        "local contrast under rotations of up to 6 degrees or shifts of 4 % of the side",
        32,
        3.0,
        True,
        _SMALL,
    ),
    Representation(
        "motions",
        "coarse local contrast under rotations of up to 6 degrees with shifts of up to 5 % of the side, mirrored or "
        "not, and under quarter turns",
        16,
        2.0,
        True,
        _LARGE + _TURNED,
    ),
)
"""Those that `copies` uses. Between two steps at most 0.4 pixels are left at the rim of the disc."""

_CONTRAST_FLOOR = 0.02
"""Added to the local standard deviation (intensities in [0, 1]), so that flat regions don't amplify noise."""


_FLAT = 1e-4
"""Root mean square below which an image has no contrast: rounding alone leaves about 1e-6 after normalisation."""


class View:
    """Working images as unit vectors of one representation.

    Parameters
    ----------
    representation : Representation
    side : int
        Side of the square working images; a representation never enlarges them.
    aspect : float
        Height of the original images by their width, so that a rotation is one although the grid is square.
    """

    def __init__(self, representation: Representation, side: int, aspect: float = 1.0) -> None:
        self.representation = representation
        self.side = min(representation.side, side)
        # Warping from a grid twice as fine is as good as from the finest, and cheaper.
        self._from = side if 2 * self.side >= side else 2 * self.side
        self._shrink = None if self._from == side else area_matrix(side, self._from)
        rows = sparse.csr_matrix(area_matrix(self._from, self.side))
        reduce = sparse.kron(rows, rows, format="csr")
        self._maps = {warp: (reduce @ _warp_matrix(warp, self._from, aspect)).tocsr() for warp in representation.warps}
        self._plain = (reduce @ _warp_matrix(Warp(), self._from, aspect)).tocsr()
        self._blur = None
        if representation.contrast is not None:
            self._blur = _blur_matrix(self.side, representation.contrast)
        weight = _disc(self.side) if representation.windowed else np.ones(self.side * self.side)
        self._window = np.flatnonzero(weight > 0)
        self._weight = (weight[self._window] / weight.sum()).astype(np.float32)

    def columns(self, images: np.ndarray) -> np.ndarray:
        """Working images on the grid from which this view warps, shape (planes, pixels, n)."""
        if self._shrink is not None:
            images = np.matmul(np.matmul(self._shrink, images), self._shrink.T)
        return np.ascontiguousarray(images.reshape(*images.shape[:2], -1).transpose(1, 2, 0))

    def vectors(self, columns: np.ndarray, warp: Warp | None = None) -> np.ndarray:
        """Unit vectors whose scalar product is the weighted correlation.

        Parameters
        ----------
        columns : array, shape (planes, pixels, n)
            As `columns` gives it.
        warp : Warp or None
            None for the images as they are.

        Returns
        -------
        array, shape (n, d)
            float32; zeros for an image without any contrast, whose correlation is undefined.
        """
        matrix = self._plain if warp is None else self._maps[warp]
        planes = np.stack([self._seen(np.asarray(matrix @ plane)) for plane in columns])
        planes -= np.tensordot(self._weight, planes.mean(axis=0), axes=1)
        planes *= np.sqrt(self._weight / len(planes))[None, :, None]
        vectors = planes.reshape(-1, planes.shape[-1]).T
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, norms, out=np.zeros(vectors.shape, np.float32), where=norms > _FLAT)

    def of(self, images: np.ndarray) -> np.ndarray:
        """`vectors` of working images as they are."""
        return self.vectors(self.columns(images))

    def _seen(self, columns: np.ndarray) -> np.ndarray:
        """Pixels within the window, after normalising the contrast; shape (pixels, n)."""
        if self._blur is not None:
            centred = columns - self._blurred(columns)
            columns = centred / (np.sqrt(self._blurred(centred * centred)) + _CONTRAST_FLOOR)
        return columns[self._window]

    def _blurred(self, columns: np.ndarray) -> np.ndarray:
        """Flattened images, one a column, smoothed along both axes."""
        grid = (self._blur @ columns.reshape(self.side, -1)).reshape(self.side, self.side, -1)
        return np.matmul(self._blur, grid).reshape(columns.shape)


def area_matrix(size: int, target: int) -> np.ndarray:
    """Matrix of shape (target, size) that averages `size` pixels over `target` equal stretches.

    Examples
    --------
    >>> area_matrix(4, 2).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    edges = np.linspace(0.0, size, target + 1)
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1.0) - np.maximum(edges[:-1, None], pixels)
    overlap = np.clip(overlap, 0.0, None)
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)


def moved(images: np.ndarray, warp: Warp, aspect: float = 1.0) -> np.ndarray:
    """Working images, shape (n, planes, side, side), under a warp."""
    matrix = _warp_matrix(warp, images.shape[-1], aspect)
    return np.asarray((matrix @ images.reshape(-1, matrix.shape[1]).T).T).reshape(images.shape)


def _warp_matrix(warp: Warp, side: int, aspect: float) -> sparse.csr_matrix:
    """Bilinear sampling of a (side, side) grid, as a matrix on flattened images; outside, the edge is repeated."""
    centre = (side - 1) / 2
    down, right = np.meshgrid(np.arange(side) - centre, np.arange(side) - centre, indexing="ij")
    for _ in range(warp.turns):
        down, right = right, -down
    angle = np.deg2rad(warp.angle)
    down, right = (
        np.cos(angle) * down - np.sin(angle) * right / aspect,
        np.sin(angle) * down * aspect + np.cos(angle) * right,
    )
    if warp.mirrored:
        right = -right
    down = np.clip(down + centre + warp.down * side, 0, side - 1)
    right = np.clip(right + centre + warp.right * side, 0, side - 1)
    top, left = np.minimum(down.astype(int), side - 2), np.minimum(right.astype(int), side - 2)
    below, beside = down - top, right - left
    columns, weights = [], []
    for step_down, step_right in itertools.product((0, 1), repeat=2):
        columns.append(((top + step_down) * side + left + step_right).ravel())
        weights.append(((below if step_down else 1 - below) * (beside if step_right else 1 - beside)).ravel())
    rows = np.tile(np.arange(side * side), 4)
    matrix = sparse.coo_matrix((np.concatenate(weights), (rows, np.concatenate(columns))), shape=2 * (side * side,))
    matrix = matrix.tocsr().astype(np.float32)
    matrix.eliminate_zeros()
    return matrix


def _blur_matrix(side: int, sigma: float) -> np.ndarray:
    offsets = np.arange(side)[:, None] - np.arange(side)[None, :]
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _disc(side: int) -> np.ndarray:
    """A disc that touches the four sides, its rim softened over an eighth of the radius."""
    place = np.linspace(-1, 1, side)
    radius = np.hypot(place[:, None], place[None, :])
    return np.clip((1 - radius) / 0.125, 0, 1).ravel()
