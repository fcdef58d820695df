"""A denoiser that learned its training images by heart gives them away; one that never saw them does not."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fourfold.comparison import Sets
from fourfold.errors import InputError
from fourfold.images import ImageSet, SplitRecord, prepare, record_split, split_by_patient
from fourfold.images.phantoms import phantoms
from fourfold.privacy.model import (
    NoisePredictor,
    all_model_attacks,
    attack_model,
    canary_epsilon,
    loss_attack,
    open_denoiser,
    proximal_attack,
    reversal_attack,
)

SIDE, MEMBERS = 16, 40


class Preconditioned(torch.nn.Module):
    """A small network, preconditioned as in Karras et al. 2022 for data of standard deviation 0.5."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.value_range = (-1.0, 1.0)
        self.first = torch.nn.Linear(SIDE * SIDE + 1, width)
        self.second = torch.nn.Linear(width, width)
        self.last = torch.nn.Linear(width, SIDE * SIDE)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        flat, level = x.flatten(1), sigma[:, None]
        scale = 1 / torch.sqrt(level**2 + 0.25)
        hidden = torch.nn.functional.silu(self.first(torch.cat([scale * flat, torch.log(level) / 4], dim=1)))
        hidden = hidden + torch.nn.functional.silu(self.second(hidden))
        return (0.25 * scale**2 * flat + 0.5 * level * scale * self.last(hidden)).reshape(x.shape)


def _trained(images: np.ndarray, steps: int) -> Preconditioned:
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Preconditioned()
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    clean = 2 * torch.from_numpy(images) - 1
    for _ in range(steps):
        x = clean[torch.randint(len(clean), (64,), generator=generator)]
        sigma = (1.2 * torch.randn(64, generator=generator) - 1.2).exp().clamp_min(0.02)
        weight = (sigma**2 + 0.25) / (0.5 * sigma) ** 2
        noisy = x + sigma[:, None, None, None] * torch.randn(x.shape, generator=generator)
        loss = (weight[:, None, None, None] * (network(noisy, sigma) - x).square()).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


@pytest.fixture(scope="module")
def population() -> tuple[np.ndarray, np.ndarray]:
    drawn = phantoms("chest", 600, images_per_patient=1, size=SIDE, seed=1)
    return drawn.images, drawn.patients


@pytest.fixture(scope="module")
def denoiser(population: tuple[np.ndarray, np.ndarray]) -> Preconditioned:
    """Trained on the first images, many times over."""
    return _trained(population[0][:MEMBERS], 300)


def _set(population: tuple[np.ndarray, np.ndarray], rows: slice | np.ndarray) -> ImageSet:
    images, patients = population
    found = ImageSet.from_array(images[rows], patients=list(patients[rows]))
    return prepare({"training": found}, scaling="0:1")["training"]


def _sets(population: tuple[np.ndarray, np.ndarray], training: slice, holdout: slice) -> Sets:
    return Sets(_set(population, training), _set(population, training), _set(population, holdout))


def test_a_model_that_learned_its_images_by_heart_gives_them_away(population, denoiser) -> None:
    score = attack_model(_sets(population, slice(0, MEMBERS), slice(MEMBERS, 2 * MEMBERS)), denoiser)
    assert score.value > 0.9
    assert score.departs() == "worse"
    endpoint = score.details["endpoints"][0]
    assert (endpoint["name"], endpoint["kind"], endpoint["size"]) == ("model_auc", "normal", MEMBERS // 2)
    assert endpoint["standard_error"] > 0
    assert score.per_training["model_membership"].mean() > 0.9


def test_patients_whom_the_model_never_saw_are_told_apart_from_nobody(population, denoiser) -> None:
    rng = np.random.default_rng(0)
    outside, areas = 0, []
    for _ in range(12):
        rows = MEMBERS + rng.permutation(len(population[0]) - MEMBERS)
        sets = Sets(_set(population, rows[:1]), _set(population, rows[:1]))
        sets = replace(sets, training=_set(population, rows[:60]), holdout=_set(population, rows[60:180]))
        score = attack_model(sets, denoiser, sigmas=(0.2, 1.0))
        areas.append(score.value)
        outside += score.departs() != "no"
    assert np.mean(areas) == pytest.approx(0.5, abs=0.06)
    assert outside <= 3


def test_named_patients_are_counted_at_a_threshold_of_the_other_half(population, denoiser) -> None:
    few = attack_model(_sets(population, slice(0, 40), slice(40, 237)), denoiser, sigmas=(0.2,))
    enough = attack_model(_sets(population, slice(0, 40), slice(40, 238)), denoiser, sigmas=(0.2,))
    assert [one["name"] for one in few.details["endpoints"]] == ["model_auc"]
    assert "198 holdout patients" in few.reason
    named = enough.details["endpoints"][1]
    assert (named["name"], named["kind"], named["size"]) == ("model_tpr", "proportion", 20)
    assert named["count"] > 10


def test_epsilon_is_reported_only_where_chance_made_the_split(population, denoiser) -> None:
    everyone = _set(population, slice(0, 120))
    shares = {"training": 0.5, "holdout": 0.5}
    parts = split_by_patient(everyone, shares, seed=3)
    network = _trained(parts["training"].load(), 300)
    sets = Sets(parts["training"], parts["training"], parts["holdout"])
    record = record_split(parts, shares, 3)
    score = attack_model(sets, network, record)
    (floor,) = [one for one in score.details["endpoints"] if one["name"] == "epsilon"]
    assert floor["kind"] == "floor"
    assert floor["estimate"] > 1
    assert score.details["split_randomised_by_us"]
    other = SplitRecord(4, record.unit, record.stratified, record.parts)
    unproven = attack_model(sets, network, other)
    assert not unproven.details["split_randomised_by_us"]
    assert all(one["name"] != "epsilon" for one in unproven.details["endpoints"])


def test_the_canary_bound_is_that_of_the_theorem_and_zero_without_leakage() -> None:
    members = np.repeat([True, False], [200, 200])
    in_first = np.arange(400) % 2 == 0
    perfect = canary_epsilon(members.astype(float), members, in_first)
    assert (perfect.correct, perfect.guesses) == (200, 200)
    # 0.05^(1/200) is the largest refuted rate of right guesses.
    assert perfect.lower == pytest.approx(np.log(0.05 ** (1 / 200) / (1 - 0.05 ** (1 / 200))))
    rng = np.random.default_rng(0)
    above = [canary_epsilon(rng.random(400), members, in_first, seed).lower > 0 for seed in range(60)]
    assert np.mean(above) <= 0.12


def test_unequal_shares_do_not_make_guesses_right() -> None:
    members = np.arange(1000) < 800
    rng = np.random.default_rng(1)
    above = [canary_epsilon(rng.random(1000), members, rng.random(1000) < 0.5, seed).lower > 0 for seed in range(60)]
    assert np.mean(above) <= 0.12


class Shrinking:
    """The ideal denoiser of Gaussian data with mean 0 and unit variance: ``D = x / (1 + sigma^2)``."""

    value_range = (-1.0, 1.0)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return x / (1 + sigma.reshape(-1, *(1,) * (x.ndim - 1)) ** 2)


def test_attacks_on_gaussian_data_agree_with_the_formulas() -> None:
    x = torch.tensor([[0.0, 2.0], [1.0, 1.0]]).reshape(2, 1, 1, 2)
    # Loss: bias (sigma^2 x / (1 + sigma^2))^2 and noise sigma^2 / (1 + sigma^2)^2; the cross term cancels in pairs.
    draws = [float(torch.randn(1, 1, 2, generator=torch.Generator().manual_seed(5)).square().mean())]
    loss = loss_attack(Shrinking(), x, 1.0, draws=1, seed=5)
    np.testing.assert_allclose(loss, -(np.array([2.0, 1.0]) / 4 + draws[0] / 4), rtol=1e-6)
    # PIA: eps0 = c x / (1 + c^2); eps = sigma (x + sigma eps0) / (1 + sigma^2).
    clean, sigma = 0.1, 0.5
    first = clean / (1 + clean**2)
    second = sigma * (1 + sigma * first) / (1 + sigma**2)
    expected = -np.array([8.0, 1.0]) * (first - second) ** 4
    np.testing.assert_allclose(proximal_attack(Shrinking(), x, sigma, clean, False), expected, rtol=1e-4)
    size = np.sqrt(2 / np.pi)
    np.testing.assert_allclose(
        proximal_attack(Shrinking(), x[1:], sigma, clean, True),
        -((size - sigma * (1 + sigma * size) / (1 + sigma**2)) ** 4),
        rtol=1e-4,
    )
    # SecMI: each Euler step multiplies x by 1 + h sigma / (1 + sigma^2).
    levels = np.geomspace(clean, sigma, 3)
    state = np.prod([1 + (b - a) * a / (1 + a**2) for a, b in itertools.pairwise(levels)])
    further = sigma * levels[1] / levels[0]
    step = further - sigma
    forth = state * (1 + step * sigma / (1 + sigma**2))
    back = forth * (1 - step * further / (1 + further**2))
    np.testing.assert_allclose(
        reversal_attack(Shrinking(), x, sigma, clean, steps=2), -np.array([2.0, 1.0]) * (state - back) ** 2, rtol=1e-3
    )


def test_noise_is_the_same_whatever_the_batch() -> None:
    images = np.random.default_rng(0).random((6, 1, 8, 8)).astype(np.float32)
    whole = all_model_attacks(Shrinking(), images)
    parts = [all_model_attacks(Shrinking(), images[rows]) for rows in (slice(0, 4), slice(4, 6))]
    for name, values in whole.items():
        np.testing.assert_allclose(np.concatenate([part[name] for part in parts]), values, rtol=1e-5)


def test_a_predictor_of_noise_is_the_same_denoiser_after_a_change_of_variables() -> None:
    abar = torch.linspace(0.999, 0.01, 50)

    def noise(x: Tensor, times: Tensor) -> Tensor:
        # Gaussian data of unit variance: x_t has unit variance too, and E[eps | x_t] = sqrt(1 - abar) x_t.
        return (1 - abar[times]).sqrt().reshape(-1, 1, 1, 1) * x

    wrapped = NoisePredictor(noise, abar)
    x = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    sigma = wrapped.sigmas[[3, 20, 49]].float()
    torch.testing.assert_close(wrapped(x, sigma), Shrinking()(x, sigma), rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="never rise"):
        NoisePredictor(noise, abar.flip(0))


def test_a_denoiser_opens_from_torchscript_and_answers_as_before(tmp_path: Path, denoiser) -> None:
    file = tmp_path / "denoiser.pt"
    example = torch.zeros(2, 1, SIDE, SIDE), torch.ones(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(denoiser, example).save(str(file))
    opened = open_denoiser(file)
    x, sigma = torch.rand(3, 1, SIDE, SIDE), torch.tensor([0.1, 0.5, 2.0])
    torch.testing.assert_close(opened(x, sigma), denoiser(x, sigma))
    with pytest.raises(InputError, match=r"denoiser\.pt: the network fails on images of shape \(3, 1, 8, 8\)"):
        opened(x[..., :8, :8], sigma)


def test_other_files_are_refused_and_other_readers_asked_first(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"no program")
    with pytest.raises(InputError, match="holds no denoiser that is known here; export the model as TorchScript"):
        open_denoiser(file)
    with pytest.raises(InputError, match="must rise"):
        open_denoiser(file, (1.0, -1.0))
    known = Shrinking()
    assert open_denoiser(file, readers=[lambda path: known if path.suffix == ".safetensors" else None]) is known


def test_a_model_that_returns_something_else_is_an_input_error() -> None:
    def broken(x: Tensor, sigma: Tensor) -> Tensor:
        return x[..., :2]

    broken.value_range = (-1.0, 1.0)
    with pytest.raises(InputError, match=r"does not turn images of shape \(2, 1, 8, 8\)"):
        all_model_attacks(broken, np.zeros((2, 1, 8, 8), np.float32))


def test_without_a_holdout_or_enough_patients_the_score_says_why(population) -> None:
    alone = _set(population, slice(0, 30))
    assert attack_model(Sets(alone, alone), Shrinking()).reason == "needs a holdout"
    few = attack_model(_sets(population, slice(0, 30), slice(30, 40)), Shrinking())
    assert "20 training and 20 holdout patients" in few.reason
