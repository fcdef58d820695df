"""Work on rows of an image set in several processes, in order, with a bounded number of results waiting.

Processes are spawned, never forked: forking after torch has started its threads may hang. The set travels to each
process once; an error in a process arrives as it was raised there.
"""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

__all__ = ["in_order"]

_work: Callable[[Any], Any] | None = None


def in_order(
    work: Callable[[Any], Any], tasks: Iterable[Any], workers: int, waiting: int | None = None
) -> Iterator[Any]:
    """Yield ``work(task)`` for each task, in the order of the tasks.

    Parameters
    ----------
    work : callable
        Picklable: a bound method or a partial of a picklable object.
    tasks : iterable
    workers : int
        0 works in this process.
    waiting : int or None
        How many results may wait; twice the workers by default.
    """
    if workers <= 0:
        yield from map(work, tasks)
        return
    remaining = iter(tasks)
    pending: deque[Future] = deque()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(work,)) as pool:
        try:
            for task in itertools.islice(remaining, waiting or 2 * workers):
                pending.append(pool.submit(_do, task))
            while pending:
                result = pending.popleft().result()
                for task in itertools.islice(remaining, 1):
                    pending.append(pool.submit(_do, task))
                yield result
        finally:
            for future in pending:
                future.cancel()


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work


def _do(task: Any) -> Any:
    return _work(task)
