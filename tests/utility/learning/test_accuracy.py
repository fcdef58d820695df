import numpy as np
import pytest

from fourfold.utility.learning.accuracy import accuracies


def test_classes_worked_by_hand():
    targets = np.eye(2)[[0, 0, 0, 1]]
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    plain, balanced = accuracies(targets, probabilities, exclusive=True)
    assert plain == 0.75
    # Beside the share of 1 / 4, 0.4 and 0.3 are calls of the second class.
    assert balanced == pytest.approx((2 / 3 + 1) / 2)


def test_findings_worked_by_hand_with_an_unknown():
    targets = np.array([[1.0], [0.0], [0.0], [np.nan]])
    probabilities = np.array([[0.4], [0.35], [0.1], [0.9]])
    plain, balanced = accuracies(targets, probabilities, exclusive=False)
    assert plain == pytest.approx(2 / 3)
    assert balanced == pytest.approx((1 + 1 / 2) / 2)


def test_saying_the_common_class_always_is_accurate_and_not_balanced():
    targets = np.eye(2)[(np.arange(100) == 0).astype(int)]
    plain, balanced = accuracies(targets, np.tile(targets.mean(axis=0), (100, 1)), exclusive=True)
    assert plain == 0.99
    assert balanced == 0.5


@pytest.mark.parametrize("exclusive", [True, False])
def test_weights_count_an_image_several_times(exclusive):
    random = np.random.default_rng(3)
    targets = np.eye(3)[random.integers(0, 3, 40)]
    if not exclusive:
        targets[random.uniform(size=targets.shape) < 0.2] = np.nan
    probabilities, weights = random.dirichlet(np.ones(3), 40), random.integers(0, 4, 40)
    rows = np.repeat(np.arange(40), weights)
    np.testing.assert_allclose(
        accuracies(targets, probabilities, exclusive, weights),
        accuracies(targets[rows], probabilities[rows], exclusive),
    )


def test_what_the_images_lack_is_left_out():
    targets = np.eye(3)[[0, 0, 1]]
    assert accuracies(targets, targets, exclusive=True) == (1.0, 1.0)
    assert np.isnan(accuracies(np.full((3, 1), np.nan), np.ones((3, 1)), exclusive=False)).all()
