"""Correlation under a bank of changes: what a copy is compared with when it was moved, cut out, blurred or inverted.

A bank changes the query, the training image, or both, and keeps the best correlation over all pairs of changes. The
images that serve as null go through the same bank, so a larger bank costs power and time but no false alarms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fourfold.privacy.warps import Warp, area_matrix, matrix_of, warp_matrix

__all__ = ["Bank", "ContrastGrid", "PreparedBank", "View"]

_CONTRAST_FLOOR = 0.02
"""Added to the local standard deviation (intensities in [0, 1]), so that flat regions don't amplify noise."""

_FLAT = 1e-4
"""Root mean square below which an image has no contrast: rounding alone leaves about 1e-6 after normalisation."""

_KEPT = 1 << 28
"""Bytes of changed images that a bank keeps for the next pass over them; more are made again."""

_IDENTITY = Warp()


@dataclass(frozen=True)
class Bank:
    """Correlation on one grid, under changes of the query and of the training images.

    Parameters
    ----------
    name, summary : str
        What ``copy_kind`` calls it, and what it is.
    side : int
        Pixels of the square grid that is compared.
    contrast : float or None
        Standard deviation, in pixels of that grid, of the neighbourhood in which mean and contrast are normalised;
        None for plain intensities.
    windowed : bool
        Whether a soft disc hides the corners, which a rotation fills with something else.
    warps : tuple of Warp
        Of the query.
    windows : tuple of Warp
        Of the training images.
    blurs : tuple of float
        Standard deviations, as shares of the side, by which training images are blurred.
    signed : bool
        False where an inverted image counts as well.
    leads : int
        How many patients it proposes for registration.
    """

    name: str
    summary: str
    side: int
    contrast: float | None
    windowed: bool
    warps: tuple[Warp, ...] = (_IDENTITY,)
    windows: tuple[Warp, ...] = (_IDENTITY,)
    blurs: tuple[float, ...] = (0.0,)
    signed: bool = True
    leads: int = 0

    def prepare(self, training: np.ndarray, aspect: float = 1.0) -> PreparedBank:
        """Ready to be searched."""
        return PreparedBank(self, training, aspect)


class View:
    """Working images as unit vectors of one grid and one rule of contrast.

    Parameters
    ----------
    side : int
        Of the grid that is compared; never finer than the working images.
    working : int
        Side of the square working images.
    contrast, windowed
        As in `Bank`.
    aspect : float
        Height of the original images by their width.
    """

    def __init__(
        self, side: int, working: int, contrast: float | None = None, windowed: bool = False, aspect: float = 1.0
    ) -> None:
        self.side = min(side, working)
        self.aspect = aspect
        # Warping from a grid twice as fine is as good as from the finest, and cheaper.
        self._from = working if 2 * self.side >= working else 2 * self.side
        self._shrink = None if self._from == working else area_matrix(working, self._from)
        rows = sparse.csr_matrix(area_matrix(self._from, self.side))
        self._reduce = sparse.kron(rows, rows, format="csr")
        self._maps: dict[Warp, sparse.csr_matrix] = {}
        self._blur = None if contrast is None else blur_matrix(self.side, contrast)
        weight = _disc(self.side) if windowed else np.ones(self.side * self.side)
        self._window = np.flatnonzero(weight > 0)
        self._weight = (weight[self._window] / weight.sum()).astype(np.float32)

    def columns(self, images: np.ndarray, blur: float = 0.0) -> np.ndarray:
        """Working images on the grid from which this view warps, shape (planes, pixels, n)."""
        if blur:
            smooth = blur_matrix(images.shape[-1], blur * images.shape[-1])
            images = np.matmul(np.matmul(smooth, images), smooth.T)
        if self._shrink is not None:
            images = np.matmul(np.matmul(self._shrink, images), self._shrink.T)
        return np.ascontiguousarray(images.reshape(*images.shape[:2], -1).transpose(1, 2, 0))

    def vectors(self, columns: np.ndarray, warp: Warp = _IDENTITY) -> np.ndarray:
        """Unit vectors whose scalar product is the weighted correlation.

        Parameters
        ----------
        columns : array, shape (planes, pixels, n)
            As `columns` gives it.
        warp : Warp

        Returns
        -------
        array, shape (n, d)
            float32; zeros for an image without any contrast, whose correlation is undefined.
        """
        if warp not in self._maps:
            self._maps[warp] = (self._reduce @ warp_matrix(warp, self._from, self.aspect)).tocsr()
        matrix = self._maps[warp]
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
            columns = normalised(columns, self._blur)
        return columns[self._window]


class PreparedBank:
    """A bank with the training images that it searches."""

    def __init__(self, bank: Bank, training: np.ndarray, aspect: float) -> None:
        self.bank = bank
        self.size = len(training)
        self.slots = 2
        self._view = View(bank.side, training.shape[-1], bank.contrast, bank.windowed, aspect)
        self._columns = [self._view.columns(training, blur) for blur in bank.blurs]
        self._plain = self._view.vectors(self._columns[0]) if len(bank.windows) * len(bank.blurs) == 1 else None
        self._points: dict[int, np.ndarray] = {}
        self._latest: tuple[np.ndarray | None, dict[int, np.ndarray]] = (None, {})

    def nearness(self, queries: np.ndarray) -> np.ndarray:
        """Best correlation of each query with each training image, shape (n, N), float32."""
        best = np.full((len(queries), self.size), -1.0, dtype=np.float32)
        product = np.empty_like(best)
        for _, _, vectors, points in self._changes(queries):
            np.matmul(vectors, points.T, out=product)
            if not self.bank.signed:
                np.abs(product, out=product)
            np.maximum(best, product, out=best)
        return best

    def distances(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
        """1 - r of each query to one training image, from differences in float64; None for a true bank.

        A product in float32 cannot tell the same pixels from nearly the same ones.
        """
        if self._plain is None or len(self.bank.warps) > 1 or not self.bank.signed:
            return None
        vectors, points = self._view.of(queries).astype(np.float64), self._plain[rows]
        empty = ~vectors.any(axis=1) | ~points.any(axis=1)
        return np.where(empty, 1.0, ((vectors - points) ** 2).sum(axis=1) / 2)

    def motions(self, queries: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For chosen pairs, the change under which they correlate best.

        Parameters
        ----------
        queries : array, shape (n, planes, side, side)
        rows : array of int, shape (n, k)
            Training rows, k of them a query.

        Returns
        -------
        matrices : array, shape (n, k, 2, 3)
            From places in the query to places in the training image, see `fourfold.privacy.warps.matrix_of`.
        signs : array, shape (n, k)
            -1 where the query is inverted.
        """
        bank, aspect = self.bank, self._view.aspect
        best = np.full(rows.shape, -np.inf, dtype=np.float32)
        found = np.zeros((*rows.shape, 2), dtype=np.int64)
        signs = np.ones(rows.shape)
        for first, second, vectors, points in self._changes(queries):
            product = np.stack([np.einsum("nd,nd->n", vectors, points[column]) for column in rows.T], axis=1)
            strength = product if bank.signed else np.abs(product)
            better = strength > best
            best[better] = strength[better]
            found[better] = first, second
            if not bank.signed:
                signs[better] = np.where(product < 0, -1.0, 1.0)[better]
        backwards = np.stack([_whole(matrix_of(warp, aspect, inverse=True)) for warp in bank.warps])
        forwards = np.stack([_whole(matrix_of(window, aspect)) for _ in bank.blurs for window in bank.windows])
        return (forwards[found[..., 1]] @ backwards[found[..., 0]])[..., :2, :], signs

    def _changes(self, queries: np.ndarray) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """Every change of the queries with every change of the training images, numbered, as unit vectors."""
        if self._latest[0] is not queries:
            self._latest = (queries, {})
        columns, known, warps = self._view.columns(queries), self._latest[1], self.bank.warps
        asked = (self._kept(known, first, len(warps), columns, warp) for first, warp in enumerate(warps))
        if self._plain is not None:
            for first, vectors in enumerate(asked):
                yield first, 0, vectors, self._plain
            return
        every = list(asked)
        changes = [(own, window) for own in self._columns for window in self.bank.windows]
        for second, (own, window) in enumerate(changes):
            points = self._kept(self._points, second, len(changes), own, window)
            for first, vectors in enumerate(every):
                yield first, second, vectors, points

    def _kept(
        self, known: dict[int, np.ndarray], place: int, places: int, columns: np.ndarray, change: Warp
    ) -> np.ndarray:
        """`View.vectors` of one change, from an earlier pass where all of them together are small."""
        if place in known:
            return known[place]
        vectors = self._view.vectors(columns, change)
        if vectors.nbytes * places <= _KEPT:
            known[place] = vectors
        return vectors


class ContrastGrid:
    """Working images on a grid that is no finer than they are, with local mean and contrast taken out.

    Parameters
    ----------
    side, working : int
        Of the grid, and of the square working images.
    contrast : float
        As in `Bank`.
    floor : float
        Added to the local standard deviation (intensities in [0, 1]).
    """

    def __init__(self, side: int, working: int, contrast: float, floor: float = _CONTRAST_FLOOR) -> None:
        self.side = min(side, working)
        self._floor = floor
        self._shrink = None if self.side == working else area_matrix(working, self.side)
        self._blur = blur_matrix(self.side, contrast)

    def of(self, images: np.ndarray) -> np.ndarray:
        """Images, shape (n, planes, working, working), as (n, planes, side, side), float32."""
        if self._shrink is not None:
            images = np.matmul(np.matmul(self._shrink, images), self._shrink.T)
        columns = images.reshape(*images.shape[:2], -1).transpose(1, 2, 0)
        planes = np.stack([normalised(np.ascontiguousarray(plane), self._blur, self._floor) for plane in columns])
        return np.ascontiguousarray(planes.transpose(2, 0, 1)).reshape(*images.shape[:2], self.side, self.side)


def _whole(matrix: np.ndarray) -> np.ndarray:
    return np.vstack([matrix, [0.0, 0.0, 1.0]])


def normalised(columns: np.ndarray, blur: np.ndarray, floor: float = _CONTRAST_FLOOR) -> np.ndarray:
    """Flattened images, one a column, with local mean and contrast taken out."""
    centred = columns - blurred(columns, blur)
    return centred / (np.sqrt(blurred(centred * centred, blur)) + floor)


def blurred(columns: np.ndarray, blur: np.ndarray) -> np.ndarray:
    """Flattened images, one a column, smoothed along both axes by a (side, side) matrix."""
    grid = (blur @ columns.reshape(len(blur), -1)).reshape(len(blur), len(blur), -1)
    return np.matmul(blur, grid).reshape(columns.shape)


def blur_matrix(side: int, sigma: float) -> np.ndarray:
    """Gaussian smoothing along one axis, shape (side, side); weights sum to 1 at the border too."""
    offsets = np.arange(side)[:, None] - np.arange(side)[None, :]
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _disc(side: int) -> np.ndarray:
    """A disc that touches the four sides, its rim softened over an eighth of the radius."""
    place = np.linspace(-1, 1, side)
    radius = np.hypot(place[:, None], place[None, :])
    return np.clip((1 - radius) / 0.125, 0, 1).ravel()
