"""Bytes: what the process takes, and what each step takes on top of that at its peak."""

from __future__ import annotations

import sys
from pathlib import Path

from fourfold.planning.sizes import Sizes
from fourfold.planning.work import copy_queries

__all__ = ["copies_bytes", "features_bytes", "held_bytes", "metric_bytes", "neighbours_bytes", "resident"]

# What is imported for the first score and the first plot and was not before the plan.
_IMPORTED = 250 << 20
# Bytes of what is kept of a neighbour, and of a block of products with its selection.
_NEIGHBOUR, _BLOCK = 48, 4 * 5 * 1280 * 1280
# Images that are decoded and computed at a time.
_BATCH = 64
# Columns of the blurred training images that the widest representation keeps: seven of 64 x 64 pixels.
_BLURS = 7


def resident() -> int:
    """Bytes that this process takes now, and what an evaluation imports on top."""
    status = Path("/proc/self/statm")
    if status.exists():
        import resource

        return int(status.read_text(encoding="ascii").split()[1]) * resource.getpagesize() + _IMPORTED
    try:
        import resource
    except ImportError:
        return 3 * _IMPORTED
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) + _IMPORTED


def held_bytes(sizes: Sizes, widths: list[int]) -> int:
    """Features of all spaces, which are held to the end."""
    return 4 * sizes.images * sum(widths)


def features_bytes(sizes: Sizes, width: int, pixels: int) -> int:
    """A batch on its way, and the features of one space before and after they are standardised."""
    return 4 * sizes.images * width + 16 * _BATCH * pixels


def neighbours_bytes(sizes: Sizes, width: int, depth: int, memory: int) -> int:
    """A search: never more than `memory` above what it returns."""
    rows = 2 * sizes.judged * max(depth, 5) * _NEIGHBOUR
    return rows + min(memory, 8 * sizes.judged * width + _BLOCK)


def copies_bytes(sizes: Sizes, cells: int, memory: int, thorough: bool) -> int:
    """Working images of all sets and those that are searched for, and a block of correlations."""
    queries = copy_queries(sizes, thorough)
    images = 4 * cells * (sizes.judged + queries)
    prepared = 4 * cells * (_BLURS + 2) * sizes.training
    return int(images + prepared + min(memory, 12 * sizes.training * min(queries, 8192)))


def metric_bytes(sizes: Sizes, width: int) -> int:
    """Copies in float64 of the largest two sets, and some matrices as wide as the features."""
    return 8 * width * (max(sizes.training, sizes.synthetic) + sizes.holdout) + 6 * 8 * width * width
