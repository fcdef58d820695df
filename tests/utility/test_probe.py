import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fourfold.comparison import Comparison, Features
from fourfold.score import metrics
from fourfold.utility import LinearProbe, linear_probe
from fourfold.utility.tasks import Labelled

SPLITS = 3


def people(seed, size, classes=2, columns=5):
    random = np.random.default_rng([23, seed])
    codes = np.arange(size) % classes
    values = random.normal(size=(size, columns))
    values[np.arange(size), codes] += 2.0
    return values.astype(np.float32), np.array(list("abcdef"))[codes]


def ask(training, synthetic, holdout=None, **options):
    return linear_probe(*training, *synthetic, *(holdout or ()), splits=SPLITS, **options)


def test_fresh_real_images_are_as_good_as_real_ones():
    score, gain = ask(people(0, 150), people(1, 150), people(2, 150))
    assert score.departs() == "no"
    assert 0.85 < score.value < 1.0
    assert abs(gain.value) < 0.05
    assert gain.null == 0.0


def test_shuffled_labels_train_a_worse_model():
    values, labels = people(1, 150)
    score, gain = ask(people(0, 150), (values, np.where(labels == "a", "b", "a")), people(2, 150))
    assert score.departs() == "worse"
    assert score.value < 0.2
    assert gain.value < -0.1


def test_copies_of_the_training_set_add_exactly_nothing():
    training = people(0, 100)
    score, gain = ask(training, training, people(2, 100))
    assert score.value == pytest.approx(score.null, abs=1e-6)
    assert gain.value == pytest.approx(0.0, abs=1e-3)


def test_many_classes_are_averaged():
    score, _ = ask(people(0, 200, 4), people(1, 200, 4), people(2, 200, 4))
    assert score.details["classes"] == ["a", "b", "c", "d"]
    assert 0.8 < score.value < 1.0


def test_findings_are_learned_one_against_the_rest():
    def findings(seed):
        values, _ = people(seed, 150)
        random = np.random.default_rng(seed)
        columns = {name: (values[:, k] + random.normal(size=150) > 1).astype(float) for k, name in enumerate("xy")}
        columns["x"][:5] = np.nan
        return values, columns

    score, _ = ask(findings(0), findings(1), findings(2))
    assert score.details["findings"] == ["x", "y"]
    assert 0.7 < score.value < 1.0
    assert 0.5 < score.details["arms"]["real"]["accuracy"] < 1.0


def test_sets_of_unequal_size_are_compared_at_equal_number_and_it_is_said():
    score, _ = ask(people(0, 120), people(1, 60), people(2, 100))
    assert score.details["images_per_arm"] == 60
    assert "compared at equal number, 60, drawn by patient" in score.reason


def test_without_a_holdout_halves_of_the_training_patients_are_tested_and_it_is_said():
    patients = np.arange(120) // 3
    training = people(0, 120)
    score, _ = ask(training, people(1, 120), training_patients=patients)
    assert score.value is not None
    assert score.details["test_images"] == 120
    assert score.details["test_patients"] == 40
    assert score.reason.startswith("no holdout: each half of the training patients was tested on the other half")


def test_details_hold_what_a_report_needs():
    score, _ = ask(people(0, 80), people(1, 80), people(2, 90), holdout_patients=np.arange(90) // 2)
    assert set(score.details["arms"]) == {"real", "synthetic", "real repeated", "real+synthetic"}
    for arm in score.details["arms"].values():
        assert arm["interval"][0] <= arm["auc"] <= arm["interval"][1]
    assert score.details["test_images"] == 90
    assert score.details["test_patients"] == 45
    assert score.details["splits"] == SPLITS


def test_the_same_seed_gives_the_same_scores():
    sets = people(0, 80), people(1, 60), people(2, 80)
    assert ask(*sets, seed=3) == ask(*sets, seed=3)
    assert ask(*sets, seed=3)[0] != ask(*sets, seed=4)[0]


@pytest.mark.parametrize(
    ("synthetic_labels", "reason"),
    [
        (None, "the synthetic set has no labels"),
        (["a"] * 60, "'b' cannot be learned in every set: the synthetic set has no example of it"),
    ],
)
def test_scores_that_do_not_apply_say_why(synthetic_labels, reason):
    values, _ = people(1, 60)
    for score in ask(people(0, 60), (values, synthetic_labels), people(2, 60)):
        assert score.value is None
        assert score.reason == reason


def test_columns_without_spread_and_more_columns_than_images_are_harmless():
    training, synthetic, holdout = (people(seed, 60, columns=200) for seed in range(3))
    for values, _ in (training, synthetic, holdout):
        values[:, 3] = 7.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score, _ = ask(training, synthetic, holdout)
    assert np.isfinite(score.value)


def test_counting_images_twice_is_learning_from_two_copies():
    values, labels = people(0, 60)
    task = Labelled.from_arrays("training", labels, None, 60)
    twice = Labelled.from_arrays("training", np.tile(labels, 2), None, 120)
    counted = LinearProbe()(values, task, 2.0, values, 0)
    copied = LinearProbe()(np.tile(values, (2, 1)), twice, 1.0, values, 0)
    np.testing.assert_allclose(counted, copied, atol=2e-3)


def test_probabilities_are_those_of_scikit_learn():
    values, labels = people(0, 90, 3)
    task = Labelled.from_arrays("training", labels, None, 90)
    expected = LogisticRegression(C=2.0, class_weight="balanced", max_iter=300).fit(values, labels)
    np.testing.assert_allclose(LinearProbe()(values, task, 1.0, values, 0), expected.predict_proba(values), atol=1e-6)


def test_the_register_holds_both_scores_and_a_comparison_is_learned_once(monkeypatch):
    def features(seed):
        values, labels = people(seed, 60)
        return Features(values, labels=labels)

    comparison = Comparison("pixels", features(0), features(1), features(2))
    fits = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda *arguments: fits.append(1) or fit(*arguments))
    found = {metric.name: metric for metric in metrics() if metric.axis == "utility" and metric.kind == "features"}
    score = found["train_synthetic_test_real"].compute(comparison)
    trained = len(fits)
    gain = found["real_plus_synthetic_gain"].compute(comparison)
    assert len(fits) == trained > 0
    assert (score.name, score.features) == ("train_synthetic_test_real", "pixels")
    assert (gain.name, gain.features) == ("real_plus_synthetic_gain", "pixels")


def test_another_comparison_is_not_answered_with_the_last():
    compute = next(metric.compute for metric in metrics() if metric.key == "utility/train_synthetic_test_real")
    none = Features(np.zeros((3, 2), np.float32))
    values, labels = people(0, 60)
    some = Features(values, labels=labels)
    assert compute(Comparison("pixels", some, some, some)).applies
    assert compute(Comparison("pixels", none, some, some)).reason == "the training set has no labels"


def test_a_class_too_rare_to_be_halved_is_a_reason_and_no_fault():
    values, _ = people(0, 400)
    rare = np.where(np.arange(400) < 8, "b", "a")
    few, _ = people(1, 20)
    score, gain = ask((values, rare), (few, np.where(np.arange(20) < 8, "b", "a")), people(2, 60))
    assert score.value is None
    assert "hold one class only" in score.reason
    assert gain.value is None
