import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.generator import Drawing
from fourfold.generate.recipe import Run, options_of, recipe
from fourfold.generate.training import Batch
from fourfold.generate.training_set import TrainingSet
from fourfold.generate.vae import Vae, VaeOptions, VaeTrainee
from fourfold.images import ImageSet, prepare

QUICK = {"channels": (8, 16), "latent": 4, "batch": 16, "warmup": 5, "learning_rate": 3e-3}


def training_set(images, labels=None):
    found = ImageSet.from_array(images.astype(np.float32), name="training", labels=labels)
    prepared = prepare({"training": found}, scaling="0:1")["training"]
    numbers = np.arange(len(images))
    conditioning = Conditioning.fit(() if labels is None else ("class",), prepared, numbers)
    return TrainingSet(prepared, conditioning, conditioning.read(prepared), numbers)


def blobs(n=96, seed=0):
    """A bright square at one of many places on a dark ground, left of the middle in one class, right in the other."""
    rng = np.random.default_rng(seed)
    labels = np.where(np.arange(n) % 2, "right", "left")
    images = np.full((n, 1, 16, 16), 0.1)
    for image, label in zip(images, labels, strict=True):
        row, column = rng.integers(2, 10), rng.integers(0, 4) + (9 if label == "right" else 0)
        image[0, row : row + 4, column : column + 3] = 0.9
    return training_set(images, labels)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    data = blobs()
    found = recipe("vae")
    generator, record = found.fit(data, VaeOptions(steps=250, **QUICK), Run(tmp_path_factory.mktemp("run")))
    return data, generator, record


def draw(generator, seeds, label=None, **knobs):
    columns = {} if label is None else {"class": np.full(len(seeds), label)}
    return generator.draw(list(seeds), Conditions(len(seeds), columns), Drawing(**knobs))


def test_training_learns_to_rebuild_images(fitted):
    data, _, record = fitted
    images = data.load()
    assert record["reconstruction_error"] < 0.7 * np.sqrt(((images - images.mean(axis=0)) ** 2).mean())
    assert record["divergence"] > 1
    assert record["steps"] == 250


def test_classes_are_obeyed(fitted):
    _, generator, _ = fitted
    for label, side in (("left", slice(0, 8)), ("right", slice(8, 16))):
        drawn = draw(generator, range(40), label)
        mine, other = drawn[..., side].mean(axis=(1, 2, 3)), drawn.mean(axis=(1, 2, 3))
        assert (mine > other).mean() >= 0.8


def test_an_image_depends_on_its_seed_and_hardly_on_its_batch(fitted):
    _, generator, _ = fitted
    together = draw(generator, range(70), "left")
    assert together.dtype == np.float32
    assert 0 <= together.min() <= together.max() <= 1
    np.testing.assert_allclose(draw(generator, [65], "left")[0], together[65], atol=1e-5)
    assert not np.allclose(together[0], together[1], atol=1e-3)


def test_a_restored_generator_draws_the_same_bytes_and_keeps_no_encoder(fitted):
    data, generator, _ = fitted
    arrays = generator.arrays()
    assert not any("encode" in name or "mu" in name for name in arrays)
    restored = type(generator).restore(data.shape, data.conditioning, generator.settings(), arrays)
    assert draw(restored, range(4), "right").tobytes() == draw(generator, range(4), "right").tobytes()


@pytest.mark.parametrize("knob", ["temperature", "truncation"])
def test_knobs_narrow_the_spread(fitted, knob):
    _, generator, _ = fitted
    spreads = [draw(generator, range(60), "left", **{knob: value}).std(axis=0).mean() for value in (0, 0.5, 1)]
    assert np.all(np.diff(spreads) > 0.005)
    # Temperature leaves the components of the law where they are, truncation nothing.
    components = 1 if knob == "truncation" else int((generator.law.weights[0] > 0).sum())
    still = draw(generator, range(60), "left", **{knob: 0}).reshape(60, -1).round(4)
    assert len(np.unique(still, axis=0)) == components


def test_the_fitted_law_is_that_of_the_training_images_latents(fitted):
    _, generator, _ = fitted
    for number in range(2):
        drawn = np.stack([generator.law.draw(number, np.random.default_rng([seed])) for seed in range(400)])
        # Pulled towards the standard normal law by the divergence, but not onto it.
        assert np.all(drawn.std(axis=0) < 1.6)
        assert np.all(drawn.std(axis=0) > 0.5)


def test_a_standard_law_can_be_asked_for(tmp_path):
    options = VaeOptions(steps=3, prior="standard", **QUICK)
    generator, _ = recipe("vae").fit(blobs(24), options, Run(tmp_path))
    drawn = np.stack([generator.law.draw(1, np.random.default_rng([seed])) for seed in range(2000)])
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(4), atol=0.15)
    assert draw(generator, range(3), "left").shape == (3, 1, 16, 16)


def test_the_loss_is_the_evidence_bound_with_the_likeliest_noise():
    torch.manual_seed(0)
    vae = Vae((1, 8, 8), 3, (4, 8), width=3)
    images = torch.rand(5, 1, 8, 8)
    vector = torch.eye(3)[[0, 1, 0, 1, 0]]
    batch = Batch(2 * images - 1, np.arange(5), Condition(vector=vector))
    loss = VaeTrainee(vae, VaeOptions(beta=0.5)).loss("loss", batch, torch.Generator().manual_seed(4))
    mean, logarithm = vae.encode(images)
    noise = torch.randn(5, 3, generator=torch.Generator().manual_seed(4))
    rebuilt = vae.decode(mean + torch.exp(logarithm / 2) * noise, vector)
    posterior = torch.distributions.Normal(mean, torch.exp(logarithm / 2))
    divergence = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0, 1)).sum(dim=1).mean()
    expected = torch.log(((rebuilt - images) ** 2).mean()) / 2 + 0.5 * divergence / 64
    torch.testing.assert_close(loss, expected)


def test_the_condition_changes_what_is_decoded():
    torch.manual_seed(0)
    vae = Vae((1, 8, 8), 3, (4, 8), width=3)
    z = torch.zeros(2, 3)
    first, second = vae.decode(z, torch.eye(3)[:2])
    assert not torch.allclose(first, second, atol=1e-4)


def test_watched_losses_are_those_of_each_image(fitted):
    data, generator, _ = fitted
    trainee = VaeTrainee(generator.vae, VaeOptions(**QUICK))
    images = torch.from_numpy(data.load([0, 1, 2])) * 2 - 1
    condition = data.conditioning.encode(data.conditions.take([0, 1, 2]))
    together = trainee.watched({"vae": generator.vae}, images, condition, torch.Generator())
    alone = trainee.watched({"vae": generator.vae}, images[2:], condition.take([2]), torch.Generator())
    assert together.shape == (3,)
    torch.testing.assert_close(together[2:], alone)


@pytest.mark.parametrize("shape", [(3, 8, 12), (1, 4, 8, 8), (1, 7, 10)])
def test_colour_volumes_and_odd_sides_train_and_draw_without_a_class(shape, tmp_path):
    data = training_set(np.random.default_rng(0).random((20, *shape)))
    generator, _ = recipe("vae").fit(data, VaeOptions(steps=2, **QUICK), Run(tmp_path))
    assert draw(generator, range(3)).shape == (3, *shape)


def test_sides_that_leave_too_much_for_one_vector_are_refused():
    with pytest.raises(InputError, match=r"halves 98 x 98 images only 1 times.*multiples of 4 with --size"):
        Vae((1, 98, 98), 8, (8, 16))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"latent": "0"}, "the option latent is a whole number from 1 up, got 0"),
        ({"beta": "-1"}, "the option beta is a number from 0 up, got -1"),
        ({"learning_rate": "0"}, "the option learning_rate is a number above 0, got 0"),
        ({"channels": "8"}, "the option channels takes two or more numbers"),
        ({"prior": "flat"}, "the option prior of vae is one of fitted, standard, got 'flat'"),
    ],
)
def test_options_out_of_range_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        options_of(recipe("vae"), given)
