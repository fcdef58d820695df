"""Several processes that all run the same program, as ``torchrun`` starts them, a GPU each.

Of any pieces, process r of n does r, r + n, r + 2n and so on, and the results are exchanged, so that every process
goes on with all of them and the program stays the same in each. One process leads: it alone reads and writes stores
and reports. What is exchanged are objects of the processes of one run, by way of gloo on the machines' own network.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

import numpy as np

from fourfold.engine.engine import Engine, Shared
from fourfold.engine.local import Held
from fourfold.engine.outcome import Outcome
from fourfold.errors import InputError

__all__ = ["TorchrunEngine"]

P = TypeVar("P")
R = TypeVar("R")
# One process may decode, or search on its own, for hours while the others wait for it.
_PATIENCE = timedelta(days=1)


class TorchrunEngine(Engine):
    """The processes of ``torchrun --nproc-per-node N``.

    A process group that exists, for example that of a training run, is used and left alone; else one is made from
    the environment that ``torchrun`` sets and ended with the engine.

    Raises
    ------
    InputError
        Where there is neither a process group nor such an environment.
    """

    name: ClassVar[str] = "torchrun"

    def __init__(self) -> None:
        from torch import distributed

        if not distributed.is_available():
            raise InputError("this build of torch has no torch.distributed; use the engine local or ray")
        self._owned = not distributed.is_initialized()
        if self._owned:
            if not {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
                raise InputError(
                    "the engine 'torchrun' needs the processes of torchrun; "
                    "start the command as: torchrun --nproc-per-node N --no-python fourfold ..."
                )
            distributed.init_process_group("gloo", timeout=_PATIENCE)
        self._distributed = distributed
        # Objects are exchanged in the memory of the processors, whatever a group that exists uses for its tensors.
        self._group = distributed.new_group(backend="gloo", timeout=_PATIENCE)
        self._rank, self._world = distributed.get_rank(), distributed.get_world_size()

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return self._world

    @property
    def leads(self) -> bool:
        """Whether this is process 0."""
        return self._rank == 0

    def share(self, array: np.ndarray) -> Shared:
        """Hold the array: every process runs the same program and has it."""
        return Held.of(array)

    def map(self, work: Callable[[P], R], pieces: Sequence[P]) -> Iterator[R]:
        """Yield ``work(piece)`` for each piece, in order, in every process."""
        for start in range(0, len(pieces), self._world):
            own = start + self._rank
            outcome = Outcome.of(lambda own=own: work(pieces[own])) if own < len(pieces) else Outcome()
            everyone: list[Any] = [None] * self._world
            self._distributed.all_gather_object(everyone, outcome, group=self._group)
            # All look at all outcomes first: a process that went on alone would wait for the others for ever.
            yield from [outcome.get() for outcome in everyone[: len(pieces) - start]]

    def once(self, work: Callable[[], R]) -> R:
        """``work()``, done by process 0 and sent to all."""
        outcome = [Outcome.of(work) if self.leads else None]
        self._distributed.broadcast_object_list(outcome, src=0, group=self._group)
        return outcome[0].get()

    def device(self, asked: str) -> str:
        """The GPU of this process, where ``"cuda"`` was asked for."""
        return f"cuda:{os.environ.get('LOCAL_RANK', self._rank)}" if asked == "cuda" else asked

    def close(self) -> None:
        """End the process group, where the engine made it."""
        if self._owned and self._distributed.is_initialized():
            self._distributed.destroy_process_group()
