"""What a patient can change: no more than the clip, whatever the images are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.denoiser import Preconditioned
from fourfold.generate.networks.unet import DenoisingUNet
from fourfold.generate.parametrisations import Parametrisation
from fourfold.generate.training.patient_gradients import PatientGradients, no_hook_warnings
from fourfold.generate.training.private_trainee import PrivateTrainee
from fourfold.generate.training.schedule import Schedule
from fourfold.generate.training.secret import Secret
from fourfold.generate.training.trainee import Batch, Trainee

SHAPE = (1, 8, 8)
KEY = Secret(bytes(range(32)))


@pytest.fixture
def private():
    """A trainee that is trained privately, without noise where none is said."""

    def made(trainee: Trainee, noise: float = 0.0, **chosen) -> PrivateTrainee:
        schedule = Schedule(steps=5, batch=8, accumulate=chosen.pop("accumulate", 1))
        given = {"noise_multiplier": noise, "clip": 0.5, "expected": 1.0, "secret": KEY} | chosen
        return PrivateTrainee(trainee, schedule, **given)

    return made


@pytest.fixture
def change(private, shrinker):
    """What one step at rate 1 takes off the weights: the noised sum over patients."""

    def taken(images: torch.Tensor, noise: float = 0.0, seed: int = 1, **chosen) -> torch.Tensor:
        trainee = chosen.pop("trainee", None) or shrinker(kick=0.0, scale=100.0)
        before = trainee.weights()
        wrapped = private(trainee, noise, **chosen)
        with no_hook_warnings():
            generator = torch.Generator().manual_seed(seed)
            wrapped.loss("loss", Batch(images, np.arange(len(images))), generator).backward()
            wrapped.optimizers["loss"].step()
        wrapped.close()
        return before - trainee.weights()

    return taken


def images_of(*numbers: int) -> torch.Tensor:
    draws = [torch.randn(SHAPE, generator=torch.Generator().manual_seed(number)) for number in numbers]
    return torch.stack(draws) if draws else torch.empty(0, *SHAPE)


def test_one_more_patient_changes_the_sum_by_no_more_than_the_clip(change):
    without = change(images_of(1, 2, 3))
    for newcomer in (4, 5, 6):
        extra = change(images_of(1, 2, 3, newcomer)) - without
        assert float(extra.norm()) == pytest.approx(0.5, rel=1e-4)
        assert float(extra.norm()) <= 0.5 + 1e-6


def test_other_images_of_a_patient_change_the_sum_by_no_more_than_leaving_and_joining(change):
    others = images_of(1, 2, 3)
    mine, exchanged = torch.cat([others, images_of(4)]), torch.cat([others, 50 * images_of(5)])
    assert float((change(mine) - change(exchanged)).norm()) <= 2 * 0.5 + 1e-6


def test_a_gradient_shorter_than_the_clip_is_left_as_it_is(change, shrinker):
    trainee = shrinker(kick=0.0, scale=1e-3)
    trainee.independent_losses(Batch(images_of(1), np.arange(1)), torch.Generator()).sum().backward()
    plain = torch.cat([p.grad.flatten() for p in trainee.modules["network"].parameters()])
    assert torch.allclose(change(images_of(1), trainee=shrinker(kick=0.0, scale=1e-3)), plain, atol=1e-7)


def test_an_image_that_is_no_number_counts_for_nothing(change):
    broken = images_of(1, 2, 3)
    broken[1] = torch.inf
    assert torch.allclose(change(broken), change(images_of(1, 3)), atol=1e-6)


def test_parts_of_a_batch_add_up_to_the_whole(change):
    whole, parts = change(images_of(*range(7))), change(images_of(*range(7)), accumulate=4)
    assert torch.allclose(whole, parts, atol=1e-6)


def test_the_loss_that_is_logged_is_the_mean_over_patients_in_any_parts(private, shrinker):
    batch = Batch(images_of(1, 2, 3), np.arange(3))
    with no_hook_warnings():
        losses = [
            float(private(trainee, accumulate=parts).loss("loss", batch, stream).detach())
            for parts in (1, 8)
            for trainee, stream in [(shrinker(kick=0.0), torch.Generator())]
        ]
    expected = shrinker(kick=0.0).loss("loss", batch, torch.Generator())
    assert losses == pytest.approx([float(expected.detach())] * 2, rel=1e-5)


def test_several_noise_draws_are_averaged_within_the_gradient_of_a_patient(change, shrinker):
    trainee = shrinker(scale=1e-3)
    generator = torch.Generator().manual_seed(1)
    batch = Batch(images_of(1, 2), np.arange(2))
    sum(trainee.independent_losses(batch, generator).sum() / 4 for _ in range(4)).backward()
    plain = torch.cat([p.grad.flatten() for p in trainee.modules["network"].parameters()])
    assert torch.allclose(change(batch.images, trainee=shrinker(scale=1e-3), draws=4), plain, atol=1e-7)
    assert float(change(images_of(1), trainee=shrinker(scale=100.0), draws=4).norm()) == pytest.approx(0.5, rel=1e-4)


def test_a_step_without_any_patient_is_noise_alone(change):
    assert torch.equal(change(images_of()), torch.zeros_like(change(images_of())))
    noise = change(images_of(), noise=2.0)
    assert float(noise.std()) == pytest.approx(2.0 * 0.5, rel=0.1)


def test_noise_follows_from_the_secret_and_the_step_and_from_nothing_else(change):
    assert torch.allclose(
        change(images_of(1, 2), noise=2.0) - change(images_of(1, 2)), change(images_of(), noise=2.0), atol=1e-5
    )
    assert not torch.equal(change(images_of(), noise=2.0), change(images_of(), noise=2.0, seed=2))
    other = Secret(bytes(32))
    assert not torch.equal(change(images_of(), noise=2.0), change(images_of(), noise=2.0, secret=other))


def test_sums_are_divided_by_the_expected_number_of_patients(change):
    assert torch.allclose(change(images_of(1, 2), expected=8.0), change(images_of(1, 2)) / 8, atol=1e-7)


def test_the_same_noise_is_not_used_twice(private, shrinker):
    wrapped = private(shrinker())
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
