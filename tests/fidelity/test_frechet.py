"""Frechet distance, its moments, its extrapolation and its radiomic conventions."""

import numpy as np
import pytest
from scipy import linalg

from fourfold.errors import InputError
from fourfold.fidelity import (
    FrechetReference,
    Moments,
    frechet_distance,
    frechet_distance_from_moments,
    frechet_distance_infinity,
    radiomic_frechet_distance,
    radiomic_frechet_distance_v0,
)
from fourfold.fidelity.extrapolation import frechet_distance_infinity_of_parts
from fourfold.fidelity.frechet import frechet_distance_of_parts


@pytest.fixture
def golden() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    real, holdout = rng.normal(size=(300, 16)), rng.normal(size=(200, 16))
    return real, holdout, 0.8 * rng.normal(size=(250, 16)) + 0.3


def _by_square_root(x: np.ndarray, y: np.ndarray) -> float:
    left, right = np.cov(x.T), np.cov(y.T)
    shift = x.mean(axis=0) - y.mean(axis=0)
    root = linalg.sqrtm(left @ right).real
    return float(shift @ shift + np.trace(left) + np.trace(right) - 2 * np.trace(root))


def test_the_golden_value_is_reached(golden):
    real, _, synthetic = golden
    assert frechet_distance(real, synthetic) == pytest.approx(2.689365557, abs=1e-9)


def test_the_definition_with_a_matrix_square_root_gives_the_same_number(golden):
    real, _, synthetic = golden
    assert frechet_distance(real, synthetic) == pytest.approx(_by_square_root(real, synthetic), rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(20, 30), (20, 200), (200, 20), (33, 32), (32, 33)])
def test_sets_smaller_than_the_number_of_features_agree_with_the_moments_form(n, m):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 32)), 1.2 * rng.normal(size=(m, 32)) + 0.1
    from_moments = frechet_distance_from_moments(x.mean(axis=0), np.cov(x.T), y.mean(axis=0), np.cov(y.T))
    assert frechet_distance(x, y) == pytest.approx(from_moments, rel=1e-9)


def test_a_set_against_itself_is_at_zero_even_when_it_is_rank_deficient():
    x = np.random.default_rng(3).normal(size=(10, 40))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-10)
    assert frechet_distance_from_moments(x.mean(axis=0), np.cov(x.T), x.mean(axis=0), np.cov(x.T)) == pytest.approx(
        0, abs=1e-5
    )


def test_constant_and_repeated_columns_do_not_break_it():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(100, 3)), rng.normal(size=(90, 3))
    wide_x = np.column_stack([x, x[:, 0], np.ones(100)])
    wide_y = np.column_stack([y, y[:, 0], np.ones(90)])
    # A repeated column weighs twice, a constant one not at all.
    twice = np.array([2**0.5, 1.0, 1.0])
    assert frechet_distance(wide_x, wide_y) == pytest.approx(_by_square_root(x * twice, y * twice), rel=1e-6)


def test_a_prepared_reference_gives_the_same_distance_for_every_candidate(golden):
    real, holdout, synthetic = golden
    reference = FrechetReference(real)
    for candidate in (holdout, synthetic, synthetic[:10]):
        assert reference.distance(candidate) == pytest.approx(frechet_distance(real, candidate), rel=1e-12)


def test_moments_do_not_depend_on_batches_or_on_the_order_of_merging(golden):
    real = golden[0].astype(np.float32)
    whole = Moments.of(real)
    batched = Moments.empty(16)
    for start in range(0, 300, 7):
        batched = batched.update(real[start : start + 7])
    merged = Moments.of(real[200:]).merge(Moments.of(real[:200]))
    for other in (batched, merged):
        assert other.count == 300
        np.testing.assert_allclose(other.mean, whole.mean, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(other.covariance, np.cov(real.astype(np.float64).T), rtol=1e-10, atol=1e-12)


def test_float32_features_far_from_zero_keep_their_precision():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(400, 8)), rng.normal(size=(400, 8)) + 0.1
    near = frechet_distance(x, y)
    far = frechet_distance((x + 100).astype(np.float32), (y + 100).astype(np.float32))
    assert far == pytest.approx(near, rel=1e-3)


def test_extrapolation_takes_off_the_bias_of_a_small_synthetic_set():
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(20_000, 10)), rng.normal(size=(600, 10))
    assert frechet_distance(x, y) > 0.04
    assert abs(frechet_distance_infinity(x, y, seed=1)) < 0.02


@pytest.mark.parametrize("d", [3, 40])
def test_extrapolation_is_the_intercept_over_nested_subsets(d):
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(300, d)), rng.normal(size=(200, d)) + 0.1
    sizes = np.unique(np.linspace(20, 200, 15).astype(int))
    order = np.random.default_rng([2, 200]).permutation(200)
    distances = [frechet_distance(x, y[order[:size]]) for size in sizes]
    expected = np.polyfit(1 / sizes, distances, 1)[1]
    assert frechet_distance_infinity(x, y, seed=2) == pytest.approx(expected, rel=1e-8)


def test_extrapolation_is_the_same_for_the_same_seed(golden):
    real, _, synthetic = golden
    assert frechet_distance_infinity(real, synthetic, seed=3) == frechet_distance_infinity(real, synthetic, seed=3)
    assert frechet_distance_infinity(real, synthetic, seed=3) != frechet_distance_infinity(real, synthetic, seed=4)


def test_version_1_of_the_radiomic_distance_is_the_logarithm_after_scaling_by_the_reference(golden):
    real, _, synthetic = golden
    mean, spread = real.mean(axis=0), real.std(axis=0)
    expected = np.log(frechet_distance((real - mean) / spread, (synthetic - mean) / spread))
    units = np.logspace(-3, 6, 16)
    assert radiomic_frechet_distance(real * units + 7, synthetic * units + 7) == pytest.approx(expected, rel=1e-9)


def test_version_0_of_the_radiomic_distance_maps_both_sets_to_one_range(golden):
    real, _, synthetic = golden
    both = np.concatenate([real, synthetic])
    low, high = both.min(axis=0), both.max(axis=0)
    scaled = 7.45670747756958 * (both - low) / (high - low)
    expected = frechet_distance(scaled[:300], scaled[300:])
    assert radiomic_frechet_distance_v0(real, synthetic) == pytest.approx(expected, rel=1e-12)
    assert radiomic_frechet_distance_v0(real * 1e6, synthetic * 1e6) == pytest.approx(expected, rel=1e-9)


def test_radiomic_features_that_are_not_finite_or_constant_are_left_out(golden):
    real, _, synthetic = golden
    nan, constant = np.full((300, 1), np.nan), np.ones((300, 1))
    wide_real = np.column_stack([real, nan, constant])
    wide_synthetic = np.column_stack([synthetic, np.zeros(250), np.full(250, 2.0)])
    for distance in (radiomic_frechet_distance, radiomic_frechet_distance_v0):
        assert distance(wide_real, wide_synthetic) == distance(real, synthetic)
        with pytest.raises(InputError, match="no radiomic feature is finite"):
            distance(nan, np.zeros((250, 1)))


def test_moments_of_too_few_images_are_refused_with_a_sentence(golden):
    reference = FrechetReference(golden[0])
    assert reference.distance_to_moments(Moments.of(golden[2])) == reference.distance(golden[2])
    with pytest.raises(InputError, match="moments of 10 images do not determine a covariance of 16 features"):
        reference.distance_to_moments(Moments.of(golden[2][:10]))


@pytest.mark.parametrize("size", [40, 12])
@pytest.mark.parametrize("constant", [False, True])
def test_distances_of_parts_are_those_of_the_rows_themselves(golden, size, constant):
    x, y = np.array(golden[0]), np.array(golden[2])
    if constant:
        x[:, 3], y[:, 3] = 1.0, 1.0
    rng = np.random.default_rng(0)
    for one, other in ((x, x), (x, y)):
        of_parts = frechet_distance_of_parts(one, other)
        to_infinity = frechet_distance_infinity_of_parts(one, other, seed=3)
        for share in (size, len(one) - size):
            first, second = rng.permutation(len(one))[:share], rng.permutation(len(other))[:size]
            assert of_parts(first, second) == pytest.approx(frechet_distance(one[first], other[second]), rel=1e-9)
            expected = frechet_distance_infinity(one[first], other[second], seed=3)
            assert to_infinity(first, second) == pytest.approx(expected, rel=1e-7)


def test_rows_taken_from_moments_leave_those_of_the_others(golden):
    whole, part = Moments.of(golden[0]), Moments.of(golden[0][:90])
    left, others = whole.without(part), Moments.of(golden[0][90:])
    assert left.count == others.count
    np.testing.assert_allclose(left.mean, others.mean, rtol=1e-10)
    np.testing.assert_allclose(left.covariance, others.covariance, rtol=1e-9, atol=1e-12)
    assert whole.without(whole).count == 0
    with pytest.raises(InputError, match="300 images cannot be taken from 90"):
        part.without(whole)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((1, 2)), np.zeros((5, 2)), "at least 2 images in each set, got 1"),
        (np.zeros((5, 2)), np.zeros((5, 3)), "2 and 3 features"),
        (np.zeros(5), np.zeros((5, 3)), r"shape \(N, d\), got \(5,\)"),
        (np.full((5, 2), np.nan), np.zeros((5, 2)), "must be finite"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(x, y, message):
    with pytest.raises(InputError, match=message):
        frechet_distance(x, y)
