"""Four scores during a training, against real images that stay the same."""

import math

import numpy as np
import pytest
import torch

import fourfold as ff
from fourfold.errors import InputError
from fourfold.features import FeatureExtractor, Pixels
from fourfold.images import ImageSet
from fourfold.torchmetrics import FourScores

QUICK = ("fidelity/kernel_distance", "privacy/nearest_neighbour_ratio")
PATIENTS = 110


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of 4 by 4 pixels whose mean depends on the class, and the classes."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(PATIENTS) < 0.5, "lesion", "normal")
    images = 0.45 + 0.1 * (labels == "lesion")[:, None, None, None] + 0.1 * rng.normal(size=(PATIENTS, 1, 4, 4))
    return np.clip(images, 0, 1).astype(np.float32), labels


def image_set(name: str, seed: int) -> ImageSet:
    images, labels = drawn(seed)
    return ImageSet.from_array(images, name=name, labels=labels, patients=[f"{name}{row}" for row in range(PATIENTS)])


@pytest.fixture(scope="module")
def real() -> tuple[ImageSet, ImageSet]:
    return image_set("training", 1), image_set("holdout", 2)


def filled(four: FourScores, seed: int, rows: slice = slice(None)) -> FourScores:
    images, labels = drawn(seed)
    four.update(torch.from_numpy(images[rows]), labels[rows])
    return four


def test_every_question_has_a_value_at_its_null_for_fresh_images_and_copies_are_seen(real):
    four = filled(FourScores(Pixels(), *real), 3)
    logged = four.compute()
    assert [score.axis for score in four.scores] == ["fidelity", "variety", "privacy", "utility"]
    assert [score.departs() for score in four.scores] == ["no"] * 4
    for score in four.scores:
        assert float(logged[score.key]) == score.value
        assert float(logged[f"{score.key}/null"]) == score.null

    four.reset()
    filled(four, 1)
    assert float(four.compute()["privacy/nearest_neighbour_ratio"]) > 0.9
    assert four.scores[2].departs() == "worse"


def test_the_scores_are_those_of_an_evaluation(real):
    images, labels = drawn(3)
    four = filled(FourScores(Pixels(), *real, QUICK), 3)
    four.compute()
    made = ImageSet.from_array(images, name="synthetic", labels=labels)
    evaluation = ff.evaluate(made, *real, features=[Pixels()], only=QUICK, store=False)
    for score in four.scores:
        expected = evaluation[score.key]
        assert (score.value, score.null) == pytest.approx((expected.value, expected.null), rel=1e-6)
        assert score.interval == pytest.approx(expected.interval, rel=1e-6)


class Scaled(FeatureExtractor):
    """Pixels, one of them in other units."""

    name = "scaled"
    standardise = True

    def __init__(self, unit: float) -> None:
        self.unit = unit

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        features = images.flatten(1).double()
        features[:, 0] *= self.unit
        return features


def test_units_of_features_do_not_matter_where_the_extractor_asks_for_scaling(real):
    values = [filled(FourScores(Scaled(unit), *real, QUICK), 3).compute() for unit in (1.0, 1000.0)]
    for name, value in values[0].items():
        assert float(value) == pytest.approx(float(values[1][name]), rel=1e-3, abs=1e-6)


def test_batches_and_processes_add_up(real):
    whole = filled(FourScores(Pixels(), *real, QUICK), 3).compute()
    parts = [FourScores(Pixels(), *real, QUICK) for _ in range(2)]
    for part, rows in zip(parts, (slice(60), slice(60, None)), strict=True):
        filled(part, 3, rows)
    parts[1].merge_state(parts[0])
    assert parts[1].compute() == whole


def test_a_question_that_cannot_be_asked_is_logged_as_not_a_number_with_its_reason(real):
    four = FourScores(Pixels(), *real, ["utility/train_synthetic_test_real"])
    four.update(torch.from_numpy(drawn(3)[0]))
    logged = four.compute()
    assert math.isnan(float(logged["utility/train_synthetic_test_real"]))
    assert "the synthetic set has no labels" in four.scores[0].reason


def test_wrong_calls_are_refused_with_a_sentence(real):
    with pytest.raises(InputError, match="no metric 'privacy/copies' that compares features; there are fidelity/"):
        FourScores(Pixels(), *real, ["privacy/copies"])
    four = FourScores(Pixels(), *real, QUICK)
    with pytest.raises(InputError, match=r"training images have the shape \(1, 4, 4\), the synthetic ones \(1, 8, 8\)"):
        four.update(torch.zeros(2, 1, 8, 8))
    with pytest.raises(InputError, match="'cyst' is no class of the training set, which has lesion, normal"):
        four.update(torch.zeros(1, 1, 4, 4), ["cyst"])
    with pytest.raises(InputError, match="1 labels for 2 images"):
        four.update(torch.zeros(2, 1, 4, 4), ["lesion"])
    four.reset()
    with (
        pytest.warns(UserWarning, match="before the ``update``"),
        pytest.raises(InputError, match="no synthetic images"),
    ):
        four.compute()
