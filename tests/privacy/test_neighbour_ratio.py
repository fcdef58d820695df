from __future__ import annotations

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.privacy import nearest_neighbour_ratio
from fourfold.privacy.neighbour_ratio import two_nearest_features


def _patients(count: int, seed: int, views: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    anatomy = np.repeat(rng.normal(size=(count, 16)), views, axis=0)
    return (anatomy + 0.3 * rng.normal(size=anatomy.shape)).astype(np.float32)


def _comparison(synthetic: np.ndarray, holdout: bool = True) -> Comparison:
    training = Features(_patients(150, 1), np.repeat(np.arange(150), 3))
    own = Features(_patients(60, 2), 150 + np.repeat(np.arange(60), 3)) if holdout else None
    return Comparison("space", training, Features(synthetic), own)


def test_fresh_patients_stay_at_the_null() -> None:
    score = nearest_neighbour_ratio(_comparison(_patients(100, 3)))
    assert score.null == 0.01
    assert score.departs() == "no"
    assert score.details["listed"] == 0


def test_copies_are_beyond_the_null() -> None:
    comparison = _comparison(_patients(100, 3))
    synthetic = comparison.synthetic.values.copy()
    synthetic[:30] = comparison.training.values[:90:3] + 0.02
    score = nearest_neighbour_ratio(_comparison(synthetic))
    assert score.departs() == "worse"
    assert score.details["listed"] >= 29
    assert score.per_synthetic["neighbour_ratio"][:30].min() > score.details["threshold"]


def test_collapsing_to_the_mean_gets_no_better_mark() -> None:
    score = nearest_neighbour_ratio(_comparison(np.zeros((200, 16), dtype=np.float32)))
    assert score.departs() == "no"


def test_a_training_image_sees_neither_its_own_patient_nor_twice_the_same_one() -> None:
    comparison = _comparison(_patients(10, 4))
    groups = comparison.training.patients
    found = two_nearest_features(comparison, "training", groups)
    assert (groups[found.first] != groups).all()
    assert (groups[found.second] != groups).all()
    assert (groups[found.second] != groups[found.first]).all()
    assert (found.second_distance >= found.first_distance).all()


def test_without_a_holdout_the_null_comes_from_training_and_says_so() -> None:
    score = nearest_neighbour_ratio(_comparison(_patients(100, 3), holdout=False))
    assert score.value is not None
    assert "without a holdout" in score.reason


def test_too_few_real_images_give_a_reason() -> None:
    features = Features(_patients(5, 1))
    score = nearest_neighbour_ratio(Comparison("space", features, Features(_patients(9, 2))))
    assert score.value is None
    assert "100 real images" in score.reason
