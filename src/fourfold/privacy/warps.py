"""Motions of the image plane, as sparse matrices on flattened images."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = ["Warp", "area_matrix", "grid", "matrix_of", "moved", "warp_matrix", "windows"]


@dataclass(frozen=True)
class Warp:
    """A similarity of the image plane: what is seen at a place lies, in the image, turned, scaled and shifted.

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
    scale : float
        Share of the side that is seen: below 1 a part of the image is enlarged.
    """

    angle: float = 0.0
    down: float = 0.0
    right: float = 0.0
    mirrored: bool = False
    turns: int = 0
    scale: float = 1.0


def grid(
    angles: Sequence[float] = (0.0,),
    shifts: Sequence[float] = (0.0,),
    mirrors: Sequence[bool] = (False,),
    scales: Sequence[float] = (1.0,),
) -> tuple[Warp, ...]:
    """Every combination, the smallest motions first, so that ties go to them."""
    warps = (
        Warp(angle, down, right, mirrored, 0, scale)
        for mirrored, scale, down, right, angle in itertools.product(mirrors, scales, shifts, shifts, angles)
    )
    return tuple(
        sorted(
            warps,
            key=lambda warp: (
                warp.mirrored,
                abs(np.log(warp.scale)),
                abs(warp.down) + abs(warp.right),
                abs(warp.angle),
            ),
        )
    )


def windows(scales: Iterable[float], step: float) -> tuple[Warp, ...]:
    """Parts of the image, wherever they lie: for each share of the side, centres at most `step` apart.

    Examples
    --------
    >>> len(windows([0.5], 0.25))
    9
    """
    found = []
    for scale in scales:
        reach = (1.0 - scale) / 2
        places = np.linspace(-reach, reach, int(np.ceil(2 * reach / step - 1e-9)) + 1)
        found += [Warp(down=float(down), right=float(right), scale=scale) for down in places for right in places]
    return tuple(found)


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
    matrix = warp_matrix(warp, images.shape[-1], aspect)
    return np.asarray((matrix @ images.reshape(-1, matrix.shape[1]).T).T).reshape(images.shape)


def warp_matrix(warp: Warp, side: int, aspect: float = 1.0) -> sparse.csr_matrix:
    """Bilinear sampling of a (side, side) grid, as a matrix on flattened images; outside, the edge is repeated.

    Parameters
    ----------
    warp : Warp
    side : int
    aspect : float
        Height of the original images by their width, so that a rotation is one although the grid is square.
    """
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
    down = np.clip(warp.scale * down + centre + warp.down * side, 0, side - 1)
    right = np.clip(warp.scale * right + centre + warp.right * side, 0, side - 1)
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


def matrix_of(warp: Warp, aspect: float = 1.0, inverse: bool = False) -> np.ndarray:
    """A warp as an affine map of places (right, down, 1) in [-1, 1], shape (2, 3).

    Parameters
    ----------
    warp : Warp
    aspect : float
        Height of the original images by their width.
    inverse : bool
        The map back: of a query that was warped to fit the training image.
    """
    whole = np.eye(3)
    for _ in range(warp.turns):
        # (down, right) becomes (right, -down).
        whole = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) @ whole
    angle = np.deg2rad(warp.angle)
    turn = np.array(
        [
            [np.cos(angle), np.sin(angle) * aspect, 0.0],
            [-np.sin(angle) / aspect, np.cos(angle), 0.0],
            [0.0, 0.0, 1.0],
        ]
    )
    whole = turn @ whole
    if warp.mirrored:
        whole = np.diag([-1.0, 1.0, 1.0]) @ whole
    whole = np.diag([warp.scale, warp.scale, 1.0]) @ whole
    whole[:2, 2] += (2 * warp.right, 2 * warp.down)
    return (np.linalg.inv(whole) if inverse else whole)[:2]
