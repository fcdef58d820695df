"""Which sets are left when several axes count at once: the Pareto front of values that are known with error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Place", "Standing", "standings"]

Place = Literal["front", "not told apart", "dominated"]


@dataclass(frozen=True)
class Standing:
    """How a set stands to the front.

    Parameters
    ----------
    place : {"front", "not told apart", "dominated"}
        ``"front"``: no other set is as good on every axis. ``"dominated"``: another one is as good on every axis and
        better beyond the errors on at least one. ``"not told apart"``: between the two, since what one of both is
        better by lies within the errors.
    by : tuple of int
        The sets that put it there.
    """

    place: Place
    by: tuple[int, ...] = ()


def standings(values: ArrayLike, better: ArrayLike) -> tuple[Standing, ...]:
    """The standing of every set.

    Parameters
    ----------
    values : array, shape (axes, n)
        Higher is better.
    better : array of bool, shape (axes, n, n)
        True where the row is better than the column beyond the errors, as `told_apart` gives it.

    Returns
    -------
    tuple of Standing, length n

    Examples
    --------
    >>> certain = [[[False, True], [False, False]]] * 2
    >>> [one.place for one in standings([[2.0, 1.0], [2.0, 1.0]], certain)]
    ['front', 'dominated']
    """
    values, better = np.asarray(values, dtype=np.float64), np.asarray(better, dtype=bool)
    # as_good[i, j]: set i is at least as good as set j on every axis.
    as_good = (values[:, :, None] >= values[:, None, :]).all(axis=0)
    strictly = as_good & (values[:, :, None] > values[:, None, :]).any(axis=0)
    beyond = better.any(axis=0)
    never_worse = beyond & ~better.any(axis=0).T
    found = []
    for place in range(values.shape[1]):
        dominating = np.flatnonzero(as_good[:, place] & beyond[:, place])
        unclear = np.flatnonzero(strictly[:, place] | never_worse[:, place])
        if len(dominating):
            found.append(Standing("dominated", tuple(dominating.tolist())))
        elif len(unclear):
            found.append(Standing("not told apart", tuple(unclear.tolist())))
        else:
            found.append(Standing("front"))
    return tuple(found)
