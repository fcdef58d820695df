"""Choosing towards calibration patients by a Gaussian kernel: herding, and facility location.

    k(a, b) = exp(-|a - b|^2 / (2 s^2)),  s the median distance between two calibration patients

Herding takes, with mu(x) the mean of k(x, .) over the calibration patients and S the t chosen so far,

    argmax_x  mu(x) - sum_{s in S} k(x, s) / (t + 1)

which is the greedy step on the squared maximum mean discrepancy between the chosen and the calibration patients (Chen,
Welling & Smola 2010). Facility location maximises the sum over calibration patients of the largest k to a chosen one,
greedily, which reaches 1 - 1/e of the best (Nemhauser et al. 1978).
"""

from __future__ import annotations

import heapq

import numpy as np

__all__ = ["facility", "gaussian", "herding", "squared_distances", "width"]

_PAIRS = 400
"""Points whose distances give the width of the kernel."""


def squared_distances(points: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Squared distance of each point to one, shape (n,), float64, from differences."""
    found = np.empty(len(points))
    for start in range(0, len(points), 8192):
        difference = points[start : start + 8192] - one
        found[start : start + 8192] = np.einsum("ij,ij->i", difference, difference)
    return found


def gaussian(squared: np.ndarray, scale: float) -> np.ndarray:
    """The kernel of squared distances."""
    return np.exp(squared / (-2.0 * scale * scale))


def width(points: np.ndarray, rng: np.random.Generator) -> float:
    """Median distance between two different points, of at most 400 drawn; 1 where all are equal."""
    rows = rng.permutation(len(points))[:_PAIRS]
    distances = np.concatenate(
        [np.sqrt(squared_distances(points[rows[:i]], points[rows[i]])) for i in range(len(rows))]
    )
    distances = distances[distances > 0]
    return float(np.median(distances)) if len(distances) else 1.0


def herding(
    candidates: np.ndarray, calibration: np.ndarray, n: int, rng: np.random.Generator, memory: int
) -> np.ndarray:
    """Greedy steps towards the kernel mean of the calibration patients, each candidate once.

    As `fourfold.releasing.selection.methods.Method.choose`.
    """
    scale = width(calibration, rng)
    wanted = np.zeros(len(candidates))
    for one in calibration:
        wanted += gaussian(squared_distances(candidates, one), scale)
    wanted /= len(calibration)
    taken = np.zeros(len(candidates))
    rows = np.empty(n, dtype=np.int64)
    for place in range(n):
        row = int(np.argmax(wanted - taken / (place + 1)))
        rows[place] = row
        taken += gaussian(squared_distances(candidates, candidates[row]), scale)
        wanted[row] = -np.inf
    return rows


def facility(
    candidates: np.ndarray, calibration: np.ndarray, n: int, rng: np.random.Generator, memory: int
) -> np.ndarray:
    """Greedy facility location: the chosen come as near as they can to every calibration patient.

    The kernel, 4 M C bytes, is kept; where it does not fit into `memory`, as many calibration patients as do are drawn.
    Once nothing comes nearer to anybody, the rest is drawn at random.

    As `fourfold.releasing.selection.methods.Method.choose`.
    """
    scale = width(calibration, rng)
    most = max(1, int(memory // (4 * max(len(candidates), 1))))
    asked = calibration if len(calibration) <= most else calibration[rng.permutation(len(calibration))[:most]]
    kernel = np.stack([gaussian(squared_distances(candidates, one), scale) for one in asked], axis=1, dtype=np.float32)
    reached = np.zeros(len(asked), dtype=np.float32)
    # A gain can only fall as more is chosen, so an old one is an upper bound (Minoux 1978).
    waiting = [(-float(gain), row) for row, gain in enumerate(kernel.sum(axis=1))]
    heapq.heapify(waiting)
    rows: list[int] = []
    while len(rows) < n:
        _, row = heapq.heappop(waiting)
        gain = float(np.maximum(kernel[row] - reached, 0.0).sum())
        if waiting and gain < -waiting[0][0]:
            heapq.heappush(waiting, (-gain, row))
            continue
        if gain <= 0:
            left = np.array(sorted([row, *(other for _, other in waiting)]))
            rows.extend(rng.permutation(left)[: n - len(rows)].tolist())
            break
        rows.append(row)
        reached = np.maximum(reached, kernel[row])
    return np.array(rows)
