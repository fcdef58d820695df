"""A plan: what an evaluation will take, step by step, and what could make it cheaper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fourfold.planning.constants import Constants
from fourfold.planning.law import Seconds
from fourfold.planning.sizes import Sizes

__all__ = ["Plan", "PlannedStep"]


@dataclass(frozen=True)
class PlannedStep:
    """One step of an evaluation.

    Parameters
    ----------
    name : str
        ``"reading"``, ``"features"``, ``"neighbours"``, ``"draws"`` or a metric.
    space : str or None
        Its feature space.
    passes : int
        Multiplications of a set with a set, each whole or in parts of equal size.
    multiplications : float
        Counted; two floating-point operations each.
    seconds, seconds_at_best : Seconds
        Predicted; at best where a bound from a few components spares nearly all of a search. 0 where nothing was
        measured.
    memory : int
        Bytes at its peak, above what is held throughout.
    """

    name: str
    space: str | None
    passes: int
    multiplications: float
    seconds: Seconds
    seconds_at_best: Seconds
    memory: int

    def longer(self, more: Seconds) -> PlannedStep:
        """The same step with further seconds."""
        return replace(self, seconds=self.seconds + more, seconds_at_best=self.seconds_at_best + more)

    @property
    def title(self) -> str:
        """As it is printed."""
        return self.name if self.space is None else f"{self.name} ({self.space})"


@dataclass(frozen=True)
class Plan:
    """What an evaluation will take.

    Parameters
    ----------
    sizes : Sizes
    constants : Constants
        What was measured.
    steps : tuple of PlannedStep
        In the order of an evaluation.
    held : int
        Bytes of process and features, held throughout.
    engine : str
    workers : int
        That share what can be shared.
    timed : bool
        Whether times were measured; if not, there are counts and bytes alone.
    advice : tuple of str
        What dominates, and what would make it cheaper, a sentence each.
    settings : mapping of str to Any
        What was asked for.
    """

    sizes: Sizes
    constants: Constants
    steps: tuple[PlannedStep, ...]
    held: int
    engine: str
    workers: int
    timed: bool
    advice: tuple[str, ...]
    settings: Mapping[str, Any]

    @property
    def seconds(self) -> Seconds:
        """Of all steps."""
        return sum((step.seconds for step in self.steps), Seconds())

    @property
    def seconds_at_best(self) -> Seconds:
        """Of all steps, where bounds from a few components spare most of every search."""
        return sum((step.seconds_at_best for step in self.steps), Seconds())

    @property
    def passes(self) -> int:
        """Of whole sets over whole sets."""
        return sum(step.passes for step in self.steps)

    @property
    def multiplications(self) -> float:
        """Counted, of all steps."""
        return sum(step.multiplications for step in self.steps)

    @property
    def memory(self) -> int:
        """Bytes at the peak."""
        return self.held + max((step.memory for step in self.steps), default=0)
