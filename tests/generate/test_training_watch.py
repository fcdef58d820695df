"""Watching memorisation while a network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations, pairwise
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
from fourfold.generate.training import Batch, Moment, Schedule, Trainee, fit
from fourfold.generate.training.assignment import assignment_p, independent_images
from fourfold.generate.training.draws import Draws
from fourfold.generate.training.watch import PAIR_LEVEL, SINGLE_LEVEL
from fourfold.generate.training.watched_sets import comparable
from fourfold.generate.training_set import TrainingSet


def test_the_law_of_assignment_is_that_of_counting_every_assignment() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts = rng.poisson(rng.choice([0.3, 2.0, 6.0]), size=8)
        observed = counts[:4].sum()
        every = [sum(counts[list(chosen)]) >= observed for chosen in combinations(range(8), 4)]
        assert assignment_p(counts[:4], counts[4:]) == pytest.approx(np.mean(every), abs=1e-12)


def test_one_typical_patient_is_no_evidence_and_many_patients_are() -> None:
    nobody = np.zeros(50, dtype=int)
    one = nobody.copy()
    one[0] = 96
    assert assignment_p(one, nobody) == pytest.approx(0.5)
    assert independent_images(one, nobody) == 1
    many = np.full(50, 2)
    assert assignment_p(many, nobody) < 1e-12
    assert independent_images(many, nobody) == 99
    ten = np.where(np.arange(50) < 5, 10, 0)
    assert independent_images(ten, ten) == 11


def test_as_many_images_as_patients_are_worth_that_many() -> None:
    rng = np.random.default_rng(0)
    images = [independent_images(*rng.poisson(0.2, size=(2, 200))) for _ in range(20)]
    assert 55 < np.mean(images) < 90


def test_a_model_that_copies_nobody_is_rarely_accused() -> None:
    # Patients of several images each in a space of few dimensions, where some are the nearest of many; the drawn
    # images are new at every look, and the patients stay.
    rng = np.random.default_rng(7)
    looks, trainings, accused, naive = 10, 120, 0, 0
    for _ in range(trainings):
        patients = rng.standard_normal((2, 40, 3)) * rng.choice([0.5, 1.0, 2.0])
        found = []
        for _ in range(looks):
            drawn = rng.standard_normal((96, 3))
            distances = np.linalg.norm(drawn[:, None, None] - patients, axis=3).reshape(96, 80)
            counts = np.bincount(distances.argmin(axis=1), minlength=80)
            found.append(assignment_p(counts[:40], counts[40:]))
        pairs = [max(pair) < PAIR_LEVEL / looks for pair in pairwise(found)]
        accused += any(pairs) or min(found) < SINGLE_LEVEL / looks
        naive += min(found) < 0.05
    assert accused / trainings < 0.06
    # That the law is not merely timid: uncorrected looks accuse far more often.
    assert naive / trainings > 0.06


class Stub(Trainee):
    """Its images are given; what is trained is beside the point."""

    averaged = ("weight",)

    def __init__(self, images: np.ndarray, copies_from: int = 0) -> None:
        self.modules = {"weight": nn.Linear(1, 1)}
        self.optimizers = {"loss": torch.optim.SGD(self.modules["weight"].parameters(), 0.01)}
        self.images, self.copies_from, self.steps = images, copies_from, 0

    def loss(self, phase: str, batch: Batch, generator: torch.Generator) -> Tensor:
        return (self.modules["weight"](torch.ones(1, 1)) - 3).square().mean()

    def after_step(self, step: int) -> Mapping[str, float]:
        self.steps = step
        return {}

    def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
        rows = [np.random.default_rng(seed).integers(len(self.images)) for seed in seeds]
        drawn = torch.from_numpy(self.images[rows])
        if self.steps < self.copies_from:
            drawn = torch.rand(drawn.shape, generator=torch.Generator().manual_seed(seeds[0]))
        return (drawn + 0.02 * torch.randn(drawn.shape, generator=torch.Generator().manual_seed(seeds[0]))).clamp(0, 1)

    def watched(
        self, modules: Mapping[str, nn.Module], images: Tensor, condition: Condition | None, generator: torch.Generator
    ) -> Tensor:
        assert condition.vector.shape == (len(images), 3)
        noise = torch.randn(images.shape, generator=generator)
        return (images + noise).square().flatten(1).mean(dim=1)


def phantoms(patients: int, first: int) -> fourfold.ImageSet:
    return fourfold.phantoms("chest", patients, size=24, seed=first).to_image_set("training")


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    sets = fourfold.images.prepare({"training": phantoms(60, 1), "holdout": phantoms(50, 2)})
    training, holdout = sets["training"], sets["holdout"]
    patients = np.unique(training.patients, return_inverse=True)[1]
    conditioning = Conditioning.fit(("class",), training, patients)
    return TrainingSet(
        training,
        conditioning,
        conditioning.read(training),
        patients,
        holdout=holdout,
        holdout_conditions=conditioning.read(holdout),
    )


@pytest.fixture(scope="module")
def fresh(data: TrainingSet) -> np.ndarray:
    sets = fourfold.images.prepare({"training": data.images, "fresh": phantoms(120, 3)})
    return sets["fresh"].load()


def test_a_copier_is_stopped_at_the_snapshot_before_the_onset(data: TrainingSet, tmp_path: Path) -> None:
    trainee = Stub(data.load(), copies_from=5)
    outcome = fit(trainee, data, Schedule(steps=20), Run(tmp_path, snapshots=2, stop_at_onset=True))
    record = outcome.record
    assert record["memorisation"]["onset"] == 6
    assert record["ended"] == "memorisation began at step 6"
    assert (record["steps"], record["step"]) == (6, 4)
    shares = [look["share"] for look in record["memorisation"]["looks"]]
    assert shares[-1] > 0.9
    assert max(shares[:-1]) < 0.9
    assert record["memorisation"]["looks"][-1]["ratio"] < 0.5
    assert 0.5 < record["memorisation"]["looks"][-1]["low"] < shares[-1]


def test_a_copier_is_recorded_where_it_is_not_to_be_stopped(data: TrainingSet, tmp_path: Path) -> None:
    outcome = fit(Stub(data.load()), data, Schedule(steps=6), Run(tmp_path, snapshots=2))
    assert outcome.record["memorisation"]["onset"] == 2
    assert (outcome.record["ended"], outcome.record["step"]) == ("steps", 6)
    assert "memorisation/share" in (tmp_path / "log.csv").read_text().splitlines()[0]
    assert not (tmp_path / "before-onset.safetensors").exists()


def test_a_generator_of_new_patients_is_left_alone(data: TrainingSet, fresh: np.ndarray, tmp_path: Path) -> None:
    outcome = fit(Stub(fresh), data, Schedule(steps=16), Run(tmp_path, snapshots=2, stop_at_onset=True))
    assert outcome.record["memorisation"]["onset"] is None
    assert (outcome.record["ended"], outcome.record["step"]) == ("steps", 16)
    looks = outcome.record["memorisation"]["looks"]
    assert [look["step"] for look in looks] == list(range(2, 17, 2))
    assert 0.3 < np.mean([look["share"] for look in looks]) < 0.7
    assert 0.8 < np.mean([look["ratio"] for look in looks]) < 1.2
    # The same loss for both sets, but for what their images differ in.
    assert abs(np.mean([look["loss_gap"] for look in looks])) < 3


def test_what_was_seen_survives_a_restart(data: TrainingSet, fresh: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "whole").mkdir()
    whole = fit(Stub(fresh), data, Schedule(steps=6), Run(tmp_path / "whole", snapshots=2))
    fit(Stub(fresh), data, Schedule(steps=4), Run(tmp_path / "parts", snapshots=2))
    parts = fit(Stub(fresh), data, Schedule(steps=6), Run(tmp_path / "parts", snapshots=2))
    assert parts.record["memorisation"] == whole.record["memorisation"]


def test_too_few_patients_are_said_and_no_stop_is_promised(data: TrainingSet, tmp_path: Path) -> None:
    names = sorted(set(data.holdout.patients))[:5]
    rows = [row for row, patient in enumerate(data.holdout.patients) if patient in names]
    few = TrainingSet(
        data.images,
        data.conditioning,
        data.conditions,
        data.patients,
        holdout=data.holdout.take(rows),
        holdout_conditions=data.holdout_conditions.take(rows),
    )
    with pytest.raises(InputError, match="there are 5 patients to compare and 8 are needed"):
        fit(Stub(data.load()), few, Schedule(steps=2), Run(tmp_path, stop_at_onset=True))
    outcome = fit(Stub(data.load()), few, Schedule(steps=2), Run(tmp_path))
    assert outcome.record["memorisation"] == {
        "onset": None,
        "looks": [],
        "reason": "there are 5 patients to compare and 8 are needed",
    }


class Given:
    """A conditioning whose values are numbers that must be given."""

    parts = (None,)

    def draw(self, seeds: list[int]) -> None:
        raise InputError("give it")

    def encode(self, conditions: Conditions) -> Condition:
        return Condition(vector=torch.from_numpy(conditions.columns["attributes"]))


def test_conditions_that_must_be_given_are_taken_from_both_sets_by_turns(data: TrainingSet) -> None:
    sides = [Conditions(4, {"attributes": np.full((4, 1), side, dtype=np.float32)}) for side in (0, 1)]
    seen = []

    class Showing(Stub):
        def draw(self, modules: Mapping[str, nn.Module], seeds: list[int], condition: Condition | None) -> Tensor:
            seen.append(condition.vector.flatten().tolist())
            return torch.zeros(len(seeds), 1, 4, 4)

    moment = Moment(1, 1, 1, {}, Showing(data.load()), {})
    draws = Draws(replace(data, conditioning=Given()), sides, batch=4)
    assert draws(moment, range(6)).shape == (6, 1, 4, 4)
    assert seen == [[0, 1, 0, 1], [0, 1]]
    assert draws.fair
    assert not Draws(replace(data, conditioning=Given()), sides[:1], batch=4).fair


def test_brightness_and_contrast_do_not_hide_a_copy() -> None:
    images = np.random.default_rng(0).random((4, 1, 48, 40)).astype(np.float32)
    assert np.allclose(comparable(images * 0.5 + 0.2), comparable(images), atol=1e-5)
    assert comparable(images).shape == (4, 32 * 32)
    assert comparable(np.zeros((2, 1, 8, 8, 8))).shape == (2, 512)
