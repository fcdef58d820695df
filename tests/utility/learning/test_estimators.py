import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fourfold.errors import InputError
from fourfold.utility.learning import Examples
from fourfold.utility.learning.estimators import EstimatorClassification


def bright(seed, count):
    """Images of one class are a little brighter everywhere."""
    random = np.random.default_rng([8, seed])
    present = np.arange(count) % 2
    images = random.normal(0.4 + 0.1 * present[:, None, None, None], 0.2, (count, 1, 6, 6))
    return images.clip(0, 1).astype(np.float32), present


def test_logistic_regression_is_a_task_like_any_other():
    images, present = bright(0, 80)
    tested, truth = bright(1, 80)
    task = EstimatorClassification(("dark", "bright"), estimator=LogisticRegression)
    predictor = task.fit(Examples(images, np.eye(2, dtype=np.float32)[present], np.arange(80)), seed=0, steps=9)
    wanted = Examples(tested, np.eye(2, dtype=np.float32)[truth], np.arange(80))
    probabilities = predictor(tested)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert task.metric(task.outcomes(probabilities, wanted))["auc"] > 0.9


def test_a_class_that_was_never_seen_gets_no_probability():
    images, present = bright(0, 20)
    task = EstimatorClassification(("dark", "never", "bright"), estimator=LogisticRegression)
    predictor = task.fit(Examples(images, np.eye(3, dtype=np.float32)[2 * present], np.arange(20)), seed=0, steps=9)
    found = predictor(images)
    assert found.shape == (20, 3)
    assert not found[:, 1].any()


def test_findings_are_learned_one_by_one_from_what_is_known():
    images, present = bright(0, 60)
    targets = np.stack([present, np.ones(60), np.full(60, np.nan)], axis=1).astype(np.float32)
    targets[::3, 0] = np.nan
    task = EstimatorClassification(("bright", "always", "unknown"), exclusive=False, estimator=LogisticRegression)
    found = task.fit(Examples(images, targets, np.arange(60)), seed=0, steps=9)(images)
    assert found[present == 1, 0].mean() > found[present == 0, 0].mean() + 0.4
    np.testing.assert_array_equal(found[:, 1:], np.tile([1.0, 0.0], (60, 1)))


def test_what_an_estimator_cannot_do_is_refused():
    images, present = bright(0, 20)
    task = EstimatorClassification(("a", "b"), network="sklearn:Some", estimator=LogisticRegression)
    with pytest.raises(InputError, match="sklearn:Some learns from the images as they are"):
        task.fit(Examples(images, np.eye(2, dtype=np.float32)[present], np.arange(20)), seed=0, steps=9, augment=True)
