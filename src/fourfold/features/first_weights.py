"""First weights of networks that are trained on the spot: of a seed, and of nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["drawn_from"]

_LOCK = threading.Lock()


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Layers that are built meanwhile draw their weights from `seed`; torch's own generator is left as it was."""
    with _LOCK, torch.random.fork_rng(devices=[]):
        # Layers know no other generator than the global one of the processor.
        torch.default_generator.manual_seed(seed)
        yield
