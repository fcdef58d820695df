from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fourfold.errors import InputError
from fourfold.features.contrastive import ContrastiveNetwork
from fourfold.images.phantoms import phantoms
from fourfold.privacy.learned import cross_fitted_nearest, halves, nearest_by_network


class _Pixels:
    """Stands in for a network: centred pixels, scaled to length 1."""

    def embed(self, images: np.ndarray, views: bool = False) -> np.ndarray:
        if views:
            turned = [np.rot90(one, turns, (2, 3)) for one in (images, images[..., ::-1]) for turns in range(4)]
            return np.stack([self.embed(one) for one in turned], axis=1)
        vectors = images.reshape(len(images), -1)
        vectors = vectors - vectors.mean(axis=1, keepdims=True)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-6)


def _noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 1, 8, 8)).astype(np.float32)


def test_halves_keep_patients_together_and_share_the_images() -> None:
    groups = np.random.default_rng(0).integers(0, 60, 300)
    parts = halves(groups, 1)
    assert all(len(np.unique(parts[groups == group])) == 1 for group in np.unique(groups))
    assert 0.45 < parts.mean() < 0.55
    assert (halves(groups, 2) != parts).any()


@pytest.mark.parametrize("memory", [1 << 30, 1])
def test_the_two_nearest_patients_are_those_of_a_brute_force_search(memory: int) -> None:
    points, groups = _noise(30, 1), np.repeat(np.arange(10), 3)
    queries, own = np.concatenate([_noise(5, 2), points[:6]]), np.repeat([-1, 0, 1], [5, 3, 3])
    found = nearest_by_network(_Pixels(), queries, points, groups, own, memory=memory)
    bank, sought = _Pixels().embed(points, views=True), _Pixels().embed(queries)
    distances = 1 - np.einsum("nd,mvd->nmv", sought, bank).max(axis=2)
    distances[own[:, None] == groups[None, :]] = np.inf
    assert (found.first == distances.argmin(axis=1)).all()
    assert found.first_distance == pytest.approx(distances.min(axis=1), abs=1e-6)
    distances[groups[found.first][:, None] == groups[None, :]] = np.inf
    assert (found.second == distances.argmin(axis=1)).all()
    assert found.second_distance == pytest.approx(distances.min(axis=1), abs=1e-6)


def test_a_mirrored_copy_is_at_distance_zero_and_a_flat_image_near_nobody() -> None:
    points = np.concatenate([_noise(20, 3), np.full((1, 1, 8, 8), 0.5, dtype=np.float32)])
    queries = np.stack([points[7][..., ::-1], points[20]])
    found = nearest_by_network(_Pixels(), queries, points, np.arange(21), np.full(2, -1))
    assert found.first[0] == 7
    assert found.identical.tolist() == [True, False]
    assert found.log_ratio[1] == 0.0


def test_each_network_searches_where_it_was_not_trained_and_only_unseen_patients_are_null() -> None:
    groups = np.repeat(np.arange(80), 2)
    training, fresh = _noise(160, 4), _noise(10, 5)
    seen = []

    def train(images: np.ndarray, patients: np.ndarray, **settings: object) -> _Pixels:
        seen.append(set(patients.tolist()))
        return _Pixels()

    queries = np.concatenate([training, fresh, training[:10]])
    own = np.concatenate([groups, np.arange(100, 110), np.full(10, -1)])
    searches = cross_fitted_nearest(training, groups, queries, own, train=train, views=False)
    assert seen[0] | seen[1] == set(range(80))
    assert not seen[0] & seen[1]
    for fold, (nearest, eligible) in enumerate(searches):
        assert not set(groups[nearest.first].tolist()) & seen[fold]
        assert not set(groups[nearest.second].tolist()) & seen[fold]
        assert set(own[:160][eligible[:160]].tolist()) == seen[1 - fold]
        assert eligible[160:170].all()
        assert not eligible[170:].any()
        assert (groups[nearest.first[:160]] != groups).all()
    identical = np.stack([nearest.first[170:] for nearest, _ in searches])
    assert (identical == np.arange(10)).any(axis=0).all()


def test_training_and_holdout_images_are_alike_to_a_network_that_saw_neither_only() -> None:
    size = 70
    images = phantoms("chest", 4 * size, images_per_patient=1, size=32, seed=8).images
    mine, other, holdout = images[:size], images[size : 2 * size], images[2 * size :]
    groups = np.arange(size)
    network = ContrastiveNetwork.train(mine, seed=0, steps=220, width=16)
    gaps = {}
    for name, points in (("seen", mine), ("fresh", other)):
        queries = np.concatenate([points, holdout])
        own = np.concatenate([groups, np.full(len(holdout), -1)])
        found = nearest_by_network(network, queries, points, groups, own)
        training, fresh = found.first_distance[:size], found.first_distance[size:]
        gaps[name] = stats.mannwhitneyu(training, fresh).statistic / len(training) / len(fresh)
        if name == "fresh":
            u = found.log_ratio
            assert stats.ks_2samp(u[:size], u[size:]).pvalue > 0.01
    # Three standard errors of an AUC with 70 and 140 images are 0.13.
    assert abs(gaps["fresh"] - 0.5) < 0.13
    assert gaps["seen"] > gaps["fresh"] + 0.1


def test_few_training_images_are_refused() -> None:
    with pytest.raises(InputError, match=r"needs 60 images in each half, the smaller one has 5\d;"):
        cross_fitted_nearest(_noise(119, 6), np.arange(119), _noise(3, 7), np.full(3, -1))
