"""One loop for every network: what it gives, what it leaves behind, and how it ends."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fourfold
from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.recipe import Run
from fourfold.generate.training import Batch, Callback, Moment, Reply, Schedule, Trainee, fit
from fourfold.generate.training_set import TrainingSet


class Mean(Trainee):
    """Learns the mean image: the least that can be trained."""

    averaged = ("mean",)

    def __init__(self, shape: tuple[int, ...] = (1, 16, 16), rate: float = 0.1) -> None:
        self.modules = {"mean": Image(shape)}
        self.optimizers = {"loss": torch.optim.SGD(self.modules["mean"].parameters(), rate)}

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        return (self.modules["mean"](len(batch)) - batch.images).square().mean()

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        return (modules["mean"](len(seeds)) + 1) / 2


class Image(nn.Module):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.image = nn.Parameter(torch.zeros(shape))

    def forward(self, count: int) -> Tensor:
        return self.image.expand(count, *self.image.shape)


def set_of(images: np.ndarray) -> TrainingSet:
    found = fourfold.ImageSet.from_array(images, patients=[f"p{row // 2}" for row in range(len(images))])
    found = fourfold.images.prepare({"training": found})["training"]
    patients = np.unique(found.patients, return_inverse=True)[1]
    return TrainingSet(found, Conditioning(), Conditions(len(found)), patients)


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    return set_of(np.random.default_rng(0).random((12, 1, 16, 16)).astype(np.float32))


def log_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_what_was_trained_is_learned_and_what_was_done_is_recorded(data: TrainingSet, tmp_path: Path) -> None:
    told = []
    run = Run(tmp_path, snapshots=50, progress=lambda *told_now: told.append(told_now))
    outcome = fit(Mean(rate=30.0), data, Schedule(steps=120, batch=12, balance="none"), run)
    learned = (outcome.modules["mean"].image.detach().numpy() + 1) / 2
    assert np.abs(learned - data.load().mean(axis=0)).max() < 0.05
    assert not outcome.modules["mean"].training
    record = outcome.record
    assert (record["steps"], record["step"], record["images"], record["ended"]) == (120, 120, 1440, "steps")
    assert record["losses"]["loss"] < float(log_of(tmp_path)[0]["loss"])
    assert told == [("training", step, 120) for step in range(1, 121)]
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [
        f"step-{step:07d}.png" for step in (50, 100, 120)
    ]


def test_the_trainee_and_torch_s_random_numbers_come_back_as_they_were(data: TrainingSet, tmp_path: Path) -> None:
    trainee = Mean()
    modules = dict(trainee.modules)
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    fit(trainee, data, Schedule(steps=3), Run(tmp_path))
    assert torch.equal(torch.rand(3), expected)
    assert trainee.modules == modules


def test_a_batch_in_parts_makes_the_step_of_the_whole_batch(data: TrainingSet, tmp_path: Path) -> None:
    outcomes = []
    for parts in (1, 3):
        (tmp_path / str(parts)).mkdir()
        schedule = Schedule(steps=4, batch=8, accumulate=parts, clip=0.01)
        outcomes.append(fit(Mean(), data, schedule, Run(tmp_path / str(parts))))
    images = [outcome.modules["mean"].image for outcome in outcomes]
    assert torch.allclose(*images, atol=1e-7)
    assert images[0].abs().sum() > 0
    losses = [[float(row["loss"]) for row in log_of(tmp_path / parts)] for parts in ("1", "3")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_gradients_are_clipped_and_their_norm_is_logged(data: TrainingSet, tmp_path: Path) -> None:
    outcome = fit(Mean(rate=1.0), data, Schedule(steps=1, clip=0.001, average=()), Run(tmp_path))
    assert outcome.modules["mean"].image.norm().item() == pytest.approx(0.001, rel=1e-3)
    assert float(log_of(tmp_path)[0]["loss/gradient"]) > 0.01


def test_the_rate_rises_over_the_warm_up(data: TrainingSet, tmp_path: Path) -> None:
    fit(Mean(rate=0.4), data, Schedule(steps=6, warmup=4), Run(tmp_path))
    rates = [float(row["learning_rate"]) for row in log_of(tmp_path)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


def test_modules_that_are_not_averaged_come_as_trained(data: TrainingSet, tmp_path: Path) -> None:
    class Unaveraged(Mean):
        averaged = ()

    trainee = Unaveraged()
    outcome = fit(trainee, data, Schedule(steps=5), Run(tmp_path))
    assert outcome.modules["mean"] is trainee.modules["mean"]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_volumes_are_trained_on_in_either_precision(precision: str, tmp_path: Path) -> None:
    volumes = set_of(np.random.default_rng(0).random((4, 1, 4, 8, 8)).astype(np.float32))

    class Linear(Mean):
        def __init__(self) -> None:
            super().__init__((1, 4, 8, 8))
            self.modules["net"] = nn.Conv3d(1, 1, 1)
            self.seen: set[torch.dtype] = set()

        def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
            self.seen.add(self.modules["net"](batch.images).dtype)
            return super().loss(phase, batch, generator)

    trainee = Linear()
    outcome = fit(trainee, volumes, Schedule(steps=3, augment=0.5), Run(tmp_path, precision=precision))
    assert trainee.seen == {torch.bfloat16 if precision == "bf16-mixed" else torch.float32}
    assert outcome.modules["mean"].image.dtype == torch.float32


class Rivals(Mean):
    """Two phases, each of which sends gradients to the other's weights."""

    phases = ("critic", "maker")

    def __init__(self) -> None:
        super().__init__()
        self.modules["critic"] = nn.Conv2d(1, 1, 1)
        self.modules["frozen"] = nn.Conv2d(1, 1, 1).requires_grad_(False)
        self.optimizers = {
            "maker": torch.optim.SGD(self.modules["mean"].parameters(), 0.1),
            "critic": torch.optim.SGD(self.modules["critic"].parameters(), 0.1),
        }
        self.asked: dict[str, list[bool]] = {}

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        self.asked[phase] = [p.requires_grad for name in self.modules for p in self.modules[name].parameters()]
        made = self.modules["critic"](self.modules["mean"](len(batch)))
        return made.mean() if phase == "maker" else (made - batch.images).square().mean()


def test_a_phase_moves_its_own_weights_alone(data: TrainingSet, tmp_path: Path) -> None:
    trainee = Rivals()
    torch.nn.init.constant_(trainee.modules["critic"].weight, 2.0)
    fit(trainee, data, Schedule(steps=1, clip=None), Run(tmp_path))
    assert trainee.asked == {"critic": [False, True, True, False, False], "maker": [True, False, False, False, False]}
    assert [p.requires_grad for name in trainee.modules for p in trainee.modules[name].parameters()] == [
        True, True, True, False, False,
    ]  # fmt: skip
    # The maker's step uses the critic as the first phase left it.
    slope = trainee.modules["critic"].weight.item()
    assert trainee.modules["mean"].image.flatten()[0].item() == pytest.approx(-0.1 * slope / 256, rel=1e-4)
    row = log_of(tmp_path)[0]
    assert {"critic", "maker", "critic/gradient", "maker/gradient"} < row.keys()


class Failing(Mean):
    """Gives a loss, or a gradient, that is no number, once."""

    def __init__(self, step: int, what: str, rate: float = 0.1) -> None:
        super().__init__(rate=rate)
        self.calls, self.step, self.what = 0, step, what

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        self.calls += 1
        loss = super().loss(phase, batch, generator)
        if self.calls != self.step:
            return loss
        if self.what == "loss":
            return loss * float("nan")
        # The square root of 0 is 0 and its slope is infinite.
        return loss + (self.modules["mean"].image * 0).abs().sum().sqrt()


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_training_stops_where_a_loss_is_no_number_and_keeps_the_last_good_checkpoint(
    what: str, data: TrainingSet, tmp_path: Path
) -> None:
    trainee = Failing(7, what)
    with pytest.raises(InputError) as caught:
        fit(trainee, data, Schedule(steps=20), Run(tmp_path, snapshots=5))
    assert f"training stopped at step 7: the {what} of the phase 'loss' was not finite" in str(caught.value)
    assert "--learning-rate" in str(caught.value)
    assert str(tmp_path / "checkpoint.safetensors") in str(caught.value)
    assert trainee.modules["mean"].image.isfinite().all()
    outcome = fit(Failing(-1, what, rate=0.05), data, Schedule(steps=20), Run(tmp_path, snapshots=5))
    assert outcome.record["resumed"] == [5]
    assert outcome.modules["mean"].image.isfinite().all()


def test_checkpoints_are_written_by_the_clock_where_snapshots_are_rare(
    data: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fourfold.generate.training.loop.CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(InputError, match="at step 7"):
        fit(Failing(7, "loss"), data, Schedule(steps=20), Run(tmp_path, snapshots=20))
    assert not (tmp_path / "samples").exists()
    assert fit(Failing(-1, "loss"), data, Schedule(steps=8), Run(tmp_path)).record["resumed"] == [6]


def test_a_loss_that_is_no_number_at_once_says_that_there_is_no_checkpoint(data: TrainingSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"at step 1: .* there was no checkpoint yet: begin again"):
        fit(Failing(1, "loss"), data, Schedule(steps=20), Run(tmp_path))


def test_weights_that_overflow_are_never_written(data: TrainingSet, tmp_path: Path) -> None:
    class Leaping(Mean):
        leap = 4

        def after_step(self, step: int) -> Mapping[str, float]:
            if step == self.leap:
                self.modules["mean"].image.data.fill_(float("inf"))
            return {}

    with pytest.raises(InputError, match="at step 4: some weight was not finite"):
        fit(Leaping(), data, Schedule(steps=20), Run(tmp_path, snapshots=2))
    Leaping.leap = -1
    assert fit(Leaping(), data, Schedule(steps=5), Run(tmp_path)).record["resumed"] == [2]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
    ],
)
def test_running_out_of_memory_names_the_knobs(error: Exception, data: TrainingSet, tmp_path: Path) -> None:
    class Greedy(Mean):
        def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
            raise error

    with pytest.raises(InputError, match=r"memory.*--batch.*--accumulate.*--size.*--precision"):
        fit(Greedy(), data, Schedule(steps=2), Run(tmp_path))


def test_an_error_of_the_trainee_s_own_is_passed_on(data: TrainingSet, tmp_path: Path) -> None:
    class Broken(Mean):
        def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        fit(Broken(), data, Schedule(steps=2), Run(tmp_path))


class Doubting(Callback):
    """Calls snapshots suspect from a step on, and stops at a later one."""

    name = "doubt"

    def __init__(self, suspects: int, stops: int) -> None:
        self.guards = True
        self.suspects, self.stops = suspects, stops
        self.images: dict[int, float] = {}

    def on_snapshot(self, moment: Moment) -> Reply:
        assert not moment.modules["mean"].training
        self.images[moment.step] = moment.modules["mean"].image.mean().item()
        stop = "enough of it" if moment.step >= self.stops else None
        return Reply({"doubt": float(moment.step)}, suspect=moment.step >= self.suspects, stop=stop)

    def record(self) -> dict[str, int]:
        return {"asked": len(self.images)}


def test_a_callback_ends_a_training_at_the_last_snapshot_that_was_not_suspect(
    data: TrainingSet, tmp_path: Path
) -> None:
    callback = Doubting(suspects=6, stops=8)
    outcome = fit(Mean(), data, Schedule(steps=20), Run(tmp_path, snapshots=2), [callback])
    assert (outcome.record["ended"], outcome.record["steps"], outcome.record["step"]) == ("enough of it", 8, 4)
    assert outcome.modules["mean"].image.mean().item() == pytest.approx(callback.images[4], rel=1e-6)
    assert callback.images[4] != callback.images[8]
    assert outcome.record["doubt"] == {"asked": 4}
    assert [row["doubt"] for row in log_of(tmp_path)[:4]] == ["", "2.0", "", "4.0"]
    again = fit(Mean(), data, Schedule(steps=20), Run(tmp_path, snapshots=2), [callback])
    assert (again.record["steps"], again.record["step"]) == (8, 4)
    assert torch.equal(again.modules["mean"].image, outcome.modules["mean"].image)


def test_a_stop_before_any_good_snapshot_says_to_take_them_oftener(data: TrainingSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no snapshot was taken before that; take them oftener"):
        fit(Mean(), data, Schedule(steps=20), Run(tmp_path, snapshots=2), [Doubting(suspects=0, stops=2)])


def test_a_snapshot_of_an_earlier_training_is_not_fallen_back_on(data: TrainingSet, tmp_path: Path) -> None:
    fit(Mean(), data, Schedule(steps=8), Run(tmp_path, snapshots=2), [Doubting(suspects=6, stops=8)])
    assert (tmp_path / "before-onset.safetensors").exists()
    (tmp_path / "checkpoint.safetensors").unlink()
    with pytest.raises(InputError, match="no snapshot was taken before that"):
        fit(Mean(), data, Schedule(steps=8), Run(tmp_path, snapshots=2), [Doubting(suspects=0, stops=2)])


def test_a_callback_may_stop_at_any_step(data: TrainingSet, tmp_path: Path) -> None:
    class Satisfied(Callback):
        def on_step(self, step: int, losses: Mapping[str, float]) -> str | None:
            return "satisfied" if step == 3 and losses["loss"] > 0 else None

    outcome = fit(Mean(), data, Schedule(steps=20), Run(tmp_path), [Satisfied()])
    assert (outcome.record["ended"], outcome.record["steps"]) == ("satisfied", 3)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"precision": "16-mixed"}, "16-mixed needs a GPU"),
        ({"precision": "8-bit"}, "there is no precision '8-bit'; there are: 32-true, bf16-mixed, 16-mixed"),
        ({"device": "abacus"}, "abacus"),
        ({"devices": 0}, "devices is a whole number from 1 up, got 0"),
        ({"stop_at_onset": True}, "cannot be stopped at the onset of memorisation: there is no holdout"),
        ({"seed": -1}, "the seed is a whole number from 0 up, got -1"),
    ],
)
def test_a_run_that_is_impossible_is_refused(run: dict, said: str, data: TrainingSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        fit(Mean(), data, Schedule(steps=2), Run(tmp_path, **run))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": 0}, "steps is a whole number from 1 up, got 0"),
        ({"batch": 2, "accumulate": 3}, "a batch of 2 cannot be cut into 3 parts"),
        ({"average": (0.3,)}, "average is a relative width above 0 and below 0.289, got 0.3"),
        ({"average": (0.1, 0.1)}, "average names a width twice: 0.1, 0.1"),
        ({"dropout": 1.5}, "dropout is a probability from 0 to 1, got 1.5"),
        ({"balance": "sex"}, "balance is one of none, patient, class, got 'sex'"),
        ({"clip": 0.0}, "clip is a norm above 0, got 0"),
        ({"warmup": -1}, "warmup is a number of steps from 0 up, got -1"),
    ],
)
def test_a_schedule_that_is_impossible_is_refused(wrong: dict, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        Schedule(**{"steps": 10, **wrong})


def test_a_dealer_of_one_s_own_decides_who_is_in_a_step(data: TrainingSet, tmp_path: Path) -> None:
    class Odd:
        def rows(self, start: int, count: int) -> np.ndarray:
            # None at all in every third step.
            return np.arange(start // count % 3, dtype=np.intp)

    sizes = []

    class Counting(Mean):
        def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
            sizes.append(len(batch))
            return super().loss(phase, batch, generator) if len(batch) else 0 * self.modules["mean"].image.sum()

    fit(Counting(), data, Schedule(steps=6), Run(tmp_path), dealer=Odd())
    assert sizes == [0, 1, 2, 0, 1, 2]
