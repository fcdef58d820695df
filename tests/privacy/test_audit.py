from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fourfold.comparison import Sets
from fourfold.images.sets import ImageSet, Preparation
from fourfold.privacy import conclude, copies
from fourfold.score import Score


def _set(seed: int, count: int, patients: bool = True) -> ImageSet:
    coarse = np.random.default_rng(seed).random((count, 1, 8, 8)).astype(np.float32)
    images = 0.2 + 0.6 * coarse.repeat(4, axis=2).repeat(4, axis=3)
    names = [f"{seed}-{row}" for row in range(count)] if patients else None
    found = ImageSet.from_array(images, patients=names)
    return replace(found, preparation=Preparation("range", 0, 1, (32, 32), 1))


@pytest.fixture(scope="module")
def sets() -> Sets:
    return Sets(_set(1, 300), _set(2, 150, patients=False), _set(3, 100))


@pytest.fixture(scope="module")
def clean(sets: Sets) -> Score:
    return copies(sets)


@pytest.fixture(scope="module")
def leaking(sets: Sets) -> Score:
    images = sets.synthetic.load()
    images[[10, 20, 30]] = sets.training.load([5, 5, 70])
    synthetic = replace(ImageSet.from_array(images), preparation=sets.synthetic.preparation)
    return copies(replace(sets, synthetic=synthetic))


def _with(score: Score, **details: object) -> Score:
    return score.with_details(**details)


def _worse(name: str = "exposure") -> Score:
    return Score("privacy", name, 0.9, null=0.3, interval=(0.85, 0.95), better="lower", features="radiomics")


def test_a_clean_set_scores_its_null(clean: Score) -> None:
    assert clean.value == 0.0
    assert clean.null == 0.0
    assert clean.departs() == "no"
    assert clean.interval == (0.0, pytest.approx(0.0243, abs=1e-3))


def test_copies_are_listed_with_rows_kinds_and_sources(leaking: Score) -> None:
    columns = leaking.per_synthetic
    assert np.flatnonzero(columns["copy"]).tolist() == [10, 20, 30]
    assert columns["nearest_training"][[10, 20, 30]].tolist() == [5, 5, 70]
    assert (columns["copy_kind"] != "").tolist() == columns["copy"].tolist()
    assert np.flatnonzero(leaking.per_training["copies"]).tolist() == [5, 70]
    assert leaking.details["copies"] == 3
    assert leaking.details["patients"] == 2
    assert leaking.departs() == "worse"


def test_a_pass_says_what_would_have_been_found_and_never_that_a_set_is_safe(clean: Score) -> None:
    status, sentence, keys = conclude([clean])
    assert status == "pass"
    assert "No copy of a training image was found among 150 synthetic images" in sentence
    assert "noise" in sentence
    assert "rotation" in sentence
    assert "safe" not in sentence.lower()
    assert keys == ("privacy/copies@pixels",)


def test_listed_copies_fail(leaking: Score) -> None:
    status, sentence, _ = conclude([leaking])
    assert status == "fail"
    assert "3 of 150 synthetic images are copies of training images (2 patients" in sentence


def test_one_copy_is_spoken_of_in_the_singular(leaking: Score) -> None:
    _, sentence, _ = conclude([_with(leaking, copies=1, patients=1)])
    assert "1 of 150 synthetic images is a copy of a training image (1 patient;" in sentence


def test_copies_that_the_holdout_would_list_as_well_are_inconclusive(leaking: Score) -> None:
    status, sentence, _ = conclude([replace(leaking, null=0.02)])
    assert status == "inconclusive"
    assert "of the holdout 2 %" in sentence


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"holdout_images": 0}, "there is no holdout"),
        ({"distinct_images": 12}, "12 different synthetic images are too few"),
        ({"null_images": 120}, "120 real images make a weak null"),
        ({"power": {"noise": {"recall": 0.1}}}, "too few of the planted copies were found"),
        ({"power": {}}, "no copies were planted"),
    ],
)
def test_little_evidence_is_inconclusive_and_says_why(clean: Score, details: dict, reason: str) -> None:
    status, sentence, _ = conclude([_with(clean, **details)])
    assert status == "inconclusive"
    assert reason in sentence


def test_a_general_nearness_without_copies_is_inconclusive(clean: Score) -> None:
    status, sentence, keys = conclude([clean, _worse()])
    assert status == "inconclusive"
    assert "exposure on radiomics" in sentence
    assert "privacy/exposure@radiomics" in keys


def test_a_score_just_outside_its_interval_among_many_does_not_change_the_verdict(clean: Score) -> None:
    barely = replace(_worse(), value=0.36, interval=(0.305, 0.415))
    others = [replace(_worse(f"other{number}"), value=0.3, interval=(0.2, 0.4)) for number in range(20)]
    assert conclude([clean, barely, *others])[0] == "pass"


def test_without_the_copies_score_nothing_can_be_told() -> None:
    assert conclude([])[0] == "inconclusive"
    missing = Score("privacy", "copies", None, reason="needs three training images")
    assert "needs three training images" in conclude([missing])[1]


def test_scores_of_other_axes_do_not_count(clean: Score) -> None:
    assert conclude([clean, replace(_worse(), axis="fidelity")])[0] == "pass"


def test_without_patients_and_holdout_the_score_says_so(sets: Sets) -> None:
    training = replace(_set(1, 60, patients=False))
    score = copies(Sets(training, sets.synthetic.take(range(20))))
    assert score.value == 0.0
    assert "without a holdout" in score.reason
    assert "without patient identifiers" in score.reason


def test_too_few_images_give_a_reason(sets: Sets) -> None:
    for count in (2, 20):
        score = copies(replace(sets, training=sets.training.take(range(count)), holdout=None))
        assert score.value is None
        assert score.reason


def test_volumes_and_colour_are_searched_too() -> None:
    rng = np.random.default_rng(5)
    for shape in ((1, 6, 24, 24), (3, 24, 24)):
        images = rng.random((140, *shape)).astype(np.float32)
        images[139] = images[3]
        preparation = Preparation("range", 0, 1, shape[1:], shape[0])
        parts = [
            replace(ImageSet.from_array(images[rows]), preparation=preparation)
            for rows in np.split(np.arange(140), [80, 120])
        ]
        score = copies(Sets(parts[0], parts[2], parts[1]))
        assert np.flatnonzero(score.per_synthetic["copy"]).tolist() == [19]
