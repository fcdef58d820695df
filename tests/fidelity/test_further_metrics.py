"""Alpha-precision, clipped density, CMMD, sliced Wasserstein distance, topological precision, likelihood divergence."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from fourfold import fidelity
from fourfold.errors import InputError
from fourfold.fidelity import sliced
from fourfold.fidelity.kernel import kernel_distance_with_variance


@pytest.fixture
def golden() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    real, holdout = rng.normal(size=(300, 16)), rng.normal(size=(200, 16))
    return real, holdout, 0.8 * rng.normal(size=(250, 16)) + 0.3


@pytest.fixture
def sets() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, holdout and a fresh synthetic set of one distribution."""
    return tuple(np.random.default_rng(1).normal(size=(3, 250, 8)) / np.sqrt(np.arange(1, 9)))


def test_the_golden_values_are_reached(golden):
    real, _, synthetic = golden
    found = fidelity.alpha_precision(real, synthetic)
    assert found.by_step == pytest.approx(0.545655, abs=1e-6)
    assert found.by_sum == pytest.approx(0.5608, abs=1e-12)
    assert fidelity.clipped_density(real, synthetic) == 1.0
    assert fidelity.cmmd(real, synthetic) == pytest.approx(1.401882090, abs=1e-9)


def test_alpha_precision_falls_for_sets_that_are_drawn_in_and_for_sets_that_are_pushed_out(sets):
    real, _, fresh = sets
    ladder = [fidelity.alpha_precision(real, scale * fresh).by_step for scale in (1.0, 0.8, 0.6, 0.4)]
    assert ladder[0] > 0.9
    assert sorted(ladder, reverse=True) == ladder
    assert fidelity.alpha_precision(real, 2 * fresh).by_step < 0.4
    assert fidelity.alpha_precision(real, real).by_step > 0.99


def test_alpha_precision_is_blind_to_a_missing_direction():
    rng = np.random.default_rng(2)
    real = np.concatenate([rng.normal(size=(200, 2)) - 5, rng.normal(size=(200, 2)) + 5])
    one_cluster = rng.normal(size=(400, 2)) + 5
    assert fidelity.alpha_precision(real, one_cluster).by_step > 0.85


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_clipped_density_falls_in_proportion_as_good_images_are_replaced(sets, share):
    real, _, fresh = sets
    mixed = fresh.copy()
    mixed[: int(share * len(mixed))] += 50
    expected = (1 - share) * fidelity.clipped_density(real, fresh)
    assert fidelity.clipped_density(real, mixed) == pytest.approx(expected, abs=0.08)


def test_one_real_outlier_widens_precision_and_not_clipped_density(sets):
    real, _, fresh = sets
    outlier = real.copy()
    outlier[0] = 100
    far = fresh + 20
    assert fidelity.precision(outlier, far) == 1
    assert fidelity.clipped_density(outlier, far) == 0


def test_clipped_density_does_not_reward_crowding_where_density_does(sets):
    real, _, fresh = sets
    crowded = fresh + 50
    crowded[:100] = 0.05 * fresh[:100]
    assert fidelity.density(real, crowded) > 1.5
    assert fidelity.clipped_density(real, crowded) < 0.8


def test_clipped_density_leaves_out_the_images_of_the_same_patient():
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(60), 7)
    real = rng.normal(size=(60, 3))[patients] + 1e-3 * rng.normal(size=(420, 3))
    fresh = rng.normal(size=(200, 3))
    assert fidelity.clipped_density(real, fresh) < 0.1
    assert fidelity.clipped_density(real, fresh, groups=patients) > 0.7


def test_cmmd_is_the_formula_on_rows_of_length_one(golden):
    real, _, synthetic = golden
    x, y = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (real, synthetic))
    kernels = [np.exp(-cdist(a, b, "sqeuclidean") / 200) for a, b in ((x, x), (y, y), (x, y))]
    expected = 1000 * (kernels[0].mean() + kernels[1].mean() - 2 * kernels[2].mean())
    assert fidelity.cmmd(real, synthetic) == pytest.approx(expected, abs=1e-10)
    assert fidelity.cmmd(5 * real, 0.1 * synthetic) == pytest.approx(expected, abs=1e-10)


def test_cmmd_is_hardly_more_than_a_distance_of_mean_directions(golden):
    real, _, synthetic = golden
    means = [(one / np.linalg.norm(one, axis=1, keepdims=True)).mean(axis=0) for one in (real, synthetic)]
    assert fidelity.cmmd(real, synthetic) == pytest.approx(10 * ((means[0] - means[1]) ** 2).sum(), rel=0.01)


def test_the_blocks_of_a_kernel_do_not_change_it(golden, monkeypatch):
    real, _, synthetic = golden
    whole, groups = fidelity.cmmd(real, synthetic), np.arange(300) // 3
    variance = kernel_distance_with_variance(real, synthetic, x_groups=groups).variance
    monkeypatch.setattr("fourfold.fidelity.kernel._BLOCK", 64)
    assert fidelity.cmmd(real, synthetic) == pytest.approx(whole, abs=1e-10)
    assert kernel_distance_with_variance(real, synthetic, x_groups=groups).variance == pytest.approx(variance)


def test_images_without_a_direction_are_refused_with_a_sentence():
    with pytest.raises(InputError, match="remove the images whose features are all 0"):
        fidelity.cmmd(np.zeros((3, 2)), np.ones((3, 2)))


@pytest.mark.parametrize(("n", "m"), [(40, 40), (40, 25), (7, 60), (1, 9)])
def test_the_distance_along_a_line_is_exact_for_any_sizes(n, m):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(n, 1)), 1 + 2 * rng.normal(size=(m, 1))
    copies = np.sort(np.repeat(x[:, 0], m)) - np.sort(np.repeat(y[:, 0], n))
    assert fidelity.sliced_wasserstein_distance(x, y, 3) == pytest.approx((copies**2).mean(), rel=1e-12)
    rows, columns, weights = sliced._quantile_steps(n, m)
    plain = np.abs(np.sort(x[:, 0])[rows] - np.sort(y[:, 0])[columns]) @ weights
    assert plain == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]))


def test_a_shift_costs_its_square_in_any_dimension_and_growing_blur_ever_more(sets):
    rng = np.random.default_rng(5)
    for width in (2, 8, 64):
        x, shift = rng.normal(size=(100, width)), rng.normal(size=width)
        assert fidelity.sliced_wasserstein_distance(x, x + shift) == pytest.approx(shift @ shift, rel=0.2)
    real, _, fresh = sets
    ladder = [fidelity.sliced_wasserstein_distance(real, scale * fresh) for scale in (1.0, 0.7, 0.4, 0.1)]
    assert sorted(ladder) == ladder
    assert fidelity.sliced_wasserstein_distance(real, np.concatenate([real, real])) < 1e-20


def test_directions_are_seeded_and_memory_does_not_change_the_value(sets):
    real, _, fresh = sets
    value = fidelity.sliced_wasserstein_distance(real, fresh, 50)
    assert value == fidelity.sliced_wasserstein_distance(real, fresh, 50)
    assert value != fidelity.sliced_wasserstein_distance(real, fresh, 50, seed=1)
    assert fidelity.sliced_wasserstein_distance(real, fresh, 50, memory=1) == pytest.approx(value)


def test_topological_precision_sees_leaving_the_data_and_neither_collapse_nor_outliers(sets):
    real, _, fresh = sets
    ladder = [fidelity.topological_precision(real, fresh + shift) for shift in (0.0, 0.5, 1.0, 2.0)]
    assert ladder[0] > 0.8
    assert sorted(ladder, reverse=True) == ladder
    assert ladder[-1] == 0
    assert fidelity.topological_precision(real, 0.2 * fresh) == 1
    outliers = fresh.copy()
    outliers[:25] = 50 * np.random.default_rng(6).normal(size=(25, 8))
    assert fidelity.topological_precision(real, outliers) > ladder[0] - 0.1


def test_topological_precision_is_the_same_whatever_the_unit_and_in_less_memory(sets):
    real, _, fresh = sets
    value = fidelity.topological_precision(real, fresh)
    assert fidelity.topological_precision(8 * real, 8 * fresh) == value
    assert fidelity.topological_precision(real, fresh, memory=1 << 16) == value


def test_many_features_are_projected_to_thirty_two():
    rng = np.random.default_rng(7)
    real, fresh = rng.normal(size=(2, 300, 100))
    assert fidelity.topological_precision(real, fresh) > 0.8
    assert fidelity.topological_precision(real, fresh + 1) < 0.2


def test_the_likelihood_divergence_of_copies_and_of_shifted_images_is_large(sets):
    training, holdout, fresh = (one[:100] for one in sets)
    assert abs(fidelity.likelihood_divergence(training, holdout, fresh)) < 5
    ladder = [fidelity.likelihood_divergence(training, holdout, fresh + shift) for shift in (0.0, 0.3, 0.6, 1.2)]
    assert sorted(ladder) == ladder
    assert fidelity.likelihood_divergence(training, holdout, training + 1e-3) > 10
    collapsed = np.repeat(fresh[:4], 25, axis=0) + 1e-3 * np.random.default_rng(8).normal(size=(100, 8))
    assert fidelity.likelihood_divergence(training, holdout, collapsed) > 10


def test_the_null_of_the_likelihood_divergence_is_zero_and_that_of_the_published_one_is_not():
    rng = np.random.default_rng(9)
    draws = [rng.normal(size=(3, 60, 4)) for _ in range(20)]
    scored = np.array([fidelity.likelihood_divergence(*one) for one in draws])
    published = np.array([fidelity.feature_likelihood_divergence(*one) for one in draws])
    assert abs(scored.mean()) < 3.5 * scored.std() / np.sqrt(20)
    assert published.mean() < -2 * published.std() / np.sqrt(20)


def test_sets_that_do_not_fit_are_refused_with_a_sentence():
    for function in (fidelity.alpha_precision, fidelity.sliced_wasserstein_distance, fidelity.topological_precision):
        with pytest.raises(InputError, match="3 columns and points have 4"):
            function(np.ones((9, 3)), np.ones((9, 4)))
    with pytest.raises(InputError, match="2 training images and a synthetic one, got 1 and 3"):
        fidelity.alpha_precision(np.zeros((1, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="at least 10 training, 5 holdout and 5 synthetic images, got 9, 9 and 9"):
        fidelity.likelihood_divergence(*np.zeros((3, 9, 2)))
