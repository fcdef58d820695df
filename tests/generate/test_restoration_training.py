import json
import shutil

import numpy as np
import pytest
import torch

from fourfold import phantoms
from fourfold.errors import InputError
from fourfold.generate.noise import Noise
from fourfold.generate.restoration import (
    KnownNoise,
    ReadShotNoise,
    RestorationOptions,
    Restorer,
    RicianNoise,
    fit_restorer,
    open_restorer,
    regenerate,
    renoise,
    restore,
)
from fourfold.generate.restoration.network import RestorationNet
from fourfold.generate.restoration.sampler import reverse_chain
from fourfold.generate.restoration.training import REGION_DEVIATION, RestorationTrainee
from fourfold.generate.training.trainee import Batch
from fourfold.images import prepare

SIZE = 24
OPTIONS = RestorationOptions(channels=(8, 16), steps=140, batch=16, learning_rate=4e-3, warmup=10)


def clean_images(patients, first_patient=0):
    images = phantoms("chest", patients, size=SIZE, first_patient=first_patient).to_image_set("training")
    return prepare({"training": images})["training"]


@pytest.fixture(scope="module")
def fresh():
    return clean_images(12, 900).load()


@pytest.fixture(scope="module")
def restorer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("restorer") / "model"
    return fit_restorer(clean_images(60), folder, options=OPTIONS, snapshots=OPTIONS.steps)


def trainee(options=OPTIONS, shape=(1, SIZE, SIZE)):
    torch.manual_seed(0)
    return RestorationTrainee(RestorationNet(shape[0], len(shape) - 1, options.channels), shape, options)


def batch(images):
    return Batch(2 * torch.from_numpy(images) - 1, np.arange(len(images)))


def psnr(found, truth):
    return -10 * np.log10(((found - truth) ** 2).mean())


def test_the_loss_falls(restorer):
    losses = restorer.record["training"]["losses"]["loss"]
    assert losses < 0.75
    log = (restorer.folder / "training" / "log.csv").read_text().splitlines()
    first = float(log[1].split(",")[log[0].split(",").index("loss")])
    assert first == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    "noise",
    [
        ReadShotNoise(0.2, 0.0),
        ReadShotNoise(0.05, 0.3),
        KnownNoise(torch.where(torch.arange(SIZE) < SIZE // 2, 0.05, 0.3).expand(1, 1, SIZE, SIZE)),
    ],
    ids=["read", "shot", "halves"],
)
def test_restored_images_are_nearer_to_the_truth(restorer, fresh, noise):
    noisy = renoise(fresh, noise)
    found = restore(noisy, restorer, noise, chains=3)
    assert psnr(found.images, fresh) > psnr(noisy, fresh) + 2
    assert found.images.dtype == np.float32
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert found.spread.shape == fresh.shape
    assert 0.005 < found.spread.mean() < 0.3


def test_the_spread_is_larger_where_the_noise_was(restorer, fresh):
    noise = KnownNoise(torch.where(torch.arange(SIZE) < SIZE // 2, 0.06, 0.3).expand(1, 1, SIZE, SIZE))
    found = restore(renoise(fresh, noise), restorer, noise, chains=3)
    assert found.spread[..., SIZE // 2 :].mean() > 2 * found.spread[..., : SIZE // 2].mean()


def test_noise_is_estimated_where_none_is_said(restorer, fresh):
    noisy = renoise(fresh, ReadShotNoise(0.2, 0.05))
    found = restore(noisy, restorer, chains=1)
    assert found.spread is None
    assert found.noise.read == pytest.approx(0.2, rel=0.15)
    assert psnr(found.images, fresh) > psnr(noisy, fresh) + 2


def test_rician_magnitudes_are_restored(restorer, fresh):
    noise = RicianNoise(0.15)
    noisy = renoise(fresh, noise)
    assert psnr(restore(noisy, restorer, noise, chains=2).images, fresh) > psnr(noisy, fresh) + 2


def test_an_image_is_restored_alike_whatever_is_restored_beside_it(restorer, fresh):
    noise = ReadShotNoise(0.1)
    noisy = renoise(fresh[:5], noise)
    together = restore(noisy, restorer, noise, chains=2, batch=4)
    alone = restore(noisy[3:], restorer, noise, chains=2, first=3)
    np.testing.assert_allclose(together.images[3:], alone.images, atol=1e-5)


def test_images_of_other_sizes_are_restored(restorer):
    found = restore(np.full((1, 1, 19, 33), 0.5, dtype=np.float32), restorer, ReadShotNoise(0.1), chains=1)
    assert found.images.shape == (1, 1, 19, 33)


def test_a_region_is_drawn_anew_and_the_rest_stays_to_the_bit(restorer, fresh):
    masks = np.zeros((3, SIZE, SIZE), dtype=bool)
    masks[:, 6:14, 8:16] = True
    found = regenerate(fresh[:3], masks, restorer)
    assert np.array_equal(found[:, 0][~masks], fresh[:3, 0][~masks])
    assert (found[:, 0][masks] != fresh[:3, 0][masks]).mean() > 0.9


def test_the_chain_never_sees_the_clean_image(fresh):
    """Its start is y and its map is made from y: with what is clean unknown nothing else could be used."""

    class Recording(Restorer):
        def estimate(self, x, y, time):
            seen.append((x, y, time))
            return x

    seen = []
    recorder = Recording(RestorationNet(1, 2, (4,)))
    noisy = renoise(fresh[:2], ReadShotNoise(0.1, 0.2))
    restore(noisy, recorder, ReadShotNoise(0.1, 0.2), chains=1)
    x, y, time = seen[0]
    assert torch.equal(x, torch.from_numpy(noisy))
    assert torch.equal(y, x)
    expected = recorder.schedule.time(ReadShotNoise(0.1, 0.2).deviation(y).square())
    assert torch.equal(time, expected)
    assert (noisy < 0).any()


def test_training_sees_maps_that_are_made_from_noisy_images():
    options = RestorationOptions(channels=(4,), read=(0.01, 0.01), shot=(0.3, 0.3), varying=0, regions=0)
    x0 = torch.rand(64, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    example = trainee(options).example(x0, torch.Generator().manual_seed(1))
    clean_map, noise = 0.01**2 + 0.09 * x0, example.noisy - x0
    # The map from the clean image would be known exactly; this one only as well as its noisy neighbourhood tells.
    correlation = torch.corrcoef(torch.stack([example.variance.flatten(), clean_map.flatten()]))[0, 1]
    assert correlation < 0.5
    assert torch.corrcoef(torch.stack([example.variance.flatten(), noise.flatten()]))[0, 1] > 0.1


def test_every_image_of_a_batch_is_seen_from_a_time_of_its_own(fresh):
    class Recording(torch.nn.Module):
        def forward(self, x, y, time, gamma):
            seen.append(time)
            return torch.zeros_like(x) + self.zero

        def __init__(self):
            super().__init__()
            self.zero = torch.nn.Parameter(torch.zeros(()))
            self.settings = {}

    seen = []
    options = RestorationOptions(channels=(4,), read=(0.3, 0.3), shot=(1e-4, 1e-4), varying=0, regions=0)
    one = RestorationTrainee(Recording(), (1, SIZE, SIZE), options)
    one.loss("loss", batch(fresh), torch.Generator().manual_seed(0))
    largest = seen[0].flatten(1).amax(dim=1)
    assert len(largest.unique()) == len(fresh)
    assert 0 < float(largest.min()) < 8 < float(largest.max()) <= 18


def test_a_part_of_the_images_has_noise_that_varies_and_a_part_has_a_region_to_draw():
    one = trainee(RestorationOptions(channels=(4,), shot=(1e-4, 1e-4), varying=0.3, regions=0.3))
    example = one.example(torch.full((400, 1, SIZE, SIZE), 0.5), torch.Generator().manual_seed(0))
    smallest = example.variance.flatten(1).amin(dim=1)
    largest = example.variance.flatten(1).amax(dim=1)
    regions = largest == REGION_DEVIATION**2
    varying = ~regions & (largest > 1.5 * smallest)
    assert regions.float().mean() == pytest.approx(0.3, abs=0.07)
    assert 0.1 < varying.float().mean() < 0.33
    untouched = example.noisy[regions][example.variance[regions] == 0]
    assert (untouched == 0.5).all()


def test_the_network_knows_the_time_of_every_pixel_and_not_the_mean():
    torch.manual_seed(0)
    network = RestorationNet(1, 2, (8, 8))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    x = torch.rand(1, 1, 32, 32)
    left = torch.where(torch.arange(32) < 16, 1.0, 15.0).expand(1, 1, 32, 32)
    with torch.no_grad():
        one, other = network(x, x, left, left / 100), network(x, x, left.flip(-1), left.flip(-1) / 100)
    assert (one - other).abs().mean() > 0.05 * one.std()


def test_networks_take_volumes_and_colour():
    for shape in ((1, 7, 12, 10), (3, 12, 9)):
        network = RestorationNet(shape[0], len(shape) - 1, (4, 8))
        x = torch.rand(2, *shape)
        assert network(x, x, torch.ones_like(x), torch.ones_like(x)).shape == x.shape
        one = trainee(RestorationOptions(channels=(4, 8)), shape)
        loss = one.loss("loss", batch(x.numpy()), torch.Generator().manual_seed(0))
        assert loss.item() == pytest.approx(1, abs=0.5)


def test_samples_and_watched_losses_are_what_the_loop_asks_for(fresh):
    one = trainee()
    with torch.no_grad():
        images = one.draw(one.modules, [1, 2], None)
        losses = one.watched(one.modules, batch(fresh).images, None, torch.Generator().manual_seed(0))
    assert images.shape == (2, 1, SIZE, SIZE)
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    assert losses.shape == (len(fresh),)


def test_a_restorer_is_read_back_as_it_was_written(restorer, fresh):
    again = open_restorer(restorer.folder)
    noisy = renoise(fresh[:2], ReadShotNoise(0.1))
    expected = restore(noisy, restorer, ReadShotNoise(0.1), chains=1).images
    assert np.array_equal(restore(noisy, again, ReadShotNoise(0.1), chains=1).images, expected)
    assert again.schedule == restorer.schedule
    assert again.record["data"]["patients"] == 60


def test_a_finished_folder_is_not_overwritten(restorer):
    with pytest.raises(InputError, match="is a finished model; choose a new folder"):
        fit_restorer(clean_images(20), restorer.folder, options=OPTIONS)


def damaged(restorer, tmp_path, change):
    folder = tmp_path / "copy"
    shutil.copytree(restorer.folder, folder)
    change(folder)
    return folder


def cut_weights(folder):
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def change_weights(folder):
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")


def rewrite(**changes):
    def change(folder):
        record = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps(record | changes))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut_weights, "weights.safetensors: is cut short"),
        (change_weights, "weights.safetensors: holds other weights than model.json says"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "weights.safetensors: does not exist"),
        (lambda folder: (folder / "model.json").write_text('{"schema": "fourf'), "is cut short or damaged"),
        (lambda folder: (folder / "model.json").unlink(), "holds a training that is not finished"),
        (rewrite(schema="fourfold.restorer/9"), "is a record of version 'fourfold.restorer/9'"),
        (rewrite(schema="fourfold.model/1"), "is no fourfold.restorer record"),
        (rewrite(network={"planes": 1, "dims": 2, "channels": [4], "blocks": 1, "embedding": 32}), "do not fit"),
        (rewrite(network={"planes": 1}), "do not fit together"),
    ],
)
def test_damaged_and_foreign_folders_are_refused(restorer, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        open_restorer(damaged(restorer, tmp_path, change))


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist; give the folder of one, which fourfold restore fit writes"):
        open_restorer(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("images", "noise", "message"),
    [
        (np.zeros((2, 3, 8, 8)), ReadShotNoise(0.1), r"the restorer takes images of shape \(n, 1, H, W\)"),
        (np.full((1, 1, 8, 8), np.nan), ReadShotNoise(0.1), "not finite"),
        (np.zeros((1, 1, 8, 8)), KnownNoise(torch.tensor(3.0)), "noise of 3 of the full range leaves nothing"),
        (np.zeros((1, 1, 8, 8)), "gaussian", "noise is a NoiseModel, 'auto' or 'rician', got 'gaussian'"),
    ],
)
def test_what_cannot_be_restored_is_refused(images, noise, message):
    with pytest.raises(InputError, match=message):
        restore(images, Restorer(RestorationNet(1, 2, (4,))), noise)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"read": (0.5, 0.1)}, "the option read takes two standard deviations"),
        ({"regions": 0.8, "varying": 0.3}, "are 1 together at most"),
        ({"scale": 2.0}, "the option scale is a number above 4, got 2"),
        ({"steps": 0}, "the option steps is a whole number from 1 up, got 0"),
        ({"learning_rate": 0.0}, "the option learning_rate is a number above 0, got 0"),
    ],
)
def test_options_that_cannot_be_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        RestorationOptions(**changes)


def test_too_few_images_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(InputError, match="a restorer needs at least 16 images and there are"):
        fit_restorer(clean_images(3), tmp_path / "model", options=OPTIONS)
    assert not (tmp_path / "model").exists()


def test_a_chain_of_a_blank_network_ends_at_its_start_less_the_bridge():
    """The zero network says that there is no noise, so the mean of the chain is y."""
    y = torch.full((1, 1, 8, 8), 0.5)
    restorer = Restorer(RestorationNet(1, 2, (4,)))
    time = restorer.schedule.time(torch.full_like(y, 0.04))
    end = reverse_chain(restorer.estimate, y, time, restorer.schedule, Noise([0], (1, 8, 8)))
    assert float(end.mean()) == pytest.approx(0.5, abs=0.15)
