"""Where networks run, how exactly, and what a user can do where the memory there is not enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fourfold.errors import InputError

__all__ = ["check_device", "enough_memory", "whole_float32"]


def check_device(device: str) -> None:
    """Raise InputError where there is no such device on this machine."""
    try:
        kind = torch.device(device).type
    except (RuntimeError, ValueError) as error:
        raise InputError(f"there is no kind of device called {device!r}; choose cpu, cuda or mps") from error
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(kind, False):
        usable = ", ".join(name for name, usable in there.items() if usable)
        raise InputError(f"this machine has no device {device!r} that torch can use; it has: {usable}")
    number = torch.device(device).index
    if kind == "cuda" and number is not None and number >= torch.cuda.device_count():
        raise InputError(f"this machine has no device {device!r}; it has {torch.cuda.device_count()} of them, from 0")


@contextmanager
def whole_float32() -> Iterator[None]:
    """Multiply float32 as float32 on GPUs, where convolutions are shortened to ten bits unless one says otherwise.

    Features are kept and compared under one name wherever they were computed.
    """
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@contextmanager
def enough_memory(remedy: str) -> Iterator[None]:
    """Turn every way of running out of memory into an InputError that names the knob.

    Parameters
    ----------
    remedy : str
        A clause such as ``"use a smaller --batch"``.

    Raises
    ------
    InputError
        Where the memory of the machine or of its accelerator ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # Torch's allocator for the processor has no exception of its own, only words.
        said = str(error).lower()
        if isinstance(error, RuntimeError) and "out of memory" not in said and "defaultcpuallocator" not in said:
            raise
        raise InputError(f"there is not enough memory; {remedy}") from error
