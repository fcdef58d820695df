"""The variety scores that only a thorough evaluation asks: their nulls, intervals and what moves them."""

import numpy as np
import pytest

import fourfold.variety as variety
from fourfold.comparison import Comparison, Features
from fourfold.score import metrics

NAMES = ("beta_recall", "clipped_coverage", "retrieval_gap", "topological_recall")
METRICS = {metric.name: metric for metric in metrics() if metric.axis == "variety" and metric.name in NAMES}
SPREAD = 1 / np.sqrt(np.arange(1, 9))


def _sample(rng, images: int, each: int = 1, first: int = 0) -> Features:
    owner = np.repeat(np.arange(-(-images // each)), each)[:images]
    values = np.sqrt(0.7) * rng.normal(size=(owner.max() + 1, 8))[owner] + np.sqrt(0.3) * rng.normal(size=(images, 8))
    return Features((values * SPREAD).astype(np.float32), owner + first if each > 1 else None)


def _fresh(seed: int, each: int, holdout: bool = True) -> Comparison:
    rng = np.random.default_rng([1, seed])
    # Patients are what counts: with several images each, twice the images are about as telling.
    images = 90 if each == 1 else 180
    training, synthetic, other = (_sample(rng, images, each, first=1000 * place) for place in range(3))
    return Comparison("pixels", training, synthetic, other if holdout else None, seed=seed)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("each", [1, 3])
def test_fresh_real_images_do_not_depart_from_the_null(name, each):
    scores = [METRICS[name].compute(_fresh(seed, each)) for seed in range(4)]
    assert sum(score.departs() == "no" for score in scores) >= 3
    for score in scores:
        assert score.null_interval[0] <= score.null <= score.null_interval[1]


@pytest.mark.parametrize("name", ["beta_recall", "clipped_coverage", "topological_recall"])
def test_three_prototypes_repeated_are_worse(name):
    fresh = _fresh(0, 3)
    repeated = fresh.synthetic.values[np.arange(180) % 3 * 3]
    collapsed = Features((repeated + 0.01 * np.random.default_rng(0).normal(size=repeated.shape)).astype(np.float32))
    score = METRICS[name].compute(Comparison("pixels", fresh.training, collapsed, fresh.holdout))
    assert score.departs() == "worse"


@pytest.mark.parametrize("each", [1, 3])
def test_copies_open_the_retrieval_gap(each):
    fresh = _fresh(0, each)
    mixed = fresh.synthetic.values.copy()
    copies = 2 * len(mixed) // 3
    mixed[:copies] = fresh.training.values[:copies]
    score = METRICS["retrieval_gap"].compute(Comparison("pixels", fresh.training, Features(mixed), fresh.holdout))
    assert score.departs() == "different"
    assert score.value > 0.15


def test_the_sets_of_the_retrieval_gap_may_change_places():
    fresh = _fresh(1, 1)
    there = METRICS["retrieval_gap"].compute(fresh)
    back = METRICS["retrieval_gap"].compute(Comparison("pixels", fresh.holdout, fresh.synthetic, fresh.training))
    assert there.value == pytest.approx(-back.value)


def test_values_are_those_of_the_functions_where_the_sizes_are_equal():
    comparison = _fresh(0, 1)
    x, y, z = (one.values for one in (comparison.training, comparison.synthetic, comparison.holdout))
    scores = {name: metric.compute(comparison) for name, metric in METRICS.items()}
    assert scores["beta_recall"].value == variety.beta_recall(x, y).by_step
    assert scores["beta_recall"].null == variety.beta_recall(x, z).by_step
    assert scores["beta_recall"].details["by_sum"] == variety.beta_recall(x, y).by_sum
    assert scores["clipped_coverage"].value == variety.clipped_coverage(x, y)
    assert scores["topological_recall"].value == variety.topological_recall(x, y)
    assert scores["retrieval_gap"].value == variety.retrieval_gap(x, z, y)


def test_without_a_holdout_the_retrieval_gap_says_what_it_lacks():
    score = METRICS["retrieval_gap"].compute(_fresh(0, 1, holdout=False))
    assert score.value is None
    assert "--holdout" in score.reason


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("training", "synthetic", "holdout"),
    [(60, 1, 40), (60, 2, 40), (5, 30, 30), (1, 30, 30), (60, 30, 1), (60, 30, 3), (9, 30, None), (9, 1, None)],
)
def test_too_few_images_give_a_reason_and_never_an_error(name, training, synthetic, holdout):
    rng = np.random.default_rng(0)
    sets = [None if n is None else _sample(rng, n) for n in (training, synthetic, holdout)]
    score = METRICS[name].compute(Comparison("pixels", *sets))
    assert None not in (score.value, score.null, score.interval, score.null_interval) or score.reason


@pytest.mark.parametrize("name", METRICS)
def test_constant_features_and_copies_give_no_error(name):
    rng = np.random.default_rng(0)
    constant, varied = Features(np.ones((30, 4), dtype=np.float32)), Features(rng.normal(size=(30, 4)))
    for sets in ((constant, constant, constant), (varied, constant, varied), (varied, varied, varied)):
        score = METRICS[name].compute(Comparison("pixels", *sets))
        assert score.value is not None or score.reason
