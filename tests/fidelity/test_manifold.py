"""Precision, density and realism."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fourfold.errors import InputError
from fourfold.fidelity import density, precision, realism


@pytest.fixture
def golden() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    real, _ = rng.normal(size=(300, 16)), rng.normal(size=(200, 16))
    return real, 0.8 * rng.normal(size=(250, 16)) + 0.3


@pytest.mark.parametrize(("k", "expected"), [(5, (0.964, 1.9008)), (3, (0.936, 1.877333))])
def test_the_golden_values_are_reached(golden, k, expected):
    assert precision(*golden, k) == pytest.approx(expected[0], abs=1e-12)
    assert density(*golden, k) == pytest.approx(expected[1], abs=1e-6)


def test_realism_is_the_largest_ratio_over_balls_below_the_median_radius(golden):
    real, synthetic = golden
    radii = np.sort(cdist(real, real), axis=1)[:, 5]
    typical = radii <= np.median(radii)
    expected = (radii[typical] / cdist(synthetic, real[typical])).max(axis=1)
    np.testing.assert_allclose(realism(real, synthetic), expected, rtol=1e-12)


def test_blurring_towards_the_mean_raises_density_and_leaving_the_data_lowers_everything(golden):
    real, _ = golden
    fresh = np.random.default_rng(1).normal(size=(300, 16))
    assert density(real, 0.5 * fresh) > 2 * density(real, fresh)
    assert precision(real, fresh + 10) == density(real, fresh + 10) == 0
    assert np.median(realism(real, fresh + 10)) < np.median(realism(real, fresh)) / 3


def test_the_expected_density_of_fresh_real_images_is_one():
    rng = np.random.default_rng(2)
    values = [density(rng.normal(size=(200, 8)), rng.normal(size=(100, 8))) for _ in range(60)]
    assert np.mean(values) == pytest.approx(1, abs=4 * np.std(values) / np.sqrt(60))


def test_a_point_on_the_edge_of_a_ball_is_outside_and_one_on_its_centre_inside():
    real = np.array([[0.0], [1.0], [2.0]])
    assert precision(real, np.array([[3.0]]), k=1) == 0
    assert precision(np.zeros((8, 2)), np.zeros((3, 2))) == 1
    assert density(np.zeros((8, 2)), np.zeros((3, 2))) == 8 / 5
    assert np.isinf(realism(real, np.array([[1.0]]), k=1)).all()


def test_other_images_of_a_patient_do_not_shrink_the_balls():
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(40), 6)
    real = rng.normal(size=(40, 3))[patients] + 1e-3 * rng.normal(size=(240, 3))
    fresh = rng.normal(size=(100, 3))
    assert precision(real, fresh) < 0.05
    assert precision(real, fresh, groups=patients) > 0.6


def test_too_few_training_images_are_refused_with_a_sentence():
    with pytest.raises(InputError, match="more than 5 images, got a set of 5"):
        precision(np.zeros((5, 2)), np.zeros((3, 2)))
    with pytest.raises(InputError, match="more than 5 images of other patients, got a set of 8"):
        density(np.zeros((8, 2)), np.zeros((3, 2)), groups=np.repeat([0, 1], 4))
