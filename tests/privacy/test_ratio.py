from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import cKDTree

from fourfold.privacy.ratio import RatioNull, log_ratio, two_nearest
from fourfold.privacy.representations import Representation, View, Warp

PLAIN = View(Representation("plain", "", 16, None, False), 16)


def _noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 1, 16, 16)).astype(np.float32)


def _brute_force(queries: np.ndarray, training: np.ndarray, groups: np.ndarray, own: np.ndarray | None):
    both = np.concatenate([queries, training]).reshape(len(queries) + len(training), -1).astype(np.float64)
    distances = 1 - np.corrcoef(both)[: len(queries), len(queries) :]
    if own is not None:
        distances[own[:, None] == groups[None, :]] = np.inf
    first = distances.argmin(axis=1)
    rows = np.arange(len(queries))
    near = distances[rows, first]
    distances[groups[first][:, None] == groups[None, :]] = np.inf
    return first, near, distances.argmin(axis=1), distances.min(axis=1)


@pytest.mark.parametrize("memory", [1 << 30, 1 << 16])
@pytest.mark.parametrize("excluding", [False, True])
def test_the_two_nearest_patients_are_those_of_a_brute_force_search(memory: int, excluding: bool) -> None:
    training, groups = _noise(60, 1), np.repeat(np.arange(20), 3)
    queries, own = (training, groups) if excluding else (_noise(40, 2), None)
    found = two_nearest(PLAIN, queries, training, groups, own, memory)
    first, near, second, far = _brute_force(queries, training, groups, own)
    assert (found.first == first).all()
    assert (found.second == second).all()
    assert found.first_distance == pytest.approx(near, abs=1e-6)
    assert found.second_distance == pytest.approx(far, abs=1e-6)


def test_a_verbatim_copy_is_at_distance_zero_and_identical() -> None:
    training = _noise(50, 3)
    found = two_nearest(PLAIN, training[[7, 7, 11]], training, np.arange(50))
    assert found.first.tolist() == [7, 7, 11]
    assert found.first_distance.tolist() == [0.0, 0.0, 0.0]
    assert found.identical.all()
    assert np.isfinite(found.log_ratio).all()


def test_the_second_neighbour_is_of_another_patient() -> None:
    training, groups = _noise(50, 4), np.arange(50)
    training[8] = training[7]
    groups[8] = 7
    found = two_nearest(PLAIN, training[[7]], training, groups)
    assert groups[found.second[0]] != 7
    assert found.log_ratio[0] > 5


def test_the_best_warp_of_the_bank_counts() -> None:
    training = _noise(50, 5)
    bank = (Warp(), Warp(mirrored=True))
    plain = two_nearest(PLAIN, training[[9]][..., ::-1].copy(), training, np.arange(50))
    view = View(Representation("mirrored", "", 16, None, False, bank), 16)
    mirrored = two_nearest(view, training[[9]][..., ::-1].copy(), training, np.arange(50))
    assert mirrored.first[0] == 9
    assert mirrored.first_distance[0] < 1e-9 < plain.first_distance[0]


def test_an_image_without_contrast_is_near_nobody() -> None:
    flat = np.full((1, 1, 16, 16), 0.5, dtype=np.float32)
    found = two_nearest(PLAIN, flat, np.concatenate([_noise(20, 6), flat]), np.arange(21))
    assert found.log_ratio.tolist() == [0.0]
    assert not found.identical.any()


def test_one_patient_alone_gives_no_ratio() -> None:
    found = two_nearest(PLAIN, _noise(3, 7), _noise(10, 8), np.zeros(10, dtype=int))
    assert (found.second == -1).all()
    assert found.log_ratio.tolist() == [0.0, 0.0, 0.0]


def test_the_log_ratio_is_exponential_with_the_rate_of_the_dimension() -> None:
    rng = np.random.default_rng(9)
    for dimension in (2, 5):
        tree = cKDTree(rng.random((4000, dimension)), boxsize=1.0)
        distances, _ = tree.query(rng.random((3000, dimension)), k=2)
        u = log_ratio(distances[:, 0], distances[:, 1])
        assert stats.kstest(u * dimension, "expon").pvalue > 0.001


def test_p_values_of_fresh_values_are_uniform_and_a_verbatim_copy_gets_the_smallest() -> None:
    rng = np.random.default_rng(10)
    null = RatioNull.fit(rng.exponential(size=3000))
    training = _noise(50, 11)
    found = two_nearest(PLAIN, np.concatenate([_noise(20, 12), training[:1]]), training, np.arange(50))
    assert null.p_values(found)[-1] == 1e-16
    assert null.p_values(found)[:-1].min() > 1e-3
