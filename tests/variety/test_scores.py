"""The variety scores of an evaluation."""

from dataclasses import replace

import numpy as np
import pytest

import fourfold.variety as variety
from fourfold.comparison import Comparison, Features, Sets
from fourfold.images.sets import ImageSet, Preparation
from fourfold.score import metrics

EVERY = {metric.name: metric for metric in metrics() if metric.axis == "variety"}
# Those that only a thorough evaluation asks have their own tests (`test_thorough_scores.py`).
METRICS = {name: metric for name, metric in EVERY.items() if not metric.thorough}
ON_FEATURES = [name for name, metric in METRICS.items() if metric.kind == "features"]
ON_IMAGES = [name for name, metric in METRICS.items() if metric.kind == "images"]
SPREAD = 1 / np.sqrt(np.arange(1, 9))


def _sample(rng, images: int, each: int = 1, first: int = 0) -> Features:
    owner = np.repeat(np.arange(-(-images // each)), each)[:images]
    values = np.sqrt(0.7) * rng.normal(size=(owner.max() + 1, 8))[owner] + np.sqrt(0.3) * rng.normal(size=(images, 8))
    return Features((values * SPREAD).astype(np.float32), owner + first if each > 1 else None)


def _fresh(seed: int, each: int, holdout: int = 90) -> Comparison:
    rng = np.random.default_rng([1, seed])
    return Comparison(
        "pixels",
        _sample(rng, 90, each),
        _sample(rng, 90, each),
        _sample(rng, holdout, each, first=1000) if holdout else None,
        seed=seed,
    )


def _images(seed: int, n: int, each: int = 1, side: int = 24) -> ImageSet:
    """Smooth images of patients with a part of their own."""
    rng = np.random.default_rng([2, seed])
    owner = np.repeat(np.arange(-(-n // each)), each)[:n]
    coarse = 0.5 + 0.15 * (rng.normal(size=(owner.max() + 1, 1, 4, 4))[owner] + rng.normal(size=(n, 1, 4, 4)))
    images = np.clip(np.kron(coarse, np.ones((side // 4, side // 4))), 0, 1).astype(np.float32)
    patients = [f"{seed}-{patient}" for patient in owner] if each > 1 else None
    return _prepared(images, patients)


def _prepared(images: np.ndarray, patients=None, labels=None) -> ImageSet:
    return replace(
        ImageSet.from_array(images, patients=patients, labels=labels),
        preparation=Preparation("range", 0.0, 1.0, images.shape[2:], images.shape[1]),
    )


def test_the_register_holds_every_variety_score_with_its_source():
    assert set(EVERY) - set(METRICS) >= {"beta_recall", "clipped_coverage", "retrieval_gap", "topological_recall"}
    assert set(ON_FEATURES) == {"coverage", "image_retrieval_score", "recall", "vendi_score"}
    assert set(ON_IMAGES) == {"mean_image_file_size", "ms_ssim_diversity"}
    for metric in EVERY.values():
        assert metric.source
        assert metric.null
        assert metric.cost.startswith("O(")


@pytest.mark.parametrize("name", ON_FEATURES)
@pytest.mark.parametrize(("each", "holdout"), [(1, 90), (3, 60), (3, 0)])
def test_fresh_real_images_do_not_depart_from_the_null(name, each, holdout):
    scores = [METRICS[name].compute(_fresh(seed, each, holdout)) for seed in range(20)]
    assert sum(score.departs() == "no" for score in scores) >= 16
    assert sum(score.null_interval[0] <= score.value <= score.null_interval[1] for score in scores) >= 15


@pytest.mark.parametrize("name", ON_IMAGES)
@pytest.mark.parametrize("each", [1, 3])
def test_fresh_real_images_do_not_depart_from_the_null_in_pixels(name, each):
    scores = [
        METRICS[name].compute(
            Sets(_images(3 * seed, 90, each), _images(3 * seed + 1, 90, each), _images(3 * seed + 2, 60, each), seed)
        )
        for seed in range(10)
    ]
    assert sum(score.departs() == "no" for score in scores) >= 8


@pytest.mark.parametrize("name", ON_FEATURES)
def test_three_prototypes_repeated_are_worse(name):
    fresh = _fresh(0, 3)
    repeated = fresh.synthetic.values[np.arange(90) % 3 * 3]
    rng = np.random.default_rng(0)
    collapsed = Features((repeated + 0.01 * rng.normal(size=repeated.shape)).astype(np.float32))
    score = METRICS[name].compute(Comparison("pixels", fresh.training, collapsed, fresh.holdout))
    assert score.departs() == "worse"


@pytest.mark.parametrize("name", ON_IMAGES)
def test_three_prototypes_repeated_are_different_in_pixels(name):
    rng = np.random.default_rng(0)
    training, varied, holdout = (np.clip(0.5 + 0.2 * rng.normal(size=(60, 1, 48, 48)), 0, 1) for _ in range(3))
    collapsed = _prepared(np.tile(varied[:3], (20, 1, 1, 1)))
    score = METRICS[name].compute(Sets(_prepared(training), collapsed, _prepared(holdout)))
    assert score.value > score.interval[0] > score.null
    assert score.departs() == "different"


def test_coverage_names_the_training_images_that_nobody_covers():
    fresh = _fresh(0, 3)
    values = fresh.training.values.copy()
    values[:6] += 40
    comparison = Comparison("pixels", Features(values, fresh.training.patients), fresh.synthetic, fresh.holdout)
    score = METRICS["coverage"].compute(comparison)
    covered, distance = score.per_training["covered"], score.per_training["nearest_synthetic_distance"]
    assert covered.dtype == bool
    assert distance[:6].min() > distance[6:].max()
    assert covered.mean() == score.value


def test_values_are_those_of_the_functions_where_the_sizes_are_equal():
    rng = np.random.default_rng(0)
    training, synthetic, holdout = (_sample(rng, 100) for _ in range(3))
    comparison = Comparison("pixels", training, synthetic, holdout)
    x, y, z = training.values, synthetic.values, holdout.values
    for name, function in (("recall", variety.recall), ("coverage", variety.coverage)):
        assert METRICS[name].compute(comparison).value == function(x, y)
    assert METRICS["recall"].compute(comparison).null == variety.recall(x, z)
    assert METRICS["coverage"].compute(comparison).null == variety.expected_coverage(100, 100)
    vendi = METRICS["vendi_score"].compute(comparison)
    assert (vendi.value, vendi.null) == pytest.approx((variety.vendi_score(y), variety.vendi_score(z)))
    found, expected = (variety.image_retrieval_score(x, one) for one in (y, z))
    retrieval = METRICS["image_retrieval_score"].compute(comparison)
    assert retrieval.value == pytest.approx(found.infinity / expected.infinity)
    assert retrieval.details["alpha"] == found.alpha


def test_a_larger_synthetic_set_is_compared_in_equal_number():
    rng = np.random.default_rng(0)
    comparison = Comparison("pixels", _sample(rng, 200), _sample(rng, 400), _sample(rng, 60))
    for name in ("recall", "vendi_score", "image_retrieval_score"):
        score = METRICS[name].compute(comparison)
        assert score.details["images_compared"] == 60
        assert score.departs() == "no"


def test_the_number_of_scales_and_the_classes_reach_the_details():
    rng = np.random.default_rng(0)
    sets = [_prepared(rng.random((20, 1, 44, 44)), labels=["a", "b"] * 10) for _ in range(3)]
    score = METRICS["ms_ssim_diversity"].compute(Sets(*sets))
    assert score.details["scales"] == 3
    assert score.details["within_classes"] is True


@pytest.mark.parametrize("name", ON_FEATURES)
@pytest.mark.parametrize(
    ("training", "synthetic", "holdout"),
    [(60, 1, 40), (60, 2, 40), (5, 30, 30), (1, 30, 30), (60, 30, 1), (60, 30, 3), (9, 30, None), (9, 1, None)],
)
def test_too_few_images_give_a_reason_and_never_an_error(name, training, synthetic, holdout):
    rng = np.random.default_rng(0)
    sets = [None if n is None else _sample(rng, n) for n in (training, synthetic, holdout)]
    score = METRICS[name].compute(Comparison("pixels", *sets))
    assert None not in (score.value, score.null, score.interval, score.null_interval) or score.reason


@pytest.mark.parametrize("name", ON_IMAGES)
@pytest.mark.parametrize(("synthetic", "holdout", "side"), [(1, 20, 24), (20, 1, 24), (20, None, 24), (20, 20, 8)])
def test_too_few_or_too_small_images_give_a_reason_and_never_an_error(name, synthetic, holdout, side):
    sets = [None if n is None else _images(n, n, side=side) for n in (20, synthetic, holdout)]
    score = METRICS[name].compute(Sets(sets[0], sets[1], sets[2]))
    assert None not in (score.value, score.null, score.interval, score.null_interval) or score.reason


@pytest.mark.parametrize("name", ON_FEATURES)
def test_constant_features_and_copies_give_no_error(name):
    rng = np.random.default_rng(0)
    constant, varied = Features(np.ones((30, 4), dtype=np.float32)), Features(rng.normal(size=(30, 4)))
    for sets in ((constant, constant, constant), (varied, constant, varied), (varied, varied, varied)):
        score = METRICS[name].compute(Comparison("pixels", *sets))
        assert score.value is not None or score.reason
