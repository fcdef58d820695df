"""Spaces of latents and of codes in an evaluation."""

import numpy as np
import pytest
import torch

from fourfold import evaluate
from fourfold.answers import BY_DISTANCE_ALONE
from fourfold.comparison import Comparison, Features
from fourfold.features import get
from fourfold.images import ImageSet
from fourfold.score import Score, metrics
from fourfold.torchmetrics import FourScores

COUNT = 64


def _images(seed):
    random = np.random.default_rng(seed)
    levels = random.random((COUNT, 1, 4, 4), dtype=np.float32)
    return np.kron(levels, np.ones((1, 1, 4, 4), dtype=np.float32))


def _set(seed, name):
    return ImageSet.from_array(_images(seed), name=name, patients=[f"{name} {row}" for row in range(COUNT)])


SETS = {"synthetic": _set(0, "made"), "train": _set(1, "training"), "holdout": _set(2, "holdout")}


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(
        **SETS,
        features=["autoencoder-codes?steps=4", "autoencoder?steps=4"],
        only=["coverage", "frechet_distance", "vendi_score", "privacy/effective_patients"],
        scaling="0:1",
        store=False,
    )


def test_codes_are_compared_by_the_places_that_differ(evaluation):
    comparison = evaluation.comparisons["autoencoder-codes"]
    assert comparison.distance == "hamming"
    codes = comparison.training.values
    assert np.array_equal(codes, codes.round())
    found = comparison.neighbors("synthetic", "training", 1)
    share = (comparison.synthetic.values[:, None] != codes[None]).mean(axis=2).min(axis=1)
    np.testing.assert_allclose(found.distances[:, 0], share)


def test_what_takes_features_for_coordinates_is_not_asked_about_codes(evaluation):
    assert evaluation["variety/coverage@autoencoder-codes"].value is not None
    for key in ("fidelity/frechet_distance", "variety/vendi_score"):
        score = evaluation[f"{key}@autoencoder-codes"]
        assert score.value is None
        assert score.reason.startswith("the features are codes, whose numbers are names")
        assert evaluation[f"{key}@autoencoder"].value is not None
    assert evaluation["privacy/effective_patients"].reason != score.reason


def test_a_report_with_codes_only_says_what_cannot_be_asked():
    found = evaluate(
        **SETS, features=["autoencoder-codes?steps=2"], only=["effective_patients"], scaling="0:1", store=False
    )
    assert found["privacy/effective_patients"].reason.startswith("the features are codes")


def test_a_report_says_whose_images_the_network_has_seen(evaluation, tmp_path):
    described = evaluation.extractors["autoencoder"]
    assert described["trained_on"].startswith(f"{COUNT} images of the training set itself")
    assert described["settings"]["images_seen"] == COUNT
    page = evaluation.report(tmp_path / "report")
    assert "which it knows better than the holdout" in page.read_text()


def test_with_a_reference_set_other_patients_are_learned_from(tmp_path):
    found = evaluate(
        **SETS,
        reference=_set(3, "reference"),
        features=["autoencoder?steps=2"],
        only=["coverage"],
        scaling="0:1",
        store=tmp_path,
    )
    assert found.extractors["autoencoder"]["trained_on"].startswith(f"{COUNT} images of the reference set")
    assert len(list((tmp_path / "networks").glob("autoencoder-*.safetensors"))) == 1


def test_a_training_loop_takes_codes():
    holdout, training = SETS["holdout"], SETS["train"]
    scores = FourScores(get("autoencoder-codes?steps=2"), training, holdout, ["variety/coverage"])
    scores.update(torch.from_numpy(_images(5)))
    assert 0 <= float(scores.compute()["variety/coverage"]) <= 1


def _comparison(rename):
    random = np.random.default_rng(0)
    values = {role: random.integers(0, 6, (52, 12)) for role in ("training", "synthetic", "holdout")}
    # Copies, so that what measures closeness has something to find.
    values["synthetic"][:10] = values["training"][:10]
    values["synthetic"][:10, 0] = 5
    columns = np.arange(12)
    labels = np.where(np.arange(52) % 2, "a", "b")
    patients = {"training": np.arange(52) // 2, "holdout": 100 + np.arange(52) // 2, "synthetic": None}
    features = {
        role: Features(rename[columns, own].astype(np.float32), patients[role], labels) for role, own in values.items()
    }
    return Comparison("codes", **features, distance="hamming")


@pytest.mark.parametrize("key", sorted(BY_DISTANCE_ALONE))
def test_the_numbers_of_codes_mean_nothing_to_what_may_be_asked_about_them(key):
    metric = next(metric for metric in metrics() if metric.key == key)
    random = np.random.default_rng(7)
    names = np.stack([random.permutation(6) for _ in range(12)])
    found = [metric.compute(_comparison(rename)) for rename in (np.tile(np.arange(6), (12, 1)), names)]
    plain, renamed = ([one] if isinstance(one, Score) else list(one) for one in found)
    assert sum(score.value is not None for score in plain) == len(plain), plain
    assert [score.value for score in plain] == pytest.approx([score.value for score in renamed])
    assert [score.null for score in plain] == pytest.approx([score.null for score in renamed])
