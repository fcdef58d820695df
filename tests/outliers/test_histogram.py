import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.outliers.histogram import GradientHistogram, IntensityHistogram, IntensityLevels, RegionHistograms


@pytest.fixture
def image():
    ramp = torch.linspace(0, 1, 12 * 15 * 9).reshape(1, 1, 12, 15, 9)
    return 0.2 + 0.5 * ramp**2 + 0.02 * torch.rand(ramp.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(2, 1, 13, 10), (2, 3, 9, 10), (2, 1, 7, 8, 9)])
def test_every_embedding_gives_a_row_an_image(shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    regions = 3 ** (len(shape) - 2)
    for embedding, columns in (
        (IntensityHistogram(), 150),
        (RegionHistograms(), regions * 20),
        (GradientHistogram(), 150),
        (IntensityLevels(), 13),
    ):
        assert embedding(images).shape == (2, shape[1] * columns)
        assert torch.equal(embedding(images)[1:], embedding(images[1:]))


def test_the_histogram_is_that_of_the_clipped_and_scaled_values(image):
    values = np.sort(image.numpy().ravel())
    low, high = values[round(0.01 * (values.size - 1))], values[round(0.99 * (values.size - 1))]
    density, _ = np.histogram(np.clip((values - low) / (high - low), 0, 1), bins=20, range=(0, 1), density=True)
    np.testing.assert_allclose(IntensityHistogram(bins=20)(image)[0].square(), density, atol=0.02)


def test_the_histogram_is_blind_to_place_and_to_linear_contrast(image):
    histogram, regions = IntensityHistogram(), RegionHistograms()
    shuffled = image.flatten()[torch.randperm(image.numel(), generator=torch.Generator().manual_seed(2))]
    shuffled = shuffled.reshape(image.shape)
    for blind in (image.flip(2), shuffled):
        assert torch.equal(histogram(image), histogram(blind))
        assert torch.dist(regions(image), regions(blind)) > 10
    windowed = 0.1 + 0.5 * image
    assert torch.dist(histogram(image), histogram(windowed)) < 2
    assert torch.dist(IntensityLevels()(image), IntensityLevels()(windowed)) > 0.2


def test_gradients_see_smoothing_and_not_inversion(image):
    gradients = GradientHistogram()
    smooth = torch.nn.functional.avg_pool3d(image, 3, 1, 1, count_include_pad=False)
    assert torch.dist(gradients(image), gradients(1 - image)) < 0.3 * torch.dist(gradients(image), gradients(smooth))


def test_a_constant_image_is_counted_in_the_first_bin():
    found = IntensityHistogram(bins=4)(torch.full((1, 1, 8, 8), 0.7))
    assert found.tolist() == [[2.0, 0.0, 0.0, 0.0]]


def test_wrong_settings_are_named():
    with pytest.raises(InputError, match="bins of 'regions' must be at least 2, got 1"):
        RegionHistograms(bins=1)
    with pytest.raises(InputError, match="percentiles of 'histogram' must rise"):
        IntensityHistogram(percentiles=(99.0, 1.0))
    with pytest.raises(InputError, match="at least 3 pixels a side"):
        RegionHistograms()(torch.zeros(1, 1, 2, 9))
    assert IntensityHistogram(percentiles=(0.5, 99.5)).fingerprint != IntensityHistogram().fingerprint
