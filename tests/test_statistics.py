"""Textbook numbers for the room of intervals and tests."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
from scipy import stats

from fourfold.statistics import (
    benjamini_hochberg,
    cauchy_combination,
    clopper_pearson,
    empirical_p_values,
    fit_tail,
    holm,
    tail_p_values,
    upper_bound,
    variance_of_mean,
    wilson,
)


@pytest.mark.parametrize("room", ["intervals", "discoveries", "tails", "curves", "mixture"])
def test_the_examples_in_the_docstrings_run(room: str) -> None:
    found = doctest.testmod(importlib.import_module(f"fourfold.statistics.{room}"))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    ("successes", "trials", "centre", "half"),
    [
        (850, 1000, 0.849, 0.022),
        (23, 100, 0.23998824451588613, 0.08155558571285167),
        (0, 100, 0.01849674910349284, 0.01849674910349284),
    ],
)
def test_wilson_agrees_with_published_intervals(successes: int, trials: int, centre: float, half: float) -> None:
    low, high = wilson(successes, trials)
    tolerance = 5e-4 if trials == 1000 else 1e-12
    assert (low + high) / 2 == pytest.approx(centre, abs=tolerance)
    assert (high - low) / 2 == pytest.approx(half, abs=tolerance)


def test_clopper_pearson_agrees_with_the_binomial_test_of_scipy() -> None:
    for successes, trials in [(0, 20), (3, 20), (10, 20), (20, 20)]:
        expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
        assert clopper_pearson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(
    ("trials", "bound"), [(100, 0.0295), (300, 0.0099), (1000, 0.0030), (3000, 0.0010), (10000, 0.0003)]
)
def test_nothing_found_in_n_bounds_the_rate_by_about_three_over_n(trials: int, bound: float) -> None:
    assert upper_bound(0, trials) == pytest.approx(bound, rel=0.02)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 10), (11, 10), (0, 0)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="need 0 <= successes <= trials"):
        wilson(successes, trials)


def test_benjamini_hochberg_reproduces_the_example_of_its_paper() -> None:
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    p += [0.7590, 1.0]
    found, adjusted = benjamini_hochberg(p, 0.05)
    assert found.sum() == 4
    assert found[:4].all()
    assert adjusted == pytest.approx(stats.false_discovery_control(p))


def test_holm_stops_at_the_first_hypothesis_it_keeps() -> None:
    rejected, adjusted = holm([0.03, 0.005, 0.04, 0.01], 0.05)
    assert rejected.tolist() == [False, True, False, True]
    np.testing.assert_allclose(adjusted, [0.06, 0.02, 0.06, 0.03])
    assert holm([])[1].shape == (0,)
    with pytest.raises(ValueError, match="p-values must be in"):
        holm([1.1])


def test_benjamini_hochberg_takes_an_empty_list_and_refuses_what_is_no_p_value() -> None:
    assert benjamini_hochberg([])[0].shape == (0,)
    with pytest.raises(ValueError, match="p-values"):
        benjamini_hochberg([0.1, np.nan])


def test_the_cauchy_combination_of_equal_p_values_is_that_p_value() -> None:
    p = np.array([1e-12, 1e-6, 0.01, 0.3, 0.5, 0.9])
    assert cauchy_combination(np.stack([p, p, p], axis=1)) == pytest.approx(p, rel=1e-9)


def test_the_cauchy_combination_of_independent_tests_is_valid_where_it_is_small() -> None:
    p = np.random.default_rng(0).uniform(size=(100_000, 8))
    combined = cauchy_combination(p)
    for level in (0.001, 0.01):
        assert np.mean(combined <= level) == pytest.approx(level, rel=0.25)


def test_one_p_value_of_one_does_not_outvote_the_others() -> None:
    assert cauchy_combination([[1e-6, 1.0, 1.0]]) < 4e-6


def test_empirical_p_values_count_ties_as_evidence_for_the_null() -> None:
    assert empirical_p_values([1.0, 2.0, 5.0], [1.0, 2.0, 2.0]).tolist() == [1.0, 0.75, 0.25]


@pytest.mark.parametrize("shape", [0.0, 0.25])
def test_the_fitted_tail_recovers_a_pareto_distribution(shape: float) -> None:
    null = stats.genpareto.rvs(shape, size=20000, random_state=np.random.default_rng(1))
    tail = fit_tail(null, caution=0.0)
    assert tail is not None
    assert tail.shape == pytest.approx(shape, abs=0.06)
    far = stats.genpareto.isf(1e-5, shape)
    assert 1e-6 < tail_p_values([far], null, tail)[0] < 1e-4


def test_a_bounded_tail_is_continued_without_an_end() -> None:
    null = np.random.default_rng(2).beta(1, 8, size=2000)
    tail = fit_tail(null, caution=0.0)
    assert tail is not None
    assert tail.shape == 0.0
    assert 1e-16 < tail_p_values([1.1], null, tail)[0] < 0.001


def test_a_smaller_sample_makes_a_more_careful_tail() -> None:
    null = np.random.default_rng(6).exponential(size=8000)
    p = [tail_p_values([15.0], part, fit_tail(part))[0] for part in (null[:400], null)]
    assert p[0] > 3 * p[1] > 3 * np.exp(-15.0)


def test_a_tail_with_a_gap_is_refused() -> None:
    null = np.concatenate([np.random.default_rng(3).normal(size=1800), np.full(100, 40.0), np.full(100, 90.0)])
    assert fit_tail(null) is None


def test_a_small_null_keeps_empirical_p_values() -> None:
    null = np.random.default_rng(4).exponential(size=100)
    assert fit_tail(null) is None
    assert tail_p_values([1e9], null, None)[0] == pytest.approx(1 / 101)


def test_tail_p_values_are_valid_where_the_null_holds() -> None:
    rng = np.random.default_rng(5)
    smallest = []
    for _ in range(200):
        null, fresh = rng.gamma(2.0, size=1000), rng.gamma(2.0, size=500)
        smallest.append(tail_p_values(fresh, null, fit_tail(null)).min())
    # The smallest of 500 valid p-values falls below 0.05 / 500 in 5 % of repetitions; 2.5 standard errors allowed.
    assert np.mean(np.array(smallest) < 0.05 / 500) < 0.09


def test_the_variance_of_a_mean_grows_with_the_likeness_within_groups() -> None:
    values = np.repeat([0.0, 1.0, 2.0, 3.0], 5)
    groups = np.repeat(np.arange(4), 5)
    alone = variance_of_mean(values)
    assert variance_of_mean(values, groups) == pytest.approx(np.var([0, 1, 2, 3], ddof=1) / 4)
    assert variance_of_mean(values, groups) > 4 * alone
    assert variance_of_mean(values, np.zeros(20)) == np.inf
