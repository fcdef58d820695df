"""Distances between embeddings, and how often they agree with who judged."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.features.perceptual import distances, embedding, ranking, two_alternative


def test_the_examples_run() -> None:
    assert doctest.testmod(ranking).failed == 0


def test_a_distance_is_a_symmetric_one_minus_cosine_in_0_to_2() -> None:
    x, y = (torch.randn(50, 7, generator=torch.Generator().manual_seed(seed)).double() for seed in (0, 1))
    a, b = embedding(x), embedding(y)
    found = distances(a, b)
    assert torch.allclose(found, 1 - torch.nn.functional.cosine_similarity(a, b), atol=1e-12)
    assert torch.equal(found, distances(b, a))
    assert torch.equal(distances(a, a), torch.zeros(50).double())
    assert float(distances(a, -a).max()) == pytest.approx(2)
    assert 0 <= float(found.min()) <= float(found.max()) <= 2


def test_an_embedding_knows_neither_level_nor_length_and_a_constant_vector_is_zero() -> None:
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(0)).double()
    assert torch.allclose(embedding(x), embedding(3 * x + 5))
    assert torch.equal(embedding(torch.full((1, 4), 2.0)), torch.zeros(1, 4))


def test_ties_count_one_half_and_divided_judges_count_by_their_share() -> None:
    found = two_alternative([1.0, 1.0, 2.0], [1.0, 2.0, 1.0], [1.0, 0.25, 0.25], np.arange(3))
    assert found.value == pytest.approx((0.5 + 0.75 + 0.25) / 3)


def test_the_interval_holds_one_half_in_95_of_100_for_a_guesser_whose_triplets_come_in_patients() -> None:
    rng = np.random.default_rng(0)
    held, naive = 0, 0
    groups = np.repeat(np.arange(40), 5)
    for _ in range(400):
        # Triplets of a patient are nearly copies of one another.
        right = np.where(rng.uniform(size=200) < 0.9, np.repeat(rng.integers(0, 2, 40), 5), rng.integers(0, 2, 200))
        clustered = two_alternative(np.ones(200), np.where(right, 2.0, 0.0), np.zeros(200), groups)
        single = two_alternative(np.ones(200), np.where(right, 2.0, 0.0), np.zeros(200), np.arange(200))
        held += clustered.interval[0] <= 0.5 <= clustered.interval[1]
        naive += single.interval[0] <= 0.5 <= single.interval[1]
    assert 0.92 <= held / 400 <= 0.98
    assert naive / 400 < 0.8


def test_a_perfect_ranking_is_no_more_certain_than_its_patients_allow() -> None:
    found = two_alternative(np.zeros(100), np.ones(100), np.zeros(100), np.repeat(np.arange(10), 10))
    assert found.value == 1
    assert found.interval[0] == pytest.approx(0.722, abs=1e-3)
    assert two_alternative([0.0], [1.0], [0.0], [0]).interval == (0.0, 1.0)


def test_kinds_are_told_apart_and_distances_that_are_no_numbers_are_refused() -> None:
    kinds = np.array([["a", "b"], ["a", "c"], ["b", "c"]])
    found = two_alternative([0.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], np.arange(3), kinds)
    assert {name: one.value for name, one in found.by_kind.items()} == {"a": 1.0, "b": 0.5, "c": 0.5}
    assert found.describe()["by_kind"]["a"]["triplets"] == 2
    with pytest.raises(InputError, match="a distance is NaN or infinite"):
        two_alternative([np.nan], [1.0], [0.0], [0])
    with pytest.raises(InputError, match="there is none"):
        two_alternative([], [], [], [])
