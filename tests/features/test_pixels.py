import pytest
import torch

from fourfold.errors import InputError
from fourfold.features import Pixels


def test_small_images_are_their_own_features():
    images = torch.rand(3, 1, 20, 32)
    assert torch.equal(Pixels()(images), images.flatten(1))


def test_large_images_are_block_averages_of_at_most_32_pixels():
    images = torch.rand(2, 1, 96, 64)
    features = Pixels()(images).reshape(2, 32, 21)
    assert torch.allclose(features[:, :, 0], images[:, 0].reshape(2, 32, 3, 64)[..., :4].mean(dim=(2, 3)))


def test_colour_and_volumes_keep_channels_and_slices():
    assert Pixels(size=8)(torch.rand(2, 3, 16, 16)).shape == (2, 3 * 64)
    volumes = torch.rand(2, 1, 4, 16, 16)
    features = Pixels(size=8)(volumes).reshape(2, 2, 8, 8)
    assert torch.allclose(features, volumes[:, 0].reshape(2, 2, 2, 8, 2, 8, 2).mean(dim=(2, 4, 6)))


def test_another_size_is_another_fingerprint():
    assert Pixels(size=16).fingerprint != Pixels(size=32).fingerprint == Pixels().fingerprint


def test_a_size_below_one_is_refused():
    with pytest.raises(InputError, match=r"^the size of 'pixels' must be at least 1, got 0$"):
        Pixels(size=0)
