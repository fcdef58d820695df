"""Networks that are trained in one thread of torch each, several of them side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["one_thread"]

_LOCK = threading.Lock()
_inside: list[int] = []
"""One entry for each training under way; the first is the number of threads before any of them."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch works in one thread meanwhile: sums in another order would give another network.

    The number of threads belongs to the whole process, so whatever else runs in it is slowed down too. Of several at
    once, in one thread of Python or in many, the last to leave, however that comes about, gives back what the first
    found.
    """
    with _LOCK:
        _inside.append(_inside[0] if _inside else torch.get_num_threads())
        # A new thread of Python begins with all of them.
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _LOCK:
            before = _inside.pop()
            if not _inside:
                torch.set_num_threads(before)
