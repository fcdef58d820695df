from __future__ import annotations

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features
from fourfold.privacy import attribute_inference, inference
from fourfold.privacy.excess import Excess, one_image_each
from fourfold.privacy.inference import correct

DIMENSION = 10


def _people(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and a class that they show in part."""
    images = rng.normal(size=(size, DIMENSION)).astype(np.float32)
    return images, np.where(images[:, 0] + 1.5 * rng.normal(size=size) > 0, "ill", "well")


def _comparison(rng: np.random.Generator, training: int, holdout: int, copies: float) -> Comparison:
    (real, classes), (control, others), (synthetic, told) = (_people(rng, size) for size in (training, holdout, 200))
    copied = int(copies * 200)
    rows = rng.integers(0, training, copied)
    synthetic[:copied] = real[rows] + 0.1 * rng.normal(size=(copied, DIMENSION))
    told[:copied] = classes[rows]
    return Comparison(
        "space",
        Features(real, np.arange(training), classes),
        Features(synthetic, None, told),
        Features(control, np.arange(training, training + holdout), others),
    )


@pytest.mark.parametrize(("training", "holdout"), [(100, 100), (40, 200), (200, 40)])
def test_labels_that_images_show_are_no_inference_about_training_patients(training: int, holdout: int) -> None:
    scores = [inference(_comparison(np.random.default_rng(seed), training, holdout, 0.0)) for seed in range(60)]
    assert np.mean([score.details["training"] for score in scores]) > 0.5
    assert np.mean([score.details["p"] <= 0.05 for score in scores]) <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 60)
    assert np.mean([score.departs() == "worse" for score in scores]) <= 0.025 + 2.5 * np.sqrt(0.025 * 0.975 / 60)
    excess = [score.value for score in scores]
    assert np.mean(excess) == pytest.approx(0, abs=3 * np.std(excess) / np.sqrt(60))


def test_copies_with_their_labels_give_the_secret_away() -> None:
    score = inference(_comparison(np.random.default_rng(0), 150, 150, 1.0))
    assert score.departs() == "worse"
    assert score.value > 0.15
    endpoint = score.details["endpoints"][0]
    assert endpoint["name"] == "inference_excess"
    assert endpoint["main"][1] == endpoint["control"][1] == 150


def test_a_negative_guess_is_no_correct_guess() -> None:
    # Published code divides the error by the signed guess: every negative guess then passes as correct.
    guesses, secrets = np.array([-100.0, -1.0, 0.0, 52.0]), np.array([50.0, 50.0, 50.0, 50.0])
    assert correct(guesses, secrets, span=60.0).tolist() == [False, False, False, True]
    assert correct(-guesses, -secrets, span=60.0).tolist() == [False, False, False, True]


def test_small_numbers_are_guessed_within_a_share_of_the_range_and_not_of_themselves() -> None:
    assert correct(np.array([0.02]), np.array([0.0]), span=1.0).all()


def _with_findings(patients: int, unknown: int) -> Comparison:
    rng = np.random.default_rng(1)
    real, control, synthetic = (rng.normal(size=(size, DIMENSION)).astype(np.float32) for size in (60, 60, 80))
    age = rng.uniform(20, 90, 60)
    age[:unknown] = np.nan
    synthetic[:60] = real + 0.01 * rng.normal(size=real.shape)
    told = np.concatenate([age, rng.uniform(20, 90, 20)])
    told[-5:] = np.nan
    return Comparison(
        "space",
        Features(real, np.arange(60) % patients, findings={"age": age, "constant": np.ones(60)}),
        Features(synthetic, findings={"age": told, "constant": np.ones(80)}),
        Features(control, np.arange(100, 160), findings={"age": rng.uniform(20, 90, 60), "constant": np.ones(60)}),
    )


def test_numbers_are_inferred_and_only_attacks_that_were_made_are_counted() -> None:
    comparison = _with_findings(patients=60, unknown=12)
    score = inference(comparison)
    assert score.details["secret"] == "age"
    assert score.details["attempts"] == {"training": 48, "holdout": 60}
    assert score.details["training"] == 1.0
    assert score.details["holdout"] < 0.3
    assert list(score.details["secrets"]) == ["age"], "a secret that does not vary is none"


def test_a_patient_with_several_images_is_one_attempt() -> None:
    assert inference(_with_findings(patients=20, unknown=0)).details["attempts"] == {"training": 20, "holdout": 60}


def test_one_image_of_each_patient_is_drawn() -> None:
    patients = np.array([4, 4, 2, 9, 9, 9])
    drawn = np.array([one_image_each(patients, np.random.default_rng(seed)) for seed in range(200)])
    assert (patients[drawn] == [2, 4, 9]).all()
    assert set(drawn[:, 2]) == {3, 4, 5}


def test_the_exact_p_value_and_the_interval_agree_on_what_is_clear() -> None:
    clear, null = Excess((40, 50), (10, 50)), Excess((10, 50), (10, 50))
    assert clear.p < 1e-6
    assert clear.score("inference", "space", "source").departs() == "worse"
    assert null.p > 0.5
    assert null.score("inference", "space", "source").departs() == "no"
    assert null.band[0] < 0 < null.band[1]


@pytest.mark.parametrize("lacking", ["holdout", "labels"])
def test_what_is_missing_is_said(lacking: str) -> None:
    comparison = _comparison(np.random.default_rng(2), 40, 40, 0.0)
    if lacking == "holdout":
        comparison.holdout = None
    else:
        comparison.synthetic = Features(comparison.synthetic.values)
    score = inference(comparison)
    assert score.value is None
    assert lacking in score.reason


def test_a_secret_that_hardly_anybody_has_is_left_out() -> None:
    comparison = _with_findings(patients=60, unknown=55)
    told = comparison.synthetic.findings["age"]
    secrets = {"age": (told, comparison.training.findings["age"], comparison.holdout.findings["age"])}
    assert attribute_inference(comparison, secrets) == {}
    assert "10 patients" in inference(comparison).reason
