"""Published values for the bounds on epsilon."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import fourfold.statistics.epsilon
from fourfold.statistics import (
    bailey_ratio_bound,
    clopper_pearson,
    epsilon_lower_bound,
    katz_ratio_bound,
    one_run_epsilon,
)


def test_the_examples_in_the_docstrings_run() -> None:
    found = doctest.testmod(fourfold.statistics.epsilon)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    ("guesses", "correct", "epsilon"),
    [
        (100, 100, 3.49),
        (100, 90, 1.63),
        (100, 60, 0.05),
        (1000, 1000, 5.81),
        (1000, 900, 2.02),
        (1000, 600, 0.30),
        (1000, 530, 0.01),
    ],
)
def test_the_one_run_audit_gives_the_values_of_its_table(guesses: int, correct: int, epsilon: float) -> None:
    assert one_run_epsilon(correct, guesses) == pytest.approx(epsilon, abs=0.005)


def test_the_one_run_audit_of_a_private_mechanism_seldom_exceeds_its_epsilon() -> None:
    rng = np.random.default_rng(0)
    correct = rng.binomial(200, np.exp(1) / (1 + np.exp(1)), 2000)
    assert np.mean([one_run_epsilon(int(count), 200) > 1 for count in correct]) <= 0.06


@pytest.mark.parametrize(
    ("counts", "bailey", "katz"),
    [
        ((100, 10), 4.61953896, 4.45958661),
        ((90, 5), 6.87647915, 6.39712581),
    ],
)
def test_ratio_bounds_agree_with_published_values(counts: tuple[int, int], bailey: float, katz: float) -> None:
    assert bailey_ratio_bound(counts[0], 110, counts[1], 80) == pytest.approx(bailey, abs=1e-8)
    assert katz_ratio_bound(counts[0], 110, counts[1], 80) == pytest.approx(katz, abs=1e-8)


@pytest.mark.parametrize("bound", [bailey_ratio_bound, katz_ratio_bound])
def test_ratio_bounds_without_any_hit_say_what_they_can(bound: object) -> None:
    assert bound(0, 100, 3, 100) == 0.0
    assert bound(3, 100, 0, 100) == np.inf
    with pytest.raises(ValueError, match="need 0 <= count <= size"):
        bound(11, 10, 1, 10)


def test_epsilon_is_bounded_from_the_exact_intervals_of_both_rates() -> None:
    low, high = clopper_pearson(60, 200)[0], clopper_pearson(4, 150)[1]
    assert epsilon_lower_bound(60, 200, 4, 150) == pytest.approx(np.log(low / high))
    assert epsilon_lower_bound(60, 200, 4, 150, delta=0.1) == pytest.approx(np.log((low - 0.1) / high))


@pytest.mark.parametrize("counts", [(0, 50, 0, 50), (5, 100, 5, 100), (1, 100, 40, 100)])
def test_an_attack_no_better_than_chance_bounds_nothing(counts: tuple[int, int, int, int]) -> None:
    assert epsilon_lower_bound(*counts) == 0.0


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="delta must be in"):
        epsilon_lower_bound(1, 10, 1, 10, delta=1.0)
    with pytest.raises(ValueError, match="need 0 <= successes"):
        one_run_epsilon(3, 2)
