"""The recipe ``gan``: its losses, its training on a toy, and its generator."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.gan import GanGenerator, GanOptions, GanRecipe, GanTrainee
from fourfold.generate.gan.generator import style_generator
from fourfold.generate.gan.options import schedule_of
from fourfold.generate.gan.trainee import PathLength, r1_penalty, r1_weight
from fourfold.generate.generator import Drawing
from fourfold.generate.networks.discriminator import Discriminator
from fourfold.generate.recipe import Run, options_of, recipe
from fourfold.generate.training import Batch, Callback, fit
from fourfold.generate.training_set import TrainingSet
from fourfold.images import ImageSet, prepare

TINY = GanOptions(steps=2, batch=8, channels=4, latent=8, mapping=2)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def training_set(n: int = 40, shape: tuple[int, ...] = (1, 8, 8), kinds: tuple[str, ...] = ("class",)) -> TrainingSet:
    """Bright and dark noisy images, one a patient."""
    rng = np.random.default_rng(0)
    bright = np.arange(n) % 2
    level = np.where(bright, 0.75, 0.25).reshape(-1, *(1,) * len(shape))
    values = np.clip(level + 0.08 * rng.standard_normal((n, *shape)), 0, 1).astype(np.float32)
    labels = np.where(bright, "bright", "dark")
    images = ImageSet.from_array(values, name="training", labels=labels, patients=[f"p{row}" for row in range(n)])
    images = prepare({"training": images}, scaling="0:1")["training"]
    conditioning = Conditioning.fit(kinds, images, np.arange(n))
    return TrainingSet(images, conditioning, conditioning.read(images), np.arange(n))


def trainee(options: GanOptions = TINY, shape: tuple[int, ...] = (1, 8, 8), condition: int = 3) -> GanTrainee:
    conditioning = training_set().conditioning if condition else Conditioning()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = style_generator(shape, conditioning, options.latent, options.channels, options.mapping)
        discriminator = Discriminator(shape, condition, channels=options.channels)
    return GanTrainee(network, discriminator, options, math.prod(shape[1:]))


def batch(n: int = 8, shape: tuple[int, ...] = (1, 8, 8), condition: int = 3) -> Batch:
    vector = torch.eye(condition)[torch.arange(n) % 2] if condition else None
    images = torch.rand(n, *shape, generator=stream(5)) * 2 - 1
    return Batch(images, np.arange(n), Condition(vector) if condition else None)


def generator(conditioning: Conditioning | None = None, shape: tuple[int, ...] = (1, 8, 8)) -> GanGenerator:
    conditioning = training_set().conditioning if conditioning is None else conditioning
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = style_generator(shape, conditioning, 8, 4, 2)
        with torch.no_grad():
            for layer in network.synthesis.layers:
                layer.strength.fill_(0.3)
    return GanGenerator(shape, conditioning, network, channels=4, mapping=2)


def of_class(name: str, n: int) -> Conditions:
    return Conditions(n, {"class": np.array([name] * n)})


def test_the_gradient_penalty_is_that_of_a_function_with_a_known_gradient():
    images = torch.randn(3, 1, 2, 2, generator=stream(), requires_grad=True)
    logits = (images * torch.tensor([[1.0, 2.0], [0.0, -2.0]])).sum(dim=(1, 2, 3))
    assert r1_penalty(logits, images).item() == pytest.approx(9.0)


def test_the_gradient_penalty_reaches_the_weights_of_the_discriminator_at_every_sixteenth_step():
    one, data = trainee(replace(TINY, r1=1e6)), batch()
    losses = []
    for step in range(33):
        losses.append(one.loss("discriminator", data, stream()).item())
        one.after_step(step + 1)
    regularised = [step for step, loss in enumerate(losses) if loss > 10]
    assert regularised == [0, 16, 32]


def test_without_weight_there_is_no_penalty():
    plain, penalised = trainee(replace(TINY, r1=0.0)), trainee(replace(TINY, r1=1e-12))
    data = batch()
    assert plain.loss("discriminator", data, stream()).item() == pytest.approx(
        penalised.loss("discriminator", data, stream()).item(), abs=1e-5
    )


def test_the_weight_of_the_penalty_grows_with_the_side():
    assert r1_weight(32 * 32) == pytest.approx(0.1)
    assert r1_weight(256 * 256) == pytest.approx(0.8)
    assert trainee(TINY).r1 == r1_weight(64)
    assert trainee(replace(TINY, r1=3.0)).r1 == 3.0


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 4, 8, 8)])
def test_each_phase_has_gradients_for_its_own_network(shape):
    one, data = trainee(replace(TINY, path_length=2.0, mixing=0.5), shape), batch(shape=shape)
    one.modules["controller"].probability.fill_(0.5)
    for phase, other in (("discriminator", "generator"), ("generator", "discriminator")):
        one.modules[other].requires_grad_(False)
        loss = one.loss(phase, data, stream())
        loss.backward()
        assert loss.isfinite()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in one.modules[phase].parameters())
        assert all(p.grad is None for p in one.modules[other].parameters())
        one.modules[other].requires_grad_(True)
        one.modules[phase].zero_grad(set_to_none=True)


def test_the_same_stream_gives_the_same_loss():
    data = batch()
    first, second = trainee(), trainee()
    for one in (first, second):
        one.modules["controller"].probability.fill_(0.5)
    for phase in GanTrainee.phases:
        assert first.loss(phase, data, stream()).item() == second.loss(phase, data, stream()).item()
        assert first.loss(phase, data, stream(1)).item() != second.loss(phase, data, stream(2)).item()


def test_a_discriminator_that_is_sure_of_real_images_has_them_augmented():
    one, data = trainee(replace(TINY, augment_images=80)), batch()
    with torch.no_grad():
        one.modules["discriminator"].logit.bias.fill_(100.0)
    one.loss("discriminator", data, stream())
    assert one.after_step(1) == {"augmentation": pytest.approx(0.1), "sign_real": 1.0}


def test_path_lengths_are_held_against_their_running_mean():
    penalty = PathLength()
    penalty.length.fill_(2.0)
    # Images that are the sum of their two styles have the gradient y by each of them.
    styles = torch.randn(64, 2, 1, generator=stream(), requires_grad=True)
    images = styles.sum(dim=1).reshape(-1, 1, 1, 1)
    lengths = torch.randn(64, generator=stream(3)).abs()
    mean = 0.99 * 2.0 + 0.01 * lengths.mean().item()
    assert penalty(images, styles, stream(3)).item() == pytest.approx((lengths - mean).square().mean().item(), rel=1e-4)
    assert penalty.length.item() == pytest.approx(mean, rel=1e-5)


def test_two_classes_are_told_apart_after_a_short_training(tmp_path):
    data = training_set(64, (1, 16, 16))
    options = GanOptions(steps=100, batch=8, channels=8, latent=16, mapping=2, average=0.15)
    found, record = GanRecipe().fit(data, options, Run(tmp_path))
    means = {name: found.draw(range(16), of_class(name, 16), Drawing()).mean() for name in ("bright", "dark")}
    assert means["bright"] > means["dark"] + 0.25
    assert 0 <= record["augmentation"] <= 0.8
    assert record["steps"] == 100
    assert all(math.isfinite(loss) for loss in record["losses"].values())
    json.dumps(record)
    log = (tmp_path / "log.csv").read_text().splitlines()
    assert {"discriminator", "generator", "augmentation", "sign_real"} <= set(log[0].split(","))


def test_training_repeats_itself_and_leaves_the_global_stream_alone(tmp_path):
    before = torch.random.get_rng_state()
    weights = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        found, _ = GanRecipe().fit(training_set(), TINY, Run(tmp_path / name, seed=3))
        weights.append(found.arrays())
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


class Killed(Callback):
    """Ends the program in the middle of a training."""

    def on_step(self, step: int, losses: Mapping[str, float]) -> str | None:
        if step == 14:
            raise RuntimeError("killed")
        return None


def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path):
    options = replace(TINY, steps=20, accumulate=2, path_length=1.0, mixing=0.5, augment_images=200)
    outcomes = []
    for name, callbacks in (("whole", ()), ("killed", (Killed(),))):
        (tmp_path / name).mkdir()
        run = Run(tmp_path / name, snapshots=4)
        if callbacks:
            with pytest.raises(RuntimeError, match="killed"):
                fit(trainee(options), training_set(), schedule_of(options), run, callbacks)
        outcomes.append(fit(trainee(options), training_set(), schedule_of(options), run))
    assert outcomes[1].record["resumed"] == [12]
    for name, module in outcomes[0].modules.items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, outcomes[1].modules[name].state_dict()[key]), f"{name} {key}"


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (3, 8, 12)])
def test_volumes_and_colours_can_be_trained(tmp_path, shape):
    found, _ = GanRecipe().fit(training_set(16, shape, ()), TINY, Run(tmp_path))
    drawn = found.draw([1, 2, 3], Conditions(3), Drawing())
    assert drawn.shape == (3, *shape)
    assert drawn.dtype == np.float32


def test_images_are_in_range_and_depend_on_their_seed_alone():
    one = generator()
    drawn = one.draw(range(70), of_class("dark", 70), Drawing(truncation=0.8))
    assert drawn.shape == (70, 1, 8, 8)
    assert 0 <= drawn.min() < drawn.max() <= 1
    assert np.array_equal(drawn, one.draw(range(70), of_class("dark", 70), Drawing(truncation=0.8)))
    alone = one.draw([66], of_class("dark", 1), Drawing(truncation=0.8))
    assert np.abs(alone[0] - drawn[66]).max() < 1e-5
    assert len(np.unique(drawn.reshape(70, -1), axis=0)) == 70


def test_the_class_changes_the_image_and_truncation_keeps_it():
    one = generator()
    for truncation in (1.0, 0.3):
        drawing = Drawing(truncation=truncation)
        dark, bright = (one.draw([4], of_class(name, 1), drawing) for name in ("dark", "bright"))
        assert np.abs(dark - bright).max() > 1e-3


def test_variety_grows_with_truncation_from_what_noise_leaves():
    one = generator()
    for layer in one.network.synthesis.layers:
        layer.strength.zero_()
    spread = [
        one.draw(range(32), of_class("dark", 32), Drawing(truncation=psi)).std(axis=0).mean() for psi in (0.0, 0.5, 1.0)
    ]
    assert spread[0] < 1e-6
    assert spread[0] < spread[1] < spread[2]


def test_a_restored_generator_draws_the_same_bytes():
    one = generator()
    settings = json.loads(json.dumps(one.settings()))
    other = GanGenerator.restore(one.shape, one.conditioning, settings, dict(one.arrays()))
    drawing = Drawing(truncation=0.6)
    drawn = [each.draw([1, 5], of_class("dark", 2), drawing).tobytes() for each in (one, other)]
    assert drawn[0] == drawn[1]


def test_knobs_that_it_does_not_have_are_refused():
    with pytest.raises(InputError, match="--guidance is no knob of a gan model; it has: --truncation"):
        generator().check_drawing(Drawing(guidance=2.0))
    generator().check_drawing(Drawing(truncation=0.5))


def test_sides_that_cannot_be_halved_are_refused_before_training(tmp_path):
    data = training_set(16, (1, 18, 31), ())
    with pytest.raises(InputError, match="those of 18 x 31 images cannot be halved so often"):
        GanRecipe().fit(data, TINY, Run(tmp_path))


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("channels", 0, "the option channels is a whole number from 1 up, got 0"),
        ("r1", -1.0, "the option r1 is a number from 0 up, got -1"),
        ("learning_rate", 0.0, "the option learning_rate is a number above 0, got 0"),
        ("augment_target", 1.5, "the option augment_target is a number from 0 to 1, got 1.5"),
    ],
)
def test_options_out_of_range_are_refused(option, value, message):
    with pytest.raises(InputError, match=message):
        options_of(GanRecipe(), {option: value})


def test_the_recipe_is_found_by_name_with_options_from_text():
    found = recipe("gan")
    assert found.conditions == ("class", "labels", "attributes", "features")
    assert options_of(found, {"r1": "0.5", "augment-target": "0"}) == GanOptions(r1=0.5, augment_target=0.0)
