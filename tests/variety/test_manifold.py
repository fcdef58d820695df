"""Recall and coverage."""

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.variety import coverage, expected_coverage, recall


@pytest.fixture
def golden() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    real, _ = rng.normal(size=(300, 16)), rng.normal(size=(200, 16))
    return real, 0.8 * rng.normal(size=(250, 16)) + 0.3


@pytest.mark.parametrize(("k", "expected"), [(5, (0.483333, 0.943333)), (3, (0.38, 0.87))])
def test_the_golden_values_are_reached(golden, k, expected):
    assert recall(*golden, k) == pytest.approx(expected[0], abs=1e-6)
    assert coverage(*golden, k) == pytest.approx(expected[1], abs=1e-6)


@pytest.mark.parametrize(("n", "m", "d"), [(150, 150, 2), (150, 60, 16), (100, 120, 4)])
def test_fresh_real_images_cover_what_the_formula_expects(n, m, d):
    rng = np.random.default_rng([n, m, d])
    values = [coverage(rng.normal(size=(n, d)), rng.normal(size=(m, d))) for _ in range(60)]
    assert np.mean(values) == pytest.approx(expected_coverage(n, m), abs=4 * np.std(values) / np.sqrt(60))


def test_no_fresh_image_covers_nothing():
    assert expected_coverage(10, 0, k=3) == 0


def test_a_missing_mode_lowers_both():
    rng = np.random.default_rng(1)
    real = np.concatenate([rng.normal(size=(150, 4)), rng.normal(size=(150, 4)) + 20])
    synthetic = rng.normal(size=(300, 4))
    assert coverage(real, synthetic) <= 0.5
    assert recall(real, synthetic) <= 0.5


def test_identical_constant_sets_cover_and_recall_each_other():
    constant = np.ones((9, 3))
    assert coverage(constant, constant) == recall(constant, constant) == 1


def test_groups_of_alike_synthetic_images_do_not_shrink_their_balls():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), 6)
    synthetic = rng.normal(size=(40, 3))[groups] + 1e-3 * rng.normal(size=(240, 3))
    real = rng.normal(size=(100, 3))
    assert recall(real, synthetic) < 0.05 < 0.6 < recall(real, synthetic, groups=groups)


def test_too_few_images_are_refused_with_a_sentence():
    with pytest.raises(InputError, match="more than 5 images, got a set of 4"):
        recall(np.zeros((9, 2)), np.zeros((4, 2)))
    with pytest.raises(InputError, match="n > k >= 1 and m >= 0, got n=5, m=3, k=5"):
        expected_coverage(5, 3)
