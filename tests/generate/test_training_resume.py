"""A training that ends before its time, by whatever cause, goes on as if it had not.

Run as a program, this file is the training that the tests kill.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fourfold
from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning
from fourfold.generate.recipe import Run
from fourfold.generate.training import Batch, Callback, Outcome, Schedule, Trainee, checkpoint, fit
from fourfold.generate.training_set import TrainingSet

SCHEDULE = Schedule(
    steps=30, batch=8, accumulate=2, balance="class", augment=0.3, average=(0.1, 0.2), dropout=0.2, warmup=5
)
SNAPSHOTS = 4


class Denoising(Trainee):
    """Everything that could make a resumed training another: buffers, dropout, noise, two phases, momentum."""

    phases = ("first", "second")
    averaged = ("net",)

    def __init__(self, rate: float = 3e-3) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            net = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Dropout(0.2), nn.Conv2d(6, 1, 1))
            self.modules = {"net": net, "head": nn.Linear(3, 1), "memory": Memory()}
        self.optimizers = {
            "first": torch.optim.AdamW(net.parameters(), rate, amsgrad=True),
            "second": torch.optim.SGD(self.modules["head"].parameters(), rate, momentum=0.9),
        }

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        if phase == "second":
            return (self.modules["head"](batch.condition.vector) - batch.images.mean()).square().mean()
        noise = torch.randn(batch.images.shape, generator=generator)
        return (self.modules["net"](batch.images + noise) - batch.images).square().mean()

    def describe(self) -> dict[str, float]:
        return {"noise": 1.0}

    def after_step(self, step: int) -> Mapping[str, float]:
        return {"steps_remembered": self.modules["memory"].count()}

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        return torch.rand(len(seeds), 1, 16, 16)


class Memory(nn.Module):
    """A trainee's own memory, as a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def count(self) -> float:
        self.steps += 1
        return float(self.steps)


def training_set() -> TrainingSet:
    images = fourfold.phantoms("chest", 10, size=16).to_image_set("training")
    images = fourfold.images.prepare({"training": images})["training"]
    patients = np.unique(images.patients, return_inverse=True)[1]
    conditioning = Conditioning.fit(("class",), images, patients)
    return TrainingSet(images, conditioning, conditioning.read(images), patients)


def train_until_killed(folder: Path, writing: bool) -> None:
    """Train; where `writing`, die by one's own hand within the third checkpoint, else say each step aloud."""
    syncs = []

    def dying(handle: int) -> None:
        if (folder / ".checkpoint.safetensors.part").exists():
            syncs.append(handle)
        if writing and len(syncs) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    def progress(task: str, done: int, total: int) -> None:
        if not writing:
            print(os.getpid(), done, flush=True)
            time.sleep(0.05)

    checkpoint.os.fsync = dying
    fit(Denoising(), training_set(), SCHEDULE, Run(folder, snapshots=SNAPSHOTS, progress=progress))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def same_course(folder: Path, other: Path) -> None:
    ours, theirs = rows(folder), rows(other)
    assert [int(row["step"]) for row in ours] == list(range(1, len(theirs) + 1))
    for mine, yours in zip(ours, theirs, strict=True):
        assert mine.keys() == yours.keys()
        for name in mine.keys() - {"seconds"}:
            assert float(mine[name]) == pytest.approx(float(yours[name]), abs=1e-6), (mine["step"], name)


def same_weights(one: Outcome, other: Outcome) -> None:
    for name, module in one.modules.items():
        for key, value in module.state_dict().items():
            assert torch.allclose(value, other.modules[name].state_dict()[key], atol=1e-6, rtol=0), (name, key)


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    return training_set()


@pytest.fixture(scope="module")
def uninterrupted(data: TrainingSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("uninterrupted")
    torch.set_num_threads(1)
    return fit(Denoising(), data, SCHEDULE, Run(folder, snapshots=SNAPSHOTS)), folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of two trainings that ended by SIGKILL: between checkpoints, and within one."""
    folders = {how: tmp_path_factory.mktemp(how) for how in ("training", "writing")}
    command = [sys.executable, "-W", "ignore", __file__, *map(str, folders.values())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        for line in running.stdout:
            number, _, step = line.partition(" ")
            if step.strip() == "10":
                os.kill(int(number), signal.SIGKILL)
    assert running.returncode == 0, "both trainings were to be killed"
    return folders


@pytest.mark.parametrize("how", ["training", "writing"])
def test_after_kill_9_a_training_goes_on_as_if_nothing_had_happened(
    how: str, killed: dict[str, Path], uninterrupted: tuple[Outcome, Path], data: TrainingSet
) -> None:
    folder = killed[how]
    assert rows(folder)[-1]["step"] != str(SCHEDULE.steps)
    outcome = fit(Denoising(), data, SCHEDULE, Run(folder, snapshots=SNAPSHOTS))
    assert outcome.record["resumed"] == [8]
    assert outcome.record["steps"] == SCHEDULE.steps
    same_course(folder, uninterrupted[1])
    same_weights(outcome, uninterrupted[0])
    assert outcome.record["losses"] == pytest.approx(uninterrupted[0].record["losses"], abs=1e-6)


class ControlC(Callback):
    """Presses Ctrl-C."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, step: int, losses: Mapping[str, float]) -> None:
        if step == self.step:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_writes_a_checkpoint_and_is_passed_on(
    uninterrupted: tuple[Outcome, Path], data: TrainingSet, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(Denoising(), data, SCHEDULE, Run(tmp_path, snapshots=SNAPSHOTS), [ControlC(11)])
    assert signal.getsignal(signal.SIGINT) == before
    assert rows(tmp_path)[-1]["step"] == "11"
    outcome = fit(Denoising(), data, SCHEDULE, Run(tmp_path, snapshots=SNAPSHOTS))
    assert outcome.record["resumed"] == [11]
    same_course(tmp_path, uninterrupted[1])
    same_weights(outcome, uninterrupted[0])


def test_more_steps_can_be_asked_for_afterwards(
    uninterrupted: tuple[Outcome, Path], data: TrainingSet, tmp_path: Path
) -> None:
    fit(Denoising(), data, replace(SCHEDULE, steps=13), Run(tmp_path))
    outcome = fit(Denoising(), data, SCHEDULE, Run(tmp_path))
    same_course(tmp_path, uninterrupted[1])
    same_weights(outcome, uninterrupted[0])


def test_a_finished_training_gives_its_outcome_again_without_a_step(
    uninterrupted: tuple[Outcome, Path], data: TrainingSet
) -> None:
    outcome = fit(Denoising(), data, SCHEDULE, Run(uninterrupted[1], snapshots=SNAPSHOTS))
    same_weights(outcome, uninterrupted[0])
    assert len(rows(uninterrupted[1])) == SCHEDULE.steps
    assert outcome.record["ended"] == "steps"


def test_fewer_steps_than_were_made_are_refused(uninterrupted: tuple[Outcome, Path], data: TrainingSet) -> None:
    with pytest.raises(InputError, match="has 30 steps already and 12 are asked for"):
        fit(Denoising(), data, replace(SCHEDULE, steps=12), Run(uninterrupted[1]))


@pytest.mark.parametrize(
    ("schedule", "seed", "said"),
    [
        (replace(SCHEDULE, batch=9), 0, "has batch = 8 where 9 is asked for now"),
        (replace(SCHEDULE, average=(0.1,)), 0, r"has average = 0\.1, 0\.2 where 0\.1 is asked for now"),
        (SCHEDULE, 1, "has seed = 0 where 1 is asked for now"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_and_the_difference_is_named(
    schedule: Schedule, seed: int, said: str, uninterrupted: tuple[Outcome, Path], data: TrainingSet
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        fit(Denoising(), data, schedule, Run(uninterrupted[1], seed=seed))
    assert "another folder to train anew" in str(caught.value)


def test_other_images_other_patients_and_other_networks_are_told_apart(
    uninterrupted: tuple[Outcome, Path], data: TrainingSet
) -> None:
    fewer = replace(data, images=data.images.take(range(len(data) - 1)), conditions=data.conditions.take(range(9)))
    fewer = replace(fewer, patients=data.patients[:-1], conditions=data.conditions.take(range(len(data) - 1)))
    with pytest.raises(InputError, match="has other images"):
        fit(Denoising(), fewer, SCHEDULE, Run(uninterrupted[1]))
    with pytest.raises(InputError, match="has other patients, classes or order of images"):
        fit(Denoising(), replace(data, patients=np.roll(data.patients, 1)), SCHEDULE, Run(uninterrupted[1]))
    other = Denoising()
    other.modules["head"] = nn.Linear(3, 2)
    with pytest.raises(InputError, match="has another network"):
        fit(other, data, SCHEDULE, Run(uninterrupted[1]))


def test_a_lower_rate_may_be_chosen_on_the_way_and_is_recorded(data: TrainingSet, tmp_path: Path) -> None:
    fit(Denoising(), data, replace(SCHEDULE, steps=4), Run(tmp_path))
    outcome = fit(Denoising(1e-3), data, replace(SCHEDULE, steps=6), Run(tmp_path))
    assert outcome.record["warnings"] == ["at step 4 learning_rate changed from 0.003, 0.003 to 0.001, 0.001"]
    assert float(rows(tmp_path)[-1]["learning_rate"]) == pytest.approx(1e-3)


def test_minutes_count_over_all_starts(data: TrainingSet, tmp_path: Path) -> None:
    def slow(task: str, done: int, total: int) -> None:
        time.sleep(0.1)

    run = Run(tmp_path, minutes=0.5 / 60, progress=slow)
    first = fit(Denoising(), data, SCHEDULE, run)
    assert first.record["ended"] == "minutes"
    assert 2 <= first.record["steps"] <= 8
    again = fit(Denoising(), data, SCHEDULE, run)
    assert again.record["steps"] == first.record["steps"]
    more = fit(Denoising(), data, SCHEDULE, replace(run, minutes=0.8 / 60))
    assert first.record["steps"] < more.record["steps"] < SCHEDULE.steps
    assert more.record["seconds"] < 2


if __name__ == "__main__":
    torch.set_num_threads(1)
    trainings = []
    # Two of one import, which is what takes long.
    for number, name in enumerate(sys.argv[1:]):
        trainings.append(os.fork())
        if not trainings[-1]:
            train_until_killed(Path(name), writing=number == 1)
            os._exit(1)
    endings = [os.waitpid(training, 0)[1] for training in trainings]
    sys.exit(endings != [signal.SIGKILL, signal.SIGKILL])
