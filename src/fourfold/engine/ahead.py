"""The next items made while the present one is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["ahead"]

T = TypeVar("T")
_END = object()
# A thread that waits looks this often whether anybody still wants its items.
_SECONDS = 0.1


def ahead(items: Iterable[T], waiting: int = 2) -> Iterator[T]:
    """The same items in the same order, made by a thread that runs ahead.

    Decoding and matrix products both leave Python's lock while they work, so that one thread for the former keeps a
    network busy.

    Parameters
    ----------
    items : iterable
    waiting : int
        How many items may wait to be taken; one more is being made meanwhile.

    Yields
    ------
    item
        What making them raises is raised here, in its turn.
    """
    ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(waiting)
    unwanted = threading.Event()

    def put(item: Any, error: BaseException | None = None) -> None:
        while not unwanted.is_set():
            with suppress(queue.Full):
                ready.put((item, error), timeout=_SECONDS)
                return

    def make() -> None:
        source = iter(items)
        try:
            for item in source:
                put(item)
                if unwanted.is_set():
                    break
            put(_END)
        except BaseException as error:
            put(_END, error)
        finally:
            # Closed by the thread that ran it, so that processes behind it end too.
            if hasattr(source, "close"):
                source.close()

    thread = threading.Thread(target=make, name="fourfold-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        unwanted.set()
        thread.join()
