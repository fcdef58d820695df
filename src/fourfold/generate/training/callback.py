"""What may look on while a network is trained, and ask for the end.

A callback keeps whatever it must remember across a restart in `Callback.state`; it draws its random numbers from the
step, so that a resumed training is watched as the uninterrupted one would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from fourfold.generate.condition import Condition
from fourfold.generate.training.trainee import Trainee

__all__ = ["Callback", "Moment", "Reply"]


@dataclass(frozen=True)
class Moment:
    """Where a training stands.

    Parameters
    ----------
    step : int
        Steps that are done.
    steps : int
        Steps in all.
    losses : mapping of str to float
        The last step's, by phase.
    snapshots : int
        Snapshots that are planned in all.
    trainee : Trainee
    modules : mapping of str to nn.Module
        Averaged where averaged, else as trained; in eval mode, on the device; not to be changed.
    device : torch.device or str
    precision : callable
        A context in which networks run in the precision of the training.
    """

    step: int
    steps: int
    snapshots: int
    losses: Mapping[str, float]
    trainee: Trainee
    modules: Mapping[str, nn.Module]
    device: torch.device | str = "cpu"
    precision: Callable[[], AbstractContextManager[Any]] = nullcontext

    def draw(self, seeds: list[int], condition: Condition | None) -> np.ndarray:
        """`Trainee.draw` with these modules, float32 in [0, 1]."""
        with torch.no_grad(), self.precision():
            images = self.trainee.draw(self.modules, seeds, _on(condition, self.device))
        return images.float().cpu().numpy()

    def watched(
        self, images: torch.Tensor, condition: Condition | None, generator: torch.Generator
    ) -> np.ndarray | None:
        """`Trainee.watched` with these modules and images in [-1, 1], float64."""
        with torch.no_grad(), self.precision():
            losses = self.trainee.watched(self.modules, images.to(self.device), _on(condition, self.device), generator)
        return None if losses is None else losses.double().cpu().numpy()


@dataclass(frozen=True)
class Reply:
    """What a callback found at a snapshot.

    Parameters
    ----------
    values : mapping of str to float
        What is logged beside the losses.
    suspect : bool
        This snapshot is not one to fall back on.
    stop : str or None
        Why the training must end here. Where the snapshot is suspect as well, the outcome is the last one that was
        not.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    suspect: bool = False
    stop: str | None = None


class Callback:
    """Looks on; subclasses override what they need.

    Attributes
    ----------
    name : str
        Unique in a training; its entry in the record.
    guards : bool
        Whether it may call a snapshot suspect, so that the last one that was not must be kept.
    """

    name: ClassVar[str] = "callback"
    guards: ClassVar[bool] = False

    def on_step(self, step: int, losses: Mapping[str, float]) -> str | None:
        """After every step; a reason ends the training."""
        return None

    def on_snapshot(self, moment: Moment) -> Reply:
        """At every snapshot and at the end."""
        return Reply()

    def state(self) -> dict[str, Any]:
        """What must survive a restart, as JSON can hold it."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a `state`."""

    def record(self) -> dict[str, Any]:
        """What the training's record says of it, as JSON can hold it."""
        return {}


def _on(condition: Condition | None, device: torch.device | str) -> Condition | None:
    return None if condition is None else condition.to(device)
