import numpy as np
import pytest

from fourfold.outliers import ALTERATIONS, measure_controls
from fourfold.outliers.alterations import noise_level

ALTER = {alteration.name: alteration for alteration in ALTERATIONS}


@pytest.fixture(scope="module")
def of_brains(brain_gates):
    return {control.name: control for control in measure_controls(brain_gates, images=40)}


@pytest.fixture(scope="module")
def of_chests(chest_gates):
    return {control.name: control for control in measure_controls(chest_gates)}


@pytest.mark.parametrize(
    "name", ["noise x2", "noise x1.3", "smoothing", "contrast", "window", "inverted", "magnified", "shuffled"]
)
def test_under_one_acquisition_every_positive_control_is_found(of_brains, name):
    assert of_brains[name].area >= 0.99
    assert of_brains[name].found > 0.9
    assert of_brains[name].covered


@pytest.mark.parametrize("name", ["noise x2", "smoothing", "contrast", "inverted", "magnified"])
def test_the_plain_histogram_is_enough_for_what_changes_intensities(of_brains, name):
    assert of_brains[name].by_gate["histogram"] >= 0.99


@pytest.mark.parametrize("name", ["upside down", "mirrored", "shuffled", "small lesion"])
def test_plain_histograms_are_blind_to_place(of_brains, of_chests, name):
    for found in (of_brains, of_chests):
        for gate in ("histogram", "nearest:histogram", "levels"):
            assert abs(found[name].by_gate[gate] - 0.5) < 0.1


def test_a_third_more_noise_needs_more_voxels_than_these_for_the_plain_histogram(of_brains):
    """At 24 voxels a side it is 0.99, at 40 it is 1.00; the gradients need no more."""
    assert of_brains["noise x1.3"].by_gate["histogram"] > 0.95
    assert of_brains["noise x1.3"].by_gate["gradients"] >= 0.99


def test_regions_and_gradients_mend_flips_and_shuffles(of_brains, of_chests):
    assert of_chests["upside down"].by_gate["regions"] >= 0.99
    for found in (of_brains, of_chests):
        assert found["shuffled"].by_gate["regions"] >= 0.99
        assert found["shuffled"].by_gate["gradients"] >= 0.99
    assert of_chests["mirrored"].by_gate["neighbours:pixels"] > 0.75


def test_levels_see_the_window_that_scaled_histograms_remove(of_brains):
    assert of_brains["window"].by_gate["levels"] >= 0.99
    assert abs(of_brains["window"].by_gate["histogram"] - 0.5) < 0.1


@pytest.mark.parametrize("gate", ["pixels", "neighbours:pixels"])
def test_gates_of_a_feature_space_see_shape_in_volumes_and_are_blind_to_fine_grain(of_brains, gate):
    for name in ("inverted", "magnified", "shuffled"):
        assert of_brains[name].by_gate[gate] >= 0.99
    for name in ("noise x1.3", "small lesion"):
        assert of_brains[name].by_gate[gate] < 0.8


def test_blind_spots_are_named(of_brains, of_chests):
    for found in (of_brains, of_chests):
        assert not found["small lesion"].covered
        assert not found["two patients"].covered
        assert found["small lesion"].found < 0.25


def test_a_copy_is_a_blind_spot_from_above_and_perfect_from_below(of_brains, of_chests):
    for found in (of_brains, of_chests):
        assert not found["copy"].covered
        assert found["copy"].by_gate["nearest:histogram"] == 0.0
    assert list(of_chests)[-1] == "copy"


def test_controls_are_the_same_for_the_same_seed(chest_gates):
    some = [ALTER["noise x2"], ALTER["two patients"]]
    first, again = (measure_controls(chest_gates, alterations=some, images=20, seed=5) for _ in range(2))
    assert first == again
    assert first[0].images == 20


@pytest.mark.parametrize("alteration", ALTERATIONS, ids=lambda alteration: alteration.name)
@pytest.mark.parametrize("shape", [(1, 15, 18), (3, 12, 9), (1, 9, 10, 11)])
def test_alterations_keep_shape_and_range_and_leave_the_image_alone(alteration, shape):
    image = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    before = image.copy()
    altered = alteration.alter(image, np.random.default_rng(1), lambda: image[..., ::-1])
    assert altered.shape == shape
    assert altered.min() >= 0
    assert altered.max() <= 1
    assert not np.array_equal(altered, image)
    assert np.array_equal(image, before)


def test_noise_of_twice_the_level_is_twice_the_level():
    clean = np.linspace(0.3, 0.6, 64, dtype=np.float32)[None, :, None] * np.ones((1, 64, 64), dtype=np.float32)
    noisy = clean + 0.02 * np.random.default_rng(0).standard_normal(clean.shape, dtype=np.float32)
    twice = ALTER["noise x2"].alter(noisy, np.random.default_rng(1), lambda: noisy)
    assert noise_level(twice) == pytest.approx(2 * noise_level(noisy), rel=0.05)
    background = np.where(np.arange(64) < 40, 0, noisy)
    assert noise_level(background) == pytest.approx(0.02, rel=0.15)
    assert noise_level(np.zeros((1, 8, 8))) == 0


def test_magnification_keeps_the_centre_and_enlarges_what_is_around_it():
    image = np.zeros((1, 31, 31), dtype=np.float32)
    image[0, 10:21, 10:21] = 1
    larger = ALTER["magnified"].alter(image, np.random.default_rng(0), lambda: image)
    assert larger.sum() == pytest.approx(1.44 * image.sum(), rel=0.03)
    np.testing.assert_allclose(larger, larger[:, ::-1, ::-1], atol=1e-6)
