"""The fidelity scores of an evaluation."""

import numpy as np
import pytest

import fourfold.fidelity as fidelity
from fourfold.comparison import Comparison, Features
from fourfold.score import metrics

EVERY = {metric.name: metric for metric in metrics() if metric.axis == "fidelity"}
# Those that only a thorough evaluation asks have their own tests (`test_thorough_scores.py`).
METRICS = {name: metric for name, metric in EVERY.items() if metric.kind == "features" and not metric.thorough}
SPREAD = 1 / np.sqrt(np.arange(1, 9))


def _sample(rng, images: int, each: int = 1, first: int = 0) -> Features:
    owner = np.repeat(np.arange(-(-images // each)), each)[:images]
    values = np.sqrt(0.7) * rng.normal(size=(owner.max() + 1, 8))[owner] + np.sqrt(0.3) * rng.normal(size=(images, 8))
    return Features((values * SPREAD).astype(np.float32), owner + first if each > 1 else None)


def _fresh(seed: int, each: int, holdout: int = 90) -> Comparison:
    rng = np.random.default_rng([1, seed])
    return Comparison(
        "radiomics",
        _sample(rng, 90, each),
        _sample(rng, 90, each),
        _sample(rng, holdout, each, first=1000) if holdout else None,
        seed=seed,
    )


def test_the_register_holds_every_fidelity_score_with_its_source():
    assert set(EVERY) - set(METRICS) >= {
        "alpha_precision",
        "clipped_density",
        "cmmd",
        "likelihood_divergence",
        "sliced_wasserstein_distance",
        "topological_precision",
    }
    assert set(METRICS) == {
        "density",
        "frechet_distance",
        "frechet_distance_infinity",
        "kernel_distance",
        "precision",
        "radiomic_frechet_distance",
        "radiomic_frechet_distance_v0",
        "realism",
    }
    for metric in EVERY.values():
        assert metric.source
        assert metric.null
        assert metric.cost.startswith("O(")
    assert METRICS["radiomic_frechet_distance"].spaces == ("radiomics",)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(("each", "holdout"), [(1, 90), (3, 60), (3, 0)])
def test_fresh_real_images_do_not_depart_from_the_null(name, each, holdout):
    scores = [METRICS[name].compute(_fresh(seed, each, holdout)) for seed in range(10)]
    assert sum(score.departs() == "no" for score in scores) >= 7
    assert sum(score.null_interval[0] <= score.value <= score.null_interval[1] for score in scores) >= 7


@pytest.mark.parametrize("name", METRICS)
def test_images_far_from_the_real_ones_are_worse(name):
    fresh = _fresh(0, 3)
    far = Comparison(
        "radiomics",
        fresh.training,
        Features(fresh.synthetic.values + 2 * SPREAD.astype(np.float32), fresh.synthetic.patients),
        fresh.holdout,
    )
    score = METRICS[name].compute(far)
    assert score.departs() == "worse"
    assert score.features == "radiomics"


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("frechet_distance", fidelity.frechet_distance),
        ("kernel_distance", fidelity.kernel_distance),
        ("precision", fidelity.precision),
        ("density", fidelity.density),
        ("realism", lambda x, y: np.median(fidelity.realism(x, y))),
        ("radiomic_frechet_distance", fidelity.radiomic_frechet_distance),
        ("radiomic_frechet_distance_v0", fidelity.radiomic_frechet_distance_v0),
    ],
)
def test_the_value_is_that_of_the_function_on_arrays(name, function):
    comparison = _fresh(0, 1)
    score = METRICS[name].compute(comparison)
    assert score.value == pytest.approx(function(comparison.training.values, comparison.synthetic.values), rel=1e-6)


def test_realism_has_a_column_with_a_number_for_every_synthetic_image():
    comparison = _fresh(0, 1)
    score = METRICS["realism"].compute(comparison)
    expected = fidelity.realism(comparison.training.values, comparison.synthetic.values)
    np.testing.assert_allclose(score.per_synthetic["realism"], expected, rtol=1e-9)


def test_more_features_than_images_are_named_as_a_limit():
    rng = np.random.default_rng(0)
    sets = [Features(rng.normal(size=(30, 200)).astype(np.float32)) for _ in range(3)]
    score = METRICS["frechet_distance"].compute(Comparison("x", *sets))
    assert score.departs() == "no"
    assert "30 training and 30 synthetic images do not determine a covariance of 200 features" in score.reason


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("training", "synthetic", "holdout"),
    [(60, 1, 40), (60, 2, 40), (5, 30, 30), (1, 30, 30), (60, 30, 1), (60, 30, 3), (9, 30, None), (9, 1, None)],
)
def test_too_few_images_give_a_reason_and_never_an_error(name, training, synthetic, holdout):
    rng = np.random.default_rng(0)
    sets = [None if n is None else _sample(rng, n) for n in (training, synthetic, holdout)]
    score = METRICS[name].compute(Comparison("x", *sets))
    complete = None not in (score.value, score.null, score.interval, score.null_interval)
    assert complete or score.reason


@pytest.mark.parametrize("name", METRICS)
def test_constant_features_and_copies_give_no_error(name):
    rng = np.random.default_rng(0)
    constant, varied = Features(np.ones((30, 4), dtype=np.float32)), Features(rng.normal(size=(30, 4)))
    for sets in ((constant, constant, constant), (varied, constant, varied), (varied, varied, varied)):
        score = METRICS[name].compute(Comparison("x", *sets))
        assert score.value is not None or score.reason
