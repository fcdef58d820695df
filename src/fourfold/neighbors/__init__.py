"""The hot loop: for each of these vectors, the nearest of those. Exact, in bounded memory.

Everything here works on plain arrays; nothing knows what an image is.
"""

from fourfold.neighbors.exact import BallCounts, Neighbors, ball_counts, count_within, nearest

__all__ = ["BallCounts", "Neighbors", "ball_counts", "count_within", "nearest"]
