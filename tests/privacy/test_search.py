from __future__ import annotations

import numpy as np
import pytest

from fourfold.privacy.bank import Bank
from fourfold.privacy.representations import REGISTERED
from fourfold.privacy.search import Proposals, registered_nearest, two_nearest
from fourfold.privacy.warps import Warp, matrix_of, moved

PLAIN = Bank("plain", "", 16, None, False)


def patients(count: int, seed: int, views: int = 2, side: int = 64) -> np.ndarray:
    """Smooth anatomies, each seen `views` times with a little change; shape (count * views, 1, side, side)."""
    rng = np.random.default_rng(seed)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))

    def fields(number: int) -> np.ndarray:
        found = np.fft.ifft2(np.fft.fft2(rng.normal(size=(number, side, side))) / (frequencies + 0.02) ** 1.5).real
        return found / found.std(axis=(1, 2), keepdims=True)

    anatomy = np.repeat(fields(count), views, axis=0) + 0.4 * fields(count * views)
    return np.clip(0.5 + 0.12 * anatomy, 0, 1)[:, None].astype(np.float32)


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
    found = two_nearest(PLAIN.prepare(training), queries, groups, own, memory=memory)[0]
    first, near, second, far = _brute_force(queries, training, groups, own)
    assert (found.first == first).all()
    assert (found.second == second).all()
    assert found.first_distance == pytest.approx(near, abs=1e-6)
    assert found.second_distance == pytest.approx(far, abs=1e-6)


def test_a_verbatim_copy_is_at_distance_zero_and_identical() -> None:
    training = _noise(50, 3)
    found = two_nearest(PLAIN.prepare(training), training[[7, 7, 11]], np.arange(50))[0]
    assert found.first.tolist() == [7, 7, 11]
    assert found.first_distance.tolist() == [0.0, 0.0, 0.0]
    assert found.identical.all()
    assert np.isfinite(found.log_ratio).all()


def test_the_second_neighbour_is_of_another_patient() -> None:
    training, groups = _noise(50, 4), np.arange(50)
    training[8] = training[7]
    groups[8] = 7
    found = two_nearest(PLAIN.prepare(training), training[[7]], groups)[0]
    assert groups[found.second[0]] != 7
    assert found.log_ratio[0] > 5


def test_the_best_change_of_the_bank_counts_and_says_which_it_was() -> None:
    training = _noise(50, 5)
    mirrored = training[[9]][..., ::-1].copy()
    bank = Bank("mirrored", "", 16, None, False, (Warp(), Warp(mirrored=True)))
    plain, _ = two_nearest(PLAIN.prepare(training), mirrored, np.arange(50))
    found, proposals = two_nearest(bank.prepare(training), mirrored, np.arange(50), leads=1)
    assert found.first[0] == 9
    assert found.first_distance[0] < 1e-5 < plain.first_distance[0]
    assert proposals.rows.tolist() == [[9]]
    assert proposals.matrices[0, 0] == pytest.approx(np.array([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))


def test_an_inverted_image_is_found_where_the_sign_does_not_count() -> None:
    training = _noise(50, 12)
    bank = Bank("inverted", "", 16, None, False, signed=False)
    found, proposals = two_nearest(bank.prepare(training), 1 - training[[4]], np.arange(50), leads=2)
    assert found.first[0] == 4
    assert found.first_distance[0] < 1e-5
    assert proposals.signs[0, 0] == -1


def test_an_image_without_contrast_is_near_nobody() -> None:
    flat = np.full((1, 1, 16, 16), 0.5, dtype=np.float32)
    found, _ = two_nearest(PLAIN.prepare(np.concatenate([_noise(20, 6), flat])), flat, np.arange(21))
    assert found.log_ratio.tolist() == [0.0]
    assert not found.identical.any()


def test_one_patient_alone_gives_no_ratio() -> None:
    found, _ = two_nearest(PLAIN.prepare(_noise(10, 8)), _noise(3, 7), np.zeros(10, dtype=int))
    assert (found.second == -1).all()
    assert found.log_ratio.tolist() == [0.0, 0.0, 0.0]


def test_registered_pairs_leave_the_own_patient_and_what_was_not_proposed_alone() -> None:
    training = patients(20, 1)
    warp = Warp(angle=4.0, right=0.05)
    rows = np.array([[3, 8], [5, -1]])
    start = np.broadcast_to(matrix_of(Warp()), (2, 2, 2, 3))
    queries = moved(training[[3, 5]], warp)
    found = registered_nearest(queries, training, np.arange(40) // 2, [Proposals(rows, start, np.ones((2, 2)))])
    assert set(found) == set(REGISTERED)
    registered = found["registered"]
    assert registered.first.tolist() == [3, 5]
    assert registered.second.tolist() == [8, -1]
    assert registered.log_ratio[0] > 2
    assert registered.log_ratio[1] == 0.0
