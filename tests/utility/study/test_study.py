"""From sets of images to a study, with small networks and few steps."""

from dataclasses import replace

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.utility.study import Effort, Reading, utility_study
from fourfold.utility.study.opening import named

EFFORT = Effort(seeds=2, halvings=0, steps=2)


def image_set(name, count, seed, first=0, **columns):
    """Noise in which a corner is bright in class ill; `columns` give further columns by the row."""
    rng = np.random.default_rng(seed)
    ill = np.arange(count) % 2 == 1
    images = rng.random((count, 1, 16, 16), dtype=np.float32)
    images[ill, :, :8, :8] += 0.5
    images = np.clip(images, 0, 1)
    found = ImageSet.from_array(
        images,
        name=name,
        labels=np.where(ill, "ill", "well"),
        patients=[f"p{first + row}" for row in range(count)],
    )
    entries = tuple(
        replace(entry, columns={key: value(row) for key, value in columns.items()})
        for row, entry in enumerate(found.entries)
    )
    return replace(found, entries=entries)


@pytest.fixture(scope="module")
def sets():
    columns = {"sex": lambda row: "FM"[row // 2 % 2], "view": lambda row: "ABC"[row % 3]}
    return {
        "train": image_set("training", 30, 0, **columns),
        "holdout": image_set("holdout", 60, 1, first=100, **columns),
        "gan": image_set("gan", 40, 2, first=1000),
    }


def study(sets, **options):
    asked = {"effort": EFFORT, "ratios": [1.0], "questions": ["substitution"], "reading": Reading(scaling="0:1")}
    return utility_study({"gan": sets["gan"]}, sets["train"], sets["holdout"], **{**asked, **options})


def test_a_study_holds_sets_arms_and_contrasts(sets):
    found = study(sets, subgroups=["sex"])
    assert {name: counts.images for name, counts in found.sets.items()} == {"real": 30, "test": 60, "gan": 40}
    assert found.synthetic == ("gan",)
    (findings,) = found.findings
    assert findings.headline == "auc"
    assert [arm.name for arm in findings.arms] == ["30 gan", "30 real"]
    assert {"accuracy", "ece", "auc/ill"} <= set(findings.arms[0].values)
    assert {one.value for one in findings.contrasts[0].subgroups} == {"F", "M"}
    assert found.notes[-1].startswith("Nothing was trained on halves")


def test_a_second_task_is_learned_by_networks_that_have_learned_the_first(sets):
    found = study(sets, second_task="view")
    cross = found.findings[1]
    assert cross.problem == "cross-task"
    assert [arm.name for arm in cross.arms] == ["30 real, after 30 gan", "30 real, after 30 real"]
    assert cross.task["names"] == ["A", "B", "C"]
    assert cross.contrasts[0].question == "transfer"
    # What was learned before makes a difference.
    assert cross.arms[0].seeds != cross.arms[1].seeds


def test_a_part_of_the_holdout_serves_as_fresh_real_images(sets):
    found = study(sets, fresh_part=0.5)
    counts = {name: one.images for name, one in found.sets.items()}
    assert counts["test"] + counts["fresh real"] == 60
    assert {one.subject for one in found.findings[0].contrasts} == {"gan", "fresh real"}


def test_images_beyond_the_memory_allowed_are_left_out_by_patient_and_said(sets):
    found = study(sets, memory=150_000)
    assert all(one.images <= 24 for one in found.sets.values())
    assert any(note.startswith("24 of 60 images of the holdout set are used") for note in found.notes)


def test_without_patients_groups_of_near_duplicates_stand_in(sets):
    entries = tuple(replace(entry, patient=None) for entry in sets["holdout"].entries)
    found = study({**sets, "holdout": replace(sets["holdout"], entries=entries)})
    assert found.sets["test"].patients is None
    assert any("stand in for patients" in note for note in found.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "regression"}, "classification or segmentation, got 'regression'"),
        ({"network": "none"}, "no network 'none'"),
        ({"subgroups": ["age"]}, "no column 'age'.*: sex, view"),
        ({"second_task": "age"}, "no value in the column 'age'"),
        ({"fresh_part": 1.5}, "between 0 and 1"),
        ({"questions": ["beauty"]}, "there is no 'beauty'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(sets, options, message, monkeypatch):
    monkeypatch.setattr("fourfold.utility.learning.optimisation.optimise", pytest.fail)
    with pytest.raises(InputError, match=message):
        study(sets, **options)


def test_test_patients_who_were_trained_on_are_refused(sets):
    with pytest.raises(InputError, match="shares 30 patients"):
        study({**sets, "holdout": sets["train"]})


def test_a_synthetic_set_that_holds_test_images_is_refused(sets):
    with pytest.raises(InputError, match="60 images of the set 'gan' are images of the holdout"):
        study({**sets, "gan": sets["holdout"]})


def test_a_class_with_too_few_images_to_be_judged_is_refused(sets):
    entries = tuple(
        replace(one, label="rare" if row < 3 else one.label) for row, one in enumerate(sets["train"].entries)
    )
    with pytest.raises(InputError, match="the training set has 3 images to tell 'rare' by, and 8 are needed"):
        study({**sets, "train": replace(sets["train"], entries=entries)})


def test_sets_are_called_by_their_folders_and_never_by_a_name_of_the_study():
    assert named(["a/gan", "b/gan", "c/real"]) == {"gan": "a/gan", "gan (2)": "b/gan", "real (3)": "c/real"}
    with pytest.raises(InputError, match="cannot be called 'real'"):
        named({"real": "x"})
    with pytest.raises(InputError, match="a synthetic set or more"):
        named([])
