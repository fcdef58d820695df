"""One machine: one piece after the other in this process, or several in processes of their own.

Processes are spawned, never forked: forking after torch has started its threads may hang. Shared arrays lie in a
private temporary folder and are mapped into each process, so that a machine holds one copy of them however many
processes there are, and the system may drop pages that it can read again.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from fourfold.engine.engine import Engine, Shared
from fourfold.engine.order import Order
from fourfold.errors import FourfoldError, InputError

__all__ = ["LOCAL", "Held", "LocalEngine"]

P = TypeVar("P")
R = TypeVar("R")
DEATHS_BORNE = 3
"""How often the processes may die, in all, before a computation gives up: the piece itself kills them then."""


@dataclass(frozen=True)
class Held(Shared):
    """An array of this process.

    Parameters
    ----------
    array : array
        Read-only.
    """

    array: np.ndarray

    @classmethod
    def of(cls, array: np.ndarray) -> Held:
        """A read-only view of an array."""
        view = np.asarray(array).view()
        view.flags.writeable = False
        return cls(view)

    def get(self) -> np.ndarray:
        """The array itself."""
        return self.array


@dataclass(frozen=True)
class Mapped(Shared):
    """An array in a file.

    Parameters
    ----------
    file : Path
        As `numpy.save` writes it.
    """

    file: Path

    def get(self) -> np.ndarray:
        """The array, mapped into this process."""
        return np.load(self.file, mmap_mode="r", allow_pickle=False)


class LocalEngine(Engine):
    """The process itself, or several processes of this machine.

    Parameters
    ----------
    workers : int
        0 or 1: everything in this process. More: as many processes, each with one thread of the numerical libraries;
        they start with the first piece and last until the engine is closed.

    Raises
    ------
    InputError
        Where there is a negative number of workers.
    """

    name: ClassVar[str] = "local"

    def __init__(self, workers: int = 0) -> None:
        if workers < 0:
            raise InputError(f"the engine 'local' takes 0 or more workers, got {workers}")
        self._workers = max(workers, 1)
        self._pool: ProcessPoolExecutor | None = None
        self._folder: Path | None = None
        self._names = itertools.count()

    @property
    def workers(self) -> int:
        """How many pieces can be under way at once."""
        return self._workers

    @property
    def here(self) -> bool:
        """Whether all pieces run in this process."""
        return self._workers == 1

    def share(self, array: np.ndarray) -> Shared:
        """Hold the array, or write it where the processes can map it."""
        if self.here:
            return Held.of(array)
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="fourfold-"))
        file = self._folder / f"{next(self._names)}.npy"
        np.save(file, np.asarray(array), allow_pickle=False)
        return Mapped(file)

    def map(self, work: Callable[[P], R], pieces: Sequence[P]) -> Iterator[R]:
        """Yield ``work(piece)`` for each piece, in order."""
        return map(work, pieces) if self.here else self._in_processes(work, pieces)

    def close(self) -> None:
        """End the processes and remove what was shared."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _in_processes(self, work: Callable[[P], R], pieces: Sequence[P]) -> Iterator[R]:
        # Pickled here once, since every submission would pickle it anew.
        token, travelling = next(_TOKENS), pickle.dumps(work)

        def submit(piece: P) -> Future[R]:
            try:
                return self._processes().submit(_do, token, travelling, piece)
            except BrokenProcessPool as broken:
                # Whoever takes the result finds what the others that were under way meet as well.
                failed: Future[R] = Future()
                failed.set_exception(broken)
                return failed

        order, deaths = Order(submit, pieces, 2 * self.workers), 0
        try:
            for future in order.handles():
                try:
                    result = future.result()
                except BrokenProcessPool as broken:
                    deaths += 1
                    self._bury()
                    if deaths > DEATHS_BORNE:
                        raise FourfoldError(
                            f"the processes that do the work died {deaths} times, which is mostly for want of memory; "
                            "use fewer workers or smaller pieces"
                        ) from broken
                    order.again()
                    continue
                order.taken()
                yield result
        finally:
            for future in order.under_way():
                future.cancel()

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
            )
        return self._pool

    def _bury(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


LOCAL = LocalEngine()
"""Everything in this process."""

_TOKENS = itertools.count()
_latest: tuple[int, Any] = (-1, None)


def _begin() -> None:
    """Give each process one thread: as many processes as cores would otherwise fight over them."""
    from threadpoolctl import threadpool_limits

    # For what is imported later, such as torch, and for what is there already.
    os.environ["OMP_NUM_THREADS"] = "1"
    threadpool_limits(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Whoever was killed cannot end its processes, which would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(token: int, travelling: bytes, piece: Any) -> Any:
    """One piece; work that came with an earlier piece is kept, with whatever it has loaded."""
    global _latest
    if _latest[0] != token:
        _latest = (token, pickle.loads(travelling))  # noqa: S301 - written by the parent process, never read from a file
    return _latest[1](piece)
