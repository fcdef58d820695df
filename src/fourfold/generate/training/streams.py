"""Random streams by purpose, step and process: what a step draws depends on where it stands, never on what ran before.

That is what makes a resumed training the uninterrupted one without saving the state of any random generator.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch

__all__ = ["Purpose", "numpy_stream", "own_randomness", "torch_seed", "torch_stream"]


class Purpose(IntEnum):
    """What numbers are drawn for; a new purpose goes to the end, so that the others' streams stay."""

    ROWS = 0
    LOSS = 1
    GLOBAL = 2
    DROPOUT = 3
    AUGMENTATION = 4
    SNAPSHOT = 5
    WATCH = 6


def numpy_stream(seed: int, purpose: Purpose, *places: int) -> np.random.Generator:
    """A NumPy generator for a purpose at a place (step, phase, process...)."""
    return np.random.default_rng([seed, purpose, *places])


def torch_stream(seed: int, purpose: Purpose, *places: int) -> torch.Generator:
    """The same as a generator of torch, on the CPU."""
    return torch.Generator().manual_seed(torch_seed(seed, purpose, *places))


def torch_seed(seed: int, purpose: Purpose, *places: int) -> int:
    """A seed for torch's generators."""
    word = np.random.SeedSequence([seed, purpose, *places]).generate_state(1, np.uint64)[0]
    # torch takes signed seeds.
    return int(word >> np.uint64(1))


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Leave torch's global generators as they were found."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
