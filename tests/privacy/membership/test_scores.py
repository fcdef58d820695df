"""The membership scores: what they say of sets that copy nobody, and of sets that copy."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features, Sets, Spaces
from fourfold.privacy.membership import attack_scores, battery, membership, worst_case_membership
from fourfold.score import Score
from fourfold.statistics import upper_bound

WIDTH = 16


def _spaces(
    training: np.ndarray,
    synthetic: np.ndarray,
    holdout: np.ndarray | None,
    *,
    images: int = 1,
    seed: int = 0,
    reference: np.ndarray | None = None,
    second: bool = False,
) -> Spaces:
    def features(values: np.ndarray, start: int | None) -> Features:
        owners = None if start is None else start + np.arange(len(values)) // images
        return Features(values.astype(np.float32), owners)

    def comparison(name: str, turn: np.ndarray) -> Comparison:
        return Comparison(
            name,
            features(training @ turn, 0),
            features(synthetic @ turn, None),
            None if holdout is None else features(holdout @ turn, len(training)),
            seed=seed,
            reference=None if reference is None else features(reference @ turn, 10**6),
        )

    named = {"plain": comparison("plain", np.eye(WIDTH))}
    if second:
        named["flat"] = comparison("flat", np.diag(np.r_[np.ones(6), np.zeros(WIDTH - 6)]))
    return Spaces(Sets(None, None), named)  # type: ignore[arg-type]


def _people(rng: np.random.Generator, patients: int, images: int = 1) -> np.ndarray:
    people = np.repeat(rng.normal(size=(patients, WIDTH)), images, axis=0)
    return people + (0.3 * rng.normal(size=people.shape) if images > 1 else 0.0)


def _endpoint(score: Score, name: str) -> dict[str, object]:
    return next(one for one in score.details["endpoints"] if one["name"] == name)


@pytest.mark.parametrize(("training", "holdout", "images"), [(60, 60, 1), (40, 160, 1), (160, 40, 1), (50, 50, 3)])
def test_fresh_patients_give_an_area_of_a_half_whatever_the_sizes(training: int, holdout: int, images: int) -> None:
    rng = np.random.default_rng([training, holdout, images])
    values, covered, alarms = [], 0, 0
    for seed in range(12):
        sets = (_people(rng, training, images), _people(rng, 100), _people(rng, holdout, images))
        one = _endpoint(membership(_spaces(*sets, images=images, seed=seed)), "membership_auc")
        estimate, error = one["estimate"], one["standard_error"]
        values.append(estimate)
        covered += abs(estimate - 0.5) <= 1.96 * error
        alarms += estimate - 1.645 * error > 0.6
        assert one["size"] == min(training, holdout) // 2
    assert np.mean(values) == pytest.approx(0.5, abs=0.06)
    assert covered >= 9
    assert alarms <= 1


def test_features_standardised_by_the_training_set_are_no_evidence_against_it() -> None:
    rng = np.random.default_rng(7)
    values, naive = [], []
    for _ in range(6):
        training, synthetic, holdout = (np.exp(1.5 * rng.normal(size=(size, 200))) for size in (60, 100, 60))
        mean, spread = training.mean(axis=0), training.std(axis=0)
        given = [((one - mean) / spread).astype(np.float32) for one in (training, synthetic, holdout)]
        comparison = Comparison("radiomics", *(Features(one) for one in given))
        scores = attack_scores(comparison, np.arange(120))["distance"]
        values.append(np.mean(scores[:60, None] > scores[60:]))
        distances = np.linalg.norm(np.concatenate([given[0], given[2]])[:, None] - given[1], axis=2).min(axis=1)
        naive.append(np.mean(distances[:60, None] < distances[60:]))
    assert np.mean(naive) > 0.57
    assert np.mean(values) == pytest.approx(0.5, abs=0.05)


def test_a_generator_that_learned_a_fifth_by_heart_is_recognised() -> None:
    rng = np.random.default_rng(1)
    training, holdout, synthetic = (_people(rng, 400) for _ in range(3))
    synthetic[:80] = training[:80] + rng.normal(0, 0.2, (80, WIDTH))
    score = membership(_spaces(training, synthetic, holdout, second=True))
    assert score.departs() == "worse"
    assert score.value > 0.57
    named = _endpoint(score, "membership_tpr")
    assert named["size"] == 200
    assert 0.12 < named["count"] / named["size"] < 0.3
    assert score.details["epsilon"]["lower"] > 0.5
    column = score.per_training["membership"]
    assert column[:80].mean() > 0.95
    assert column[80:].mean() == pytest.approx(0.5, abs=0.06)


def test_nobody_is_accused_of_noise_and_the_sentence_about_outsiders_follows_from_the_counts() -> None:
    rng = np.random.default_rng(2)
    sets = (_people(rng, 300) for _ in range(3))
    score = membership(_spaces(*sets, second=True))
    assert score.departs() == "no"
    assert score.interval[0] <= 0.5
    point = next(one for one in score.details["operating_points"] if one["rate"] == 0.01)
    assert point["by_chance"] == 10
    assert point["named_of_1000"] == int(np.ceil(1000 * upper_bound(point["named"], point["members"])))
    rare = next(one for one in score.details["operating_points"] if one["rate"] == 0.001)
    assert "5000" in rare["reason"]


def test_a_small_holdout_reports_an_area_and_says_why_nobody_can_be_named_at_one_percent() -> None:
    rng = np.random.default_rng(3)
    score = membership(_spaces(_people(rng, 120), _people(rng, 120), _people(rng, 60)))
    assert [one["name"] for one in score.details["endpoints"]] == ["membership_auc"]
    assert score.reason == "1 % false alarms cannot be set with 60 holdout patients; it takes 198"


def test_a_reference_set_calibrates_instead_of_the_other_patients() -> None:
    rng = np.random.default_rng(4)
    training, synthetic, holdout, reference = (_people(rng, 150) for _ in range(4))
    synthetic[:60] = training[:60] + rng.normal(0, 0.1, (60, WIDTH))
    score = membership(_spaces(training, synthetic, holdout, reference=reference))
    assert score.details["calibrated_by"] == "reference set"
    assert score.departs() == "worse"
    assert membership(_spaces(training, synthetic, holdout)).details["calibrated_by"] == "other real patients"


def test_relabelling_the_patients_leaves_every_attack_score_where_it_was() -> None:
    # Scores may not depend on which of the real images are the training images: swapping the sets swaps the scores.
    rng = np.random.default_rng(5)
    one, synthetic, other = _people(rng, 70), _people(rng, 90), _people(rng, 50)
    patients = np.arange(120)
    before = attack_scores(_spaces(one, synthetic, other).comparisons["plain"], patients)
    after = attack_scores(_spaces(other, synthetic, one).comparisons["plain"], np.r_[patients[70:], patients[:70]])
    for name in set(before) - {"classifier", "kernel density ratio"}:
        assert np.allclose(np.r_[after[name][50:], after[name][:50]], before[name]), name
    swapped = np.r_[after["kernel density ratio"][50:], after["kernel density ratio"][:50]]
    assert np.corrcoef(swapped, before["kernel density ratio"])[0, 1] > 0.999


def test_isolated_patients_learned_by_heart_are_found_although_the_others_hide_them() -> None:
    rng = np.random.default_rng(6)
    training, holdout, synthetic = (_people(rng, 500) for _ in range(3))
    for one in (training, holdout):
        one[:40] *= 3
    synthetic[:40] = training[:40] + rng.normal(0, 0.3, (40, WIDTH))
    spaces = _spaces(training, synthetic, holdout)
    score = worst_case_membership(spaces)
    assert score.details["worst"] == "isolated"
    assert score.departs() == "worse"
    assert score.value > 0.8 > membership(spaces).value
    (endpoint,) = score.details["endpoints"]
    assert endpoint["group"] == "isolated"
    assert endpoint["size"] >= 20
    assert {one["group"]: one.get("reason") for one in score.details["groups"]}["duplicated"] is not None


def test_groups_of_exposed_patients_are_no_different_without_leakage() -> None:
    rng = np.random.default_rng(8)
    values = []
    for seed in range(6):
        score = worst_case_membership(_spaces(*(_people(rng, 500) for _ in range(3)), seed=seed))
        values.extend(one["estimate"] for one in score.details.get("endpoints", ()))
    assert len(values) >= 4
    assert np.mean(values) == pytest.approx(0.5, abs=0.09)


def test_both_scores_share_one_run_of_the_attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    spaces = _spaces(*(_people(rng, 60) for _ in range(3)))
    membership(spaces)
    monkeypatch.setattr("fourfold.privacy.membership.battery.attack_scores", None)
    assert worst_case_membership(spaces).value is None
    assert membership(spaces).value is not None


def test_what_is_kept_goes_with_the_comparison() -> None:
    rng = np.random.default_rng(10)
    spaces = _spaces(*(_people(rng, 40) for _ in range(3)))
    membership(spaces)
    kept = battery._KEPT
    key = tuple(id(one) for one in spaces.comparisons.values())
    assert key in kept
    del spaces
    assert key not in kept


@pytest.mark.parametrize("compute", [membership, worst_case_membership])
def test_what_cannot_be_asked_says_why(compute: object) -> None:
    rng = np.random.default_rng(11)
    one, few = _people(rng, 40), _people(rng, 5)
    assert "needs a holdout" in compute(_spaces(one, one, None)).reason
    assert compute(_spaces(one, one, few)).reason == "needs 20 holdout patients, got 5"
    assert compute(_spaces(one, few, one)).reason == "needs 10 synthetic images"
    codes = [Features(np.zeros((40, WIDTH), dtype=np.float32)) for _ in range(3)]
    constant = Comparison("codes", *codes, distance="hamming")
    assert compute(Spaces(Sets(None, None), {"codes": constant})).reason.startswith("no attack tells")


def test_the_details_can_be_written_as_json_and_name_no_patient() -> None:
    rng = np.random.default_rng(12)
    spaces = _spaces(*(_people(rng, 420) for _ in range(3)))
    for score in (membership(spaces), worst_case_membership(spaces)):
        assert json.loads(json.dumps(score.details, allow_nan=False))
