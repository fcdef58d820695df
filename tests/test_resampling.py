"""Draws, intervals and calibration."""

import doctest
import math

import numpy as np
import pytest

import fourfold.resampling.draws
import fourfold.resampling.estimate
from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError
from fourfold.fidelity import density, precision, realism
from fourfold.resampling import (
    bootstrap_means,
    calibrate,
    chunk_rows,
    deal,
    leave_out,
    normal_interval,
    subsample,
    too_few,
)
from fourfold.variety import coverage


def _sample(rng, patients: int, each: int = 1, first: int = 0) -> Features:
    """Numbers with a patient's part and an image's part, half and half."""
    owner = np.repeat(np.arange(patients), each)
    values = (rng.normal(size=patients)[owner] + rng.normal(size=len(owner))) / np.sqrt(2)
    return Features(values[:, None].astype(np.float32), owner + first if each > 1 else None)


def _mean_difference(training: Features, other: Features) -> float:
    return float(other.values.mean() - training.values.mean())


def test_parts_are_disjoint_and_keep_patients_together():
    features = _sample(np.random.default_rng(0), 30, 4)
    parts = deal(features, (0.5, 0.3, 0.2), np.random.default_rng(1))
    assert [len(part) for part in parts] == [60, 36, 24]
    owners = [set(features.patients[part]) for part in parts]
    assert not owners[0] & owners[1]
    assert not owners[1] & owners[2]
    assert set().union(*owners) == set(range(30))


def test_leaving_out_covers_every_patient_once():
    features = _sample(np.random.default_rng(0), 23, 3)
    missing = [
        set(range(23)) - set(features.patients[rows]) for rows in leave_out(features, 5, np.random.default_rng(1))
    ]
    assert sorted(patient for part in missing for patient in part) == list(range(23))
    assert {len(part) for part in missing} == {4, 5}


def test_chunks_have_the_size_asked_for_and_do_not_overlap():
    features = _sample(np.random.default_rng(0), 100)
    chunks = chunk_rows(features, 30, np.random.default_rng(1))
    assert [len(chunk) for chunk in chunks] == [33, 34, 33]
    assert len(np.unique(np.concatenate(chunks))) == 100
    assert len(chunk_rows(features, 80, np.random.default_rng(1))) == 1


@pytest.mark.parametrize("each", [1, 4])
def test_the_deviations_of_half_samples_have_the_variance_of_the_whole(each):
    rng = np.random.default_rng(each)
    means, estimates = [], []
    for _ in range(100):
        features = _sample(rng, 60, each)
        means.append(features.values.mean())
        estimates.append(np.var([subsample(features, 0.5, rng).values.mean() for _ in range(40)], ddof=1))
    assert math.sqrt(np.mean(estimates)) == pytest.approx(np.std(means), rel=0.2)


def test_a_bootstrap_by_patient_sees_that_images_of_a_patient_are_alike():
    features = _sample(np.random.default_rng(2), 200, 8)
    values = features.values[:, 0]
    by_image, by_patient = (bootstrap_means(values, groups).std() for groups in (None, features.patients))
    assert by_patient == pytest.approx(math.sqrt((0.5 + 0.5 / 8) / 200), rel=0.2)
    assert by_patient > 1.8 * by_image


def test_an_interval_adds_variances_and_stays_within_the_range():
    low, high = normal_interval(0.95, 0.0009, 0.0016, limits=(0.0, 1.0))
    assert low == pytest.approx(0.95 - 1.959964 * 0.05, abs=1e-6)
    assert high == 1.0
    assert normal_interval(0.0, 1.0, draws=5)[1] == pytest.approx(2.776445, abs=1e-5)


def _coverage(each: int, holdout: int, synthetic: int, **options) -> float:
    inside = []
    for draw in range(100):
        rng = np.random.default_rng([3, draw])
        training, fresh = _sample(rng, 60, each), _sample(rng, synthetic, each)
        real = _sample(rng, holdout, each, first=1000) if holdout else None
        found = calibrate(_mean_difference, Comparison("x", training, fresh, real, seed=draw), draws=25, **options)
        inside.append((found.interval[0] <= found.null <= found.interval[1], found))
    band = np.mean([one.null_interval[0] <= one.value <= one.null_interval[1] for _, one in inside])
    assert 0.88 <= band <= 1.0
    return float(np.mean([hit for hit, _ in inside]))


@pytest.mark.parametrize(
    ("each", "holdout", "synthetic"), [(1, 60, 60), (4, 60, 60), (4, 30, 80), (1, 0, 60), (4, 0, 60)]
)
def test_the_interval_holds_the_null_for_fresh_real_images(each, holdout, synthetic):
    assert 0.89 <= _coverage(each, holdout, synthetic) <= 1.0


def test_the_interval_holds_an_analytic_null():
    assert 0.89 <= _coverage(1, 60, 60, analytic=lambda n, m: 0.0) <= 0.99


def test_a_shifted_set_is_told_from_its_null():
    rng = np.random.default_rng(4)
    training, real, fresh = (_sample(rng, 200) for _ in range(3))
    shifted = Features(fresh.values + 1)
    found = calibrate(_mean_difference, Comparison("x", training, shifted, real))
    assert found.null < found.interval[0] < 1 < found.interval[1]
    assert found.null_source == "holdout"
    assert found.reason is None


def test_an_analytic_null_is_used_only_where_images_are_independent():
    rng = np.random.default_rng(5)
    training, synthetic, real = _sample(rng, 60, 4), _sample(rng, 60), _sample(rng, 60, 4, first=100)
    analytic = {"analytic": lambda n, m: 7.0}
    assert calibrate(_mean_difference, Comparison("x", training, synthetic, real), **analytic).null_source == "holdout"
    plain = Comparison("x", Features(training.values), synthetic, Features(real.values))
    found = calibrate(_mean_difference, plain, **analytic)
    assert (found.null, found.null_source) == (7.0, "analytic")


def test_without_a_holdout_the_null_comes_from_halves_and_says_so():
    rng = np.random.default_rng(6)
    found = calibrate(_mean_difference, Comparison("x", _sample(rng, 60), _sample(rng, 60)))
    assert found.null_source == "training halves"
    assert found.reason == "no holdout: the null comes from halves of the training set"


def test_sets_of_different_sizes_are_scored_in_chunks_of_equal_size():
    rng = np.random.default_rng(7)

    def size(training: Features, other: Features) -> float:
        return float(len(other))

    comparison = Comparison("x", _sample(rng, 50), _sample(rng, 120), _sample(rng, 40))
    found = calibrate(size, comparison, equal_sizes=True)
    assert found.value == found.null == 40


def test_a_null_is_taken_to_the_size_of_the_synthetic_set():
    rng = np.random.default_rng(8)
    comparison = Comparison("x", _sample(rng, 50), _sample(rng, 120), _sample(rng, 40))
    found = calibrate(lambda t, s: 1 / len(s), comparison, resized=lambda null, n, h, m: null * h / m)
    assert found.value == pytest.approx(found.null)


def test_what_cannot_be_told_is_missing_with_a_reason():
    rng = np.random.default_rng(9)

    def refuses(training: Features, other: Features) -> float:
        if len(other) < 30:
            raise InputError("too small")
        return 0.0

    assert calibrate(refuses, Comparison("x", _sample(rng, 50), _sample(rng, 20))).reason == "too small"
    few = calibrate(refuses, Comparison("x", _sample(rng, 50), _sample(rng, 50), _sample(rng, 20)))
    assert (few.value, few.null, few.reason) == (0.0, None, "no null: too small")
    half = calibrate(refuses, Comparison("x", _sample(rng, 50), _sample(rng, 50), _sample(rng, 50)))
    assert (half.value, half.null, half.interval, half.reason) == (0.0, 0.0, None, "no interval: too small")
    single = calibrate(_mean_difference, Comparison("x", _sample(rng, 50), _sample(rng, 1), _sample(rng, 50)))
    assert single.value is not None
    assert single.interval is None
    assert "at least 10 patients" in single.reason
    assert too_few(_sample(rng, 9, 5)) is not None
    endless = calibrate(lambda t, s: math.inf, Comparison("x", _sample(rng, 50), _sample(rng, 50)))
    assert (endless.value, endless.reason) == (None, "the score is not finite on these sets")


def test_the_same_seed_gives_the_same_interval():
    rng = np.random.default_rng(10)
    sets = _sample(rng, 60, 2), _sample(rng, 60, 2), _sample(rng, 60, 2, first=100)
    first, second, other = (calibrate(_mean_difference, Comparison("x", *sets, seed=seed)) for seed in (1, 1, 2))
    assert first == second
    assert first != other


@pytest.mark.parametrize("module", [fourfold.resampling.draws, fourfold.resampling.estimate])
def test_the_examples_run_as_printed(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_scores_that_balls_decide_share_their_draws_and_get_what_they_would_alone(images, distance):
    rng = np.random.default_rng(7)
    training, synthetic, holdout = (
        Features(rng.normal(size=(size, 4)).astype(np.float32), first + np.arange(size) // images)
        for size, first in ((180, 0), (150, 1000), (120, 2000))
    )
    comparison = Comparison("normal", training, synthetic, holdout, distance=distance)
    settings = {"metric": distance}

    def of(statistic):
        return lambda t, o: float(statistic(t.values, o.values, groups=t.patients, **settings))

    for statistic, of_held in (
        (precision, lambda held: (held.containing > 0).mean()),
        (density, lambda held: held.containing.mean() / 5),
        (coverage, lambda held: (held.inside > 0).mean()),
        (lambda *sets, **more: np.median(realism(*sets, **more)), lambda held: np.median(held.depths)),
    ):
        alone, together = (calibrate(of(statistic), comparison, of_held=one, draws=4) for one in (None, of_held))
        assert alone.interval == pytest.approx(together.interval, rel=1e-9)
        assert alone.null_interval == pytest.approx(together.null_interval, rel=1e-9)
