"""Halves of patients, the choice of an attack, operating points and epsilon."""

from __future__ import annotations

import numpy as np
import pytest

from fourfold.privacy.membership import best_attack, epsilon_on_halves, first_half, operating_point, patient_scores
from fourfold.privacy.membership.choice import area_on
from fourfold.statistics import upper_bound


def _people(training: int, holdout: int, images: int = 1) -> tuple[np.ndarray, np.ndarray]:
    patients = np.repeat(np.arange(training + holdout), images)
    return patients, patients < training


def test_patients_are_dealt_and_never_images() -> None:
    patients, members = _people(31, 20, images=4)
    chosen = first_half(patients, members, seed=3)
    for patient in range(51):
        assert len(set(chosen[patients == patient])) == 1
    assert len(np.unique(patients[chosen & members])) == 15
    assert len(np.unique(patients[chosen & ~members])) == 10
    assert not np.array_equal(chosen, first_half(patients, members, seed=4))
    assert np.array_equal(chosen, first_half(patients, members, seed=3))


def test_the_area_of_a_chosen_attack_is_unbiased_and_that_of_the_best_on_the_spot_is_not() -> None:
    rng = np.random.default_rng(0)
    patients, members = _people(60, 60)
    reported, on_the_spot = [], []
    for seed in range(120):
        scores = {("space", str(attack)): rng.normal(size=120) for attack in range(12)}
        half = first_half(patients, members, seed)
        chosen, areas = best_attack(scores, patients, members, half)
        assert areas[chosen] == max(areas.values())
        reported.append(area_on(scores[chosen], patients, members, ~half).value)
        on_the_spot.append(max(best_attack(scores, patients, members, ~half)[1].values()))
    assert np.mean(reported) == pytest.approx(0.5, abs=0.02)
    assert np.mean(on_the_spot) > 0.58


def test_a_patient_is_as_exposed_as_the_most_telling_image() -> None:
    patients, members = _people(3, 2, images=2)
    scores, names, sides, rule = patient_scores(np.arange(10.0), patients, members, seed=0)
    assert scores.tolist() == [1, 3, 5, 7, 9]
    assert names.tolist() == [0, 1, 2, 3, 4]
    assert sides.tolist() == [True, True, True, False, False]
    assert rule == "highest image"


def test_more_images_a_training_patient_do_not_raise_the_scores_of_training_patients() -> None:
    rng = np.random.default_rng(1)
    counts = np.repeat([6, 1], [150, 150])
    patients = np.repeat(np.arange(300), counts)
    members = patients < 150
    shares = []
    for seed in range(40):
        scores, _, sides, rule = patient_scores(rng.normal(size=len(patients)), patients, members, seed)
        assert rule == "one image drawn"
        shares.append(np.mean(scores[sides][:, None] > scores[~sides]))
    assert np.mean(shares) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("training", "holdout"), [(200, 200), (60, 300), (1000, 200)])
def test_without_leakage_about_as_many_members_as_outsiders_are_named(training: int, holdout: int) -> None:
    rng = np.random.default_rng(training)
    patients, members = _people(training, holdout)
    named, size, bounds = 0, 0, []
    for seed in range(300):
        point = operating_point(rng.normal(size=training + holdout), members, first_half(patients, members, seed), 0.01)
        named, size = named + point.named, size + point.members
        bounds.append(upper_bound(point.named, point.members))
        assert point.controls == holdout // 2
        assert point.named_of_1000 >= 1000 * point.named / point.members
    assert 0.005 < named / size <= 0.0125
    assert np.mean(np.array(bounds) >= 0.01) >= 0.95 if training <= 200 else np.mean(bounds) > 0.01


def test_the_threshold_rests_on_the_first_half_alone() -> None:
    rng = np.random.default_rng(2)
    patients, members = _people(300, 300)
    half = first_half(patients, members, seed=0)
    scores = rng.normal(size=600)
    raised = np.where(half, scores, scores + 100)
    before, after = (operating_point(one, members, half, 0.01) for one in (scores, raised))
    assert after.threshold == before.threshold
    assert (after.named, after.accused) == (150, 150)


def test_too_few_controls_give_no_operating_point() -> None:
    patients, members = _people(300, 190)
    assert operating_point(np.arange(490.0), members, first_half(patients, members, 0), 0.01) is None


def test_epsilon_is_refuted_where_many_members_are_named_and_hardly_ever_without_leakage() -> None:
    rng = np.random.default_rng(3)
    patients, members = _people(300, 300)
    refuted = 0
    for seed in range(60):
        half = first_half(patients, members, seed)
        refuted += epsilon_on_halves(rng.normal(size=600), members, half).lower > 0
    assert refuted <= 6
    leaking = np.where(members & (rng.random(600) < 0.4), 6.0, 0.0) + rng.normal(size=600)
    found = epsilon_on_halves(leaking, members, half)
    assert found.lower > 1.5
    assert found.members == found.others == 150
