"""Private training: what a patient can change, what is spent, what is said."""

from __future__ import annotations

import json
import math
import shutil
import stat
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from torch import nn

from fourfold import phantoms
from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning, Request
from fourfold.generate.denoiser import Preconditioned
from fourfold.generate.diffusion.options import DiffusionOptions
from fourfold.generate.diffusion.recipe import DiffusionRecipe
from fourfold.generate.diffusion.trainee import DiffusionTrainee
from fourfold.generate.frameworks import P_MEAN, P_STD, framework
from fourfold.generate.networks.unet import DenoisingUNet
from fourfold.generate.parametrisations import Parametrisation
from fourfold.generate.recipe import Run
from fourfold.generate.training.accounting import delta_for, epsilon_of, noise_for
from fourfold.generate.training.patient_gradients import PatientGradients, no_hook_warnings
from fourfold.generate.training.privacy_record import GROUP, PATIENT, not_covered, sentence
from fourfold.generate.training.private import Privacy, fit_privately
from fourfold.generate.training.private_trainee import PatientDealer, PrivateTrainee
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.secret import SECRET_FILE, Secret, keep_secret
from fourfold.generate.training.trainee import Batch, Trainee
from fourfold.generate.training_set import TrainingSet, patients_of
from fourfold.images import prepare

SHAPE = (1, 8, 8)
KEY = Secret(bytes(range(32)))


class Shrinker(Trainee):
    """A denoiser of a few weights; with `kick` 0 its losses draw nothing."""

    averaged = ("network",)

    def __init__(self, kick: float = 0.5, scale: float = 1.0, rate: float = 1.0) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            size = math.prod(SHAPE)
            network = nn.Sequential(nn.Flatten(), nn.Linear(size, 4), nn.SiLU(), nn.Linear(4, size))
        self.kick, self.scale = kick, scale
        self.modules = {"network": network}
        self.optimizers = {"loss": torch.optim.SGD(network.parameters(), rate)}

    def loss(self, phase, batch, generator):
        return self.independent_losses(batch, generator).mean()

    def independent_losses(self, batch, generator):
        noise = self.kick * torch.randn(batch.images.shape, generator=generator)
        found = self.modules["network"](batch.images + noise)
        return self.scale * (found - batch.images.flatten(1)).square().mean(dim=1)

    def draw(self, modules, seeds, condition):
        return torch.zeros(len(seeds), *SHAPE)


def private(trainee: Trainee, noise: float = 0.0, **chosen) -> PrivateTrainee:
    schedule = Schedule(steps=5, batch=8, accumulate=chosen.pop("accumulate", 1))
    given = {"noise_multiplier": noise, "clip": 0.5, "expected": 1.0, "secret": KEY} | chosen
    return PrivateTrainee(trainee, schedule, **given)


def images_of(*numbers: int) -> torch.Tensor:
    draws = [torch.randn(SHAPE, generator=torch.Generator().manual_seed(number)) for number in numbers]
    return torch.stack(draws) if draws else torch.empty(0, *SHAPE)


def weights(trainee: Trainee) -> torch.Tensor:
    return nn.utils.parameters_to_vector(next(iter(trainee.modules.values())).parameters()).detach().clone()


def change(images: torch.Tensor, noise: float = 0.0, seed: int = 1, **chosen) -> torch.Tensor:
    """What one step at rate 1 takes off the weights: the noised sum over patients."""
    trainee = chosen.pop("trainee", None) or Shrinker(kick=0.0, scale=100.0)
    before = weights(trainee)
    wrapped = private(trainee, noise, **chosen)
    with no_hook_warnings():
        generator = torch.Generator().manual_seed(seed)
        wrapped.loss("loss", Batch(images, np.arange(len(images))), generator).backward()
        wrapped.optimizers["loss"].step()
    wrapped.close()
    return before - weights(trainee)


# What a patient can change


def test_one_more_patient_changes_the_sum_by_no_more_than_the_clip():
    without = change(images_of(1, 2, 3))
    for newcomer in (4, 5, 6):
        extra = change(images_of(1, 2, 3, newcomer)) - without
        assert float(extra.norm()) == pytest.approx(0.5, rel=1e-4)
        assert float(extra.norm()) <= 0.5 + 1e-6


def test_other_images_of_a_patient_change_the_sum_by_no_more_than_leaving_and_joining():
    others = images_of(1, 2, 3)
    mine, exchanged = torch.cat([others, images_of(4)]), torch.cat([others, 50 * images_of(5)])
    assert float((change(mine) - change(exchanged)).norm()) <= 2 * 0.5 + 1e-6


def test_a_gradient_shorter_than_the_clip_is_left_as_it_is():
    trainee = Shrinker(kick=0.0, scale=1e-3)
    trainee.independent_losses(Batch(images_of(1), np.arange(1)), torch.Generator()).sum().backward()
    plain = torch.cat([p.grad.flatten() for p in trainee.modules["network"].parameters()])
    assert torch.allclose(change(images_of(1), trainee=Shrinker(kick=0.0, scale=1e-3)), plain, atol=1e-7)


def test_an_image_that_is_no_number_counts_for_nothing():
    broken = images_of(1, 2, 3)
    broken[1] = torch.inf
    assert torch.allclose(change(broken), change(images_of(1, 3)), atol=1e-6)


def test_parts_of_a_batch_add_up_to_the_whole():
    whole, parts = change(images_of(*range(7))), change(images_of(*range(7)), accumulate=4)
    assert torch.allclose(whole, parts, atol=1e-6)


def test_the_loss_that_is_logged_is_the_mean_over_patients_in_any_parts():
    batch = Batch(images_of(1, 2, 3), np.arange(3))
    with no_hook_warnings():
        losses = [
            float(private(trainee, accumulate=parts).loss("loss", batch, stream).detach())
            for parts in (1, 8)
            for trainee, stream in [(Shrinker(kick=0.0), torch.Generator())]
        ]
    expected = Shrinker(kick=0.0).loss("loss", batch, torch.Generator())
    assert losses == pytest.approx([float(expected.detach())] * 2, rel=1e-5)


def test_several_noise_draws_are_averaged_within_the_gradient_of_a_patient():
    trainee = Shrinker(scale=1e-3)
    generator = torch.Generator().manual_seed(1)
    batch = Batch(images_of(1, 2), np.arange(2))
    sum(trainee.independent_losses(batch, generator).sum() / 4 for _ in range(4)).backward()
    plain = torch.cat([p.grad.flatten() for p in trainee.modules["network"].parameters()])
    assert torch.allclose(change(batch.images, trainee=Shrinker(scale=1e-3), draws=4), plain, atol=1e-7)
    assert float(change(images_of(1), trainee=Shrinker(scale=100.0), draws=4).norm()) == pytest.approx(0.5, rel=1e-4)


def test_a_step_without_any_patient_is_noise_alone():
    assert torch.equal(change(images_of()), torch.zeros_like(change(images_of())))
    noise = change(images_of(), noise=2.0)
    assert float(noise.std()) == pytest.approx(2.0 * 0.5, rel=0.1)


def test_noise_follows_from_the_secret_and_the_step_and_from_nothing_else():
    assert torch.allclose(
        change(images_of(1, 2), noise=2.0) - change(images_of(1, 2)), change(images_of(), noise=2.0), atol=1e-5
    )
    assert not torch.equal(change(images_of(), noise=2.0), change(images_of(), noise=2.0, seed=2))
    other = Secret(bytes(32))
    assert not torch.equal(change(images_of(), noise=2.0), change(images_of(), noise=2.0, secret=other))


def test_sums_are_divided_by_the_expected_number_of_patients():
    assert torch.allclose(change(images_of(1, 2), expected=8.0), change(images_of(1, 2)) / 8, atol=1e-7)


def test_the_same_noise_is_not_used_twice():
    wrapped = private(Shrinker())
    wrapped.loss("loss", Batch(images_of(), np.arange(0)), torch.Generator().manual_seed(1)).backward()
    wrapped.optimizers["loss"].step()
    with pytest.raises(RuntimeError, match="must not have the same noise"):
        wrapped.loss("loss", Batch(images_of(), np.arange(0)), torch.Generator().manual_seed(1))
    with pytest.raises(RuntimeError, match="begins with"):
        wrapped.optimizers["loss"].step()


@pytest.mark.parametrize("kind", ["plain", "class", "mask", "map", "volume"])
def test_gradients_of_single_images_agree_with_one_image_at_a_time(kind):
    n, sides = 3, (8, 8, 8) if kind == "volume" else (16, 16)
    settings = {
        "plain": {}, "class": {"vector": 3}, "mask": {"mask": 3}, "map": {"maps": True, "patch": 2}, "volume": {},
    }[kind]  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Preconditioned(DenoisingUNet((1, *sides), (8, 16), **settings), Parametrisation("edm"))
        for p in network.parameters():
            # MONAI begins with some weights at 0, behind which gradients vanish.
            nn.init.normal_(p, std=0.1)
    regions = torch.randint(0, 3, (n, *sides), generator=generator)
    condition = Condition(
        vector=torch.rand(n, 3, generator=generator) if kind == "class" else None,
        mask=nn.functional.one_hot(regions, 3).movedim(-1, 1).float() if kind == "mask" else None,
    )
    x, sigma = torch.randn(n, 1, *sides, generator=generator), torch.rand(n, generator=generator) + 0.1
    if kind == "map":
        sigma = torch.rand(n, 1, *sides, generator=generator) + 0.1

    def loss(rows: slice) -> torch.Tensor:
        return network(x[rows], sigma[rows], condition.take(torch.arange(n)[rows])).square().flatten(1).mean(1).sum()

    hooks = PatientGradients(network)
    with no_hook_warnings():
        loss(slice(None)).backward()
    found = [p.grad_sample for p in network.parameters()]
    hooks.to_standard_module()
    for row in range(n):
        network.zero_grad()
        loss(slice(row, row + 1)).backward()
        scale = nn.utils.get_total_norm(p.grad for p in network.parameters())
        for one, p in zip(found, network.parameters(), strict=True):
            assert float((one[row] - p.grad).norm()) <= 1e-5 * float(scale)


def test_networks_that_mix_images_are_refused():
    with pytest.raises(InputError, match="treat every image by itself"):
        PatientGradients(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)))


# Who is in a step


def test_levels_of_a_diffusion_model_know_nothing_of_who_else_is_in_the_step():
    law, seen = framework("edm"), []

    class Watching(nn.Module):
        def forward(self, x, sigma, condition=None):
            seen.append(sigma)
            return x

    network = Preconditioned(nn.Conv2d(1, 1, 1), law.parametrisation(0.5))
    trainee = DiffusionTrainee(network, law, SHAPE, DiffusionOptions())
    trainee.modules["denoiser"] = Watching()
    batch = Batch(torch.zeros(4, *SHAPE), np.arange(4))
    for seed in range(1000):
        trainee.independent_losses(batch, torch.Generator().manual_seed(seed))
    positions = stats.norm.cdf((torch.stack(seen).log().numpy() - P_MEAN) / P_STD)
    # Means of 4 independent uniform numbers; of stratified ones they hardly vary.
    assert positions.mean(axis=1).var() == pytest.approx(1 / 48, rel=0.15)
    assert stats.kstest(positions.ravel(), "uniform").pvalue > 1e-3


def test_patients_are_drawn_at_their_rate_whatever_the_number_of_their_images():
    patients = np.repeat(np.arange(10), [1, 1, 1, 1, 1, 1, 1, 1, 1, 40])
    dealer = PatientDealer(patients, 0.3, KEY)
    steps = 3000
    rows = [dealer.rows(step * 3, 3) for step in range(steps)]
    assert all(len(set(patients[one])) == len(one) for one in rows)
    counts = np.bincount(patients[np.concatenate(rows)], minlength=10)
    assert stats.chisquare([counts[9], steps - counts[9]], [0.3 * steps, 0.7 * steps]).pvalue > 1e-3
    assert np.all(np.abs(counts - 0.3 * steps) < 5 * np.sqrt(0.21 * steps))
    # Independent coins: the number of patients in a step is binomial.
    sizes = np.bincount([len(one) for one in rows], minlength=11)[:8]
    law = stats.binom(10, 0.3)
    assert stats.chisquare(sizes, sizes.sum() * law.pmf(range(8)) / law.cdf(7)).pvalue > 1e-3
    images = np.bincount(np.concatenate(rows), minlength=len(patients))[9:]
    assert stats.chisquare(images).pvalue > 1e-3


def test_a_step_may_be_empty_and_rows_follow_from_the_step_alone():
    dealer = PatientDealer(np.arange(4), 0.1, KEY)
    rows = [dealer.rows(step * 2, 2) for step in range(50)]
    assert min(map(len, rows)) == 0
    assert all(np.array_equal(dealer.rows(step * 2, 2), rows[step]) for step in (17, 3))


# What is spent


@pytest.mark.parametrize(("noise", "rate", "steps"), [(1.1, 0.05, 400), (0.8, 0.01, 1000)])
def test_epsilon_agrees_with_the_accountant_of_opacus(noise, rate, steps):
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    for _ in range(steps):
        accountant.step(noise_multiplier=noise, sample_rate=rate)
    found, name = epsilon_of(noise, rate, steps, 1e-5)
    assert (name, found) == ("prv", pytest.approx(accountant.get_epsilon(1e-5), rel=0.006))


def test_without_sampling_epsilon_is_that_of_the_gaussian_mechanism():
    # Balle and Wang 2018, theorem 8, with the noise of 25 steps together.
    scale, delta = 10 / 5, 1e-5
    law = stats.norm.cdf

    def excess(epsilon: float) -> float:
        tails = law(1 / (2 * scale) - epsilon * scale), law(-1 / (2 * scale) - epsilon * scale)
        return tails[0] - math.exp(epsilon) * tails[1] - delta

    exact = optimize.brentq(excess, 0.1, 20)
    found = epsilon_of(10.0, 1.0, 25, delta)[0]
    assert exact <= found <= 1.01 * exact


def test_epsilon_grows_with_steps_and_rate_and_falls_with_noise():
    middle = epsilon_of(1.0, 0.05, 200, 1e-5)[0]
    assert epsilon_of(1.0, 0.05, 400, 1e-5)[0] > middle
    assert epsilon_of(1.0, 0.1, 200, 1e-5)[0] > middle
    assert epsilon_of(2.0, 0.05, 200, 1e-5)[0] < middle
    assert epsilon_of(1.0, 0.05, 0, 1e-5)[0] == 0
    assert epsilon_of(0.0, 0.05, 200, 1e-5)[0] == math.inf


@pytest.mark.parametrize(("epsilon", "rate", "steps"), [(0.5, 0.05, 300), (10.0, 0.1, 300), (2.0, 1.0, 40)])
def test_a_target_is_reached_and_not_exceeded(epsilon, rate, steps):
    spent = epsilon_of(noise_for(epsilon, rate, steps, 1e-5), rate, steps, 1e-5)[0]
    assert 0.97 * epsilon <= spent <= epsilon


def test_the_older_accountant_stands_in_where_the_numbers_of_the_other_fail(monkeypatch):
    from opacus.accountants import PRVAccountant

    # Its results are kept, and these must not be.
    uncached = epsilon_of.__wrapped__
    exact = uncached(1.0, 0.05, 200, 1e-5)[0]

    def fail(self, delta, **options):
        raise RuntimeError("Discrete mean differs significantly from continuous mean.")

    monkeypatch.setattr(PRVAccountant, "get_epsilon", fail)
    found, name = uncached(1.0, 0.05, 200, 1e-5)
    assert name == "rdp"
    assert found > exact
    assert uncached(noise_for(3.0, 0.05, 211, 1e-5), 0.05, 211, 1e-5)[0] <= 3.0


def test_delta_is_below_a_tenth_of_one_over_the_patients_and_refused_from_one_over_them():
    assert delta_for(20) == 1e-5
    assert delta_for(10**6) == pytest.approx(1e-7)
    assert delta_for(50, 1e-3) == 1e-3
    with pytest.raises(InputError, match=r"below 1 / patients = 0\.02, got 0\.02"):
        delta_for(50, 0.02)


# The secret


def test_numbers_of_a_secret_are_normal_and_differ_between_keys_purposes_and_places():
    drawn = KEY.normal(200_000, "noise", 3, 0).numpy()
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    assert torch.equal(KEY.normal(5, "noise", 3, 0), Secret(bytes(range(32))).normal(5, "noise", 3, 0))
    apart = {KEY.number("rows", 3), KEY.number("rows", 4), KEY.number("seed", 3), Secret(bytes(32)).number("rows", 3)}
    assert len(apart) == 4
    # Places that a generator of 32 bits would take for the same.
    assert KEY.number("rows", 5) != KEY.number("rows", 5 + 2**32)


def test_the_secret_is_kept_for_its_owner_alone_and_taken_up_again(tmp_path):
    first = keep_secret(tmp_path, {"steps": 5, "epsilon": 2.0})
    assert stat.S_IMODE((tmp_path / SECRET_FILE).stat().st_mode) == 0o600
    assert keep_secret(tmp_path, {"steps": 5, "epsilon": 2.0}).hex() == first.hex()
    assert first.hex() not in repr(first)
    assert keep_secret(_folder(tmp_path / "other"), {}).hex() != first.hex()
    with pytest.raises(InputError, match=r"begun with steps = 5 and is now asked to go on with 6"):
        keep_secret(tmp_path, {"steps": 6, "epsilon": 2.0})
    (tmp_path / SECRET_FILE).write_text("{")
    with pytest.raises(InputError, match="cannot be read, so this private training cannot go on"):
        keep_secret(tmp_path, {"steps": 5, "epsilon": 2.0})


# What is said


def test_an_epsilon_of_ten_is_said_to_be_no_protection_in_the_worst_case():
    said = sentence(10.0, 1e-5)
    assert "e^epsilon = 22 026 (epsilon 10)" in said
    assert "at most 99.9955 % of cases" in said
    assert "no meaningful protection of a person in the worst case" in said
    assert "wrongly accuses fewer than one outsider in 2 202 647" in said
    assert "holds against every attack" in sentence(1.0, 1e-5)
    assert "no meaningful" not in sentence(1.0, 1e-5)


def test_missing_identifiers_are_said_to_change_the_unit():
    assert "k times epsilon" in not_covered(GROUP, 9)[0]
    assert "no patient identifiers" in not_covered(GROUP, 9)[0]
    assert not any("no patient identifiers" in one for one in not_covered(PATIENT, 9))
    assert any("log.csv" in one for one in not_covered(PATIENT, 9))
    assert any("number of units (9)" in one for one in not_covered(PATIENT, 9))


# The whole


@pytest.fixture(scope="module")
def training_set() -> TrainingSet:
    made = phantoms("chest", 12, size=32).to_image_set("training")
    images = prepare({"training": made}, size=SHAPE[1:])["training"]
    patients, identified = patients_of(images)
    conditioning = Conditioning()
    return TrainingSet(images, conditioning, conditioning.read(images), patients, identified)


SCHEDULE = Schedule(steps=8, batch=4, warmup=2)


def _folder(path):
    path.mkdir()
    return path


def test_a_private_training_keeps_its_promise_and_no_secret(training_set, tmp_path):
    run = Run(tmp_path, seed=7)
    trainee = Shrinker()
    outcome, record = fit_privately(trainee, training_set, SCHEDULE, run, Privacy(epsilon=3.0, clip=0.7))
    patients = len(np.unique(training_set.patients))
    assert (record.unit, record.steps, record.clip, record.accountant) == (PATIENT, 8, 0.7, "prv")
    assert record.sample_rate == pytest.approx(4 / patients)
    assert record.delta == 1e-5
    assert 2.9 <= record.epsilon <= 3.0
    assert record.epsilon == epsilon_of(record.noise_multiplier, record.sample_rate, 8, 1e-5)[0]
    assert set(outcome.modules) == {"network"}
    assert not torch.equal(weights(trainee), weights(Shrinker()))
    assert not (tmp_path / SECRET_FILE).exists()
    said = json.dumps({**outcome.record, "privacy": record.describe()})
    assert "losses" not in outcome.record
    assert "seed" not in said
    assert "key" not in said
    assert all(not hasattr(p, "grad_sample") for p in outcome.modules["network"].parameters())


def test_a_training_that_was_cut_off_goes_on_with_the_same_noise_and_account(training_set, tmp_path):
    def cut(task, done, total):
        if done == 5:
            raise KeyboardInterrupt

    broken, whole = _folder(tmp_path / "broken"), _folder(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit_privately(Shrinker(), training_set, SCHEDULE, Run(broken, snapshots=3, progress=cut), Privacy(3.0))
    shutil.copy(broken / SECRET_FILE, whole / SECRET_FILE)
    resumed, one = fit_privately(Shrinker(), training_set, SCHEDULE, Run(broken, snapshots=3), Privacy(3.0))
    straight, other = fit_privately(Shrinker(), training_set, SCHEDULE, Run(whole, snapshots=3), Privacy(3.0))
    assert resumed.record["resumed"]
    assert one == other
    for mine, theirs in zip(
        resumed.modules["network"].parameters(), straight.modules["network"].parameters(), strict=True
    ):
        assert torch.equal(mine, theirs)


def test_another_budget_does_not_go_on_with_a_training(training_set, tmp_path):
    keep_secret(tmp_path, {"patients": 12, "batch": 4, "steps": 8, "epsilon": 3.0})
    with pytest.raises(InputError, match=r"epsilon = 3\.0 and is now asked to go on with 5\.0"):
        fit_privately(Shrinker(), training_set, SCHEDULE, Run(tmp_path), Privacy(epsilon=5.0))


def test_a_training_that_has_ended_is_not_gone_on_with(training_set, tmp_path):
    fit_privately(Shrinker(), training_set, SCHEDULE, Run(tmp_path), Privacy(epsilon=5.0))
    with pytest.raises(InputError, match="holds a training that has ended"):
        fit_privately(Shrinker(), training_set, SCHEDULE, Run(tmp_path), Privacy(epsilon=5.0))


def test_a_training_that_ends_early_has_spent_less(training_set, tmp_path):
    schedule = replace(SCHEDULE, steps=2000)
    outcome, record = fit_privately(Shrinker(), training_set, schedule, Run(tmp_path, minutes=1e-5), Privacy(3.0))
    assert record.steps == outcome.record["steps"] < schedule.steps
    assert record.epsilon < 2.0


def test_empty_steps_are_survived(training_set, tmp_path):
    schedule = replace(SCHEDULE, batch=1, steps=20)
    for memory in (1 << 30, 0):
        run = Run(_folder(tmp_path / str(memory)))
        record = fit_privately(Shrinker(), replace(training_set, memory=memory), schedule, run, Privacy(3.0))[1]
        assert record.steps == 20


def test_the_recipe_trains_privately_where_epsilon_is_set(training_set, tmp_path):
    recipe = DiffusionRecipe()
    options = DiffusionOptions(channels=(4, 4), patch=1, steps=2, batch=4, epsilon=6.0, delta=1e-3)
    generator, record = recipe.fit(training_set, options, Run(tmp_path))
    assert record["privacy"]["epsilon"] <= 6.0
    assert record["privacy"]["delta"] == 1e-3
    assert "losses" not in record
    assert generator.settings()["sigma_data"] == 0.5


class Adversarial(Shrinker):
    phases = ("discriminator", "generator")


@pytest.mark.parametrize(
    ("trainee", "schedule", "run", "said"),
    [
        (Adversarial, {}, {}, "offered for diffusion on pixels alone"),
        (Shrinker, {"balance": "class"}, {}, "draws patients evenly, and balance = class"),
        (Shrinker, {}, {"stop_at_onset": True}, "cannot be stopped by what is measured on the patients"),
        (Shrinker, {}, {"devices": 2}, "one device in 32-true, and 2 in 32-true"),
        (Shrinker, {}, {"precision": "bf16-mixed"}, "one device in 32-true, and 1 in bf16-mixed"),
    ],
)
def test_what_allows_no_guarantee_is_refused(training_set, tmp_path, trainee, schedule, run, said):
    with pytest.raises(InputError, match=said):
        fit_privately(
            trainee(), training_set, replace(SCHEDULE, **schedule), Run(tmp_path, **run), Privacy(epsilon=5.0)
        )
    assert not list(tmp_path.iterdir())


def test_conditions_that_were_measured_are_refused(training_set, tmp_path):
    frequent = Conditioning.fit(("class",), training_set.images, training_set.patients)
    even = Conditioning.fit(("class",), training_set.images, training_set.patients, Request(private=True))
    data = replace(training_set, conditioning=frequent, conditions=frequent.read(training_set.images))
    with pytest.raises(InputError, match=r"the condition 'class' was measured on the patients"):
        fit_privately(Shrinker(), data, SCHEDULE, Run(tmp_path), Privacy(epsilon=5.0))
    fit_privately(Shrinker(), replace(data, conditioning=even), SCHEDULE, Run(tmp_path), Privacy(epsilon=5.0))


@pytest.mark.parametrize(
    ("options", "said"),
    [({"epsilon": 0.0}, "epsilon is a number above 0, got 0"), ({"clip": -1.0}, "clip is"), ({"draws": 0}, "draws is")],
)
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        Privacy(**options)
