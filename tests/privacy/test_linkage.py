from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fourfold.comparison import Comparison, Features, Sets, Spaces
from fourfold.images.sets import ImageSet, Preparation
from fourfold.privacy import half_linkage, linkage, second_scan_linkage

DIMENSION = 16


def _scans(rng: np.random.Generator, patients: int, scans: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Scans of patients whose anatomy outweighs the visit."""
    anatomy = np.repeat(rng.normal(size=(patients, DIMENSION)), scans, axis=0)
    return anatomy + 0.6 * rng.normal(size=anatomy.shape), np.repeat(np.arange(patients), scans)


def _pictures(rng: np.random.Generator, size: int) -> np.ndarray:
    """Images whose halves have something in common."""
    common = rng.normal(size=(size, 1, 8, 1))
    return (0.5 + 0.1 * (common + 1.5 * rng.normal(size=(size, 1, 8, 8)))).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize(("training", "holdout"), [(60, 60), (30, 150), (150, 30)])
def test_second_scans_link_no_more_often_for_training_patients_when_nothing_leaks(training: int, holdout: int) -> None:
    p, excess = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        (mine, owners), (theirs, others) = _scans(rng, training), _scans(rng, holdout)
        found = second_scan_linkage(_scans(rng, 200, 1)[0], mine, theirs, owners, others + training, seed=seed).excess
        p.append(found.p)
        excess.append(found.value)
        assert found.main[1] == training
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 60)
    assert np.mean(excess) == pytest.approx(0, abs=3 * np.std(excess) / np.sqrt(60) + 1e-9)


def test_a_synthetic_image_with_the_anatomy_of_a_patient_links_their_scans() -> None:
    rng = np.random.default_rng(0)
    anatomy, other = rng.normal(size=(100, DIMENSION)), rng.normal(size=(100, DIMENSION))
    mine, theirs = (np.repeat(one, 2, axis=0) + 0.4 * rng.normal(size=(200, DIMENSION)) for one in (anatomy, other))
    patients = np.repeat(np.arange(100), 2)
    # Another view of the same anatomy: no copy of either scan.
    synthetic = anatomy + 0.4 * rng.normal(size=anatomy.shape)
    found = second_scan_linkage(synthetic, mine, theirs, patients, patients + 100)
    assert found.recognised > 0.7
    assert found.excess.rates[0] > 0.5
    assert found.excess.rates[1] < 0.1
    assert found.excess.p < 1e-6


def test_patients_with_one_scan_are_in_the_gallery_and_make_no_attempt() -> None:
    rng = np.random.default_rng(1)
    (mine, owners), (theirs, others) = _scans(rng, 40, 3), _scans(rng, 40, 2)
    single, alone = _scans(rng, 25, 1)
    found = second_scan_linkage(
        rng.normal(size=(50, DIMENSION)),
        np.concatenate([mine, single]),
        theirs,
        np.concatenate([owners, alone + 40]),
        others + 100,
    )
    assert (found.excess.main[1], found.excess.control[1]) == (40, 40)


def test_halves_of_copied_images_are_linked_and_those_of_fresh_ones_as_often_as_the_control() -> None:
    rng = np.random.default_rng(2)
    training, holdout, fresh = (_pictures(rng, size) for size in (150, 150, 300))
    null = half_linkage(fresh, training, holdout)
    assert null.p > 0.01
    copied = fresh.copy()
    copied[:75] = training[:75] + 0.02 * rng.normal(size=(75, 1, 8, 8)).astype(np.float32)
    leak = half_linkage(copied, training, holdout)
    assert leak.rates[0] == pytest.approx(0.5, abs=0.1)
    assert leak.p < 1e-6
    assert half_linkage(copied, training, holdout, neighbours=5).rates[1] > leak.rates[1]


def test_one_image_of_each_patient_is_attacked() -> None:
    rng = np.random.default_rng(3)
    training, holdout = _pictures(rng, 60), _pictures(rng, 45)
    found = half_linkage(
        _pictures(rng, 50), training, holdout, np.repeat(np.arange(20), 3), np.repeat(np.arange(15), 3)
    )
    assert (found.main[1], found.control[1]) == (20, 15)


def _set(images: np.ndarray, patients: list[str] | None) -> ImageSet:
    found = ImageSet.from_array(images, patients=patients)
    return replace(found, preparation=Preparation("range", 0, 1, images.shape[2:], 1))


def _spaces(known: bool, holdout: bool = True) -> Spaces:
    rng = np.random.default_rng(4)
    (mine, owners), (theirs, others) = _scans(rng, 30), _scans(rng, 20)
    word = "patient" if known else "group"
    sets = Sets(
        _set(_pictures(rng, 60), [f"{word} {number}" for number in owners]),
        _set(_pictures(rng, 40), None),
        _set(_pictures(rng, 40), [f"{word} {number + 30}" for number in others]) if holdout else None,
    )
    comparison = Comparison(
        "space",
        Features(mine.astype(np.float32), owners),
        Features(rng.normal(size=(40, DIMENSION)).astype(np.float32)),
        Features(theirs.astype(np.float32), others + 30) if holdout else None,
    )
    return Spaces(sets, {"space": comparison})


def test_both_ways_of_linking_report_an_endpoint() -> None:
    halves, scans = linkage(_spaces(known=True))
    assert (halves.features, scans.features) == ("halves", "space")
    for score, pairs in ((halves, 30), (scans, 30)):
        endpoint = score.details["endpoints"][0]
        assert endpoint["name"] == "linkage_excess"
        assert endpoint["kind"] == "difference"
        assert (endpoint["main"][1], endpoint["control"][1]) == (pairs, 20)
        assert score.departs() == "no"


def test_groups_of_near_duplicates_are_no_second_scans() -> None:
    halves, scans = linkage(_spaces(known=False))
    assert halves.value is not None
    assert scans.value is None
    assert "identifiers" in scans.reason


def test_without_a_holdout_there_is_a_reason() -> None:
    assert all("without a holdout" in score.reason for score in linkage(_spaces(known=True, holdout=False)))


def test_too_few_pairs_are_refused() -> None:
    rng = np.random.default_rng(5)
    (mine, owners), (theirs, others) = _scans(rng, 30), _scans(rng, 30, 1)
    with pytest.raises(ValueError, match="two images in training and holdout each, there are 0"):
        second_scan_linkage(mine, mine, theirs, owners, others + 30)


def test_halves_of_real_films_are_linked_by_copies_and_second_films_not_by_films_of_others(data_folder) -> None:
    with (data_folder / "nih_cxr_224" / "metadata.csv").open() as file:
        rows = list(csv.DictReader(file))
    scans: dict[str, list[str]] = {}
    for row in rows:
        scans.setdefault(row["patient_id"], []).append(row["file"])

    def read(files: list[str]) -> np.ndarray:
        pictures = [Image.open(data_folder / "nih_cxr_224" / file).convert("L").resize((32, 32), 4) for file in files]
        return np.stack([np.asarray(one, dtype=np.float32)[None] / 255 for one in pictures])

    pairs = [files[:2] for files in scans.values() if len(files) >= 2]
    films, patients = read([file for pair in pairs for file in pair]), np.repeat(np.arange(len(pairs)), 2)
    fresh = read([files[0] for files in scans.values() if len(files) == 1])
    member = np.repeat(np.random.default_rng(6).permutation(len(pairs)) < len(pairs) // 2, 2)
    training, holdout = (films[member], films[~member]), (patients[member], patients[~member])
    null = second_scan_linkage(*(one.reshape(len(one), -1) for one in (fresh, *training)), *holdout)
    assert null.excess.p > 0.01
    assert half_linkage(fresh, *training, *holdout).p > 0.01
    rng = np.random.default_rng(7)
    copies = training[0] + 0.02 * rng.normal(size=training[0].shape).astype(np.float32)
    leak = half_linkage(np.concatenate([fresh, copies]), *training, *holdout)
    assert leak.value > 0.7
    assert leak.p < 1e-6
