from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.features.contrastive import TEMPERATURE, ContrastiveNetwork, contrastive_loss, steps_for
from fourfold.features.contrastive_disguises import Disguises
from fourfold.images.phantoms import phantoms


def _images(count: int, first: int = 0, kind: str = "chest") -> np.ndarray:
    return phantoms(kind, count, images_per_patient=1, size=32, seed=5, first_patient=first).images


def _train(images: np.ndarray, steps: int, seed: int = 0, width: int = 16) -> ContrastiveNetwork:
    return ContrastiveNetwork.train(images, seed=seed, steps=steps, width=width)


def _first_choice(network: ContrastiveNetwork, queries: np.ndarray, points: np.ndarray) -> float:
    nearness = np.einsum("nd,mvd->nmv", network.embed(queries), network.embed(points, views=True)).max(axis=2)
    return float((nearness.argmax(axis=1) == np.arange(len(queries))).mean())


@pytest.fixture(scope="module")
def network() -> ContrastiveNetwork:
    return _train(_images(160), 110)


def test_the_seed_decides_the_network_and_the_global_generator_is_left_alone() -> None:
    images = _images(64)
    before = torch.random.get_rng_state()
    first, second, other = (_train(images, 2, seed).embed(images[:5]) for seed in (3, 3, 4))
    assert (first == second).all()
    assert not np.allclose(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_sources_among_images_the_network_has_not_seen_are_found_under_disguise(network: ContrastiveNetwork) -> None:
    points = _images(100, first=1000)
    images = torch.from_numpy(points)
    angle = math.radians(8)
    matrix = torch.tensor([[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), 0.0]])
    grid = torch.nn.functional.affine_grid(matrix.expand(len(points), 2, 3), list(images.shape), align_corners=False)
    turned = torch.nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False).numpy()
    noisy = points + np.random.default_rng(0).normal(0, 0.05, points.shape)
    assert _first_choice(network, noisy.clip(0, 1).astype(np.float32), points) >= 0.95
    assert _first_choice(network, 1 - np.rot90(points, 1, (2, 3)), points) >= 0.95
    assert _first_choice(network, turned, points) >= 0.75
    assert _first_choice(_train(_images(60), 0), turned, points) <= 0.25


def test_vectors_have_length_one_and_their_views_are_those_of_the_turned_image(network: ContrastiveNetwork) -> None:
    images = _images(6, first=50)
    views = network.embed(images, views=True)
    assert views.shape == (6, 8, 128)
    assert np.linalg.norm(views, axis=2) == pytest.approx(1, abs=1e-5)
    assert views[:, 0] == pytest.approx(network.embed(images), abs=1e-5)
    assert views[:, 2] == pytest.approx(network.embed(np.rot90(images, 2, (2, 3))), abs=1e-5)
    assert views[:, 4] == pytest.approx(network.embed(images[..., ::-1]), abs=1e-5)


def test_an_inverted_image_has_nearly_the_vector_of_the_image(network: ContrastiveNetwork) -> None:
    images = _images(6, first=50)
    assert (network.embed(images) * network.embed(1 - images)).sum(axis=1).min() > 0.999


def test_an_image_without_contrast_has_the_vector_zero(network: ContrastiveNetwork) -> None:
    assert not network.embed(np.full((2, 1, 32, 32), 0.3, dtype=np.float32)).any()


@pytest.mark.parametrize(("planes", "side"), [(3, 64), (8, 20)])
def test_colours_slabs_and_other_sizes_are_taken(planes: int, side: int) -> None:
    images = np.random.default_rng(0).random((60, planes, side, side), dtype=np.float32)
    assert _train(images, 1).embed(images[:3], views=True).shape == (3, 8, 128)


def test_progress_is_told() -> None:
    told = []
    ContrastiveNetwork.train(_images(60), steps=2, width=8, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_few_images_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be trained on 59 images; it needs 60: give more training images"):
        _train(_images(59), 1)


def test_images_that_are_not_square_are_refused() -> None:
    with pytest.raises(InputError, match=r"must have the shape \(n, planes, side, side\), got \(60, 1, 32, 31\)"):
        _train(_images(60)[..., 1:], 1)


def test_the_loss_is_the_cross_entropy_of_the_right_partner() -> None:
    vectors = torch.eye(3)
    loss = contrastive_loss(vectors, vectors, torch.zeros(3, 3, dtype=torch.bool))
    assert float(loss) == pytest.approx(math.log1p(2 * math.exp(-1 / TEMPERATURE)), abs=1e-7)
    alike = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert float(contrastive_loss(alike, alike, torch.zeros(2, 2, dtype=torch.bool))) == pytest.approx(math.log(2))
    assert float(contrastive_loss(alike, alike, torch.ones(2, 2, dtype=torch.bool))) == 0.0


def test_more_images_are_given_more_steps_within_bounds() -> None:
    assert [steps_for(count) for count in (60, 500, 5000, 10**6)] == [150, 250, 627, 800]


def test_disguises_depend_on_their_generator_and_say_what_they_mixed() -> None:
    images = torch.from_numpy(_images(40))
    others = torch.zeros_like(images)
    first, mixed = Disguises()(images, others, torch.Generator().manual_seed(1))
    second, _ = Disguises()(images, others, torch.Generator().manual_seed(1))
    assert torch.equal(first, second)
    assert first.shape == images.shape
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    assert 0 < int(mixed.sum()) < 40
    assert not Disguises(mixing=0)(images, others, torch.Generator().manual_seed(1))[1].any()


def test_disguises_of_no_strength_leave_images_as_they_are() -> None:
    images = torch.from_numpy(_images(10)).clamp(1e-4, 1)
    none = Disguises(angle=0, shift=0, scale=1, crop=1, warp=0, mixing=0, softness=0, tone=0, noise=0, inversion=0)
    assert torch.allclose(none(images, images, torch.Generator().manual_seed(1))[0], images, atol=1e-5)
