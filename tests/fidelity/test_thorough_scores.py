"""The fidelity scores that only a thorough evaluation asks: their nulls, intervals and what moves them."""

import numpy as np
import pytest

import fourfold.fidelity as fidelity
from fourfold.comparison import Comparison, Features
from fourfold.score import metrics

NAMES = (
    "alpha_precision",
    "clipped_density",
    "cmmd",
    "likelihood_divergence",
    "sliced_wasserstein_distance",
    "topological_precision",
)
METRICS = {metric.name: metric for metric in metrics() if metric.axis == "fidelity" and metric.name in NAMES}
SPREAD = 1 / np.sqrt(np.arange(1, 9))


def _sample(rng, images: int, each: int = 1, first: int = 0) -> Features:
    owner = np.repeat(np.arange(-(-images // each)), each)[:images]
    values = np.sqrt(0.7) * rng.normal(size=(owner.max() + 1, 8))[owner] + np.sqrt(0.3) * rng.normal(size=(images, 8))
    return Features((values * SPREAD).astype(np.float32), owner + first if each > 1 else None)


def _fresh(seed: int, each: int) -> Comparison:
    rng = np.random.default_rng([1, seed])
    # Patients are what counts: with several images each, twice the images are about as telling.
    images = 90 if each == 1 else 180
    training, synthetic, holdout = (_sample(rng, images, each, first=1000 * place) for place in range(3))
    return Comparison("radiomics", training, synthetic, holdout, seed=seed)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("each", [1, 3])
def test_fresh_real_images_do_not_depart_from_the_null(name, each):
    scores = [METRICS[name].compute(_fresh(seed, each)) for seed in range(4)]
    assert sum(score.departs() == "no" for score in scores) >= 3
    for score in scores:
        assert score.null_interval[0] <= score.null <= score.null_interval[1]


@pytest.mark.parametrize("name", METRICS)
def test_images_far_from_the_real_ones_are_worse(name):
    fresh = _fresh(0, 1)
    far = Features(fresh.synthetic.values + 2 * SPREAD.astype(np.float32))
    score = METRICS[name].compute(Comparison("radiomics", fresh.training, far, fresh.holdout))
    assert score.departs() == "worse"
    assert score.features == "radiomics"


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("alpha_precision", lambda x, y: fidelity.alpha_precision(x, y).by_step),
        ("clipped_density", fidelity.clipped_density),
        ("cmmd", fidelity.cmmd),
        ("sliced_wasserstein_distance", lambda x, y: fidelity.sliced_wasserstein_distance(x, y, 200)),
        ("topological_precision", fidelity.topological_precision),
    ],
)
def test_the_value_is_that_of_the_function_on_arrays(name, function):
    comparison = _fresh(0, 1)
    score = METRICS[name].compute(comparison)
    assert score.value == pytest.approx(function(comparison.training.values, comparison.synthetic.values), rel=1e-6)


def test_both_normalisers_are_named_and_the_published_divergence_is_kept():
    comparison = _fresh(0, 1)
    details = METRICS["alpha_precision"].compute(comparison).details
    expected = fidelity.alpha_precision(comparison.training.values, comparison.synthetic.values)
    assert (details["all_synthetic_images"], details["by_sum"]) == (expected.by_step, expected.by_sum)
    assert "by_step" in details["normaliser"]
    found = METRICS["likelihood_divergence"].compute(comparison)
    sets = (comparison.training.values, comparison.holdout.values, comparison.synthetic.values)
    assert found.details["published"] == pytest.approx(fidelity.feature_likelihood_divergence(*sets), abs=3)


def test_copies_fail_the_likelihood_divergence_and_no_other_fidelity_score():
    fresh = _fresh(0, 1)
    copied = Features(fresh.training.values + np.float32(1e-3))
    comparison = Comparison("radiomics", fresh.training, copied, fresh.holdout)
    departures = {name: metric.compute(comparison).departs() for name, metric in METRICS.items()}
    assert [name for name, departure in departures.items() if departure == "worse"] == ["likelihood_divergence"]


def test_a_set_that_is_drawn_in_gets_full_marks_from_clipped_density_and_the_score_says_what_was_cut():
    fresh = _fresh(0, 1)
    drawn_in = Features(0.5 * fresh.synthetic.values)
    score = METRICS["clipped_density"].compute(Comparison("radiomics", fresh.training, drawn_in, fresh.holdout))
    assert score.value == score.interval[1] == 1
    assert score.details["before_the_cut"] > 1.2


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("training", "synthetic", "holdout"),
    [(60, 1, 40), (60, 2, 40), (5, 30, 30), (1, 30, 30), (60, 30, 1), (60, 30, 3), (9, 30, None), (9, 1, None)],
)
def test_too_few_images_give_a_reason_and_never_an_error(name, training, synthetic, holdout):
    rng = np.random.default_rng(0)
    sets = [None if n is None else _sample(rng, n) for n in (training, synthetic, holdout)]
    score = METRICS[name].compute(Comparison("x", *sets))
    assert None not in (score.value, score.null, score.interval, score.null_interval) or score.reason


@pytest.mark.parametrize("name", METRICS)
def test_constant_features_and_copies_give_no_error(name):
    rng = np.random.default_rng(0)
    constant, varied = Features(np.ones((30, 4), dtype=np.float32)), Features(rng.normal(size=(30, 4)))
    for sets in ((constant, constant, constant), (varied, constant, varied), (varied, varied, varied)):
        score = METRICS[name].compute(Comparison("x", *sets))
        assert score.value is not None or score.reason
