"""A whole fit: who is learned from, who is judged by, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fourfold as ff
from fourfold.errors import InputError
from fourfold.features import get
from fourfold.features.perceptual import DISTORTIONS, Tuning, exercise_by_judgements, exercise_by_rule, fit
from fourfold.images import ImageSet, prepare

UNSEEN = ("shift", "noise", "contrast")


@pytest.fixture(scope="module")
def chests() -> ImageSet:
    found = ff.phantoms("chest", 40, images_per_patient=1, size=24)
    return prepare({"images": found.to_image_set()}, scaling="0:1")["images"]


def test_no_patient_that_is_judged_by_was_learned_from_and_no_unseen_distortion_either(chests: ImageSet) -> None:
    exercise = exercise_by_rule(chests, 60, UNSEEN, seed=1)
    learned = {image.tobytes() for image in exercise.learned.load(range(60))[0]}
    for test in exercise.tests.values():
        assert not learned & {image.tobytes() for image in test.load(range(len(test)))[0]}
    seen, kept = exercise.tests.values()
    assert not np.isin(exercise.learned.kinds, UNSEEN).any()
    assert not np.isin(seen.kinds, UNSEEN).any()
    assert np.isin(kept.kinds, UNSEEN).all()
    assert set(exercise.seen) == set(DISTORTIONS) - set(UNSEEN)
    assert list(exercise_by_rule(chests, 8).tests) == ["held-out patients"]


def test_a_head_learns_to_rank_distortions_that_it_never_saw(chests: ImageSet) -> None:
    exercise = exercise_by_rule(chests, 500, UNSEEN, held_out=0.4)
    found = fit(get("histogram"), exercise, Tuning("mlp", steps=150, hidden=64, learning_rate=1e-3))
    name = "held-out patients, unseen distortions"
    assert found.before[name].value < 0.8
    assert found.after[name].interval[0] > found.before[name].interval[1]
    assert found.after[name].value > 0.9


def test_the_record_says_who_was_seen(chests: ImageSet, tmp_path: Path) -> None:
    exercise = exercise_by_rule(chests, 24, UNSEEN)
    found = fit(get("pixels?size=8"), exercise, Tuning("mlp", steps=2, hidden=8))
    facts = found.facts(of_patients=False)
    assert facts["tuned_on"] == "24 triplets made by rule from 30 phantoms"
    assert facts["unseen"] == list(UNSEEN)
    assert set(facts["scores"]) == set(exercise.tests)
    assert json.loads(json.dumps(facts)) == facts
    assert found.facts(of_patients=True)["tuned_on"].endswith("images of patients")
    lines = [f"{one},{chests.paths[row - 1]},{chests.paths[row - 2]},a" for row, one in enumerate(chests.paths)]
    table = tmp_path / "judgements.csv"
    table.write_text("reference,a,b,vote\n" + "\n".join(lines) + "\n")
    judgements = exercise_by_judgements(chests, table)
    assert (judgements.source, judgements.images, len(judgements.tests)) == ("judgements", 30, 1)


def test_shares_and_distortions_that_cannot_be_are_refused(chests: ImageSet) -> None:
    with pytest.raises(InputError, match="held out lies between 0 and 1, got 1"):
        exercise_by_rule(chests, 20, held_out=1.0)
    with pytest.raises(InputError, match="there is no distortion 'fog'"):
        exercise_by_rule(chests, 20, ("fog",))
    with pytest.raises(InputError, match="fewer than two distortions are left"):
        exercise_by_rule(chests, 20, tuple(DISTORTIONS)[1:])
