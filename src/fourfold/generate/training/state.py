"""Where a training stands, and its way to the disk and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fourfold.errors import InputError
from fourfold.generate.training.averaging import PowerAverages
from fourfold.generate.training.callback import Callback
from fourfold.generate.training.checkpoint import (
    optimizer_arrays,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)
from fourfold.generate.training.failures import diverged
from fourfold.generate.training.fingerprint import changed, check_same
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.trainee import Trainee

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["State"]


class State:
    """Everything that a checkpoint holds.

    Parameters
    ----------
    fabric : Fabric
    trainee : Trainee
        Its modules are moved to the device.
    schedule : Schedule
    callbacks : sequence of Callback
    folder : Path
    identity : mapping
        The `fingerprint`.

    Attributes
    ----------
    path, kept : Path
        The checkpoint, and the snapshot to fall back on.
    step : int
        Steps that are done.
    seconds : float
        Of training, over all starts.
    ended : str or None
        Why a callback ended the training.
    falls_back : bool
        Whether the outcome is the snapshot that was kept, not what was trained last.
    resumed : list of int
        Steps at which it was taken up again.
    notes : list of str
        Warnings for the record.
    """

    def __init__(
        self,
        fabric: Fabric,
        trainee: Trainee,
        schedule: Schedule,
        callbacks: Sequence[Callback],
        folder: Path,
        identity: Mapping[str, Any],
    ) -> None:
        self._fabric, self._trainee, self._schedule = fabric, trainee, schedule
        self._callbacks, self._identity = callbacks, dict(identity)
        self.device = fabric.device
        self.precision = fabric.autocast
        self.path = folder / "checkpoint.safetensors"
        self.kept = folder / "before-onset.safetensors"
        # Wrapped forms come and go; these are the modules themselves.
        self.modules: dict[str, nn.Module] = dict(trainee.modules)
        for module in self.modules.values():
            module.to(fabric.device)
        self.averages = PowerAverages(
            {name: self.modules[name] for name in trainee.averaged}, schedule.average if trainee.averaged else ()
        )
        self.step, self.seconds = 0, 0.0
        self.ended: str | None = None
        self.falls_back = False
        self.resumed: list[int] = []
        self.notes: list[str] = []

    def resume(self) -> None:
        """Take up the checkpoint of the folder, where there is one.

        Raises
        ------
        InputError
            Where it is damaged, or of another training.
        """
        if not self.path.exists():
            # What an earlier training kept is no state of this one.
            self.kept.unlink(missing_ok=True)
            return
        arrays, state = read_checkpoint(self.path)
        check_same(self.path, state["identity"], self._identity)
        if state["step"] > self._schedule.steps:
            raise InputError(
                f"{self.path}: has {state['step']} steps already and {self._schedule.steps} are asked for; "
                f"ask for {state['step']} or more, or give another folder to train anew"
            )
        self.step, self.seconds, self.ended = state["step"], state["seconds"], state["ended"]
        self.falls_back = state["falls_back"]
        self.notes = [*state["notes"], *(f"at step {self.step} {one}" for one in self._changes(state["identity"]))]
        self.resumed = [*state["resumed"], self.step]
        for callback in self._callbacks:
            callback.restore(state["callbacks"].get(callback.name, {}))
        if state["precision"]:
            self._fabric.strategy.precision.load_state_dict(state["precision"])
        for name, module in self.modules.items():
            module.load_state_dict(_under(arrays, f"module/{name}/"))
        self.averages.restore(_under(arrays, "average/"))
        for phase, optimizer in self._trainee.optimizers.items():
            restore_optimizer(optimizer, _under(arrays, f"optimizer/{phase}/"))

    def save(self) -> None:
        """Write the checkpoint.

        Raises
        ------
        InputError
            Where weights are not finite, or it cannot be written; the earlier one is then kept.
        """
        arrays = {f"module/{name}/{key}": value for name, key, value in _entries(self.modules)}
        self._check_finite(arrays)
        arrays |= {f"average/{key}": value for key, value in self.averages.arrays().items()}
        for phase, optimizer in self._trainee.optimizers.items():
            arrays |= {f"optimizer/{phase}/{key}": value for key, value in optimizer_arrays(optimizer).items()}
        write_checkpoint(
            self.path,
            arrays,
            {
                "identity": self._identity,
                "step": self.step,
                "seconds": self.seconds,
                "ended": self.ended,
                "falls_back": self.falls_back,
                "resumed": self.resumed,
                "notes": self.notes,
                "callbacks": {callback.name: callback.state() for callback in self._callbacks},
                "precision": self._fabric.strategy.precision.state_dict(),
            },
        )

    def keep(self) -> None:
        """Keep what would be the outcome now, to fall back on."""
        write_checkpoint(
            self.kept,
            {f"{name}/{key}": value for name, key, value in _entries(self.current())},
            {"step": self.step},
        )

    def current(self) -> dict[str, nn.Module]:
        """The modules that would be the outcome now: averaged where averaged, else as trained."""
        return {**self.modules, **self.averages.modules()}

    def outcome(self) -> tuple[dict[str, nn.Module], int]:
        """The modules of the outcome, in eval mode on the CPU, and the step that they are of.

        Raises
        ------
        InputError
            Where it is a snapshot that was to be kept, and there was none.
        """
        modules, step = self.current(), self.step
        if self.falls_back:
            if not self.kept.exists():
                raise InputError(
                    f"training ended at step {self.step} ({self.ended}), and no snapshot was taken before that; "
                    "take them oftener, with a lower --snapshots"
                )
            arrays, state = read_checkpoint(self.kept)
            step = state["step"]
            for name, module in modules.items():
                module.load_state_dict(_under(arrays, f"{name}/"))
        return {name: module.to("cpu").eval() for name, module in modules.items()}, step

    @contextmanager
    def evaluating(self) -> Iterator[dict[str, nn.Module]]:
        """`current`, in eval mode."""
        modes = [(part, part.training) for module in self.modules.values() for part in module.modules()]
        for module in self.modules.values():
            module.eval()
        try:
            yield self.current()
        finally:
            for part, mode in modes:
                part.training = mode

    def _changes(self, written: Mapping[str, Any]) -> list[str]:
        return changed(written, self._identity)

    def _check_finite(self, arrays: Mapping[str, Tensor]) -> None:
        floating = [value for value in arrays.values() if value.is_floating_point()]
        if floating and not torch.stack([value.isfinite().all() for value in floating]).all():
            raise diverged("some weight", self.step, self.path)


def _entries(modules: Mapping[str, nn.Module]) -> Iterator[tuple[str, str, Tensor]]:
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            yield name, key, value


def _under(arrays: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
