"""How long things take: seconds as they are counted, and the line through two measurements."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Law", "Seconds", "timed"]


@dataclass(frozen=True)
class Seconds:
    """Time that something takes.

    Parameters
    ----------
    processor : float
        Of all threads of this process together.
    wall : float
        By the clock; longer where others use the machine as well.
    """

    processor: float = 0.0
    wall: float = 0.0

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(self.processor + other.processor, self.wall + other.wall)

    def __sub__(self, other: Seconds) -> Seconds:
        return self + other * -1.0

    def __mul__(self, times: float) -> Seconds:
        return Seconds(self.processor * times, self.wall * times)

    def at_least_nothing(self) -> Seconds:
        """Without what is below 0."""
        return Seconds(max(self.processor, 0.0), max(self.wall, 0.0))


@dataclass(frozen=True)
class Law:
    """Time of a step beside its products: some of it once, the rest by unit."""

    once: Seconds = Seconds()
    unit: Seconds = Seconds()

    def at(self, units: float) -> Seconds:
        """Time for so many units."""
        return self.once + self.unit * units

    @classmethod
    def through(cls, few: float, less: Seconds, many: float, more: Seconds) -> Law:
        """The line through two measurements, neither part of it below 0.

        Examples
        --------
        >>> Law.through(10, Seconds(2.0, 2.0), 20, Seconds(3.0, 3.0)).at(40)
        Seconds(processor=5.0, wall=5.0)
        """
        if many <= few:
            return cls(once=more.at_least_nothing())
        unit = ((more - less) * (1.0 / (many - few))).at_least_nothing()
        # Where more images took less time, chance decided: all of it is taken to be once.
        return cls((more - unit * many).at_least_nothing(), unit)


def timed(task: Callable[[], Any]) -> tuple[Any, Seconds]:
    """What a task returns, and how long it took."""
    processor, wall = time.process_time(), time.perf_counter()
    found = task()
    return found, Seconds(time.process_time() - processor, time.perf_counter() - wall)
