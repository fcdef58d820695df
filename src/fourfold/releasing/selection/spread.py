"""Candidates far from each other, whatever real patients look like: farthest first, and a determinantal process.

Both are drawn to outliers, since nothing lies farther from everything else.
"""

from __future__ import annotations

import numpy as np

from fourfold.releasing.selection.kernels import gaussian, squared_distances, width

__all__ = ["determinantal", "greedy_determinant", "k_center"]

_JITTER = 1e-3
"""Added to the diagonal of the kernel: what can be chosen after the space is full is still told apart."""


def k_center(
    candidates: np.ndarray, calibration: np.ndarray, n: int, rng: np.random.Generator, memory: int
) -> np.ndarray:
    """Farthest first: each next one is the candidate farthest from those chosen.

    The greatest distance of a candidate to its nearest chosen one is at most twice the least possible (Gonzalez 1985).
    As `fourfold.releasing.selection.methods.Method.choose`; calibration patients are not looked at.
    """
    rows = np.empty(n, dtype=np.int64)
    far = np.full(len(candidates), np.inf)
    row = int(rng.integers(len(candidates)))
    for place in range(n):
        rows[place] = row
        far = np.minimum(far, squared_distances(candidates, candidates[row]))
        far[row] = -1.0
        row = int(np.argmax(far))
    return rows


def determinantal(
    candidates: np.ndarray, calibration: np.ndarray, n: int, rng: np.random.Generator, memory: int
) -> np.ndarray:
    """Greedy maximum of the determinant of the chosen rows of a Gaussian kernel (Chen, Zhang & Zhou 2018).

    With c_i the row of a growing Cholesky factor and d_i^2 what candidate i would add to the determinant, each step
    takes the largest d_i^2 and updates all others. Where the factor, 4 M n bytes, does not fit into `memory` the
    candidates are dealt into groups at random, each giving its part of n.

    As `fourfold.releasing.selection.methods.Method.choose`; calibration patients are not looked at.
    """
    scale = width(candidates, rng)
    groups = max(1, int(np.ceil(np.sqrt(4.0 * len(candidates) * n / max(memory, 1)))))
    order = rng.permutation(len(candidates))
    parts = np.array_split(order, groups)
    ends = np.round(np.cumsum([len(part) for part in parts]) * n / len(candidates)).astype(int)
    sizes = np.diff(ends, prepend=0)
    return np.concatenate(
        [part[greedy_determinant(candidates[part], int(size), scale)] for part, size in zip(parts, sizes, strict=True)]
    )


def greedy_determinant(points: np.ndarray, n: int, scale: float) -> np.ndarray:
    """Rows of `points`, each the one that multiplies the determinant of the chosen kernel most, shape (n,)."""
    factor = np.zeros((len(points), n), dtype=np.float32)
    gain = np.full(len(points), 1.0 + _JITTER)
    rows = np.empty(n, dtype=np.int64)
    for place in range(n):
        row = int(np.argmax(gain))
        rows[place] = row
        kernel = gaussian(squared_distances(points, points[row]), scale)
        kernel[row] += _JITTER
        column = (kernel - factor[:, :place] @ factor[row, :place]) / np.sqrt(max(gain[row], _JITTER))
        factor[:, place] = column
        gain -= column**2
        gain[rows[: place + 1]] = -np.inf
    return rows
