"""The hot loop: for each of these vectors, the nearest of those. Exact, in bounded memory.

Everything here works on plain arrays; nothing knows what an image is.
"""

from fourfold.neighbors.counts import BallCounts, ball_counts, count_within, mutual_ball_counts
from fourfold.neighbors.distances import pair_distances
from fourfold.neighbors.exact import Neighbors, nearest

__all__ = [
    "BallCounts",
    "Neighbors",
    "ball_counts",
    "count_within",
    "mutual_ball_counts",
    "nearest",
    "pair_distances",
]
