"""Intervals of squared distances, and of scores that are folded at their null."""

import doctest
import math

import numpy as np
import pytest

import fourfold.resampling.inversion
from fourfold.resampling import Estimate, excess_interval, facing_null, linear_rate


@pytest.mark.parametrize("rate", [0.0, 0.3, 20.0])
def test_the_null_is_held_exactly_where_the_value_lies_within_its_reach(rate):
    for found in np.linspace(-4, 8, 121):
        low, high = excess_interval(found, 3.05, 1.05, rate)
        assert (low <= 0 <= high) == (-1.05 <= found <= 3.05)
        assert low <= found <= high


def test_each_end_has_the_error_that_belongs_to_the_distance_there():
    found, above, below, rate = 50.0, 3.0, 2.0, 0.4
    low, high = excess_interval(found, above, below, rate)
    linear = 1.959964**2 * rate
    assert found - low == pytest.approx(math.sqrt(above**2 + linear * low), rel=1e-6)
    assert high - found == pytest.approx(math.sqrt(below**2 + linear * high), rel=1e-6)
    assert high - found > found - low


def test_the_ends_move_without_a_jump_where_the_null_takes_over():
    for edge in (3.0, -1.0):
        before, after = (np.array(excess_interval(edge + step, 3.0, 1.0, 0.5)) for step in (-1e-6, 1e-6))
        assert np.abs(after - before).max() < 1e-4


def test_fewer_degrees_of_freedom_make_the_linear_part_wider_and_not_the_null():
    known, told = excess_interval(9.0, 1.0, 1.0, 1.0), excess_interval(9.0, 1.0, 1.0, 1.0, freedom=5)
    assert told[0] < known[0]
    assert told[1] > known[1]
    assert excess_interval(0.5, 1.0, 1.0, 0.0, freedom=5) == excess_interval(0.5, 1.0, 1.0, 0.0)


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_a_squared_distance_of_means_is_held_in_95_of_100_draws_near_and_far(shift):
    rng = np.random.default_rng(0)
    truth = np.zeros(4)
    truth[0] = shift
    null = np.sort((rng.normal(size=(20_000, 4)) ** 2).sum(axis=1))
    below, above = 4 - null[500], null[-500] - 4
    within = []
    for draw in truth + 0.1 * rng.normal(size=(2000, 4)):
        squared = draw @ draw
        # The variance that a jackknife would show: 4 delta^T S delta at the difference found.
        rate = linear_rate(squared - 0.04, 4 * 0.01 * squared, 0.04, 4 * 0.01 * 0.04, 0.01 * above)
        low, high = excess_interval(squared - 0.04, 0.01 * above, 0.01 * below, rate)
        within.append(low <= shift**2 <= high)
    assert 0.935 <= np.mean(within) <= 0.975


def test_a_rate_is_that_of_the_null_where_nothing_else_is_seen_and_the_own_far_away():
    assert linear_rate(-5.0, 0.1, 1.0, 2.0, 0.5) == 2.0
    assert linear_rate(0.0, 0.0, 0.0, 0.0, 0.0) == 0.0
    assert linear_rate(1e6, 7e6, 1.0, 2.0, 0.5) == pytest.approx(7.0, rel=1e-5)


def test_a_folded_score_has_the_error_of_the_null_at_the_null_and_its_own_far_from_it():
    for value in np.linspace(-3, 5, 81) + 0.013:
        score = facing_null(Estimate(value, 1.0, (value - 2, value + 2), (0.0, 2.0)))
        assert (score.interval[0] <= 1.0 <= score.interval[1]) == (0.0 <= value <= 2.0)
        assert score.interval[0] <= value <= score.interval[1]
    far = facing_null(Estimate(9.0, 1.0, (7.0, 11.0), (0.0, 2.0)))
    assert far.interval == pytest.approx((7.0, 11.0))
    below = facing_null(Estimate(-7.0, 1.0, (-9.0, -5.0), (0.0, 2.0)))
    assert below.interval == pytest.approx((-9.0, -5.0))


def test_a_folded_score_stays_within_its_range_and_without_an_interval_as_it_is():
    cut = facing_null(Estimate(0.95, 0.9, (0.75, 1.0), (0.8, 1.0)), limits=(-1.0, 1.0))
    assert cut.interval[1] == 1.0
    bare = Estimate(0.5, 0.6, reason="too few")
    assert facing_null(bare) is bare


def test_the_examples_run_as_printed():
    assert doctest.testmod(fourfold.resampling.inversion).failed == 0
