"""Autoencoders as feature spaces: what they learn, what they give, and how they are kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from fourfold.errors import InputError
from fourfold.features import available, get
from fourfold.features.autoencoder import Autoencoder, load_autoencoder, save_autoencoder, steps_for, train_autoencoder
from fourfold.features.autoencoder.network import reconstruction_report
from fourfold.features.autoencoder.trained import working_shape
from fourfold.images import ImageSet, prepare


def _blobs(count: int, shape: tuple[int, ...], seed: int, channels: int = 1) -> np.ndarray:
    """Two soft blobs an image, at random places."""
    random = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(0, 1, side) for side in shape), indexing="ij")
    images = np.zeros((count, channels, *shape), dtype=np.float32)
    for image in images:
        for _ in range(2):
            centre, width = random.uniform(0.2, 0.8, len(shape)), random.uniform(0.1, 0.2)
            square = sum((axis - place) ** 2 for axis, place in zip(axes, centre))
            image += (random.uniform(0.2, 0.5, (channels, *(1,) * len(shape))) * np.exp(-square / width**2)).astype(
                "f4"
            )
    return images.clip(0, 1)


def _set(images: np.ndarray, name: str = "training") -> ImageSet:
    return prepare({name: ImageSet.from_array(images, name=name)}, scaling="0:1")[name]


TRAINING = _set(_blobs(80, (16, 16), 0))
FRESH = torch.from_numpy(_blobs(40, (16, 16), 1))


@pytest.fixture(scope="module", params=["kl", "vq"])
def trained(request):
    return train_autoencoder(TRAINING, request.param, steps=70)


def test_images_it_has_not_seen_are_rebuilt(trained):
    untrained = train_autoencoder(TRAINING, trained.kind, steps=1)
    images = FRESH.numpy()
    after, before = (reconstruction_report(one.network, images)["psnr"] for one in (trained, untrained))
    assert after > 18
    assert after > before + 4
    assert trained.reconstruction["psnr"] == pytest.approx(after, abs=2)


def test_a_code_book_is_used(trained):
    if trained.kind == "vq":
        assert trained.reconstruction["perplexity"] > 3
    else:
        assert "perplexity" not in trained.reconstruction


def test_features_follow_the_kind(trained):
    found = trained.features(FRESH)
    assert found.dtype == torch.float32
    if trained.kind == "kl":
        assert found.shape == (40, 4 * 4 * 4)
    else:
        assert found.shape == (40, 4 * 4)
        assert torch.equal(found, found.round())
        assert found.min() >= 0
        assert found.max() < 256


def test_what_changes_more_is_further_away(trained):
    noise = torch.randn(FRESH.shape, generator=torch.Generator().manual_seed(0))
    start = trained.features(FRESH)
    moved = [trained.features((FRESH + size * noise).clamp(0, 1)) for size in (0.0, 0.02, 0.1, 0.4)]
    if trained.kind == "kl":
        distances = [float((one - start).square().sum(dim=1).sqrt().mean()) for one in moved]
    else:
        distances = [float((one != start).float().mean()) for one in moved]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[1] < distances[3] / 2


def test_features_do_not_depend_on_the_batch(trained):
    one_by_one = torch.cat([trained.features(image[None]) for image in FRESH[:5]])
    together = trained.features(FRESH)[:5]
    if trained.kind == "kl":
        assert torch.allclose(together, one_by_one, atol=1e-4)
    else:
        assert (together != one_by_one).float().mean() < 0.02


def test_a_stored_autoencoder_comes_back(trained, tmp_path):
    path = save_autoencoder(trained, tmp_path / "own.safetensors")
    found = load_autoencoder(path)
    assert torch.equal(found.features(FRESH), trained.features(FRESH))
    assert (found.kind, found.shape, found.seen) == (trained.kind, trained.shape, trained.seen)
    extractor = get(f"autoencoder:{path}")
    assert extractor.name == {"kl": "autoencoder", "vq": "autoencoder-codes"}[trained.kind]
    assert extractor.distance == {"kl": "euclidean", "vq": "hamming"}[trained.kind]
    assert extractor.fingerprint == Autoencoder(trained).fingerprint
    assert get(f"mine=autoencoder:{path}").name == "mine"
    assert [file.name for file in tmp_path.iterdir()] == ["own.safetensors"]


def test_the_file_names_no_image_and_no_patient(trained, tmp_path):
    with safe_open(save_autoencoder(trained, tmp_path / "own.safetensors"), "pt") as opened:
        record = json.loads(opened.metadata()["autoencoder"])
    assert set(record) == {"kind", "shape", "seen", "reconstruction"}
    assert set(record["seen"]) == {"role", "images", "digest"}


@pytest.mark.parametrize("kind", ["kl", "vq"])
@pytest.mark.parametrize(("shape", "channels"), [((12, 16, 12), 1), ((12, 12), 3)])
def test_volumes_and_colour_are_taken(kind, shape, channels):
    images = _blobs(60, shape, 2, channels)
    found = train_autoencoder(_set(images), kind, steps=2)
    features = found.features(torch.from_numpy(images[:3]))
    places = int(np.prod(shape)) // 4 ** len(shape)
    assert features.shape == (3, 4 * places if kind == "kl" else places)
    if channels == 3:
        assert found.features(torch.from_numpy(images[:3, :1])).shape == features.shape


def test_the_seed_decides_the_network_and_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    first, second, other = (train_autoencoder(TRAINING, "vq", steps=3, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert Autoencoder(first).fingerprint == Autoencoder(second).fingerprint != Autoencoder(other).fingerprint


@pytest.mark.parametrize(
    ("shape", "size", "found"),
    [((1, 512, 384), 32, (1, 32, 24)), ((1, 28, 28), 32, (1, 28, 28)), ((3, 30, 5), 32, (3, 32, 8))],
)
def test_images_are_encoded_at_a_size_that_can_be_halved(shape, size, found):
    assert working_shape(shape, size) == found


def test_larger_sets_are_trained_on_for_longer_within_bounds():
    assert [steps_for(count) for count in (60, 500, 8000, 10**7)] == [200, 300, 600, 600]


class Asked:
    """What a training that is called from an extractor was asked for."""

    def __init__(self, monkeypatch):
        self.calls = 0
        monkeypatch.setattr("fourfold.features.autoencoder.extractor.train_autoencoder", self)

    def __call__(self, images, kind, **options):
        self.calls += 1
        return train_autoencoder(images, kind, **options)


def test_it_is_trained_once_for_the_same_images(tmp_path, monkeypatch):
    asked, seen = Asked(monkeypatch), []
    first = get("autoencoder?steps=2")
    first.learn(TRAINING, folder=tmp_path, progress=lambda *told: seen.append(told))
    first.learn(TRAINING, folder=tmp_path)
    assert asked.calls == 1
    assert seen[-1] == ("training the autoencoder on the training set", 2, 2)
    again = get("autoencoder?steps=2")
    again.learn(TRAINING, folder=tmp_path)
    assert asked.calls == 1
    assert again.fingerprint == first.fingerprint
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    file.write_bytes(file.read_bytes()[:-40])
    get("autoencoder?steps=2").learn(TRAINING, folder=tmp_path)
    assert asked.calls == 2


def test_other_images_and_other_options_make_another_network(tmp_path, monkeypatch):
    asked = Asked(monkeypatch)
    extractor = get("autoencoder?steps=2")
    extractor.learn(TRAINING, folder=tmp_path)
    before = extractor.fingerprint
    extractor.learn(_set(_blobs(60, (16, 16), 5)), folder=tmp_path)
    assert extractor.fingerprint != before
    get("autoencoder?steps=2&seed=1").learn(TRAINING, folder=tmp_path)
    get("autoencoder?steps=2&size=8").learn(TRAINING, folder=tmp_path)
    get("autoencoder-codes?steps=2").learn(TRAINING, folder=tmp_path)
    assert asked.calls == 5
    assert len(list(tmp_path.iterdir())) == 5


def test_it_says_whose_images_it_has_seen(trained):
    own = get("autoencoder?steps=1")
    own.learn(TRAINING)
    assert own.trained_on.startswith("80 images of the training set itself, which it knows better than the holdout")
    other = get("autoencoder?steps=1")
    other.learn(_set(TRAINING.load(), "reference"))
    assert other.trained_on == "80 images of the reference set, whose patients are in no other set"
    brought = Autoencoder(trained)
    brought.learn(_set(_blobs(60, (16, 16), 9)))
    assert brought.trained_on.startswith("80 images of another comparison's training set")
    brought.learn(TRAINING)
    assert brought.trained_on == own.trained_on


def test_both_are_listed():
    names = [listing.name for listing in available()]
    assert {"autoencoder", "autoencoder-codes"} <= set(names)


def test_a_file_of_another_kind_is_refused(trained, tmp_path):
    path = save_autoencoder(trained, tmp_path / "own.safetensors")
    with safe_open(path, "pt") as opened:
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        metadata = opened.metadata()
    name = next(iter(arrays))
    cases = {
        "plain": (arrays, {}, "holds no autoencoder"),
        "short": ({key: value for key, value in arrays.items() if key != name}, metadata, "its arrays are not those"),
        "broken": ({**arrays, name: torch.full_like(arrays[name], torch.nan)}, metadata, "its arrays are not those"),
        "record": (arrays, {**metadata, "autoencoder": '{"kind": "kl"}'}, "its arrays are not those"),
    }
    for case, (held, told, message) in cases.items():
        file = tmp_path / f"{case}.safetensors"
        save_file(held, file, metadata=told)
        with pytest.raises(InputError) as caught:
            load_autoencoder(file)
        assert str(caught.value).startswith(f"{file}: {message}")
    path.write_bytes(b"no arrays")
    with pytest.raises(InputError, match="cannot be read as a safetensors file"):
        load_autoencoder(path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: train_autoencoder(TRAINING.take(range(59))),
            "an autoencoder cannot be trained on the 59 images of the training set; it needs 60: give more images, "
            "or a trained one as autoencoder:FILE",
        ),
        (lambda: train_autoencoder(TRAINING, "gan"), "an autoencoder is 'kl' or 'vq', got 'gan'"),
        (lambda: get("autoencoder?seed=-1"), "the seed of an autoencoder must be 0 or above, got -1"),
        (lambda: get("autoencoder?size=4"), "the size of an autoencoder must be 8 or above, got 4"),
        (lambda: get("autoencoder?steps=0"), "the steps of an autoencoder must be 1 or above, got 0"),
        (
            lambda: get("autoencoder").fingerprint,
            "'autoencoder' is trained on the images of a comparison and there is none here; give a trained one as "
            "autoencoder:FILE",
        ),
        (lambda: get("autoencoder:nowhere.safetensors"), "nowhere.safetensors: there is no such file"),
        (
            lambda: train_autoencoder(TRAINING, steps=1).features(torch.rand(1, 1, 8, 8, 8)),
            "the autoencoder was trained on planes and cannot encode volumes; train one on images of that kind",
        ),
    ],
)
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value).startswith(message)
