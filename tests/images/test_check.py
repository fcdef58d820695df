"""What a check lists: leakage first, then what is broken, repeated, constant or unlike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fourfold.images import ImageSet, check_sets, near_duplicate_groups, open_set, split_by_patient
from fourfold.images.duplicates import similar_pairs

SCENES = np.random.default_rng(5).integers(1, 255, (40, 1, 24, 24), dtype=np.uint8)
SCENES[:, 0, 0, :2] = 0, 255


def _set(images: np.ndarray, name: str, patients: list[str] | None = None) -> ImageSet:
    return ImageSet.from_array(images, name=name, patients=patients)


def test_sets_of_different_images_do_not_leak() -> None:
    report = check_sets({"training": _set(SCENES[:20], "training"), "holdout": _set(SCENES[20:], "holdout")})
    assert not report.leaks
    assert report.shared == ()
    assert report.differences == ()
    assert report.sentences() == [
        f"{name}: 20 images (20 of 24 x 24 grey), values 0 to 255 (uint8), no patient identifiers."
        for name in ("training", "holdout")
    ]


def test_an_image_in_both_sets_is_leakage_and_comes_first() -> None:
    holdout = np.concatenate([SCENES[20:], SCENES[3:4]])
    report = check_sets({"training": _set(SCENES[:20], "training"), "holdout": _set(holdout, "holdout")})
    assert report.leaks
    assert [(item.kind, item.first_path, item.second_path) for item in report.shared] == [
        ("exact", "training[3]", "holdout[20]")
    ]
    assert report.sentences()[0] == (
        "LEAKAGE: the training and the holdout set share 1 image with equal pixels (training[3] = holdout[20])."
    )


def test_an_altered_image_in_both_sets_is_leakage() -> None:
    altered = np.clip(SCENES[7:8] * 0.8 + 20 + np.random.default_rng(0).normal(0, 3, (1, 1, 24, 24)), 0, 255)
    holdout = np.concatenate([SCENES[20:], altered.astype(np.uint8)])
    report = check_sets({"training": _set(SCENES[:20], "training"), "holdout": _set(holdout, "holdout")})
    assert [(item.kind, item.first_path) for item in report.leakage] == [("near", "training[7]")]
    assert report.leakage[0].correlation > 0.98


def test_a_patient_in_both_sets_is_leakage_and_is_not_named() -> None:
    sets = {
        "training": _set(SCENES[:4], "training", ["Doe", "Doe", "b", "c"]),
        "holdout": _set(SCENES[4:8], "holdout", ["x", "Doe", "Doe", "y"]),
    }
    report = check_sets(sets)
    assert report.leaks
    assert report.sentences()[0] == (
        "LEAKAGE: the training and the holdout set share 1 patient (training[0] = holdout[1])."
    )
    assert "Doe" not in json.dumps(report.to_json())


def test_what_a_synthetic_set_shares_is_listed_but_is_no_leakage() -> None:
    report = check_sets({"training": _set(SCENES, "training"), "synthetic": _set(SCENES[:2], "synthetic")})
    assert not report.leaks
    assert len(report.shared) == 2
    assert report.sentences()[0].startswith("COPIES: the training and the synthetic set share 2 images")


def test_duplicates_within_a_set_are_grouped() -> None:
    brighter = np.clip(SCENES[5:6].astype(int) // 2 + 60, 0, 255).astype(np.uint8)
    report = check_sets({"training": _set(np.concatenate([SCENES, SCENES[:2], brighter]), "training")}).sets[0]
    assert report.exact == (("training[0]", "training[40]"), ("training[1]", "training[41]"))
    assert report.near == (("training[5]", "training[42]"),)


def test_broken_constant_and_ignored_files_are_listed(data_folder: Path) -> None:
    report = check_sets({"odd": data_folder / "files" / "odd"})
    odd = report.sets[0]
    assert {item.path for item in odd.broken} >= {"truncated.png", "empty.png", "nan_inf.nii.gz", "pickled.npy"}
    assert {item.path for item in odd.ignored} == {".hidden.png", "Thumbs.db", "pair.img"}
    assert odd.constant == ("constant.png", "one_pixel.png")
    assert any({"UPPER.PNG", "no_extension_png", "bmp.bmp"} <= set(group) for group in odd.exact)
    assert len(report.differences) == 1
    json.dumps(report.to_json())


def test_sets_that_cannot_be_compared_are_told_why() -> None:
    report = check_sets({"training": _set(SCENES, "training"), "synthetic": _set(SCENES / 255.0, "synthetic")})
    assert report.differences[0].startswith("the synthetic set is scaled unlike the training set")
    assert report.differences[0] in report.sentences()


def test_workers_find_the_same(tmp_path: Path, data_folder: Path) -> None:
    opened = open_set(data_folder / "busi_us_128", name="training").take(range(80))
    assert check_sets({"training": opened}).to_json() == check_sets({"training": opened}, workers=2).to_json()


def test_progress_is_told() -> None:
    told = []
    check_sets({"training": _set(SCENES, "training")}, progress=lambda *news: told.append(news))
    assert told[-1] == ("checking the training set", 40, 40)


def test_blocks_find_the_pairs_that_one_product_finds() -> None:
    values = np.random.default_rng(0).normal(size=(2100, 8)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    rows, columns = np.nonzero(values @ values.T >= 0.9)
    found = [np.stack(pair[:2]) for pair in similar_pairs(values, values, 0.9)]
    assert set(zip(rows, columns, strict=True)) == set(zip(*np.concatenate(found, axis=1), strict=True))


def test_known_repeats_of_ultrasound_images_are_found_without_a_false_one(data_folder: Path) -> None:
    opened = open_set(data_folder / "busi_us_128", name="training")
    known = np.array([entry.columns["dup_group"] for entry in opened.entries])
    found = near_duplicate_groups(opened)
    upper = np.triu_indices(len(opened), 1)
    same_known, same_found = ((of[:, None] == of)[upper] for of in (known, found))
    assert not (same_found & ~same_known).any()
    assert (same_found & same_known).sum() >= 0.75 * same_known.sum()


def test_radiographs_of_different_patients_are_not_near_duplicates(data_folder: Path) -> None:
    opened = open_set(data_folder / "nih_cxr_224", name="training")
    groups = near_duplicate_groups(opened)
    assert all(len(set(opened.patients[groups == group])) == 1 for group in set(groups.tolist()))


def test_a_clean_split_of_real_radiographs_does_not_leak(data_folder: Path) -> None:
    opened = open_set(data_folder / "nih_cxr_224", name="all")
    parts = split_by_patient(opened, {"training": 0.5, "holdout": 0.5}, seed=2)
    assert not check_sets(parts).leaks
    leaky = {**parts, "holdout": opened.take(range(0, len(opened), 7))}
    kinds = {item.kind for item in check_sets(leaky).leakage}
    assert kinds == {"exact", "patient"}


@pytest.mark.parametrize("shape", [(1, 20, 20), (3, 20, 20), (1, 18, 18, 18)])
def test_constant_images_are_not_similar_to_anything(shape: tuple[int, ...]) -> None:
    images = np.stack([np.full(shape, value, dtype=np.float32) for value in (0.1, 0.7)])
    assert len(set(near_duplicate_groups(ImageSet.from_array(images)))) == 2


def test_single_files_are_checked_and_a_broken_one_is_listed(data_folder: Path) -> None:
    odd = data_folder / "files" / "odd"
    report = check_sets({"good": odd / "bmp.bmp", "bad": odd / "truncated.nii.gz", "none": odd / "text.png"})
    assert [item.path for item in report.broken] == ["truncated.nii.gz", "text.png"]
    assert [found.images for found in report.sets] == [1, 0, 0]
    assert "bad: no image can be read." in report.sentences()
