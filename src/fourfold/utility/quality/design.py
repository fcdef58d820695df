"""Which cells a factorial study of data quality has, and how often each is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from fourfold.errors import InputError
from fourfold.utility.quality.knobs import Knob

__all__ = ["Cell", "Design", "full_factorial", "one_at_a_time"]

Cell = tuple[Knob, ...]
"""The knobs that are turned."""


def full_factorial(knobs: Sequence[Knob]) -> tuple[Cell, ...]:
    """Every combination of the factors, each off or at one of its levels; the first cell has all of them off."""
    factors: dict[str, list[Knob | None]] = {}
    for knob in knobs:
        factors.setdefault(knob.factor, [None]).append(knob)
    return tuple(tuple(knob for knob in cell if knob is not None) for cell in product(*factors.values()))


def one_at_a_time(knobs: Sequence[Knob]) -> tuple[Cell, ...]:
    """All knobs off, then each alone: cheaper than a full factorial, and blind to what they do together."""
    return ((), *((knob,) for knob in knobs))


@dataclass(frozen=True)
class Design:
    """What is trained and how often.

    Parameters
    ----------
    cells : tuple of tuple of Knob
        See `full_factorial` and `one_at_a_time`.
    size : int or None
        Images drawn from each source before balancing, the same number for all; None for as many as the smallest
        source has.
    seeds : int
        From 2 up; 5 or more for an interval of use.
    steps : int
        Optimiser steps of every training.
    samples : int
        Bootstrap samples of the test patients.
    seed : int
        Of the study; its seeds are counted from it.
    """

    cells: tuple[Cell, ...]
    size: int | None = None
    seeds: int = 5
    steps: int = 120
    samples: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("seeds", 2), ("steps", 1), ("samples", 10), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} of a study of quality must be at least {least}, got {getattr(self, name)}")
        if not any(self.cells) or () not in self.cells:
            raise InputError("a study of quality takes a cell with every knob off and one with a knob on")
        keys = [frozenset(knob.name for knob in cell) for cell in self.cells]
        for knob in self.knobs:
            if not any(knob.name in key and key - {knob.name} in keys for key in keys):
                raise InputError(f"no two cells differ in {knob.name} alone, so its effect is not in the design")

    @property
    def knobs(self) -> tuple[Knob, ...]:
        """Those of the cells, each once."""
        return tuple({knob.name: knob for cell in self.cells for knob in cell}.values())
