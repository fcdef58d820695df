"""Both networks against photographs, a plain torch model, and what they see on chest films."""

import csv
import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from torch import nn

from fourfold.errors import InputError
from fourfold.features import MobileNet, SlicePolicy, Untrained
from fourfold.features.mobilenet import Operation, run

V1, V2 = "mobilenet_v1_025_imagenet_fp32.npz", "mobilenet_v2_imagenet_int8.npz"


@pytest.fixture(scope="module")
def first(weights_folder):
    return MobileNet(weights_folder / V1)


@pytest.fixture(scope="module")
def second(weights_folder):
    return MobileNet(weights_folder / V2)


def _photograph(picture: Image.Image) -> torch.Tensor:
    side = min(picture.size)
    left = (picture.width - side) // 2
    square = np.asarray(picture.convert("RGB").crop((left, 0, left + side, side)), dtype=np.float32) / 255
    return torch.from_numpy(square).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def photographs():
    from sklearn.datasets import load_sample_image

    officer = Image.open(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")
    return {
        "officer": _photograph(officer),
        "temple": _photograph(Image.fromarray(load_sample_image("china.jpg"))),
        "flower": _photograph(Image.fromarray(load_sample_image("flower.jpg"))),
    }


# ImageNet classes: 457 bow tie, 652 military uniform, 663 monastery, 667 mortarboard, 698 palace, 834 suit, 985 daisy.
def test_version_two_names_what_is_on_photographs(second, photographs, weights_folder):
    with np.load(weights_folder / V2, allow_pickle=False) as arrays:
        head = arrays["w52"][:, :, 0, 0] * arrays["s52"][:, None]
        bias = arrays["b52"]
    # Class 0 of this file is "background".
    best = {name: int(np.argmax(head @ second(image).numpy()[0] + bias)) - 1 for name, image in photographs.items()}
    assert best == {"officer": 652, "temple": 698, "flower": 985}


def test_version_one_names_what_is_on_photographs(first, photographs, weights_folder):
    with np.load(weights_folder / V1, allow_pickle=False) as arrays:
        head, bias = arrays["fc.weight"], arrays["fc.bias"]
    best = {name: np.argsort(head @ first(image).numpy()[0] + bias)[-3:] for name, image in photographs.items()}
    assert {457, 667} <= set(best["officer"])
    assert 663 in best["temple"]


def test_version_one_agrees_with_the_layers_it_was_trained_as(first, weights_folder):
    """The same network from torch's own layers, batch normalisation not folded."""
    with np.load(weights_folder / V1, allow_pickle=False) as arrays:
        state = {name: torch.from_numpy(arrays[name]) for name in arrays.files if not name.startswith("fc.")}

    def full(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        layers = [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1)]
        return nn.Sequential(*layers)

    def separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.LeakyReLU(0.1),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.1),
        )

    widths = [(8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)]
    network = nn.Sequential()
    network.add_module("stage1", nn.Sequential(full(3, 8, 2), *(separable(*width) for width in widths)))
    network.add_module("stage2", nn.Sequential(separable(64, 128, 2), *(separable(128, 128, 1) for _ in range(5))))
    network.add_module("stage3", nn.Sequential(separable(128, 256, 2), separable(256, 256, 1)))
    missing = network.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys
    assert all(name.endswith("num_batches_tracked") for name in missing.missing_keys)
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network.eval()(first.policy.apply(images)).mean(dim=(2, 3))
        assert torch.allclose(first(images), expected, rtol=1e-4, atol=1e-5)


def test_tensorflow_padding_puts_the_odd_row_at_the_bottom_right():
    ones = Operation((0,), 1, torch.ones(1, 1, 3, 3), torch.zeros(1), stride=2)
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    same = run([ones], image, tensorflow_padding=True)[0, 0]
    symmetric = run([ones], image, tensorflow_padding=False)[0, 0]
    assert same.tolist() == [[45.0, 39.0], [66.0, 50.0]]
    assert symmetric.tolist() == [[10.0, 24.0], [51.0, 90.0]]


def test_features_do_not_depend_on_the_rest_of_the_batch(first):
    images = torch.rand(7, 1, 40, 40, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = first(images)
        alone = torch.cat([first(images[row : row + 1]) for row in range(7)])
    assert torch.equal(together, alone)
    assert together.shape == (7, 256)


def test_volumes_give_the_mean_of_their_slices(weights_folder, first):
    volumes = torch.rand(1, 1, 6, 24, 24, generator=torch.Generator().manual_seed(2))
    network = MobileNet(weights_folder / V1, slices=SlicePolicy(slices=2))
    with torch.inference_mode():
        expected = (first(volumes[:, :, 1]) + first(volumes[:, :, 4])) / 2
        assert torch.allclose(network(volumes), expected, atol=1e-6)
    assert network.fingerprint != first.fingerprint


def test_the_record_holds_the_weights_hash_and_no_path(first, weights_folder):
    with (weights_folder / "manifest.csv").open() as stream:
        assert first.sha256 in stream.read()
    assert str(weights_folder) not in json.dumps(first.describe())
    assert first.name == "mobilenet_v1"


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r"^nowhere\.npz: there is no such file; give the path"):
        MobileNet("nowhere.npz")


def test_another_network_is_refused(weights_folder):
    with pytest.raises(InputError, match=r"squeezenet.*: holds a network that cannot be built from its arrays alone"):
        MobileNet(weights_folder / "squeezenet_v1_0_imagenet_codebook.npz")


def test_a_network_with_a_missing_layer_is_refused(weights_folder, tmp_path):
    with np.load(weights_folder / V1, allow_pickle=False) as arrays:
        kept = {name: arrays[name] for name in arrays.files if not name.startswith("stage2.3.")}
    np.savez(tmp_path / "cut.npz", **kept)
    with pytest.raises(InputError, match=r"cut\.npz: the arrays of mobilenet_v1 are incomplete or damaged$"):
        MobileNet(tmp_path / "cut.npz")


def _frechet(x: np.ndarray, y: np.ndarray) -> float:
    covariances = np.cov(x.T), np.cov(y.T)
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + sum(np.trace(part) for part in covariances) - 2 * cross)


def _chest_distances(extractor, data_folder: Path, count: int) -> dict[str, float]:
    """Frechet distances on the leading components of the first half, in units of its spread."""
    folder = data_folder / "kermany_cxr_96"
    with (folder / "metadata.csv").open() as stream:
        files = [row["file"] for row in csv.DictReader(stream)]
    rng = np.random.default_rng(0)
    films = [Image.open(folder / files[row]).convert("L") for row in rng.permutation(len(files))[: 2 * count]]

    def features(pictures) -> np.ndarray:
        images = torch.from_numpy(np.stack([np.asarray(picture, dtype=np.float32) for picture in pictures]) / 255)
        with torch.inference_mode():
            return extractor(images[:, None]).double().numpy()

    first, rest = features(films[:count]), films[count:]
    noise = rng.normal(0, 25, (count, *np.asarray(films[0]).shape))
    others = {
        "half": rest,
        "blurred": [film.filter(ImageFilter.GaussianBlur(1.5)) for film in rest],
        "noisy": [np.clip(np.asarray(film) + noise[row], 0, 255) for row, film in enumerate(rest)],
    }
    mean = first.mean(axis=0)
    components = np.linalg.svd(first - mean, full_matrices=False)[2][: min(64, count // 3)].T
    projected = (first - mean) @ components
    spread = projected.std()
    return {
        name: _frechet(projected / spread, (features(pictures) - mean) @ components / spread)
        for name, pictures in others.items()
    }


@pytest.mark.parametrize("file", [V1, V2])
def test_trained_networks_see_blur_and_noise_on_chest_films(weights_folder, data_folder, file):
    found = _chest_distances(MobileNet(weights_folder / file), data_folder, 120)
    assert found["half"] < 15
    assert found["blurred"] > 6 * found["half"]
    assert found["noisy"] > 6 * found["half"]


def test_an_untrained_network_hardly_sees_what_a_trained_one_sees(weights_folder, data_folder):
    trained = _chest_distances(MobileNet(weights_folder / V1), data_folder, 120)
    untrained = _chest_distances(Untrained(), data_folder, 120)
    for defect in ("blurred", "noisy"):
        assert untrained[defect] < trained[defect] / 8
