import doctest

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance

from fourfold.utility.learning import overlap
from fourfold.utility.learning.overlap import (
    border_distances,
    dice_of_images,
    dice_of_patients,
    false_alarms,
    sizes,
)

TRUE = np.array([[0, 1, 1, 2], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])[:, None]
PREDICTED = np.array([[1, 1, 2, 2], [0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]])[:, None]


def test_pixels_of_two_regions_counted_by_hand():
    found = sizes(TRUE, PREDICTED, 2)
    np.testing.assert_array_equal(found.shared, [[1, 1], [1, 0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(found.true, [[2, 1], [2, 0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(found.predicted, [[2, 2], [1, 0], [2, 0], [0, 0]])


def test_dice_is_over_the_images_that_have_the_region_and_false_alarms_over_the_others():
    found = sizes(TRUE, PREDICTED, 2)
    np.testing.assert_allclose(dice_of_images(found), [[(1 / 2 + 2 / 3) / 2, 2 / 3]])
    np.testing.assert_allclose(false_alarms(found), [1 / 2, 0])


def test_a_region_that_no_image_has_has_no_dice_and_one_that_all_have_no_false_alarms():
    nowhere = np.zeros((3, 4), dtype=int)
    everywhere = np.ones((3, 4), dtype=int)
    assert np.isnan(dice_of_images(sizes(nowhere, everywhere, 1))).all()
    assert np.isnan(dice_of_patients(sizes(nowhere, everywhere, 1), np.arange(3))).all()
    assert np.isnan(false_alarms(sizes(everywhere, nowhere, 1))).all()


def test_slices_of_a_patient_are_laid_together():
    found = sizes(TRUE, PREDICTED, 2)
    both = dice_of_patients(found, np.array([5, 5, 5, 9]))
    # 2 of 4 true and 5 predicted pixels; the other patient has no region.
    np.testing.assert_allclose(both, [2 * 2 / (4 + 5), 2 / 3])
    np.testing.assert_allclose(dice_of_patients(found, np.arange(4)), dice_of_images(found)[0])


def test_a_patient_drawn_twice_counts_as_two():
    random = np.random.default_rng(0)
    true, predicted = (random.integers(0, 3, (12, 5, 5)) for _ in range(2))
    patients, drawn = np.arange(12) // 3, np.array([2, 0, 1, 3])
    rows = np.concatenate([np.flatnonzero(patients == one) for one, often in enumerate(drawn) for _ in range(often)])
    found, again = sizes(true, predicted, 2), sizes(true[rows], predicted[rows], 2)
    weights = drawn[patients]
    np.testing.assert_allclose(dice_of_images(found, weights[None]), dice_of_images(again))
    np.testing.assert_allclose(false_alarms(found, weights), false_alarms(again))
    anew = np.repeat(np.arange(6), 3)
    np.testing.assert_allclose(dice_of_patients(found, patients, weights), dice_of_patients(again, anew))


@pytest.mark.parametrize("shape", [(20, 15), (9, 8, 10)])
def test_distances_of_borders_are_those_of_monai(shape):
    random = np.random.default_rng(1)
    maps = np.zeros((2, 4, *shape), dtype=np.uint8)
    for one in maps.reshape(8, *shape):
        starts = [random.integers(0, side - 2) for side in shape]
        one[tuple(slice(start, start + random.integers(2, 6)) for start in starts)] = 1
    ours = border_distances(maps[0], maps[1], 1)
    pair = (torch.from_numpy(each[:, None]) for each in maps[::-1])
    theirs = compute_hausdorff_distance(*pair, include_background=True, percentile=95)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-5)


def test_a_missed_region_is_as_far_away_as_the_image_allows():
    true = np.zeros((2, 3, 4), dtype=int)
    true[0, 1, 1] = 1
    distances = border_distances(true, np.zeros_like(true), 1)
    assert distances[0, 0] == 5.0
    assert np.isnan(distances[1, 0])


def test_maps_of_another_shape_or_with_another_region_are_refused():
    with pytest.raises(ValueError, match="shape"):
        sizes(TRUE, PREDICTED[:2], 2)
    with pytest.raises(ValueError, match="above 1"):
        sizes(TRUE, PREDICTED, 1)


def test_the_example_runs():
    found = doctest.testmod(overlap)
    assert found.attempted > 0
    assert found.failed == 0
