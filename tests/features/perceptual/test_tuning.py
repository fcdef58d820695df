"""Extractors that learn to rank: what they learn, keep and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fourfold as ff
from fourfold.errors import InputError
from fourfold.features import FeatureExtractor, MobileNet, Untrained, get
from fourfold.features.imitation import Imitation
from fourfold.features.perceptual import Triplets, Tuned, Tuning, rank, ranking_loss, ruled, tune, tuning, write_tuned
from fourfold.features.perceptual.low_rank import opened
from fourfold.features.perceptual.network import small_image
from fourfold.features.perceptual.storage import RECORD, WEIGHTS, open_tuned
from fourfold.images import ImageSet, prepare

SEEN, UNSEEN = ("shift", "noise", "contrast", "intensity"), ("rotation", "gamma")
FACTS = {"tuned_on": "40 triplets made by rule from 30 phantoms", "patients_images": False}


class Small(FeatureExtractor):
    """Two convolutions in a module, as most networks are kept."""

    name = "small"

    def __init__(self) -> None:
        torch.manual_seed(0)
        self._network = nn.Sequential(nn.Conv2d(1, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 12, 1), nn.ReLU())

    def settings(self) -> dict[str, Any]:
        return {}

    def __call__(self, images: Tensor) -> Tensor:
        return self._network(images).mean(dim=(2, 3))


class Closed(Small):
    """The same, and nobody may look into it."""

    def __call__(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            return super().__call__(images)


def _images(patients: int, first: int = 0) -> ImageSet:
    found = ff.phantoms("chest", patients, images_per_patient=1, size=24, first_patient=first)
    return prepare({"images": found.to_image_set()}, scaling="0:1")["images"]


@pytest.fixture(scope="module")
def learned() -> Triplets:
    return ruled(_images(30), 160, SEEN, seed=1)


@pytest.fixture(scope="module")
def fresh() -> Triplets:
    return ruled(_images(30, first=1000), 150, SEEN, seed=2)


@pytest.mark.parametrize(
    ("space", "options"),
    [
        (None, Tuning("lora", steps=60, batch=32, learning_rate=3e-3)),
        ("pixels?size=12", Tuning("mlp", steps=80, batch=64, hidden=64, learning_rate=1e-3)),
    ],
)
def test_tuning_ranks_better_on_patients_it_has_not_seen(
    space: str | None, options: Tuning, learned: Triplets, fresh: Triplets
) -> None:
    extractor = Small() if space is None else get(space)
    before, after = rank(extractor, fresh), rank(tune(extractor, learned, options), fresh)
    assert after.value > before.interval[1]
    assert after.value > 0.85


def test_the_loss_is_the_hinge_of_the_paper() -> None:
    to_a, to_b = torch.tensor([0.3, 0.3, 0.3]), torch.tensor([0.1, 0.28, 0.3])
    assert ranking_loss(to_a, to_b, torch.ones(3)).item() == pytest.approx((0 + 0.03 + 0.05) / 3)
    assert ranking_loss(to_a, to_b, torch.zeros(3)).item() == pytest.approx((0.25 + 0.07 + 0.05) / 3)
    assert ranking_loss(to_a, to_b, torch.full((3,), 0.5)).item() == 0
    assert ranking_loss(to_a[:1], to_a[:1], torch.tensor([0.75])).item() == pytest.approx(0.025)


@pytest.mark.parametrize("method", ["lora", "mlp"])
def test_what_is_not_trained_yet_ranks_as_the_standardised_features_and_the_extractor_stays(
    method: str, learned: Triplets
) -> None:
    extractor = Small()
    images = torch.from_numpy(learned.load(range(6))[0])
    before = extractor(images).detach()
    network = tune(extractor, learned, Tuning(method, steps=1, learning_rate=1e-12))
    standardised = (torch.cat([before, small_image(images)], dim=1) - network.centre) / network.spread
    centred = standardised - standardised.mean(dim=1, keepdim=True)
    assert torch.allclose(network(images), centred / centred.norm(dim=1, keepdim=True), atol=1e-5)
    tune(extractor, learned, Tuning(method, steps=3, learning_rate=0.1))
    assert torch.equal(extractor(images), before)


def test_the_image_beside_counts_by_its_weight_however_many_columns_the_extractor_has(learned: Triplets) -> None:
    for space in ("random", "histogram"):
        network = tune(get(space), learned, Tuning("mlp", steps=1, learning_rate=1e-12))
        sides = torch.cat([network.features(torch.from_numpy(side)) for side in learned.load(range(len(learned)))])
        squared = ((sides - network.centre) / network.spread).square().mean(dim=0)
        # Both parts together have as much variance as they have columns.
        assert float(squared[-256:].sum() / squared[:-256].sum()) == pytest.approx(9, rel=0.15)
        assert float(squared.sum()) == pytest.approx(len(squared), rel=0.15)


def test_the_image_need_not_count(learned: Triplets) -> None:
    network = tune(Untrained(), learned, Tuning("mlp", steps=1, hidden=8, image_weight=0.0))
    assert torch.isinf(network.spread[256:]).all()
    assert torch.isfinite(network.spread[:256]).any()
    with pytest.raises(InputError, match="image_weight is a number from 0 up, got -1"):
        Tuning(image_weight=-1.0)


def test_images_of_any_shape_and_colour_make_the_same_columns(learned: Triplets) -> None:
    network = tune(Untrained(), learned, Tuning("mlp", steps=1, hidden=8))
    assert network(torch.rand(2, 3, 40, 25)).shape == network(torch.rand(2, 1, 9, 9)).shape == (2, 256 + 256)
    with pytest.raises(InputError, match="'random' was tuned on images that make 512 columns, and these make 768"):
        network(torch.rand(1, 1, 12, 12, 12))


def test_embeddings_are_of_length_1_and_do_not_depend_on_the_batch(learned: Triplets) -> None:
    network = tune(Untrained(), learned, Tuning("lora", steps=3, batch=8, learning_rate=0.01))
    images = torch.from_numpy(learned.load(range(5))[0])
    together = network(images)
    assert torch.allclose(together.norm(dim=1), torch.ones(5), atol=1e-5)
    assert torch.allclose(together.mean(dim=1), torch.zeros(5), atol=1e-5)
    assert torch.allclose(together, torch.cat([network(one[None]) for one in images]), atol=1e-5)


def test_the_weights_of_every_kind_of_extractor_are_reached(weights_folder: Path) -> None:
    images = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    mobilenet = MobileNet(weights_folder / "mobilenet_v1_025_imagenet_fp32.npz")
    for extractor, layers in ((Untrained(), 4), (Small(), 2), (mobilenet, 14)):
        found = opened(extractor)
        assert len(found.weights) == layers
        assert torch.equal(found.run(found.weights, images), extractor(images))
        weights = {name: weight.clone().requires_grad_(True) for name, weight in found.weights.items()}
        found.run(weights, images).sum().backward()
        assert all(weight.grad is not None and bool(weight.grad.abs().sum() > 0) for weight in weights.values())
    assert opened(get("radiomics")) is None


def test_volumes_meet_tuned_weights_as_planes_only(learned: Triplets) -> None:
    network = tune(Untrained(), learned, Tuning("lora", steps=1, batch=8))
    with pytest.raises(InputError, match="cut volumes into slices with --slices"):
        network(torch.rand(1, 1, 16, 16, 16))


def test_a_closed_extractor_takes_a_head_only(learned: Triplets) -> None:
    assert Tuning.suited(get("radiomics")).method == "mlp"
    assert Tuning.suited(Small()) == Tuning("lora")
    assert Tuning.suited(Small(), "mlp", seed=3) == Tuning("mlp", steps=1000, batch=64, seed=3)
    with pytest.raises(InputError, match="the weights of 'histogram' cannot be reached"):
        tune(get("histogram"), learned, Tuning("lora"))
    with pytest.raises(InputError, match="no gradient reaches the weights of 'small'"):
        tune(Closed(), learned, Tuning("lora"))


def test_the_seed_decides_and_an_ended_tuning_goes_on_as_if_nothing_had_happened(
    learned: Triplets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_CHECKPOINT_SECONDS", -1.0)
    images = torch.from_numpy(learned.load(range(4))[0])
    options = Tuning("lora", steps=6, batch=8, learning_rate=0.01)
    whole = tune(Small(), learned, options)(images)
    file = tmp_path / "checkpoint.safetensors"

    def stop(task: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(Small(), learned, options, checkpoint=file, progress=stop)
    steps: list[int] = []
    resumed = tune(Small(), learned, options, checkpoint=file, progress=lambda task, done, total: steps.append(done))
    assert steps == [4, 5, 6]
    assert torch.equal(resumed(images), whole)
    assert not torch.equal(tune(Small(), learned, Tuning("lora", 6, 8, 0.01, seed=1))(images), whole)
    with pytest.raises(InputError, match="is the checkpoint of another tuning"):
        tune(Small(), learned, Tuning("lora", steps=7, batch=8), checkpoint=file)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="the checkpoint is damaged; remove it"):
        tune(Small(), learned, options, checkpoint=file)


def test_options_and_losses_out_of_range_are_refused(learned: Triplets) -> None:
    with pytest.raises(InputError, match="is 'lora' or 'mlp', got 'full'"):
        Tuning("full")
    with pytest.raises(InputError, match="steps is a whole number from 1 up, got 0"):
        Tuning(steps=0)
    with pytest.raises(InputError, match="learning_rate is a number above 0"):
        Tuning(learning_rate=float("nan"))
    with pytest.raises(InputError, match="at least 8 triplets, got 5"):
        tune(Small(), learned.take(range(5)))
    with pytest.raises(InputError, match="is no number; lower the learning rate"):
        tune(Small(), learned, Tuning("lora", steps=30, batch=8, learning_rate=1e30))


def _mobilenet(folder: Path) -> str:
    return f"net=mobilenet:{folder / 'mobilenet_v1_025_imagenet_fp32.npz'}?slices=2"


def test_a_tuned_extractor_is_kept_whole_and_gives_the_same_embeddings(
    learned: Triplets, tmp_path: Path, weights_folder: Path
) -> None:
    images = torch.from_numpy(learned.load(range(2))[0])
    for place, (space, options) in enumerate(
        (
            ("random?seed=3", Tuning("lora", steps=2, batch=8, learning_rate=0.01)),
            ("pixels?size=8", Tuning("mlp", steps=2, hidden=16, learning_rate=0.01)),
            (_mobilenet(weights_folder), Tuning("mlp", steps=2, batch=8, hidden=16, learning_rate=0.01)),
        )
    ):
        network = tune(get(space), learned.take(range(8)), options)
        folder = write_tuned(tmp_path / f"tuned{place}", network, space, options, FACTS)
        found = open_tuned(folder)
        assert torch.equal(found(images), network(images))
        assert found.trained_on.endswith("then tuned on 40 triplets made by rule from 30 phantoms")
        assert found.fingerprint == Tuned.open(folder).fingerprint
        assert "/" not in json.loads((folder / RECORD).read_text())["base"]["specification"]
        assert not list(tmp_path.glob(".*"))


def test_an_imitating_network_is_kept_with_its_weights(learned: Triplets, tmp_path: Path) -> None:
    from fourfold.features.imitation import imitate

    extractor = Imitation(imitate(("firstorder_Variance",), sides=(16,), textures=64, steps=1))
    options = Tuning("lora", steps=2, batch=8, learning_rate=0.01)
    network = tune(extractor, learned, options)
    folder = write_tuned(tmp_path / "tuned", network, "imitation", options, FACTS)
    images = torch.from_numpy(learned.load(range(2))[0])
    assert torch.equal(open_tuned(folder)(images), network(images))


def test_folders_that_were_changed_are_refused(learned: Triplets, tmp_path: Path) -> None:
    options = Tuning("lora", steps=1, batch=8)
    network = tune(Untrained(), learned, options)
    folder = write_tuned(tmp_path / "tuned", network, "random", options, FACTS)
    with pytest.raises(InputError, match="is not empty; choose a new folder"):
        write_tuned(folder, network, "random", options, FACTS)
    with pytest.raises(InputError, match="holds no tuned extractor"):
        open_tuned(tmp_path)
    record = json.loads((folder / RECORD).read_text())
    other = {**record, "base": {**record["base"], "specification": "random?seed=1"}}
    (folder / RECORD).write_text(json.dumps(other))
    with pytest.raises(InputError, match="was tuned from another 'random'"):
        open_tuned(folder)
    (folder / RECORD).write_text(json.dumps({**record, "columns": 7}))
    with pytest.raises(InputError, match="do not fit together"):
        open_tuned(folder)
    (folder / RECORD).write_text("{")
    with pytest.raises(InputError, match="cut short or damaged"):
        open_tuned(folder)
    (folder / RECORD).write_text(json.dumps(record))
    (folder / WEIGHTS).write_bytes(b"0")
    with pytest.raises(InputError, match="SHA-256 differs"):
        open_tuned(folder)


def test_embeddings_rank_by_strength(learned: Triplets) -> None:
    from scipy import stats

    from fourfold.features.perceptual import DISTORTIONS, distances

    network = tune(Small(), learned, Tuning("lora", steps=20, batch=16, learning_rate=1e-3))
    image = _images(1, first=500).load()[0]
    for name in UNSEEN:
        one = DISTORTIONS[name]
        ladder = np.stack([one(image, one.strength(level), np.random.default_rng(0)) for level in np.linspace(0, 1, 8)])
        far = distances(network(torch.from_numpy(ladder)), network(torch.from_numpy(image[None])))
        assert stats.spearmanr(np.arange(8), far.detach().numpy())[0] >= 0.9
