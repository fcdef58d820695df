"""The hot loop: for each of these vectors, the nearest of those. Exact, in bounded memory.

Everything here works on plain arrays; nothing knows what an image is.
"""

from fourfold.neighbors.exact import Neighbors, count_within, nearest

__all__ = ["Neighbors", "count_within", "nearest"]
