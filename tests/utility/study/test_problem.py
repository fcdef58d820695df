from dataclasses import replace

import numpy as np
import pytest

from fourfold.utility.study import Arm
from fourfold.utility.study.problem import Place, drawn


def rows(problem, source, examples):
    """Which images of a source were drawn, by their content."""
    place = {image.tobytes(): row for row, image in enumerate(problem.sources[source].images)}
    return [place[image.tobytes()] for image in examples.images if image.tobytes() in place]


def test_draws_of_one_seed_are_nested_and_those_of_two_differ(known):
    problem = known.problem(0, real=40)
    few, many = (set(rows(problem, "real", drawn(problem, Arm("", (("real", n),), n), Place(0), 0))) for n in (10, 20))
    assert few < many
    other = set(rows(problem, "real", drawn(problem, Arm("", (("real", 10),), 10), Place(1), 0)))
    assert other != few


def test_draws_hold_the_classes_in_proportion(known):
    problem = known.problem(0, real=60)
    for seed in range(5):
        found = drawn(problem, Arm("", (("real", 20),), 20), Place(seed), 0)
        assert abs(found.targets[:, 1].sum() - 10) <= 1


def test_repeated_images_stand_equally_often(known):
    problem = known.problem(0, real=30)
    found = drawn(problem, Arm("", (("real", 30),), 75), Place(0), 0)
    counts = np.bincount(rows(problem, "real", found), minlength=30)
    assert counts.sum() == 75
    assert set(counts) == {2, 3}


def test_images_that_stand_once_more_than_others_hold_the_classes_in_proportion(known):
    problem = known.problem(0, real=40)
    # Sorted by class, as folders are.
    order = np.argsort(problem.sources["real"].targets[:, 1], kind="stable")
    real = problem.sources["real"].take(order)
    found = drawn(replace(problem, sources={"real": real}), Arm("", (("real", 40),), 60), Place(0), 0)
    assert found.targets[:, 1].sum() == 30


@pytest.mark.parametrize("each", [1, 3])
def test_two_halves_share_no_patient_and_make_up_the_whole(known, each):
    problem = known.problem(0, real=21, each=each)
    arm = Arm("", (("real", 21 * each),), 21 * each)
    halves = [drawn(problem, arm, Place(5, 0, half), 0) for half in (0, 1)]
    patients = [set(problem.sources["real"].patients[rows(problem, "real", half)]) for half in halves]
    assert not patients[0] & patients[1]
    assert abs(len(halves[0]) - len(halves[1])) <= 2 * each


def test_a_half_of_repeated_images_is_repeated_as_often(known):
    problem = known.problem(0, real=40)
    half = drawn(problem, Arm("", (("real", 40),), 120), Place(5, 0, 0), 0)
    assert len(half) == 60
    assert len(set(rows(problem, "real", half))) == 20


def test_patients_of_two_sources_stay_apart(known):
    problem = known.problem(0, real=20, gan=(20, {}))
    found = drawn(problem, Arm("", (("real", 20), ("gan", 20)), 40), Place(0), 0)
    assert len(set(found.patients)) == 40


def test_digests_do_not_change_with_the_subgroups_of_the_test_set(known):
    problem = known.problem(0, real=20)
    sexes = np.array(["f", "m"])[np.arange(len(problem.test)) % 2]
    divided = replace(problem, test=replace(problem.test, groups={"sex": sexes}))
    assert divided.digests() == problem.digests()
    assert set(problem.digests()) == {*problem.sources, "test"}
    other = replace(problem, test=replace(problem.test, images=problem.test.images + 1))
    assert other.digests()["test"] != problem.digests()["test"]
