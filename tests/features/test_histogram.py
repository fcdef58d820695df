import pytest
import torch

from fourfold.errors import InputError
from fourfold.features.histogram import Histogram


def random_images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_shares_are_counts_in_equal_bins():
    images = torch.tensor([0.0, 0.1, 0.25, 0.26, 0.5, 0.74, 0.99, 1.0]).reshape(1, 1, 2, 4)
    shares = Histogram(bins=4)(images)[0].square() * 2
    assert shares.tolist() == pytest.approx([2 / 8, 2 / 8, 2 / 8, 2 / 8])
    assert (Histogram(bins=2)(images)[0].square() * 2).tolist() == pytest.approx([4 / 8, 4 / 8])


@pytest.mark.parametrize("shape", [(2, 1, 16, 12), (2, 1, 6, 8, 10)])
def test_the_euclidean_distance_is_the_hellinger_distance(shape):
    images = random_images(*shape)
    images[1] = images[1] ** 2
    p, q = (torch.histc(image, 64, 0, 1).double() / image.numel() for image in images)
    hellinger = (1 - (p * q).sqrt().sum()).sqrt()
    first, second = Histogram()(images).double()
    assert float(torch.dist(first, second)) == pytest.approx(float(hellinger), rel=1e-6)


def test_images_without_a_bin_in_common_are_at_distance_one():
    for channels in (1, 3):
        dark = random_images(1, channels, 9, 9) * 0.4
        first, second = Histogram()(torch.cat([dark, dark + 0.5]))
        assert float(torch.dist(first, second)) == pytest.approx(1, rel=1e-6)


def test_colour_channels_follow_each_other():
    images = random_images(3, 3, 10, 11)
    together = Histogram(bins=8)(images)
    assert together.shape == (3, 24)
    apart = torch.cat([Histogram(bins=8)(images[:, c : c + 1]) for c in range(3)], dim=1)
    torch.testing.assert_close(together, apart / 3**0.5)


def test_features_of_an_image_do_not_depend_on_its_batch_mates():
    images = random_images(5, 1, 10, 11)
    assert torch.equal(Histogram()(images), torch.cat([Histogram()(image[None]) for image in images]))


def test_names_follow_the_columns():
    histogram = Histogram(bins=4)
    assert histogram.feature_names()[1] == "histogram_0.25-0.5"
    assert len(histogram.feature_names(channels=3)) == histogram(random_images(1, 3, 5, 5)).shape[1]
    assert histogram.feature_names(channels=3)[4] == "histogram_channel1_0-0.25"


def test_the_number_of_bins_is_part_of_the_fingerprint():
    assert Histogram(bins=32).fingerprint != Histogram().fingerprint
    assert not Histogram.standardise


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 1, 0, 4), "a histogram needs images of at least one pixel"),
        (torch.full((1, 1, 4, 4), float("inf")), "a histogram needs finite values; an image holds NaN or infinity"),
    ],
)
def test_images_without_a_histogram_are_refused(images, message):
    with pytest.raises(InputError) as error:
        Histogram()(images)
    assert str(error.value) == message


def test_a_histogram_without_bins_is_refused():
    with pytest.raises(InputError, match="must be at least 1, got 0"):
        Histogram(bins=0)
