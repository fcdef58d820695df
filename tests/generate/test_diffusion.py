import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import fourfold as ff
from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning
from fourfold.generate.diffusion import DiffusionGenerator, DiffusionOptions, DiffusionTrainee
from fourfold.generate.diffusion.generator import build_denoiser
from fourfold.generate.diffusion.trainee import perturbed
from fourfold.generate.frameworks import FRAMEWORKS, framework
from fourfold.generate.generator import Drawing
from fourfold.generate.recipe import Run, options_of, recipe
from fourfold.generate.training import Batch
from fourfold.generate.training_set import TrainingSet, patients_of
from fourfold.images import ImageSet, prepare


@pytest.fixture(scope="module")
def shades():
    """Sixty-four images of 8 pixels: dark ones and bright ones, with a little noise."""
    rng = np.random.default_rng(0)
    bright = np.arange(64) % 2
    images = np.where(bright, 0.75, 0.25)[:, None, None, None] + 0.05 * rng.standard_normal((64, 1, 8, 8))
    labels = np.where(bright, "bright", "dark")
    patients = [str(number // 2) for number in range(64)]
    found = ImageSet.from_array(images.astype(np.float32).clip(0, 1), labels=labels, patients=patients)
    return prepare({"training": found})["training"]


def data(images, kinds=("class",)):
    patients, identified = patients_of(images)
    conditioning = Conditioning.fit(kinds, images, patients)
    return TrainingSet(images, conditioning, conditioning.read(images), patients, identified)


def fitted(images, folder, kinds=("class",), **options):
    found = recipe("diffusion")
    given = {"channels": "16,16", "patch": 1, "steps": 200, "batch": 32, "warmup": 10, "learning_rate": 3e-3, **options}
    return found.fit(data(images, kinds), options_of(found, given), Run(folder, snapshots=1000))


@pytest.fixture(scope="module")
def trained(shades, tmp_path_factory):
    return fitted(shades, tmp_path_factory.mktemp("run"))[0]


def test_classes_are_obeyed(trained):
    seeds = list(range(16))
    means = {}
    for name in ("dark", "bright"):
        means[name] = trained.draw(seeds, trained.conditioning.draw(seeds, {"class": name}), Drawing()).mean((1, 2, 3))
    assert (means["dark"] < 0.5).mean() > 0.9
    assert (means["bright"] > 0.5).mean() > 0.9


def test_guidance_drives_classes_apart_and_costs_variety(trained):
    seeds = list(range(32))
    conditions = trained.conditioning.draw(seeds, {"class": "bright"})
    free, held = (trained.draw(seeds, conditions, Drawing(guidance=weight)) for weight in (0.0, 2.0))
    assert held.mean((1, 2, 3)).std() < free.mean((1, 2, 3)).std()


def test_temperature_narrows_what_is_drawn(trained):
    seeds = list(range(24))
    conditions = trained.conditioning.draw(seeds, {"class": "dark"})
    plain, cold = (trained.draw(seeds, conditions, Drawing(temperature=t)) for t in (1.0, 0.5))
    assert cold.std(axis=0).mean() < plain.std(axis=0).mean()


def test_a_model_is_the_same_after_it_was_written_down(trained):
    settings = json.loads(json.dumps(trained.settings()))
    again = DiffusionGenerator.restore(trained.shape, trained.conditioning, settings, dict(trained.arrays()))
    conditions = trained.conditioning.draw([5, 6])
    drawing = Drawing(sampler="heun", evaluations=9)
    assert np.array_equal(again.draw([5, 6], conditions, drawing), trained.draw([5, 6], conditions, drawing))


def test_an_image_does_not_depend_on_the_images_beside_it(trained):
    together = trained.draw([1, 2, 3], trained.conditioning.draw([1, 2, 3]), Drawing(sampler="ddpm", evaluations=6))
    alone = trained.draw([3], trained.conditioning.draw([3]), Drawing(sampler="ddpm", evaluations=6))
    assert np.allclose(together[2:], alone, atol=1e-5)


def test_a_guide_is_a_copy_from_an_eighth_of_the_training(shades, tmp_path):
    generator, _ = fitted(shades, tmp_path, kinds=(), steps=16, guide="early")
    names = set(generator.arrays())
    assert {name.removeprefix("guide.") for name in names if name.startswith("guide.")} == {
        name.removeprefix("denoiser.") for name in names if name.startswith("denoiser.")
    }
    guided = generator.draw([1], generator.conditioning.draw([1]), Drawing(guidance=2.0))
    plain = generator.draw([1], generator.conditioning.draw([1]), Drawing())
    assert not np.allclose(guided, plain, atol=1e-4)


def test_guidance_without_anything_to_measure_it_from_is_refused(shades, tmp_path):
    generator, _ = fitted(shades, tmp_path, kinds=(), steps=1)
    with pytest.raises(InputError, match="--guidance needs a model that was trained with a condition"):
        generator.draw([1], generator.conditioning.draw([1]), Drawing(guidance=1.5))


def test_condition_noise_without_features_is_refused(trained):
    conditions = trained.conditioning.draw([1])
    with pytest.raises(InputError, match="--condition-noise needs a model that is conditioned on features"):
        trained.draw([1], conditions, Drawing(condition_noise=0.5))


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_framework_trains_and_draws_with_its_own_sampler(shades, tmp_path, name):
    generator, record = fitted(shades, tmp_path, kinds=(), steps=2, framework=name)
    assert record["steps"] == 2
    own = Drawing(sampler=framework(name).sampler, evaluations=24)
    drawn = generator.draw([1, 2], generator.conditioning.draw([1, 2]), own)
    assert drawn.shape == (2, 1, 8, 8)
    assert np.isfinite(drawn).all()
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_volumes_are_trained_and_drawn(tmp_path):
    volumes = np.random.default_rng(0).random((16, 1, 8, 8, 8), dtype=np.float32)
    images = prepare({"training": ImageSet.from_array(volumes)})["training"]
    generator, _ = fitted(images, tmp_path, kinds=(), steps=1, batch=4)
    assert generator.draw([1], generator.conditioning.draw([1]), Drawing(evaluations=2)).shape == (1, 1, 8, 8, 8)


def test_the_loss_of_a_perfect_denoiser_is_nothing_and_that_of_an_idle_one_the_weighted_noise():
    options = DiffusionOptions(channels=(16, 16), patch=1)
    denoiser = build_denoiser(
        (1, 8, 8),
        Conditioning(),
        {"channels": [16, 16], "blocks": 1, "patch": 1, "prediction": "edm", "sigma_data": 0.5},
    )
    trainee = DiffusionTrainee(denoiser, framework("edm"), (1, 8, 8), options)
    images = torch.full((256, 1, 8, 8), 0.3)
    batch = Batch(images, np.arange(256))
    trainee.modules["denoiser"] = lambda x, sigma, condition: images
    assert trainee.loss("loss", batch, torch.Generator().manual_seed(0)) == 0
    trainee.modules["denoiser"] = lambda x, sigma, condition: x
    generator = torch.Generator().manual_seed(0)
    sigma = framework("edm").draw(256, generator)[torch.randperm(256, generator=generator)]
    noise = torch.randn(images.shape, generator=generator).square().mean(dim=(1, 2, 3))
    expected = float(((sigma**2 + 0.25) / 0.25 * noise).mean())
    assert trainee.loss("loss", batch, torch.Generator().manual_seed(0)).item() == pytest.approx(expected, rel=1e-4)


def test_condition_noise_keeps_the_length_of_features_and_leaves_the_rest():
    vector = torch.tensor([[1.0, 0.0, 3.0, 4.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]])
    found = perturbed(Condition(vector=vector), slice(2, 4), 0.5, torch.ones(2, 5)).vector
    assert found[0, 2:4].norm() == pytest.approx(5)
    assert not torch.allclose(found[0, 2:4], vector[0, 2:4])
    assert torch.equal(found[:, [0, 1, 4]], vector[:, [0, 1, 4]])
    assert torch.equal(found[1], vector[1])


def test_the_patch_leaves_sixteen_pixels_where_it_can():
    options = DiffusionOptions()
    assert [options.patch_for((1, side, side)) for side in (16, 28, 32, 64, 128)] == [1, 1, 2, 4, 4]
    assert options.patch_for((1, 32, 40)) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps is a whole number from 1 up"),
        ({"channels": (30,)}, "multiples of 4"),
        ({"dropout": 1.5}, "dropout is a share"),
        ({"learning_rate": -1.0}, "learning_rate is a number above 0"),
        ({"delta": 1e-5}, "give --epsilon with it"),
    ],
)
def test_options_out_of_range_are_refused_in_words(options, words):
    with pytest.raises(InputError, match=words):
        DiffusionOptions(**options)


def test_augmentation_is_told_to_the_network_and_switched_off_in_drawing(shades, tmp_path):
    generator, _ = fitted(shades, tmp_path, steps=2, augment=0.5)
    weights = generator.arrays()["denoiser.network.unet.class_embedding.weight"]
    assert weights.shape[1] == generator.conditioning.width + generator.settings()["augmentation"]
    assert generator.draw([1], generator.conditioning.draw([1]), Drawing()).shape == (1, 1, 8, 8)


def test_watched_losses_of_images_with_the_same_noise_differ_by_the_image_alone(shades):
    options = DiffusionOptions(channels=(16, 16), patch=1)
    settings = {"channels": [16, 16], "blocks": 1, "patch": 1, "prediction": "edm", "sigma_data": 0.5}
    denoiser = build_denoiser((1, 8, 8), Conditioning(), settings).eval()
    trainee = DiffusionTrainee(denoiser, framework("edm"), (1, 8, 8), options)
    images = torch.from_numpy(2 * shades.load(range(4)) - 1)
    first, second = (trainee.watched(trainee.modules, images, None, torch.Generator().manual_seed(3)) for _ in range(2))
    assert first.shape == (4,)
    assert torch.equal(first, second)


def test_an_unconditional_denoiser_of_a_conditional_model_is_what_attacks_see(trained):
    condition = trained.conditioning.withheld(2)
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert trained.denoise(condition)(x, torch.tensor(0.5)).shape == x.shape


def test_phantoms_of_two_classes_can_be_conditioned_on_their_features(tmp_path):
    population = ff.phantoms("chest", 30, size=16)
    images = prepare({"training": population.to_image_set("training")})["training"]
    found = recipe("diversity-aware")
    own = data(images, ("class", "features"))
    given = {"channels": "16,16", "patch": 1, "steps": 2, "batch": 8}
    generator, _ = found.fit(own, options_of(found, given), Run(tmp_path))
    drawn = generator.draw([1, 2], generator.conditioning.draw([1, 2]), Drawing(condition_noise=0.3, evaluations=4))
    assert drawn.shape == (2, 1, 16, 16)
    with pytest.raises(InputError, match="needs features; train with --condition class,features"):
        found.fit(data(images), options_of(found, given), replace(Run(tmp_path), seed=1))
