"""Image retrieval score."""

import math

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.variety import image_retrieval_score, occupancy_estimate, occupancy_limits, retrieval


def _occupancy(s: int, n: int) -> np.ndarray:
    """P(k | s, n) for k = 0..n by adding one draw at a time."""
    law = np.zeros(n + 1)
    law[0] = 1.0
    k = np.arange(n + 1)
    for _ in range(n):
        law = law * k / s + np.concatenate([[0.0], (law * np.maximum(s - k, 0) / s)[:-1]])
    return law


def test_the_golden_values_are_reached():
    rng = np.random.default_rng(0)
    real, holdout = rng.normal(size=(300, 16)), rng.normal(size=(200, 16))
    synthetic = 0.8 * rng.normal(size=(250, 16)) + 0.3
    found = image_retrieval_score(real, synthetic)
    assert found.retrieved == 98
    assert found.alpha == pytest.approx(0.326667, abs=1e-6)
    assert found.infinity == 108 / 300
    assert image_retrieval_score(real, holdout).retrieved == 130


@pytest.mark.parametrize(("k", "n"), [(3, 5), (17, 20), (98, 250), (120, 130)])
def test_the_estimate_has_the_highest_likelihood(k, n):
    likelihood = [_occupancy(s, n)[k] for s in range(k, 400)]
    assert occupancy_estimate(k, n, 399) == k + int(np.argmax(likelihood))


@pytest.mark.parametrize(("k", "n"), [(3, 5), (17, 20), (98, 250)])
def test_the_limits_leave_five_per_cent_in_each_tail(k, n):
    low, high = occupancy_limits(k, n, 399)
    inside = [
        s for s in range(k, 400) if _occupancy(s, n)[k:].sum() >= 0.05 and _occupancy(s, n)[: k + 1].sum() >= 0.05
    ]
    assert (low, high) == (inside[0], inside[-1])


def test_stirling_numbers_of_a_thousand_draws_do_not_overflow():
    low, high = occupancy_limits(632, 1000, 5000)
    assert low < occupancy_estimate(632, 1000, 5000) < high
    assert math.isclose(occupancy_estimate(632, 1000, 5000), 1000, rel_tol=0.01)


def test_a_collapsed_set_retrieves_few_and_copies_retrieve_all():
    rng = np.random.default_rng(1)
    real = rng.normal(size=(200, 8))
    prototypes = np.repeat(rng.normal(size=(3, 8)), 70, axis=0)
    assert image_retrieval_score(real, prototypes).retrieved <= 3
    copies = image_retrieval_score(real, real)
    assert (copies.alpha, copies.infinity) == (1.0, 1.0)


def test_an_empty_set_is_refused_with_a_sentence():
    with pytest.raises(InputError, match="at least one training and one synthetic image"):
        image_retrieval_score(np.zeros((0, 2)), np.zeros((3, 2)))


@pytest.mark.parametrize(("k", "n", "largest"), [(700, 2000, 3000), (1500, 2000, 20_000), (90, 2000, 3000)])
def test_limits_of_many_draws_are_those_of_the_exact_law(k, n, largest, monkeypatch):
    exact = occupancy_limits(k, n, largest)
    monkeypatch.setattr(retrieval, "_EXACT", 0)
    np.testing.assert_allclose(occupancy_limits(k, n, largest), exact, rtol=3e-3)


def test_limits_of_a_million_draws_take_no_time_to_speak_of():
    low, high = occupancy_limits(600_000, 1_000_000, 10_000_000)
    assert low < occupancy_estimate(600_000, 1_000_000, 10_000_000) < high
    assert high / low < 1.01
