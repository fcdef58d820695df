import numpy as np
import pytest

from fourfold.comparison import Features
from fourfold.images.sets import Entry, ImageSet
from fourfold.utility.tasks import FEWEST_IMAGES, Labelled, NoTaskError, Task


def classes(role, *counts, names="abc"):
    labels = np.repeat(list(names[: len(counts)]), counts)
    return Labelled.from_arrays(role, labels, None, len(labels))


def findings(role, **columns):
    size = len(next(iter(columns.values())))
    return Labelled.from_arrays(role, {name: np.array(column) for name, column in columns.items()}, None, size)


def reason(*sets):
    with pytest.raises(NoTaskError) as caught:
        Task.of(*sets)
    return str(caught.value)


def test_classes_become_one_column_each():
    labelled = Labelled.from_arrays("training", ["b", "a", "b"], np.array(["p", "q", "p"]), 3)
    assert labelled.names == ("a", "b")
    assert labelled.exclusive
    np.testing.assert_array_equal(labelled.targets, [[0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(labelled.groups, [0, 1, 0])


def test_findings_keep_unknown_values_unknown():
    labelled = findings("training", oedema=[1.0, 0.0, np.nan], effusion=[0.0, 1.0, 1.0])
    assert labelled.names == ("effusion", "oedema")
    assert not labelled.exclusive
    assert np.isnan(labelled.targets[2, 1])


def test_findings_are_read_from_entries_of_an_image_set():
    masses = [Entry(path=str(n), labels={"mass": n % 2}) for n in range(4)]
    entries = (*masses, Entry(path="4", labels={"cyst": 1}))
    images = ImageSet("training", entries, decode=lambda entry: np.zeros((1, 2, 2)))
    labelled = Labelled.from_images("training", images)
    assert labelled.names == ("cyst", "mass")
    np.testing.assert_array_equal(labelled.targets[:, 1], [0, 1, 0, 1, np.nan])


def test_findings_are_read_from_features():
    features = Features(np.zeros((3, 2), np.float32), findings={"mass": np.array([0, 1, 1])})
    assert Labelled.from_features("training", features).names == ("mass",)


def test_a_set_without_labels_is_named():
    with pytest.raises(NoTaskError, match="the synthetic set has no labels"):
        Labelled.from_arrays("synthetic", None, None, 5)


def test_an_empty_set_is_named():
    with pytest.raises(NoTaskError, match="the synthetic set is empty"):
        Labelled.from_arrays("synthetic", None, None, 0)


def test_labels_of_another_length_are_refused():
    with pytest.raises(ValueError, match="the holdout set has 3 images but labels or patients of another length"):
        Labelled.from_arrays("holdout", ["a", "b"], None, 3)


def test_one_class_is_no_task():
    assert reason(classes("t", 20), classes("s", 20), classes("h", 20)) == "there is one class only ('a')"


def test_a_class_that_the_synthetic_set_lacks_is_no_task():
    found = reason(classes("t", 20, 20), classes("s", 20), classes("h", 20, 20))
    assert found == "'b' cannot be learned in every set: the synthetic set has no example of it"


def test_a_class_that_only_the_synthetic_set_has_is_no_task():
    found = reason(classes("t", 20, 20), classes("s", 20, 20, 20), classes("h", 20, 20))
    assert found == "'c' cannot be learned in every set: the training set has no example of it"


def test_too_few_synthetic_images_of_a_class_are_counted():
    found = reason(classes("t", 20, 20), classes("s", 20, 3), classes("h", 20, 20))
    assert found == f"the synthetic set has only 3 images of 'b'; {FEWEST_IMAGES} are needed"


def test_a_class_rare_in_real_images_is_left_out_and_named():
    task = Task.of(classes("t", 20, 20, 2), classes("s", 20, 20, 5), classes("h", 20, 20, 2))
    assert task.names == ("a", "b")
    assert task.left_out == ("c",)
    assert len(task.training) == 40
    assert len(task.rows["synthetic"]) == 40


def test_too_few_images_of_every_class_is_no_task():
    found = reason(classes("t", 4, 4), classes("s", 20, 20), classes("h", 20, 20))
    assert found == f"a real set has fewer than {FEWEST_IMAGES} images of 'a', 'b'"


def test_without_a_holdout_twice_as_many_images_are_needed():
    few = classes("t", FEWEST_IMAGES, FEWEST_IMAGES)
    assert "fewer than" in reason(few, classes("s", 20, 20), None)
    assert Task.of(few, classes("s", 20, 20), classes("h", 20, 20)).names == ("a", "b")


def test_a_finding_present_in_every_image_is_no_task():
    always = findings("t", mass=np.ones(30))
    assert "'mass' cannot be learned" in reason(always, always, always)


def test_classes_in_one_set_and_findings_in_another_are_no_task():
    mass = findings("s", mass=np.arange(40) % 2)
    assert "one class an image (label), others several findings" in reason(classes("t", 20, 20), mass, mass)


def test_images_whose_findings_are_all_unknown_are_left_out():
    column = np.concatenate([np.arange(40) % 2, [np.nan]])
    labelled = findings("t", mass=column)
    task = Task.of(labelled, labelled, labelled)
    assert len(task.training) == 40
