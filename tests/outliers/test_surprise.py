"""The scale that gates of different kinds share."""

import doctest
import math

import numpy as np
import pytest

from fourfold.outliers import surprise
from fourfold.outliers.surprise import fit_surprise

RNG = np.random.default_rng(0)
LAWS = {
    "heavy": RNG.pareto(3.0, 20000) + 1,
    "light, in another unit": 1e-6 * (RNG.pareto(30.0, 20000) + 1),
    "distance in two components": RNG.chisquare(2, 20000),
    "distance in twelve components": RNG.chisquare(12, 20000),
}


@pytest.mark.parametrize("law", LAWS)
def test_gates_of_any_unit_and_tail_come_on_one_scale(law):
    scores = LAWS[law]
    rare = np.quantile(fit_surprise(scores).of(scores), 0.99) / math.log(0.5 / 0.01)
    # A tail lighter than an exponential one is taken for that.
    assert 0.8 < rare < 1.1


def test_a_light_tail_is_not_taken_for_a_heavy_one():
    light, heavy = fit_surprise(LAWS["distance in two components"]), fit_surprise(LAWS["heavy"])
    assert light.shape < 0.05
    assert heavy.shape == pytest.approx(1 / 3, abs=0.05)
    assert light.of(np.array([40.0])) > 15


def test_it_rises_with_the_score_and_is_0_at_the_centre():
    found = fit_surprise(RNG.chisquare(5, 100))
    scores = np.linspace(0, 60, 500)
    assert np.all(np.diff(found.of(scores)) > 0)
    assert found.of(np.array([0.0])).tolist() == [-math.inf]
    assert found.of(np.array([found.centre])).tolist() == [0.0]


@pytest.mark.parametrize("scores", [np.zeros(30), np.full(30, 7.0), np.r_[np.zeros(20), np.ones(10)]])
def test_scores_that_hardly_vary_have_a_scale_all_the_same(scores):
    inside, beyond = fit_surprise(scores).of(np.array([scores.max(), scores.max() + 1]))
    assert inside < beyond < math.inf


def test_its_examples_run():
    assert doctest.testmod(surprise).failed == 0
