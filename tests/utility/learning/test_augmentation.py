import pytest
import torch

from fourfold.utility.learning.augmentation import augmented


@pytest.fixture
def random():
    return torch.Generator().manual_seed(4)


@pytest.mark.parametrize("shape", [(24, 32), (10, 12, 16)])
def test_maps_move_with_their_images(random, shape):
    maps = torch.zeros(6, *shape, dtype=torch.uint8)
    inside = tuple(slice(side // 4, side // 2) for side in shape)
    maps[(slice(None), *inside)] = 2
    seen, moved = augmented(maps[:, None].float() / 4, maps, random, flips=(0,))
    assert moved.dtype == torch.uint8
    assert set(moved.unique().tolist()) == {0, 2}
    assert not torch.equal(moved, maps)
    # Away from its blurred rim, the square is bright where the map says so.
    bright = seen[:, 0] > 0.25
    assert (bright == (moved == 2)).float().mean() > 0.97


def test_images_stay_in_range_and_change_a_little_only(random):
    images = torch.rand(8, 3, 20, 20, generator=random)
    smooth = torch.nn.functional.avg_pool2d(images, 7, 1, 3)
    changed, none = augmented(smooth, None, random)
    assert none is None
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert 0 < (changed - smooth).abs().mean() < 0.1


def test_a_circle_stays_a_circle_on_an_oblong_image(random):
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(64.0), indexing="ij")
    disc = (((rows - 15.5) ** 2 + (columns - 31.5) ** 2) < 100).to(torch.uint8)
    _, moved = augmented(disc[None, None].float().repeat(32, 1, 1, 1), disc[None].repeat(32, 1, 1), random)
    for one in moved:
        height, width = one.any(dim=1).sum(), one.any(dim=0).sum()
        assert abs(int(height) - int(width)) <= 1


def test_nothing_is_mirrored_unless_asked_for(random):
    images = torch.zeros(64, 1, 16, 16)
    images[..., :8] = 1.0
    upright, _ = augmented(images, None, random)
    assert (upright[..., :8].mean(dim=(1, 2, 3)) > upright[..., 8:].mean(dim=(1, 2, 3))).all()
    mirrored, _ = augmented(images, None, random, flips=(1,))
    left = (mirrored[..., :8].mean(dim=(1, 2, 3)) > mirrored[..., 8:].mean(dim=(1, 2, 3))).float().mean()
    assert 0.3 < left < 0.7


def test_equal_generators_give_equal_images():
    images = torch.rand(4, 1, 12, 12)
    first, second = (augmented(images, None, torch.Generator().manual_seed(9))[0] for _ in range(2))
    assert torch.equal(first, second)
