"""A holdout that shares patients with the training set is refused as a control, a fair one never."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features, Sets, Spaces
from fourfold.errors import InputError
from fourfold.images import ImageSet, open_set, prepare
from fourfold.images.phantoms import phantoms
from fourfold.opening import open_sets
from fourfold.privacy import holdout_independence, refuse_dependent_holdout
from fourfold.privacy.control import patients_are_known, thumbnails


def _parts(image_set: ImageSet, chosen: np.ndarray) -> tuple[ImageSet, ImageSet]:
    return image_set.take(np.flatnonzero(~chosen)), image_set.take(np.flatnonzero(chosen))


def _anonymous(image_set: ImageSet) -> ImageSet:
    return replace(image_set, entries=tuple(replace(entry, patient=None) for entry in image_set.entries))


def _spaces(training: ImageSet, holdout: ImageSet) -> Spaces:
    features = [Features(thumbnails(one)) for one in (training, holdout)]
    sets = Sets(training, training, holdout)
    return Spaces(sets, {"pixels": Comparison("pixels", features[0], features[0], features[1])})


@pytest.fixture(scope="module")
def chests() -> ImageSet:
    found = phantoms("chest", 150, images_per_patient=(2, 4), size=32, seed=3).to_image_set()
    return prepare({"training": found})["training"]


def _by_patient(image_set: ImageSet, share: float, seed: int) -> np.ndarray:
    names, owner = np.unique(image_set.patients, return_inverse=True)
    return (np.random.default_rng(seed).random(len(names)) < share)[owner]


def test_images_of_training_patients_in_the_holdout_are_refused_without_naming_a_patient(chests: ImageSet) -> None:
    chosen = np.random.default_rng(0).random(len(chests)) < 0.5
    training, holdout = _parts(chests, chosen)
    with pytest.raises(InputError, match=r"other images, or slices, of training patients.*split by patient") as refused:
        refuse_dependent_holdout(Sets(training, training, _anonymous(holdout)))
    assert not any(patient in str(refused.value) for patient in set(chests.patients))


@pytest.mark.parametrize("share", [0.5, 1 / 6, 5 / 6])
def test_other_patients_are_never_refused(chests: ImageSet, share: float) -> None:
    for seed in range(3):
        training, holdout = _parts(chests, _by_patient(chests, share, seed))
        refuse_dependent_holdout(Sets(training, training, holdout))
        refuse_dependent_holdout(Sets(_anonymous(training), training, _anonymous(holdout)))


def test_opening_refuses_such_a_holdout(tmp_path: Path) -> None:
    drawn = phantoms("brain", 90, images_per_patient=4, size=32, seed=5)
    paths = drawn.write(tmp_path / "all")
    chosen = np.random.default_rng(1).random(len(paths)) < 0.3
    tables = {}
    for role, keep in (("train", ~chosen), ("holdout", chosen)):
        tables[role] = tmp_path / f"{role}.csv"
        with tables[role].open("w", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["path"])
            rows.writerows([path] for path, kept in zip(paths, keep, strict=True) if kept)
    with pytest.raises(InputError, match="the holdout seems to hold other images, or slices, of training patients"):
        open_sets(tables["train"], tables["train"], tables["holdout"], root=tmp_path / "all")


def test_slices_without_identifiers_are_refused_and_blocks_of_them_are_not(data_folder: Path) -> None:
    slices = open_set(data_folder / "cheng_brain_128" / "metadata.csv", name="training")
    slices = prepare({"training": slices})["training"]
    order = np.argsort([int(entry.columns["index"]) for entry in slices.entries], kind="stable")
    slices = slices.take(order[:1000])
    by_slice = np.random.default_rng(2).random(len(slices)) < 0.4
    in_blocks = (np.arange(len(slices)) // 100) % 2 == 1
    training, holdout = _parts(slices, by_slice)
    with pytest.raises(InputError, match="slices, of training patients"):
        refuse_dependent_holdout(Sets(training, training, holdout))
    assert holdout_independence(_spaces(training, holdout))[0].details["blocker"]
    training, holdout = _parts(slices, in_blocks)
    refuse_dependent_holdout(Sets(training, training, holdout))
    score = holdout_independence(_spaces(training, holdout))[0]
    assert score.details["blocker"] is None
    assert score.details["images_come_in_runs"]


def test_films_split_by_image_are_marked_by_the_order_of_their_names(data_folder: Path) -> None:
    films = open_set(
        data_folder / "kermany_cxr_96" / "metadata.csv", name="training", columns={"patient": "patient_id"}
    )
    films = prepare({"training": films})["training"].take(np.arange(0, 2600))
    by_image = np.random.default_rng(4).random(len(films)) < 0.5
    fair = _by_patient(films, 0.5, 4)
    blockers = []
    for chosen in (by_image, fair):
        parts = [_anonymous(part) for part in _parts(films, chosen)]
        blockers.append(holdout_independence(_spaces(*parts))[0].details["blocker"])
    assert "neighbouring file names" in blockers[0]
    assert blockers[1] is None


def test_scores_of_a_fair_holdout_hold_their_null_and_those_of_a_shared_one_do_not(chests: ImageSet) -> None:
    fair = holdout_independence(_spaces(*_parts(chests, _by_patient(chests, 0.5, 1))))[0]
    shared = holdout_independence(_spaces(*_parts(chests, np.random.default_rng(1).random(len(chests)) < 0.5)))[0]
    assert (fair.departs(), fair.details["blocker"]) == ("no", None)
    assert shared.departs() == "different"
    assert shared.details["blocker"].startswith("the holdout seems to hold other images of training patients")


def test_without_a_holdout_or_with_few_images_the_score_says_why(chests: ImageSet) -> None:
    few = chests.take(np.arange(30))
    features = Features(thumbnails(few))
    alone = Spaces(Sets(few, few), {"pixels": Comparison("pixels", features, features)})
    assert holdout_independence(alone)[0].reason == "there is no holdout"
    assert "needs 50 training" in holdout_independence(_spaces(few, few))[0].reason
    refuse_dependent_holdout(Sets(few, few, few))


def test_stand_ins_are_told_from_patients(chests: ImageSet) -> None:
    assert patients_are_known(chests)
    assert not patients_are_known(_anonymous(chests))
    entries = tuple(replace(entry, patient=f"group {row}") for row, entry in enumerate(chests.entries))
    assert not patients_are_known(replace(chests, entries=entries))


def test_thumbnails_of_volumes_and_constant_images_are_vectors_of_norm_one_or_zero() -> None:
    rng = np.random.default_rng(0)
    volumes = rng.random((3, 1, 10, 20, 20)).astype(np.float32)
    volumes[1] = 0.5
    found = thumbnails(prepare({"training": ImageSet.from_array(volumes)})["training"])
    assert found.shape == (3, 8 * 16 * 16)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 1], atol=1e-5)
