import numpy as np
import pytest
import torch

from fourfold.comparison import Comparison
from fourfold.feature_spaces import compared_in
from fourfold.features import FeatureExtractor
from fourfold.features.standardisation import standardised
from fourfold.images import ImageSet
from fourfold.opening import open_sets
from fourfold.torchmetrics import FourScores

RANDOM = np.random.default_rng(0)
TRAINING = RANDOM.normal([3.0, -1.0, 1e6], [2.0, 1e-3, 1e5], (200, 3))


def test_the_set_it_is_scaled_by_has_mean_0_and_deviation_1():
    scaled, _ = standardised(TRAINING, {"training": TRAINING, "other": TRAINING + np.array([2.0, 0, 0])})
    assert scaled["training"].dtype == np.float32
    np.testing.assert_allclose(scaled["training"].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled["training"].std(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(
        (scaled["other"] - scaled["training"]).mean(axis=0), [2 / TRAINING[:, 0].std(), 0, 0], atol=1e-5
    )


def test_columns_that_vary_by_rounding_only_are_left_out_with_their_names():
    flat = np.array([1.0, 1.0 + 1e-7] * 5)[:, None].astype(np.float32)
    values = np.concatenate([np.arange(10.0)[:, None], flat, np.zeros((10, 1))], axis=1)
    scaled, names = standardised(values, {"training": values}, ("slope", "flat", "empty"))
    assert names == ("slope",)
    assert scaled["training"].shape == (10, 1)


def test_where_no_column_varies_all_stay_centred():
    scaled, names = standardised(np.full((4, 2), 7.0), {"other": np.array([[8.0, 7.0]])}, ("a", "b"))
    assert scaled["other"].tolist() == [[1.0, 0.0]]
    assert names == ("a", "b")


class Nearly(FeatureExtractor):
    """A column that varies, and one that varies by less than a millionth of its mean."""

    name = "nearly"
    standardise = True

    def __call__(self, images):
        mean = images.flatten(1).mean(dim=1, keepdim=True).double()
        return mean.new_tensor([[0.0, 1.0]]) + mean * mean.new_tensor([[1.0, 1e-7]])


@pytest.fixture
def sets():
    images = np.random.default_rng(1).random((3, 12, 1, 8, 8), dtype=np.float32)
    return {role: ImageSet.from_array(one, name=role) for role, one in zip(("training", "holdout", "made"), images)}


def test_a_report_and_a_training_loop_scale_alike(sets):
    opened = open_sets(sets["made"], sets["training"], sets["holdout"], scaling="0:1")
    report: Comparison = compared_in(opened, Nearly(), None)
    loop = FourScores(Nearly(), opened.sets.training, opened.sets.holdout)
    loop.update(torch.from_numpy(opened.sets.synthetic.load()))
    seen = loop._comparison(torch.cat(loop.features), torch.cat(loop.labels))
    assert seen.training.values.shape == report.training.values.shape == (12, 1)
    np.testing.assert_allclose(seen.synthetic.values, report.synthetic.values, rtol=1e-5)
