"""Splits keep patients whole and classes in proportion, and are recorded."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.images import ImageSet, open_set, split_by_patient, write_images, write_split

HALVES = {"training": 0.6, "holdout": 0.4}


def _patients(count: int = 200, seed: int = 0) -> ImageSet:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 6, count)
    patients = np.repeat([f"p{number:03d}" for number in range(count)], sizes)
    ill = generator.random(count) < 0.2
    labels = np.repeat(np.where(ill, "ill", "well"), sizes)
    images = np.arange(len(patients), dtype=np.float32)[:, None, None, None] / len(patients) * np.ones((1, 1, 2, 2))
    return ImageSet.from_array(images, name="all", labels=labels, patients=patients)


def test_no_patient_is_in_two_parts_and_no_image_is_lost() -> None:
    image_set = _patients()
    parts = split_by_patient(image_set, HALVES, seed=4)
    assert not set(parts["training"].patients) & set(parts["holdout"].patients)
    assert sorted(parts["training"].paths + parts["holdout"].paths) == sorted(image_set.paths)


def test_each_class_is_dealt_in_proportion_to_within_one_patient() -> None:
    image_set = _patients()
    training = split_by_patient(image_set, HALVES, seed=4)["training"]
    for label in ("ill", "well"):
        everyone = len(set(image_set.patients[image_set.labels == label]))
        chosen = len(set(training.patients[training.labels == label]))
        assert abs(chosen - 0.6 * everyone) <= 1


def test_a_seed_gives_one_split_and_another_seed_another() -> None:
    image_set = _patients()
    first, again, other = (split_by_patient(image_set, HALVES, seed=seed)["training"].paths for seed in (1, 1, 2))
    assert first == again != other


def test_large_patients_are_as_likely_as_small_ones_to_be_in_a_part() -> None:
    patients = ["large"] * 30 + [f"p{number}" for number in range(9)]
    image_set = ImageSet.from_array(np.zeros((39, 1, 2, 2)), patients=patients)
    drawn = [
        "large" in split_by_patient(image_set, {"a": 0.5, "b": 0.5}, seed=seed)["a"].patients for seed in range(200)
    ]
    assert 70 < sum(drawn) < 130


def test_fractions_below_one_leave_patients_out() -> None:
    parts = split_by_patient(_patients(), {"training": 0.25, "holdout": 0.25}, seed=0)
    assert [len(set(part.patients)) for part in parts.values()] == pytest.approx([50, 50], abs=1)


def test_near_duplicates_stay_together_where_there_are_no_patients() -> None:
    generator = np.random.default_rng(0)
    scenes = generator.random((12, 1, 16, 16)).astype(np.float32)
    images = np.concatenate([scenes, scenes * 0.9 + 0.05, scenes])
    parts = split_by_patient(ImageSet.from_array(images), HALVES, seed=3)
    rows = [int(re.search(r"\[(\d+)\]", path)[1]) % 12 for path in parts["training"].paths]
    assert all(rows.count(row) == 3 for row in set(rows))


@pytest.mark.parametrize("fractions", [{}, {"a": 0.7, "b": 0.7}, {"a": -0.1, "b": 0.5}, {"a": float("nan")}])
def test_fractions_that_are_no_shares_are_refused(fractions: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"are no shares; give positive numbers that add up to at most 1$"):
        split_by_patient(_patients(), fractions, seed=0)


def test_too_few_patients_are_refused() -> None:
    image_set = ImageSet.from_array(np.zeros((4, 1, 2, 2)), name="scans", patients=["a"] * 4)
    with pytest.raises(InputError, match=r"^the scans set has 1 patients, too few for 2 parts; add patients$"):
        split_by_patient(image_set, HALVES, seed=0)


def test_a_recorded_split_opens_as_it_was(tmp_path: Path) -> None:
    image_set = _patients(20)
    folder = write_images(image_set, tmp_path / "set")
    parts = split_by_patient(open_set(folder, name="all"), HALVES, seed=4)
    file = write_split(parts, tmp_path / "split.csv")
    for name, part in parts.items():
        again = open_set(file, name=name, root=folder, split=name)
        assert again.paths == part.paths
        assert again.patients.tolist() == part.patients.tolist()
        assert again.labels.tolist() == part.labels.tolist()


def test_a_recorded_split_of_frames_opens_as_it_was(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", np.arange(20 * 16, dtype=np.uint16).reshape(20, 4, 4))
    opened = open_set(tmp_path / "set.npy", name="all")
    parts = split_by_patient(opened, HALVES, seed=4, groups=np.arange(20))
    again = open_set(write_split(parts, tmp_path / "split.csv"), name="holdout", split="holdout")
    assert again.paths == parts["holdout"].paths
    assert all(np.array_equal(again.raw(row), parts["holdout"].raw(row)) for row in range(len(again)))


def test_real_radiographs_are_split_by_patient(data_folder: Path) -> None:
    parts = split_by_patient(open_set(data_folder / "nih_cxr_224", name="all"), HALVES, seed=0)
    assert not set(parts["training"].patients) & set(parts["holdout"].patients)
    shares = [np.mean(part.labels == "pneumonia") for part in parts.values()]
    assert shares[0] == pytest.approx(shares[1], abs=0.1)
