"""The sentences for what can go wrong while a network is trained, each with the knob that helps."""

from __future__ import annotations

from pathlib import Path

from fourfold.errors import InputError

__all__ = ["MEMORY_REMEDY", "diverged"]

MEMORY_REMEDY = (
    "lower --batch, cut batches into more parts with --accumulate, choose smaller images with --size, "
    "or use --precision bf16-mixed"
)
"""What helps where memory does not suffice."""


def diverged(what: str, step: int, checkpoint: Path) -> InputError:
    """The sentence for a loss, a gradient or weights that are NaN or infinite.

    Parameters
    ----------
    what : str
        Which of them.
    step : int
        Counted from 1.
    checkpoint : Path
    """
    kept = (
        f"the checkpoint before it is kept in {checkpoint}: give the same command again with a lower "
        "--learning-rate, or with --precision 32-true, to go on from there"
        if checkpoint.exists()
        else "there was no checkpoint yet: begin again with a lower --learning-rate, with a --set warmup=N, "
        "or with --precision 32-true"
    )
    return InputError(f"training stopped at step {step}: {what} was not finite (NaN or infinity); {kept}")
