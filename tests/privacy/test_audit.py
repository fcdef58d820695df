from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fourfold.comparison import Sets
from fourfold.images.sets import ImageSet, Preparation
from fourfold.privacy import Policy, conclude, copies
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


def test_the_score_alone_carries_a_verdict(clean: Score, leaking: Score) -> None:
    status, sentence, keys = conclude([clean], Policy(copy_rate=0.1, required=("copies",)))
    assert (status, keys) == ("pass", ("privacy/copies@pixels",))
    assert "No copy of a training image was found among 150 synthetic images" in sentence
    assert conclude([clean])[0] == "inconclusive"
    status, sentence, _ = conclude([leaking])
    assert status == "fail"
    assert "3 of 150 synthetic images are copies of training images (2 patients" in sentence


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
