"""The hot loop: for each of these vectors, the nearest of those. Exact, in bounded memory.

Everything here works on plain arrays; nothing knows what an image is.
"""

from fourfold.neighbors.blocks import Onlooker
from fourfold.neighbors.counts import ball_counts, count_within, mutual_ball_counts
from fourfold.neighbors.distances import pair_distances
from fourfold.neighbors.exact import Neighbors, nearest
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.meeting import Meeting, meetings
from fourfold.neighbors.pairs import ClosePairs
from fourfold.neighbors.pruning import Pruning
from fourfold.neighbors.tally import BallCounts

__all__ = [
    "BallCounts",
    "ClosePairs",
    "Frame",
    "Meeting",
    "Neighbors",
    "Onlooker",
    "Pruning",
    "ball_counts",
    "count_within",
    "meetings",
    "mutual_ball_counts",
    "nearest",
    "pair_distances",
]
