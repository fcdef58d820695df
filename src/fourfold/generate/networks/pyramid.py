"""The levels of networks that build an image from coarse to fine, or take it apart from fine to coarse."""

from __future__ import annotations

from collections.abc import Sequence

from fourfold.errors import InputError

__all__ = ["pyramid", "widths"]

SMALLEST_GRID, LARGEST_GRID = 4, 15
"""Sides of the coarsest grid."""
_MOST_WIDENINGS = 2


def pyramid(spatial: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Sizes of the levels, coarsest first; the last is the image's own.

    Sides are halved while they are even and half of them is at least 4; those of thick slices only once the others
    are no longer twice as long.

    Raises
    ------
    InputError
        Where a side cannot be halved often enough.

    Examples
    --------
    >>> pyramid((28, 28))
    ((7, 7), (14, 14), (28, 28))
    >>> pyramid((8, 32, 32))
    ((4, 4, 4), (8, 8, 8), (8, 16, 16), (8, 32, 32))
    """
    sizes = [tuple(int(size) for size in spatial)]
    while True:
        last = sizes[0]
        halved = tuple(
            size // 2 if size % 2 == 0 and size // 2 >= SMALLEST_GRID and 2 * size > max(last) else size
            for size in last
        )
        if halved == last:
            break
        sizes.insert(0, halved)
    if max(sizes[0]) > LARGEST_GRID:
        shown = " x ".join(map(str, spatial))
        raise InputError(
            f"the network halves images until their sides are at most {LARGEST_GRID}, and those of {shown} images "
            "cannot be halved so often; choose sides such as 32, 48, 64, 96 or 128 with --size"
        )
    return tuple(sizes)


def widths(levels: int, channels: int) -> tuple[int, ...]:
    """Channels of the levels, coarsest first: `channels` at the finest, doubled at most twice towards the coarsest."""
    return tuple(channels * 2 ** min(levels - 1 - level, _MOST_WIDENINGS) for level in range(levels))
