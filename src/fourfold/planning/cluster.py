"""What a cluster takes off: decoding, features and passes over whole sets are shared out, the rest is not.

Two workers of one processor each extract features 1.7 times as fast as one (``benchmarks/engines.py``), and every run
waits for its actors to start. Both are assumptions about another machine, and the plan says so.
"""

from __future__ import annotations

from dataclasses import replace

from fourfold.planning.law import Seconds
from fourfold.planning.results import PlannedStep

__all__ = ["EFFICIENCY", "START", "shared_out"]

EFFICIENCY = 0.85
"""Of each worker, beside a single one."""

START = 8.0
"""Seconds until the workers of a cluster have started, once a step."""


def shared_out(step: PlannedStep, workers: int) -> PlannedStep:
    """A step that workers do in parts: as much work, in less time by the clock."""
    share = 1.0 / (workers * EFFICIENCY) if workers > 1 else 1.0
    return replace(step, seconds=_sooner(step.seconds, share), seconds_at_best=_sooner(step.seconds_at_best, share))


def _sooner(seconds: Seconds, share: float) -> Seconds:
    return Seconds(seconds.processor, seconds.wall * share + START)
