from __future__ import annotations

import numpy as np
import pytest

from fourfold.features.contrastive_orientation import OrientationMaps
from fourfold.images.phantoms import phantoms


def _first_choice(maps: OrientationMaps, queries: np.ndarray, points: np.ndarray) -> float:
    nearness = np.einsum("nd,mvd->nmv", maps.embed(queries), maps.embed(points, views=True)).max(axis=2)
    return float((nearness.argmax(axis=1) == np.arange(len(queries))).mean())


def test_equal_blends_halves_and_inverted_mirror_images_lead_to_their_source() -> None:
    images = phantoms("chest", 200, images_per_patient=1, size=64, seed=7).images
    points, others = images[:100], images[100:]
    maps = OrientationMaps.train(others)
    assert _first_choice(maps, 0.7 * points + 0.3 * others, points) >= 0.95
    assert _first_choice(maps, 1 - points[..., ::-1], points) == 1.0
    half = others.copy()
    half[..., :32] = points[..., :32]
    assert _first_choice(maps, half, points) >= 0.5


def test_vectors_have_length_one_and_an_image_without_contrast_the_vector_zero() -> None:
    images = np.random.default_rng(0).random((30, 3, 40, 40), dtype=np.float32)
    maps = OrientationMaps.train(images)
    assert np.linalg.norm(maps.embed(images), axis=1) == pytest.approx(1, abs=1e-5)
    assert maps.embed(images, views=True).shape == (30, 8, 3 * 1024)
    assert not maps.embed(np.ones((1, 3, 40, 40), dtype=np.float32)).any()
