"""Images of one patient are worth less than images of as many patients."""

from __future__ import annotations

import numpy as np
import pytest

from fourfold.comparison import Comparison, Features, Sets, Spaces
from fourfold.images import ImageSet, prepare
from fourfold.privacy import effective_patients, effective_size, intraclass_correlation


def _nested(patients: int, images: int, correlation: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    anatomy = np.repeat(rng.normal(size=(patients, 4)), images, axis=0)
    values = np.sqrt(correlation) * anatomy + np.sqrt(1 - correlation) * rng.normal(size=anatomy.shape)
    return values, np.repeat(np.arange(patients), images)


def test_the_correlation_agrees_with_the_textbook_example() -> None:
    # Shrout and Fleiss (Psychological Bulletin 86, 1979, 420), six targets rated by four judges: ICC(1, 1) = 0.17.
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    found = intraclass_correlation(ratings.reshape(-1, 1), np.repeat(np.arange(6), 4))
    assert found == pytest.approx(0.17, abs=0.005)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.8])
def test_the_correlation_of_known_patients_is_recovered(correlation: float) -> None:
    values, patients = _nested(600, 4, correlation, 1)
    assert intraclass_correlation(values, patients) == pytest.approx(correlation, abs=0.04)


def test_equal_images_are_worth_one_and_unrelated_ones_themselves() -> None:
    values, patients = _nested(200, 5, 1.0, 2)
    assert effective_size(values, patients).effective == pytest.approx(200, rel=0.01)
    values, patients = _nested(200, 5, 0.0, 3)
    assert effective_size(values, patients).effective > 850
    alone = effective_size(values, np.arange(len(values)))
    assert (alone.correlation, alone.effective) == (None, 1000)


def test_the_correlation_does_not_depend_on_the_number_of_features() -> None:
    values, patients = _nested(30, 2, 0.6, 4)
    wide = np.concatenate([values, np.zeros((len(values), 500))], axis=1)
    assert effective_size(wide, patients).correlation == pytest.approx(effective_size(values, patients).correlation)


def test_duplicates_are_counted_once_exact_and_once_near() -> None:
    rng = np.random.default_rng(5)
    images = rng.random((40, 1, 32, 32)).astype(np.float32)
    images[1] = images[0]
    images[3] = images[2] + 0.01 * rng.random((1, 32, 32))
    image_set = prepare({"training": ImageSet.from_array(images)}, scaling="0:1")["training"]
    features = Features(images.reshape(40, -1))
    score = effective_patients(Spaces(Sets(image_set, image_set), {"pixels": Comparison("pixels", features, features)}))
    assert score.details["exact_duplicates"] == 2
    assert score.details["near_duplicates"] == 2
    assert score.value == 40
    assert "upper limit" in score.reason
