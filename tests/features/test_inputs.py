import pytest
import torch

from fourfold.errors import InputError
from fourfold.features import InputPolicy
from fourfold.features.inputs import over_slices, resize, resize_like_tensorflow, with_channels


def test_values_are_mapped_to_the_range_and_then_standardised_by_channel():
    policy = InputPolicy(low=-1.0, high=1.0, mean=(0.0, 0.5, 1.0), std=(1.0, 2.0, 4.0))
    prepared = policy.apply(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1))
    assert torch.allclose(prepared[0].flatten(), torch.tensor([-1.0, -0.75, -0.5]))
    assert torch.allclose(prepared[1].flatten(), torch.tensor([1.0, 0.25, 0.0]))


def test_grey_is_repeated_and_colour_becomes_luma():
    grey = torch.rand(2, 1, 4, 5)
    assert torch.equal(with_channels(grey, 3)[:, 1:2], grey)
    colour = torch.tensor([1.0, 0.5, 0.25]).reshape(1, 3, 1, 1)
    assert with_channels(colour, 1).item() == pytest.approx(0.299 + 0.587 * 0.5 + 0.114 * 0.25)


def test_two_channels_are_refused():
    with pytest.raises(InputError, match=r"^images need 1 or 3 channels, got 2$"):
        with_channels(torch.zeros(1, 2, 4, 4), 3)


def test_shrinking_averages_rather_than_drops_pixels():
    stripes = torch.zeros(1, 1, 64, 64)
    stripes[..., ::2] = 1.0
    inside = resize(stripes, (16, 16))[..., 1:-1]
    assert (inside - 0.5).abs().max() < 0.02
    volume = torch.zeros(1, 1, 32, 32, 32)
    volume[:, :, ::2] = 1.0
    assert torch.allclose(resize(volume, (8, 8, 8)), torch.tensor(0.5))


def test_volumes_may_shrink_along_one_axis_and_grow_along_another():
    volume = torch.linspace(0, 1, 12).reshape(1, 1, 12, 1, 1).expand(1, 1, 12, 4, 4)
    resized = resize(volume, (6, 8, 8))
    assert resized.shape == (1, 1, 6, 8, 8)
    assert torch.allclose(resized[0, 0, :, 3, 3], torch.linspace(0, 1, 12).reshape(6, 2).mean(dim=1))


@pytest.mark.parametrize(("depth", "places"), [(9, [1, 4, 7]), (2, [0, 1]), (1, [0]), (100, [16, 50, 83])])
def test_features_of_a_volume_are_the_mean_over_evenly_spaced_slices(depth, places):
    volume = torch.rand(2, 1, depth, 5, 6)
    features = over_slices(volume, 3, lambda planes: planes.flatten(1))
    expected = torch.stack([volume[:, :, place].flatten(1) for place in places]).mean(dim=0)
    assert torch.allclose(features, expected)


def test_whole_volumes_reach_a_network_for_volumes():
    policy = InputPolicy(size=4, channels=1, volumes="whole")
    seen = []
    policy.features(torch.rand(2, 1, 8, 9, 10), lambda volumes: seen.append(volumes.shape) or volumes.flatten(1))
    assert seen == [(2, 1, 4, 4, 4)]


def test_the_first_pixels_coincide_under_tensorflows_resampling():
    ramp = torch.arange(4.0).reshape(1, 1, 1, 4).expand(1, 1, 4, 4)
    grown = resize_like_tensorflow(ramp, (8, 8))
    assert torch.allclose(grown[0, 0, 0], torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0]))
    assert torch.equal(resize_like_tensorflow(ramp, (2, 2))[0, 0, 0], torch.tensor([0.0, 2.0]))


@pytest.mark.parametrize("resampling", ["antialiased", "bicubic", "bilinear", "tensorflow"])
def test_every_resampling_keeps_a_constant_and_reaches_the_size(resampling):
    prepared = InputPolicy(size=7, resampling=resampling).apply(torch.full((2, 1, 5, 12), 0.25))
    assert prepared.shape == (2, 3, 7, 7)
    assert torch.allclose(prepared, torch.tensor(0.25))


def test_an_image_may_be_standardised_by_itself():
    policy = InputPolicy(channels=1, by_image=True)
    images = torch.stack([torch.rand(1, 9, 9), torch.rand(1, 9, 9) * 0.1 + 0.5, torch.full((1, 9, 9), 0.3)])
    prepared = policy.apply(images)
    assert torch.allclose(prepared.mean(dim=(1, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(prepared.std(dim=(1, 2, 3), correction=0)[:2], torch.ones(2))
    assert prepared[2].abs().max() < 1e-5
    assert torch.allclose(policy.apply(images * 0.5)[:2], prepared[:2], atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "the input size must be at least 1 pixel, got 0"),
        ({"channels": 4}, "a network takes 1 or 3 channels, got channels=4"),
        ({"mean": (0.1, 0.2)}, "mean needs 1 or 3 values (one a channel), got 2"),
        ({"std": (0.0,)}, "std must be above 0, got 0.0"),
        ({"low": 1.0}, "the value range must rise, got 1.0 to 1.0"),
        ({"volumes": "all"}, "volumes must be 'slices' or 'whole', got 'all'"),
        (
            {"resampling": "nearest"},
            "resampling must be one of antialiased, bicubic, bilinear, tensorflow, got 'nearest'",
        ),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError) as caught:
        InputPolicy(**options)
    assert str(caught.value) == message
