from __future__ import annotations

import numpy as np

from fourfold.releasing.screen import crowding
from fourfold.releasing.screen.crowding import largest_count
from fourfold.releasing.screen.embeddings import Part


def _part(seed: int, planted: int) -> Part:
    rng = np.random.default_rng(seed)
    training, calibration, candidates = (rng.normal(size=(size, 6)) for size in (150, 80, 500))
    candidates[:planted] = training[9] + 0.3 * rng.normal(size=(planted, 6))
    return Part(np.arange(150), candidates, training, calibration)


def _crowding(part: Part, seed: int = 0):
    everyone = np.ones(len(part.candidates), dtype=bool)
    return crowding([part], everyone, np.arange(150), 1000 + np.arange(80), rng=np.random.default_rng(seed))


def test_one_patient_fifty_times_is_cut_to_what_is_usual() -> None:
    found = _crowding(_part(0, 50))
    assert found.crowded == 1
    assert found.largest >= 45
    assert 50 - found.dropped[:50].sum() <= found.limit < 30
    assert found.dropped.sum() == found.largest - found.limit


def test_popular_persons_of_an_innocent_pool_are_left_alone() -> None:
    dropped = [_crowding(_part(seed, 0)).dropped.sum() for seed in range(1, 11)]
    assert np.mean([number > 0 for number in dropped]) <= 0.2
    assert np.mean(dropped) < 1


def test_who_is_dropped_depends_on_the_seed_alone() -> None:
    part = _part(0, 50)
    assert (_crowding(part, 1).dropped == _crowding(part, 1).dropped).all()
    assert (_crowding(part, 1).dropped != _crowding(part, 2).dropped).any()


def test_the_bound_covers_the_most_popular_of_many() -> None:
    rng = np.random.default_rng(3)
    inside = []
    for _ in range(200):
        popularity = rng.gamma(2.0, 1.5, 500)
        counts = rng.poisson(popularity)
        inside.append(counts[100:].max() <= largest_count(counts[:100], 400))
    assert np.mean(inside) > 0.85


def test_a_pool_of_nobody_has_no_crowd() -> None:
    part = _part(0, 0)
    found = crowding([part], np.zeros(500, dtype=bool), np.arange(150), np.arange(80), rng=np.random.default_rng(0))
    assert not found.dropped.any()
    assert found.figures()["largest"] == 0
