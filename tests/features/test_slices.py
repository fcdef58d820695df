import pytest
import torch

from fourfold.errors import InputError
from fourfold.features import SlicePolicy, get

VOLUME = torch.rand(2, 1, 6, 8, 10, generator=torch.Generator().manual_seed(0))


def total(planes):
    return planes.sum(dim=(2, 3))


def test_axial_slices_cut_the_first_axis_only():
    found = SlicePolicy(slices=2).features(VOLUME, total)
    assert torch.allclose(found, (VOLUME[:, :, 1] + VOLUME[:, :, 4]).sum(dim=(2, 3)) / 2)


def test_three_planes_cut_each_axis():
    axial, coronal, sagittal = VOLUME[:, :, 3], VOLUME[:, :, :, 4], VOLUME[..., 5]
    beside = SlicePolicy(planes="three", slices=1, pool="planes").features(VOLUME, total)
    assert torch.allclose(beside, torch.cat([total(plane) for plane in (axial, coronal, sagittal)], dim=1))
    mean = SlicePolicy(planes="three", slices=1).features(VOLUME, total)
    assert torch.allclose(mean, beside.mean(dim=1, keepdim=True))


def test_every_slice_is_seen_where_there_are_fewer_than_asked_for():
    seen = []
    SlicePolicy(planes="three", slices=7).features(VOLUME, lambda planes: seen.append(planes.shape) or total(planes))
    assert seen == [(2 * 6, 1, 8, 10), (2 * 7, 1, 6, 10), (2 * 7, 1, 6, 8)]


def test_slices_of_a_volume_stay_with_their_volume():
    found = SlicePolicy(planes="three", slices=4, pool="planes").features(VOLUME, total)
    alone = SlicePolicy(planes="three", slices=4, pool="planes").features(VOLUME[1:], total)
    assert torch.equal(found[1:], alone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"planes": "oblique"}, "planes must be 'axial' or 'three', got 'oblique'"),
        ({"slices": 0}, "slices must be at least 1, got 0"),
        ({"pool": "max"}, "pool must be 'mean' or 'planes', got 'max'"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError) as caught:
        SlicePolicy(**options)
    assert str(caught.value) == message


def test_mobilenet_takes_the_policy_by_name(weights_folder):
    path = weights_folder / "mobilenet_v1_025_imagenet_fp32.npz"
    network = get(f"mobilenet:{path}?planes=three&slices=2&pool=planes")
    assert network.settings()["input"]["volumes"] == {"planes": "three", "slices": 2, "pool": "planes"}
    with torch.inference_mode():
        assert network(VOLUME).shape == (2, 3 * 256)
