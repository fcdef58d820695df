"""The machine of a training: Lightning Fabric with the devices and the precision of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from fourfold.devices import check_device
from fourfold.errors import InputError
from fourfold.generate.recipe import Run

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["PRECISIONS", "end_other_processes", "open_fabric"]

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


def open_fabric(run: Run) -> Fabric:
    """Fabric for a run, launched.

    With several devices it starts this program anew for each of the others; see `fourfold.generate.training.loop`.

    Raises
    ------
    InputError
        Where there is no such device, or it does not do this precision.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.precision import MixedPrecision, Precision

    class Autocast(MixedPrecision):
        """Mixed precision inside the network alone: noise levels and images enter as they are, in float32."""

        def convert_input(self, data: Any) -> Any:
            return data

        def convert_output(self, data: Any) -> Any:
            return data

    if run.precision not in PRECISIONS:
        raise InputError(f"there is no precision {run.precision!r}; there are: {', '.join(PRECISIONS)}")
    if run.devices < 1:
        raise InputError(f"devices is a whole number from 1 up, got {run.devices}")
    _check_device(run)
    plugin = Precision() if run.precision == "32-true" else Autocast(run.precision, run.device)
    with _without_advice():
        fabric = Fabric(
            accelerator=run.device,
            devices=run.devices,
            strategy="auto" if run.devices == 1 else "ddp",
            plugins=[plugin],
        )
        fabric.launch()
    return fabric


@contextmanager
def _without_advice() -> Iterator[None]:
    """Fabric tells how to shorten float32 on a GPU, in the midst of the command's own words."""
    log = logging.getLogger("lightning_fabric.utilities.rank_zero")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)


def end_other_processes() -> None:
    """After all training with several devices: return in the first process and end the others.

    Fabric runs the whole program in each; what follows, such as writing the model, is for one alone.

    Raises
    ------
    SystemExit
        In every process but the first, with code 0.
    """
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        first = distributed.get_rank() == 0
        distributed.destroy_process_group()
        if not first:
            raise SystemExit(0)


def _check_device(run: Run) -> None:
    check_device(run.device)
    there = {"cuda": torch.cuda.device_count(), "mps": 1}.get(run.device, run.devices)
    if there < run.devices:
        raise InputError(
            f"{run.devices} devices of the kind {run.device} are asked for and there are {there}; lower --devices"
        )
    if run.precision == "16-mixed" and run.device == "cpu":
        raise InputError("16-mixed needs a GPU; use --precision bf16-mixed or 32-true on a processor")
