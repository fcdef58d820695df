"""What may be kept of the patients, and Gaussians within classes."""

import json

import numpy as np
import pytest

from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS, SharedValues, holders
from fourfold.generate.conditioning.gaussians import ClassGaussians


def test_many_images_of_one_patient_count_once():
    values = ["common"] * 6 + ["own"] * 20
    patients = np.array([0, 1, 2, 3, 4, 5, *[6] * 20])
    assert holders(values, patients) == {"common": 6, "own": 1}
    assert SharedValues.count(values, patients).overall == {"common": 1.0}


def test_exactly_the_fewest_patients_are_enough():
    enough = np.arange(FEWEST_PATIENTS)
    assert SharedValues.count(["a"] * len(enough), enough).overall == {"a": 1.0}
    assert SharedValues.count(["a"] * (len(enough) - 1), enough[1:]).overall == {}


def test_a_value_is_kept_for_a_class_only_where_enough_of_its_patients_have_it():
    values = ["x"] * 10 + ["y"] * 6
    classes = np.array(["ill"] * 8 + ["well"] * 8)
    shared = SharedValues.count(values, np.arange(16), classes)
    assert shared.overall == {"x": 10 / 16, "y": 6 / 16}
    assert shared.classes == {"ill": {"x": 1.0}, "well": {"y": 1.0}}


def test_drawing_follows_the_shares_of_the_class_and_else_those_of_all():
    shared = SharedValues({"a": 0.25, "b": 0.75}, {"ill": {"a": 1.0}})
    rng = np.random.default_rng(0)
    drawn = [shared.draw(rng) for _ in range(4000)]
    assert drawn.count("a") / 4000 == pytest.approx(0.25, abs=0.03)
    assert {shared.draw(rng, "ill") for _ in range(20)} == {"a"}
    assert {shared.draw(rng, "unheard of") for _ in range(50)} == {"a", "b"}
    assert SharedValues({}).draw(rng) is None


def test_shared_values_survive_json():
    shared = SharedValues.count(["a", "b"] * 10, np.arange(20), np.array(["p", "q"] * 10))
    assert SharedValues.restore(json.loads(json.dumps(shared.record()))) == shared


def test_gaussians_draw_the_moments_of_the_class():
    rng = np.random.default_rng(0)
    mixing = np.array([[1.0, 0.0], [0.8, 0.6]])
    values = rng.standard_normal((4000, 2)) @ mixing.T
    classes = np.repeat(["high", "low"], 2000)
    values[:2000] += 3
    gaussians = ClassGaussians.fit(values, np.arange(4000), classes)
    drawn = np.array([gaussians.draw(rng, "high") for _ in range(4000)])
    assert drawn.mean(axis=0) == pytest.approx([3, 3], abs=0.1)
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0.8, abs=0.03)


def test_what_is_given_conditions_what_is_drawn():
    gaussians = ClassGaussians([], np.zeros((1, 2)), np.array([[[1.0, 0.8], [0.8, 1.0]]]))
    rng = np.random.default_rng(0)
    drawn = np.array([gaussians.draw(rng, None, np.array([2.0, np.nan])) for _ in range(4000)])
    assert (drawn[:, 0] == 2.0).all()
    assert drawn[:, 1].mean() == pytest.approx(1.6, abs=0.05)
    assert drawn[:, 1].std() == pytest.approx(0.6, abs=0.03)


def test_a_class_of_few_patients_borrows_the_law_of_all():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((104, 2))
    values[100:] = 50.0
    classes = np.array(["common"] * 100 + ["rare"] * 4)
    gaussians = ClassGaussians.fit(values, np.arange(104), classes)
    assert gaussians.names == ("common",)
    assert len(gaussians.means) == 2


def test_a_covariance_that_would_span_a_few_patients_is_not_kept():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((12, 4))
    covariance = ClassGaussians.fit(values, np.arange(12)).covariances[0]
    assert (covariance == np.diag(np.diag(covariance))).all()


def test_unknown_values_do_not_spoil_the_moments():
    rng = np.random.default_rng(0)
    values = rng.normal([1, 2], 1, (200, 2))
    values[::3, 0] = np.nan
    gaussians = ClassGaussians.fit(values, np.arange(200))
    assert gaussians.means[0] == pytest.approx([1, 2], abs=0.25)
    assert np.isfinite(gaussians.draw(rng)).all()
