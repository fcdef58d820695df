"""Results in the order of the pieces, with a bounded number of them under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar

__all__ = ["Order"]

P = TypeVar("P")
H = TypeVar("H")


class Order(Generic[P, H]):
    """What is under way: the pieces whose results have not been taken, oldest first.

    Parameters
    ----------
    submit : callable
        Starts a piece and returns a handle of it.
    pieces : sequence
    limit : int
        How many pieces may be under way or wait to be taken.
    """

    def __init__(self, submit: Callable[[P], H], pieces: Sequence[P], limit: int) -> None:
        self._submit, self._limit = submit, limit
        self._remaining = iter(pieces)
        self._pending: deque[tuple[P, H]] = deque()

    def handles(self) -> Iterator[H]:
        """The oldest handle, again and again until `taken` is called for it, until nothing is left."""
        self._fill()
        while self._pending:
            yield self._pending[0][1]

    def taken(self) -> None:
        """The result of the oldest piece has been taken; starts the next one."""
        self._pending.popleft()
        self._fill()

    def again(self) -> None:
        """Start everything that is under way once more: the workers are gone."""
        pieces = [piece for piece, _ in self._pending]
        self._pending.clear()
        for piece in pieces:
            self._pending.append((piece, self._submit(piece)))

    def under_way(self) -> list[H]:
        """Handles of all pieces whose results have not been taken."""
        return [handle for _, handle in self._pending]

    def _fill(self) -> None:
        for piece in islice(self._remaining, self._limit - len(self._pending)):
            self._pending.append((piece, self._submit(piece)))
