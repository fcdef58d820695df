"""A ladder: sets in rising strength of one change, and how a score moves along it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from fourfold.comparing.ranks import told_apart

__all__ = ["Direction", "Movement", "movement"]

Direction = Literal["rises", "falls", "turns", "still"]


@dataclass(frozen=True)
class Movement:
    """How a score moves along a ladder.

    Parameters
    ----------
    direction : {"rises", "falls", "turns", "still"}
        By the rungs that are told apart: all of these differences point upwards or downwards, or both occur, or there
        is none.
    monotone : bool
        Whether the values themselves never step back, errors aside.
    departs : int or None
        The first rung that is told apart from the lowest one; None where none is.
    """

    direction: Direction
    monotone: bool
    departs: int | None


def movement(values: ArrayLike, errors: ArrayLike, *, level: float = 0.95, seed: int = 0) -> Movement:
    """How values move from rung to rung.

    Parameters
    ----------
    values, errors : arrays, shape (rungs,)
        As for `fourfold.comparing.ranks.told_apart`, the unchanged set first.
    level : float
        Confidence that no two rungs are told apart wrongly.
    seed : int

    Returns
    -------
    Movement

    Examples
    --------
    >>> movement([1.0, 1.1, 3.0, 5.0], [0.2, 0.2, 0.2, 0.2])
    Movement(direction='rises', monotone=True, departs=2)
    """
    values = np.asarray(values, dtype=np.float64)
    above = told_apart(values, errors, level=level, seed=seed)
    # Entries below the diagonal compare a later rung with an earlier one.
    rises, falls = bool(np.tril(above).any()), bool(np.triu(above).any())
    direction: Direction = "turns" if rises and falls else "rises" if rises else "falls" if falls else "still"
    steps = np.diff(values)
    monotone = bool((steps >= 0).all() or (steps <= 0).all())
    left = np.flatnonzero(above[:, 0] | above[0, :])
    return Movement(direction, monotone, int(left[0]) if len(left) else None)
