"""Private training as a whole: its promise, its record, and what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from fourfold import phantoms
from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Request
from fourfold.generate.diffusion.options import DiffusionOptions
from fourfold.generate.diffusion.recipe import DiffusionRecipe
from fourfold.generate.recipe import Run
from fourfold.generate.training.accounting import epsilon_of
from fourfold.generate.training.privacy_record import PATIENT
from fourfold.generate.training.private import Privacy, fit_privately
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.secret import SECRET_FILE, keep_secret
from fourfold.generate.training_set import TrainingSet, patients_of
from fourfold.images import prepare

SCHEDULE = Schedule(steps=8, batch=4, warmup=2)


@pytest.fixture(scope="module")
def training_set() -> TrainingSet:
    made = phantoms("chest", 12, size=32).to_image_set("training")
    images = prepare({"training": made}, size=8)["training"]
    patients, identified = patients_of(images)
    conditioning = Conditioning()
    return TrainingSet(images, conditioning, conditioning.read(images), patients, identified)


def _folder(path):
    path.mkdir()
    return path


def test_a_private_training_keeps_its_promise_and_no_secret(shrinker, training_set, tmp_path):
    run = Run(tmp_path, seed=7)
    trainee = shrinker()
    outcome, record = fit_privately(trainee, training_set, SCHEDULE, run, Privacy(epsilon=3.0, clip=0.7))
    patients = len(np.unique(training_set.patients))
    assert (record.unit, record.steps, record.clip, record.accountant) == (PATIENT, 8, 0.7, "prv")
    assert record.sample_rate == pytest.approx(4 / patients)
    assert record.delta == 1e-5
    assert 2.9 <= record.epsilon <= 3.0
    assert record.epsilon == epsilon_of(record.noise_multiplier, record.sample_rate, 8, 1e-5)[0]
    assert set(outcome.modules) == {"network"}
    assert not torch.equal(trainee.weights(), shrinker().weights())
    assert not (tmp_path / SECRET_FILE).exists()
    said = json.dumps({**outcome.record, "privacy": record.describe()})
    assert "losses" not in outcome.record
    assert "seed" not in said
    assert "key" not in said
    assert all(not hasattr(p, "grad_sample") for p in outcome.modules["network"].parameters())


def test_a_training_that_was_cut_off_goes_on_with_the_same_noise_and_account(shrinker, training_set, tmp_path):
    def cut(task, done, total):
        if done == 5:
            raise KeyboardInterrupt

    broken, whole = _folder(tmp_path / "broken"), _folder(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit_privately(shrinker(), training_set, SCHEDULE, Run(broken, snapshots=3, progress=cut), Privacy(3.0))
    shutil.copy(broken / SECRET_FILE, whole / SECRET_FILE)
    resumed, one = fit_privately(shrinker(), training_set, SCHEDULE, Run(broken, snapshots=3), Privacy(3.0))
    straight, other = fit_privately(shrinker(), training_set, SCHEDULE, Run(whole, snapshots=3), Privacy(3.0))
    assert resumed.record["resumed"]
    assert one == other
    for mine, theirs in zip(
        resumed.modules["network"].parameters(), straight.modules["network"].parameters(), strict=True
    ):
        assert torch.equal(mine, theirs)


def test_another_budget_does_not_go_on_with_a_training(shrinker, training_set, tmp_path):
    keep_secret(tmp_path, {"patients": 12, "batch": 4, "steps": 8, "epsilon": 3.0})
    with pytest.raises(InputError, match=r"epsilon = 3\.0 and is now asked to go on with 5\.0"):
        fit_privately(shrinker(), training_set, SCHEDULE, Run(tmp_path), Privacy(epsilon=5.0))


def test_a_training_that_has_ended_is_not_gone_on_with(shrinker, training_set, tmp_path):
    fit_privately(shrinker(), training_set, SCHEDULE, Run(tmp_path), Privacy(epsilon=5.0))
    with pytest.raises(InputError, match="holds a training that has ended"):
        fit_privately(shrinker(), training_set, SCHEDULE, Run(tmp_path), Privacy(epsilon=5.0))


def test_a_training_that_ends_early_has_spent_less(shrinker, training_set, tmp_path):
    schedule = replace(SCHEDULE, steps=2000)
    outcome, record = fit_privately(shrinker(), training_set, schedule, Run(tmp_path, minutes=1e-5), Privacy(3.0))
    assert record.steps == outcome.record["steps"] < schedule.steps
    assert record.epsilon < 2.0


def test_empty_steps_are_survived(shrinker, training_set, tmp_path):
    schedule = replace(SCHEDULE, batch=1, steps=20)
    for memory in (1 << 30, 0):
        run = Run(_folder(tmp_path / str(memory)))
        record = fit_privately(shrinker(), replace(training_set, memory=memory), schedule, run, Privacy(3.0))[1]
        assert record.steps == 20


def test_the_recipe_trains_privately_where_epsilon_is_set(training_set, tmp_path):
    recipe = DiffusionRecipe()
    options = DiffusionOptions(channels=(4, 4), patch=1, steps=2, batch=4, epsilon=6.0, delta=1e-3)
    generator, record = recipe.fit(training_set, options, Run(tmp_path))
    assert record["privacy"]["epsilon"] <= 6.0
    assert record["privacy"]["delta"] == 1e-3
    assert "losses" not in record
    assert generator.settings()["sigma_data"] == 0.5


@pytest.mark.parametrize(
    ("phases", "schedule", "run", "said"),
    [
        (("discriminator", "generator"), {}, {}, "offered for diffusion on pixels alone"),
        (("loss",), {"balance": "class"}, {}, "draws patients evenly, and balance = class"),
        (("loss",), {}, {"stop_at_onset": True}, "cannot be stopped by what is measured on the patients"),
        (("loss",), {}, {"devices": 2}, "one device in 32-true, and 2 in 32-true"),
        (("loss",), {}, {"precision": "bf16-mixed"}, "one device in 32-true, and 1 in bf16-mixed"),
    ],
)
def test_what_allows_no_guarantee_is_refused(shrinker, training_set, tmp_path, phases, schedule, run, said):
    trainee = shrinker()
    trainee.phases = phases
    with pytest.raises(InputError, match=said):
        fit_privately(trainee, training_set, replace(SCHEDULE, **schedule), Run(tmp_path, **run), Privacy(epsilon=5.0))
    assert not list(tmp_path.iterdir())


def test_conditions_that_were_measured_are_refused(shrinker, training_set, tmp_path):
    frequent = Conditioning.fit(("class",), training_set.images, training_set.patients)
    even = Conditioning.fit(("class",), training_set.images, training_set.patients, Request(private=True))
    data = replace(training_set, conditioning=frequent, conditions=frequent.read(training_set.images))
    with pytest.raises(InputError, match=r"the condition 'class' was measured on the patients"):
        fit_privately(shrinker(), data, SCHEDULE, Run(tmp_path), Privacy(epsilon=5.0))
    fit_privately(shrinker(), replace(data, conditioning=even), SCHEDULE, Run(tmp_path), Privacy(epsilon=5.0))


@pytest.mark.parametrize(
    ("options", "said"),
    [({"epsilon": 0.0}, "epsilon is a number above 0, got 0"), ({"clip": -1.0}, "clip is"), ({"draws": 0}, "draws is")],
)
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        Privacy(**options)
