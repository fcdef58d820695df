"""Settles what a bound from few components can settle, and tells what that spared."""

from __future__ import annotations

import time
from typing import get_args

import numpy as np

from fourfold.errors import InputError
from fourfold.neighbors.blocks import Blocks
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.precision import SINGLE
from fourfold.neighbors.pruning import (
    Axes,
    Pruning,
    PruningChoice,
    cheapest,
    cheapest_count,
    leading_axes,
    pays,
    sampled,
)
from fourfold.neighbors.searching import Search
from fourfold.neighbors.sides import Side

__all__ = ["narrowed", "narrowed_count"]

# Below this many multiplications a trial costs more than it can spare; below this many columns there is nothing to
# leave away.
_WORTH_A_TRIAL, _COLUMNS = 1 << 35, 64
# Rows of the trial, and of the first part of the search, after which a plan that does not hold is given up.
_TRIAL, _FIRST, _SLAB = 128, 1024, 8192


def narrowed(search: Search, choice: PruningChoice) -> Pruning:
    """Settle rows of a search by bounds from few components, where that pays.

    Parameters
    ----------
    search : Search
        With every row pending; rows that the bound settles no longer are.
    choice : {"auto", "always", "never"}
        As for `nearest`.

    Returns
    -------
    Pruning
        Its share of products skipped is that of this part alone, see `Pruning.measured`.

    Raises
    ------
    InputError
        Where `choice` is none of the three.
    """
    _check(choice)
    reason = _against(search, choice)
    if reason is not None:
        return Pruning(reason=reason)
    begun = time.perf_counter()
    n, m = len(search.queries), len(search.points)
    axes = leading_axes(search.points, search.frame)
    plan = _plan(search, axes, choice)
    spent, settled, tried = time.perf_counter() - begun, 0, []
    if not plan:
        reason = "in a trial of some rows, too many points lay within the bound for it to pay"
    for count in plan:
        if 4 * m * (count + 1) > search.memory // 4:
            reason = f"{count} components of {m} rows do not fit into the memory"
            break
        tried.append(count)
        begun = time.perf_counter()
        points = _side(axes, search.points, count)
        search.multiplications += len(search.points) * count * search.frame.width
        spent += time.perf_counter() - begun
        rows, seen, found = search.pending, 0, 0
        steps = [_FIRST, *range(_FIRST + _SLAB, len(rows), _SLAB)]
        for part in np.split(rows, [step for step in steps if step < len(rows)]):
            begun = time.perf_counter()
            if search.same:
                queries = Side(points.values[part], points.frame, 0)
            else:
                queries = _side(axes, search.queries[part], count)
                search.multiplications += len(part) * count * search.frame.width
            spent += time.perf_counter() - begun
            before = len(search.pending)
            blocks = Blocks(queries, points, search.memory // 4, slack=axes.slack(count))
            search.screen(blocks, part, _kept(search))
            seen, found = seen + len(part), found + before - len(search.pending)
            if choice == "auto" and not pays(count, axes.frame.width, found / seen):
                reason = f"{count} components settled {found} of {seen} rows, too few to pay"
                break
        settled += found
        if reason is not None:
            break
    return Pruning(tuple(tried), settled=settled / n, seconds=spent, reason=reason)


def _against(search: Search, choice: PruningChoice) -> str | None:
    if choice == "never":
        return "not asked for"
    if search.metric == "hamming":
        return "there is no bound for this metric"
    if _kept(search) >= len(search.points):
        return "there are too few points"
    if choice == "auto" and search.device != "cpu":
        return "the bound is worked out on the processor, and products elsewhere are cheaper"
    if choice == "auto" and search.frame.width < _COLUMNS:
        return "there are too few columns"
    if choice == "auto" and search.whole < _WORTH_A_TRIAL:
        return "the search is too short for a trial"
    return None


def _kept(search: Search) -> int:
    return search.k + max(12, search.k)


def _plan(search: Search, axes: Axes, choice: PruningChoice) -> tuple[int, ...]:
    n, m = len(search.queries), len(search.points)
    trial = sampled(search.queries, min(_TRIAL, max(1, n // 16)))
    blocks = Blocks(search.query_side(trial, SINGLE), search.point_side(SINGLE), search.memory // 2)
    search.screen(blocks, trial, 2 * search.k + 2)
    reach = search.frame.squared(search.distances[trial, search.k - 1])
    without = np.inf if choice == "always" else search.whole / search.frame.width
    among = search.points[sampled(search.points)]
    return cheapest(axes, search.queries[trial], among, reach, _kept(search), (n, m), without)


def _side(axes: Axes, rows: np.ndarray, count: int) -> Side:
    return Side(axes.coordinates(rows, count), Frame.unmoved(count + 1), 0)


def _check(choice: str) -> None:
    if choice not in get_args(PruningChoice):
        raise InputError(f"pruning must be one of {', '.join(get_args(PruningChoice))}, got {choice!r}")


def narrowed_count(
    queries: np.ndarray,
    points: np.ndarray,
    frame: Frame,
    point_radii: np.ndarray | None,
    query_radii: np.ndarray | None,
    choice: PruningChoice,
    memory: int,
    device: str = "cpu",
) -> tuple[Blocks | None, Pruning]:
    """Blocks of bounds from few components for a count of pairs within radii, where that pays.

    An entry of theirs says only that a pair is too far apart: every other has to be scored.

    Parameters
    ----------
    queries, points : arrays, shapes (n, d) and (m, d)
        Where they are one object, the blocks are those on and above the diagonal.
    frame : Frame
    point_radii, query_radii : arrays, shapes (m,) and (n,), or None
        A pair counts within either.
    choice, memory, device
        As for `nearest`.

    Returns
    -------
    (Blocks or None, Pruning)

    Raises
    ------
    InputError
        Where `choice` is out of range.
    """
    _check(choice)
    n, m = len(queries), len(points)
    whole = n * m * frame.width * (0.5 if queries is points else 1.0)
    reason = None
    if choice == "never":
        reason = "not asked for"
    elif frame.metric == "hamming":
        reason = "there is no bound for this metric"
    elif choice == "auto" and device != "cpu":
        reason = "the bound is worked out on the processor, and products elsewhere are cheaper"
    elif not n or not m or (choice == "auto" and (frame.width < _COLUMNS or whole < _WORTH_A_TRIAL)):
        reason = "the count is too short for a trial"
    if reason is not None:
        return None, Pruning(reason=reason)
    begun = time.perf_counter()
    axes = leading_axes(points, frame)
    some, among = sampled(queries, _TRIAL), sampled(points)
    reach = np.zeros((len(some), len(among)))
    if point_radii is not None:
        reach = np.maximum(reach, frame.squared(point_radii[among]))
    if query_radii is not None:
        reach = np.maximum(reach, frame.squared(query_radii[some])[:, None])
    without = np.inf if choice == "always" else whole / frame.width
    count = cheapest_count(axes, queries[some], points[among], reach, (n, m), without)
    if not count:
        reason = "in a trial of some pairs, too many lay within the bound for it to pay"
    elif 4 * (n + m) * (count + 1) > memory // 4:
        reason = f"{count} components of {n + m} rows do not fit into the memory"
    if reason is not None:
        return None, Pruning(seconds=time.perf_counter() - begun, reason=reason)
    side = _side(axes, points, count)
    blocks = Blocks(
        side if queries is points else _side(axes, queries, count), side, memory // 4, slack=axes.slack(count)
    )
    projected = (m if queries is points else n + m) * count * frame.width
    spared = Pruning((count,), seconds=time.perf_counter() - begun)
    return blocks, spared.measured(blocks.multiplications + projected, whole)
