"""Snapshots: a grid of samples, what the callbacks find, and a state to fall back on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from fourfold.generate.training.callback import Callback, Moment
from fourfold.generate.training.draws import Draws
from fourfold.generate.training.logs import Log, write_grid
from fourfold.generate.training.state import State
from fourfold.generate.training.streams import Purpose, torch_seed
from fourfold.generate.training.trainee import Trainee

__all__ = ["Snapshots"]

SHOWN = 16
"""Samples of a grid."""


class Snapshots:
    """Takes the snapshots of a training.

    Parameters
    ----------
    trainee : Trainee
    state : State
    draws : Draws
    callbacks : sequence of Callback
    log : Log
    folder : Path
    seed : int
    steps, planned : int
        Steps and snapshots in all.
    """

    def __init__(
        self,
        trainee: Trainee,
        state: State,
        draws: Draws,
        callbacks: Sequence[Callback],
        log: Log,
        folder: Path,
        *,
        seed: int,
        steps: int,
        planned: int,
    ) -> None:
        self._trainee, self._state, self._draws = trainee, state, draws
        self._callbacks, self._log, self._folder = callbacks, log, folder
        self._seed, self._steps, self._planned = seed, steps, planned

    def __call__(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Take one; returns what the callbacks have logged. Where one ends the training, the state says so."""
        state = self._state
        torch.manual_seed(torch_seed(self._seed, Purpose.SNAPSHOT, state.step))
        values: dict[str, float] = {}
        suspect, stop = False, None
        with state.evaluating() as modules:
            moment = Moment(
                state.step, self._steps, self._planned, losses, self._trainee, modules, state.device, state.precision
            )
            # The same seeds at every snapshot, so that the same images are seen to emerge.
            images = self._draws(moment, range(SHOWN))
            picture = write_grid(self._folder / "samples" / f"step-{state.step:07d}.png", images)
            self._log.image("samples", picture, state.step)
            for callback in self._callbacks:
                reply = callback.on_snapshot(moment)
                values |= reply.values
                suspect = suspect or reply.suspect
                stop = stop or reply.stop
        if any(callback.guards for callback in self._callbacks) and not suspect:
            state.keep()
        if stop and not state.ended:
            state.ended, state.falls_back = stop, suspect
        return values
