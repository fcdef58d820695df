"""One training loop for every network, on Lightning Fabric.

Fabric rather than Accelerate: it brings devices, precision and gradient synchronisation and leaves the loop to us; it
weighs 15 MB with its needs where Accelerate weighs 32, wants no configuration file, and is what users of Lightning and
of MONAI already know.

What a step does follows from the seed, the step's number, the phase and the process alone: rows, noise, augmentation
and what networks draw inside. So a training that was killed goes on from its last checkpoint as if nothing had
happened, as long as whatever a trainee remembers lies in its modules (as buffers) and in its optimisers.

With several devices Fabric starts the program anew for each of the others, and `fit` returns in all of them; whoever
writes files afterwards calls `fourfold.generate.training.devices.end_other_processes` first.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn

from fourfold.devices import enough_memory
from fourfold.errors import InputError
from fourfold.generate.recipe import Run
from fourfold.generate.training.batches import Dealer, Dealing, batches, on_device
from fourfold.generate.training.callback import Callback
from fourfold.generate.training.devices import open_fabric
from fourfold.generate.training.draws import Draws
from fourfold.generate.training.failures import MEMORY_REMEDY
from fourfold.generate.training.fingerprint import fingerprint
from fourfold.generate.training.interruption import Interruption
from fourfold.generate.training.logs import Log, last_losses
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.snapshots import Snapshots
from fourfold.generate.training.state import State
from fourfold.generate.training.steps import Stepper
from fourfold.generate.training.streams import own_randomness
from fourfold.generate.training.trainee import Trainee
from fourfold.generate.training.watch import MemorisationWatch
from fourfold.generate.training_set import TrainingSet

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Outcome", "Schedule", "fit"]

SNAPSHOTS = 10
"""Snapshots of a training whose run leaves it to the recipe."""

CHECKPOINT_SECONDS = 300.0
"""No more work than this is lost to a power cut, however rare snapshots are."""


@dataclass(frozen=True)
class Outcome:
    """What a training gave.

    Parameters
    ----------
    modules : mapping of str to nn.Module
        Averaged where averaged, else as trained; in eval mode, on the CPU.
    record : dict
        As JSON can hold it: ``steps``, ``step`` (that the modules are of), ``seconds``, ``images`` (seen, with
        repeats), ``losses`` (means of the last hundred steps, by phase), ``ended`` (why), ``resumed`` (steps at which
        it was taken up again), ``devices``, ``precision``, ``warnings``, and an entry a callback under its name.
    """

    modules: Mapping[str, nn.Module]
    record: dict[str, Any] = field(default_factory=dict)


def fit(
    trainee: Trainee,
    data: TrainingSet,
    schedule: Schedule,
    run: Run,
    callbacks: Sequence[Callback] = (),
    *,
    dealer: Dealing | None = None,
) -> Outcome:
    """Train, or go on with the training whose checkpoint lies in the run's folder.

    Parameters
    ----------
    trainee : Trainee
        Built anew from its recipe's options, on the CPU.
    data : TrainingSet
    schedule : Schedule
    run : Run
        In its folder are written ``log.csv``, ``checkpoint.safetensors``, ``samples/``, and ``tensorboard/`` where
        ``tensorboardX`` is installed.
    callbacks : sequence of Callback
        Beside the watch on memorisation, which is there whenever there is a holdout.
    dealer : Dealing or None
        Which rows a step uses, in place of what the schedule's `balance` says.

    Raises
    ------
    InputError
        Where the checkpoint is damaged or of another training, a loss is no number, or memory or disk are full.
    KeyboardInterrupt
        After Ctrl-C, once a checkpoint is written.

    References
    ----------
    Lightning Fabric: https://lightning.ai/docs/fabric
    """
    with enough_memory(MEMORY_REMEDY):
        fabric = open_fabric(run)
        with own_randomness(fabric.device):
            return _Training(fabric, trainee, data, schedule, run, callbacks, dealer).go()


class _Training:
    def __init__(
        self,
        fabric: Fabric,
        trainee: Trainee,
        data: TrainingSet,
        schedule: Schedule,
        run: Run,
        callbacks: Sequence[Callback],
        dealer: Dealing | None,
    ) -> None:
        if run.seed < 0:
            raise InputError(f"the seed is a whole number from 0 up, got {run.seed}")
        if schedule.batch < fabric.world_size * schedule.accumulate:
            raise InputError(
                f"a batch of {schedule.batch} does not suffice for {fabric.world_size} devices and accumulate = "
                f"{schedule.accumulate}; raise --batch"
            )
        self.fabric, self.trainee, self.data, self.schedule, self.run = fabric, trainee, data, schedule, run
        # Of the images of a step as many are drawn at once as are trained on at once.
        self.at_once = -(-schedule.batch // (fabric.world_size * schedule.accumulate))
        self.callbacks = (*callbacks, *self._watch())
        identity = fingerprint(trainee, data, schedule, run)
        self.state = State(fabric, trainee, schedule, self.callbacks, run.folder, identity)
        self.dealer = dealer or Dealer(data.patients, data.labels, schedule.balance, run.seed)
        self.every = run.snapshots or math.ceil(schedule.steps / SNAPSHOTS)

    def _watch(self) -> list[Callback]:
        run, watch = self.run, None
        if self.data.holdout is not None:
            watch = MemorisationWatch(self.data, run.seed, stops=run.stop_at_onset, batch=self.at_once)
        reason = "there is no holdout; name one with --holdout" if watch is None else watch.reason
        if run.stop_at_onset and reason:
            raise InputError(f"training cannot be stopped at the onset of memorisation: {reason}")
        return [] if watch is None else [watch]

    def go(self) -> Outcome:
        state = self.state
        state.resume()
        log = Log(self.run.folder, state.step) if self.fabric.is_global_zero else None
        try:
            ended = self._ending(None)
            if ended is None:
                with Interruption() as interruption:
                    ended = self._steps(log, interruption)
                # Ctrl-C reaches processes at different steps; the first one's word counts.
                if self.fabric.broadcast(interruption.asked):
                    raise KeyboardInterrupt
            return self._outcome(ended)
        finally:
            # A trainee goes back as it came, without the wrappers for several devices.
            self.trainee.modules.update(state.modules)
            if log is not None:
                log.close()

    def _steps(self, log: Log | None, interruption: Interruption) -> str:
        state, schedule = self.state, self.schedule
        stepper = Stepper(self.fabric, self.trainee, schedule, self.run.seed, state.path)
        snapshot = self._snapshots(log)
        share = (schedule.batch, self.fabric.global_rank, self.fabric.world_size)
        feed = batches(
            self.data, self.dealer, range(state.step, schedule.steps), share,
            seed=self.run.seed, dropout=schedule.dropout, probability=schedule.augment,
        )  # fmt: skip
        begun, saved = time.monotonic() - state.seconds, time.monotonic()
        with closing(feed):
            for batch in feed:
                found = stepper(state.step, on_device(batch, self.fabric.device))
                state.step += 1
                state.averages.update(state.step)
                state.seconds = time.monotonic() - begun
                row = {"step": state.step, "seconds": round(state.seconds, 3), "images": state.step * share[0]}
                row |= {**found, **self.trainee.after_step(state.step)}
                ended = self._ending(found)
                due = state.step % self.every == 0 or ended is not None
                if due and snapshot is not None:
                    row |= snapshot(found)
                    ended = ended or state.ended
                ended = ended or ("interrupted" if interruption.asked else None)
                if self.fabric.world_size > 1:
                    ended, state.ended, state.falls_back = self.fabric.broadcast((ended, state.ended, state.falls_back))
                if log is not None:
                    log.write(row)
                    if due or ended or time.monotonic() - saved > CHECKPOINT_SECONDS:
                        log.flush()
                        state.save()
                        saved = time.monotonic()
                    self.run.progress("training", state.step, schedule.steps)
                if ended:
                    return ended
        raise RuntimeError("the last step ends a training")

    def _ending(self, found: Mapping[str, float] | None) -> str | None:
        """Why the training ends after this step, None where it goes on."""
        state = self.state
        if found is not None:
            for callback in self.callbacks:
                state.ended = state.ended or callback.on_step(state.step, found)
        if state.ended:
            return state.ended
        if state.step >= self.schedule.steps:
            return "steps"
        if self.run.minutes is not None and state.seconds >= 60 * self.run.minutes:
            return "minutes"
        return None

    def _snapshots(self, log: Log | None) -> Snapshots | None:
        if log is None:
            return None
        draws = Draws(self.data, [self.data.conditions], self.at_once)
        steps = self.schedule.steps
        return Snapshots(
            self.trainee, self.state, draws, self.callbacks, log, self.run.folder,
            seed=self.run.seed, steps=steps, planned=-(-steps // self.every),
        )  # fmt: skip

    def _outcome(self, ended: str) -> Outcome:
        state = self.state
        self.fabric.barrier()
        modules, step = state.outcome()
        record = {
            "steps": state.step,
            "step": step,
            "seconds": round(state.seconds, 3),
            "images": state.step * self.schedule.batch,
            "losses": last_losses(self.run.folder, self.trainee.phases),
            "ended": ended,
            "resumed": state.resumed,
            "devices": f"{self.run.devices} x {self.run.device}",
            "precision": self.run.precision,
            "warnings": state.notes,
        }
        return Outcome(modules, record | {callback.name: callback.record() for callback in self.callbacks})
