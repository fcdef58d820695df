import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from fourfold.utility.roc import area_under_curve, balanced_accuracy, patient_weights


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 8))
def test_the_area_agrees_with_scikit_learn_with_ties_and_weights(seed, size, levels):
    random = np.random.default_rng(seed)
    present = np.concatenate([[0.0, 1.0], random.integers(0, 2, size)])
    scores = random.integers(0, levels, size + 2) / levels
    weights = random.integers(0, 4, (3, size + 2)).astype(float) + 0.5
    found = area_under_curve(present[:, None], scores[:, None], weights)
    expected = [roc_auc_score(present, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_three_classes_agree_with_scikit_learn_one_against_the_rest():
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, 50)
    scores = random.dirichlet(np.ones(3), 50)
    expected = roc_auc_score(truth, scores, multi_class="ovr", average="macro")
    assert area_under_curve(np.eye(3)[truth], scores)[0] == pytest.approx(expected, abs=1e-12)


def test_two_classes_give_the_area_of_one():
    scores = np.array([0.2, 0.6, 0.5, 0.9])
    truth = np.array([0, 0, 1, 1])
    found = area_under_curve(np.eye(2)[truth], np.stack([1 - scores, scores], axis=1))[0]
    assert found == roc_auc_score(truth, scores)


def test_unknown_findings_do_not_count():
    targets = np.array([[1.0], [0.0], [np.nan]])
    assert area_under_curve(targets, np.array([[0.9], [0.1], [0.0]]))[0] == 1.0


def test_a_resampled_test_set_without_a_class_has_no_area():
    weights = np.array([[1.0, 0.0], [1.0, 1.0]])
    found = area_under_curve(np.array([[0.0], [1.0]]), np.array([[0.1], [0.9]]), weights)
    assert np.isnan(found[0])
    assert found[1] == 1.0


def test_a_finding_of_which_nothing_is_known_has_no_area():
    unknown, scores = np.full((3, 1), np.nan), np.array([[0.2], [0.5], [0.9]])
    for weights, sets in ((None, 1), (np.ones((4, 3)), 4)):
        found = area_under_curve(unknown, scores, weights)
        assert found.shape == (sets,)
        assert np.isnan(found).all()
    beside = np.concatenate([np.array([[1.0], [0.0], [1.0]]), unknown], axis=1)
    assert np.isnan(area_under_curve(beside, np.repeat(scores, 2, axis=1))).all()


def test_accuracy_of_classes_is_balanced():
    random = np.random.default_rng(4)
    truth = random.integers(0, 3, 40)
    scores = random.dirichlet(np.ones(3), 40)
    expected = balanced_accuracy_score(truth, scores.argmax(axis=1))
    assert balanced_accuracy(np.eye(3)[truth], scores, exclusive=True) == pytest.approx(expected)


def test_accuracy_of_findings_is_the_mean_of_sensitivity_and_specificity():
    targets = np.array([[1.0], [1.0], [0.0], [0.0], [0.0], [np.nan]])
    scores = np.array([[0.9], [0.1], [0.2], [0.3], [0.8], [0.9]])
    assert balanced_accuracy(targets, scores, exclusive=False) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_images_of_a_patient_are_drawn_together():
    groups = np.array([0, 0, 1, 2, 2])
    weights = patient_weights(groups, 50, np.random.default_rng(0))
    assert weights.shape == (50, 5)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    np.testing.assert_array_equal(weights[:, 3], weights[:, 4])
    np.testing.assert_array_equal(weights[:, [0, 2, 3]].sum(axis=1), 3)
