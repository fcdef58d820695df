"""What an engine is: the place where the pieces of a long computation run.

A computation that is to run anywhere cuts itself into pieces, names the arrays that all of them need, and takes the
results in the order of the pieces. It never learns whether one process, several GPUs or a cluster did the work: the
results are the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import ClassVar, TypeVar

import numpy as np

__all__ = ["Engine", "Shared"]

P = TypeVar("P")
R = TypeVar("R")


class Shared(ABC):
    """An array that every worker of an engine can have; small, so that it travels with each piece."""

    @abstractmethod
    def get(self) -> np.ndarray:
        """The array itself, read-only: a view or a mapping of one copy a machine."""


class Engine(ABC):
    """Where pieces of work run.

    An engine is also a context: it is closed when the context ends.

    Attributes
    ----------
    name : str
        As the command line calls it: ``"local"``, ``"torchrun"`` or ``"ray"``.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many pieces can be under way at once; 1 or more."""

    @property
    def here(self) -> bool:
        """Whether all pieces run in this process, one after the other, so that nothing travels."""
        return False

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes reports; False for all but one of several."""
        return True

    @abstractmethod
    def share(self, array: np.ndarray) -> Shared:
        """Make an array known to all workers, once.

        Parameters
        ----------
        array : array of any shape
            Must not change afterwards.

        Returns
        -------
        Shared
            To be put into `work` or a piece; valid until `close`, or until nothing refers to it any more.
        """

    @abstractmethod
    def map(self, work: Callable[[P], R], pieces: Sequence[P]) -> Iterator[R]:
        """Yield ``work(piece)`` for each piece, in the order of the pieces.

        A bounded number of pieces is under way or waits to be taken, ``2 * workers`` at most. A piece whose worker
        dies is done again, so that `work` should depend on its piece only. What `work` raises is raised here.

        Parameters
        ----------
        work : callable
            Picklable unless `here`: a function of a module, or an instance of a class of a module.
        pieces : sequence
            Picklable unless `here`. Where several processes run the same program, the same in each.

        Raises
        ------
        FourfoldError
            Where workers die again and again.
        """

    def stream(
        self, make: Callable[[], Callable[[P], R]], pieces: Sequence[P], accelerated: bool = False
    ) -> Iterator[tuple[int, R]]:
        """As `map`, for work that needs something large, such as a network, which each worker makes or loads once.

        Parameters
        ----------
        make : callable
            Gives the work; picklable unless `here`.
        pieces : sequence
        accelerated : bool
            Whether each worker needs a GPU of its own, where the engine assigns them.

        Yields
        ------
        (int, result)
            The place of the piece, in no promised order, and the result.
        """
        yield from enumerate(self.map(_Made(make), pieces))

    def once(self, work: Callable[[], R]) -> R:
        """``work()``, done by the process that `leads` alone and known to all of them, with what it raises."""
        return work()

    def device(self, asked: str) -> str:
        """Which device this process or its workers use, where the user asked for one, for example ``"cuda"``."""
        return asked

    @abstractmethod
    def close(self) -> None:
        """Give back what the engine holds; an engine that has been closed is not used again."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Made:
    """Work that is made where it first runs, and kept there for the pieces that follow."""

    def __init__(self, make: Callable[[], Callable[[P], R]]) -> None:
        self._make = make
        self._work: Callable[[P], R] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {"_make": self._make, "_work": None}

    def __call__(self, piece: P) -> R:
        if self._work is None:
            self._work = self._make()
        return self._work(piece)
