import doctest

import numpy as np
import pytest

from fourfold.utility.learning import calibration
from fourfold.utility.learning.calibration import calibration_error, top_calls


def test_the_error_of_two_bins_worked_by_hand():
    probabilities = np.array([0.1, 0.3, 0.8, 0.9])
    came_true = np.array([0.0, 1.0, 1.0, 1.0])
    # Below one half: one of two came true, 0.2 expected. Above: both, 0.85 expected.
    error, null = calibration_error(probabilities, came_true, bins=2)
    assert error == pytest.approx((2 * 0.3 + 2 * 0.15) / 4)
    spread = np.sqrt(0.1 * 0.9 + 0.3 * 0.7) + np.sqrt(0.8 * 0.2 + 0.9 * 0.1)
    assert null == pytest.approx(np.sqrt(2 / np.pi) * spread / 4)


def test_a_bin_is_closed_above_and_the_first_one_holds_0():
    error, _ = calibration_error(np.array([0.0, 0.5, 0.5, 1.0]), np.array([0.0, 1.0, 0.0, 1.0]), bins=2)
    assert error == pytest.approx(0.0)
    # Were one half in the upper bin, this would be 0.25: (0.5 - 0) / 2 and (1 - 0.5) / 2 apart.
    error, _ = calibration_error(np.array([0.3, 0.5, 1.0]), np.array([1.0, 0.0, 1.0]), bins=2)
    assert error == pytest.approx(2 / 3 * abs(0.5 - 0.4))


def test_perfect_probabilities_get_the_null_and_overconfident_ones_more():
    random = np.random.default_rng(1)
    errors, nulls, bold = [], [], []
    for _ in range(200):
        probabilities = random.uniform(size=400)
        came_true = (random.uniform(size=400) < probabilities).astype(float)
        error, null = calibration_error(probabilities, came_true)
        errors.append(error)
        nulls.append(null)
        bold.append(calibration_error((probabilities > 0.5) * 0.98 + 0.01, came_true)[0])
    assert np.mean(errors) == pytest.approx(np.mean(nulls), rel=0.05)
    assert min(bold) > np.mean(nulls) * 3


def test_weights_count_an_image_several_times_and_unknown_ones_not_at_all():
    random = np.random.default_rng(2)
    probabilities, weights = random.uniform(size=50), random.integers(0, 4, 50)
    came_true = (random.uniform(size=50) < 0.5).astype(float)
    came_true[:5] = np.nan
    repeated = np.repeat(np.arange(50), weights)
    np.testing.assert_allclose(
        calibration_error(probabilities, came_true, weights),
        calibration_error(probabilities[repeated], came_true[repeated]),
    )
    assert np.isnan(calibration_error(probabilities[:5], came_true[:5])).all()


def test_the_likeliest_class_and_whether_it_was_right():
    confidence, right = top_calls(np.eye(3)[[0, 2]], np.array([[0.2, 0.7, 0.1], [0.1, 0.3, 0.6]]))
    np.testing.assert_allclose(confidence, [0.7, 0.6])
    np.testing.assert_array_equal(right, [0, 1])


def test_the_example_runs():
    found = doctest.testmod(calibration)
    assert found.attempted > 0
    assert found.failed == 0
