"""One step: every phase's loss, gradient and optimiser, in parts where memory asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fourfold.generate.training.failures import diverged
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.streams import Purpose, torch_seed, torch_stream
from fourfold.generate.training.trainee import Batch, Trainee

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Stepper"]

MOST_SKIPPED = 50
"""16-bit gradients overflow now and then, and the scale is then halved; so often in a row, it is no accident."""


class Stepper:
    """Makes the steps of a training.

    Parameters
    ----------
    fabric : Fabric
    trainee : Trainee
        Its modules are on their device; with several devices they are wrapped here.
    schedule : Schedule
    seed : int
    checkpoint : Path
        For messages.
    """

    def __init__(self, fabric: Fabric, trainee: Trainee, schedule: Schedule, seed: int, checkpoint: Path) -> None:
        self._fabric, self._trainee, self._schedule = fabric, trainee, schedule
        self._seed, self._checkpoint = seed, checkpoint
        self._rates = {phase: [group["lr"] for group in one.param_groups] for phase, one in trainee.optimizers.items()}
        self._wrapped = []
        if fabric.world_size > 1:
            for name, module in trainee.modules.items():
                if any(parameter.requires_grad for parameter in module.parameters()):
                    trainee.modules[name] = fabric.setup_module(module)
                    self._wrapped.append(trainee.modules[name])
        self._optimizers = {phase: fabric.setup_optimizers(one) for phase, one in trainee.optimizers.items()}
        self._weights = [weight for module in trainee.modules.values() for weight in module.parameters()]
        self._skipped = 0

    def __call__(self, step: int, batch: Batch) -> dict[str, float]:
        """Make a step.

        Parameters
        ----------
        step : int
            Counted from 0.
        batch : Batch
            This process's share, on the device.

        Returns
        -------
        dict of str to float
            Loss and norm of the gradient, ``PHASE`` and ``PHASE/gradient``, and the first learning rate.

        Raises
        ------
        InputError
            Where a loss or a gradient is not finite; nothing was changed by it.
        """
        rank = self._fabric.global_rank
        torch.manual_seed(torch_seed(self._seed, Purpose.GLOBAL, step, rank))
        parts = _parts(batch, self._schedule.accumulate)
        found: dict[str, float] = {"learning_rate": self._warm_up(step)}
        for number, phase in enumerate(self._trainee.phases):
            generator = torch_stream(self._seed, Purpose.LOSS, step, number, rank)
            optimizer = self._optimizers[phase]
            with self._only(phase):
                loss = self._backward(phase, parts, batch, generator)
            norm = self._fabric.clip_gradients(
                next(iter(self._trainee.modules.values())),
                optimizer,
                max_norm=self._schedule.clip or float("inf"),
                error_if_nonfinite=False,
            )
            found[phase], found[f"{phase}/gradient"] = self._checked(step, phase, loss, norm)
            optimizer.step()
            self._clear()
        return found

    def _backward(self, phase: str, parts: list[Batch], batch: Batch, generator: torch.Generator) -> torch.Tensor:
        sum_of_losses = torch.zeros((), device=self._fabric.device)
        for part in parts:
            with ExitStack() as stack:
                for module in self._wrapped:
                    stack.enter_context(self._fabric.no_backward_sync(module, enabled=part is not parts[-1]))
                with self._fabric.autocast():
                    loss = self._trainee.loss(phase, part, generator)
                loss = loss.float() * (len(part) / len(batch) if len(parts) > 1 else 1.0)
                self._fabric.backward(loss)
                sum_of_losses = sum_of_losses + loss.detach()
        return sum_of_losses

    def _checked(self, step: int, phase: str, loss: torch.Tensor, norm: torch.Tensor) -> list[float]:
        # One transfer for both, since a GPU waits for it.
        pair = torch.stack([loss, norm.to(loss)])
        values = (self._fabric.all_reduce(pair) if self._fabric.world_size > 1 else pair).tolist()
        finite = [abs(value) < float("inf") for value in values]
        if not finite[0]:
            raise diverged(f"the loss of the phase {phase!r}", step + 1, self._checkpoint)
        if finite[1]:
            self._skipped = 0
        elif getattr(self._fabric.strategy.precision, "scaler", None) is None or self._skipped == MOST_SKIPPED:
            raise diverged(f"the gradient of the phase {phase!r}", step + 1, self._checkpoint)
        else:
            # The scaler leaves this step out by itself.
            self._skipped += 1
        return values

    def _warm_up(self, step: int) -> float:
        share = min(1.0, (step + 1) / max(1, self._schedule.warmup))
        for phase, rates in self._rates.items():
            for group, rate in zip(self._trainee.optimizers[phase].param_groups, rates, strict=True):
                group["lr"] = rate * share
        return next((rates[0] * share for rates in self._rates.values()), 0.0)

    def _clear(self) -> None:
        for weight in self._weights:
            weight.grad = None

    @contextmanager
    def _only(self, phase: str) -> Iterator[None]:
        """Spare the gradients of weights that other phases train."""
        if len(self._trainee.phases) == 1:
            yield
            return
        mine = {id(p) for group in self._trainee.optimizers[phase].param_groups for p in group["params"]}
        others = [
            p
            for one in self._trainee.optimizers.values()
            for group in one.param_groups
            for p in group["params"]
            if id(p) not in mine and p.requires_grad
        ]
        for parameter in others:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in others:
                parameter.requires_grad_(True)


def _parts(batch: Batch, count: int) -> list[Batch]:
    if count == 1:
        return [batch]
    edges = [len(batch) * number // count for number in range(count + 1)]
    return [batch.take(slice(low, high)) for low, high in pairwise(edges) if high > low]
