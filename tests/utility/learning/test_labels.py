from dataclasses import replace

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images.sets import ImageSet
from fourfold.utility.learning.labels import columns_of, names_of, numbered, subgroups


def image_set(count, **columns):
    images = ImageSet.from_array(np.zeros((count, 1, 4, 4)), name="holdout")
    entries = [
        replace(entry, **{name: column[row] for name, column in columns.items()})
        for row, entry in enumerate(images.entries)
    ]
    return replace(images, entries=tuple(entries))


def test_classes_come_in_the_order_of_the_task():
    images = image_set(3, label=["b", "c", "b"])
    np.testing.assert_array_equal(columns_of(images, ("a", "b", "c"), True), [[0, 1, 0], [0, 0, 1], [0, 1, 0]])


def test_a_finding_that_a_set_lacks_is_unknown():
    images = image_set(2, labels=[{"effusion": 1.0}, {"effusion": 0.0}])
    np.testing.assert_array_equal(columns_of(images, ("effusion", "nodule"), False), [[1, np.nan], [0, np.nan]])


def test_a_free_column_is_a_task_too_and_so_is_one_finding():
    images = image_set(2, label=["a", "b"], columns=[{"view": "PA"}, {"view": "AP"}])
    assert names_of(images, "view") == (("AP", "PA"), True)
    np.testing.assert_array_equal(columns_of(images, ("AP", "PA"), True, "view"), [[0, 1], [1, 0]])
    images = image_set(2, labels=[{"effusion": 1.0, "nodule": 0.0}, {"nodule": 1.0}])
    assert names_of(images, "effusion") == (("effusion",), False)
    np.testing.assert_array_equal(columns_of(images, ("effusion",), False, "effusion"), [[1], [np.nan]])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (image_set(2), "the holdout set has no labels; add a column label"),
        (image_set(2, label=["a", "z"]), r"images of the class 'z', which is none of the task's \(a, b\)"),
        (image_set(2, labels=[{"a": 1.0}, {"a": 0.0}]), "has findings and the task has classes"),
    ],
)
def test_labels_that_do_not_fit_are_refused_with_a_remedy(images, message):
    with pytest.raises(InputError, match=message):
        columns_of(images, ("a", "b"), True)


def test_one_class_alone_is_no_task():
    with pytest.raises(InputError, match=r"one class only \('a'\)"):
        names_of(image_set(2, label=["a", "a"]))


def test_an_image_without_a_value_in_the_column_is_named():
    images = image_set(2, columns=[{"view": "PA"}, {}])
    with pytest.raises(InputError, match=r"holdout\[1\]: has no value in the column 'view' .*1 of 2"):
        names_of(images, "view")


def test_patients_are_numbered_and_unknown_ones_are_each_their_own():
    np.testing.assert_array_equal(numbered(image_set(3, patient=["q", "b", "q"])), [1, 0, 1])
    np.testing.assert_array_equal(numbered(image_set(3, patient=["q", None, "q"])), [0, 1, 2])


def test_further_columns_are_subgroups():
    found = subgroups(image_set(2, columns=[{"sex": "f"}, {"scanner": "A"}]))
    np.testing.assert_array_equal(found["sex"], ["f", ""])
    np.testing.assert_array_equal(found["scanner"], ["", "A"])
