"""Augmentation of what the discriminator sees, and the probability that follows its overfitting."""

from __future__ import annotations

import math

import pytest
import torch

from fourfold.generate.adaptive_augmentation import BRIGHTNESS, MOST, Controller, augmented


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int, *shape: int) -> torch.Tensor:
    return torch.rand(n, *shape, generator=stream(1)) * 2 - 1


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 4, 8, 8)])
def test_probability_zero_changes_nothing(shape):
    images = pictures(3, *shape)
    assert torch.equal(augmented(images, 0.0, stream()), images)


@pytest.mark.parametrize("shape", [(1, 8, 12), (2, 4, 8, 8)])
def test_probability_one_changes_every_image_and_keeps_shape_and_range(shape):
    images = pictures(16, *shape)
    found = augmented(images, 1.0, stream())
    assert found.shape == images.shape
    assert found.isfinite().all()
    assert found.abs().max() < 8
    assert (found - images).flatten(1).abs().amax(dim=1).min() > 1e-3


def test_the_same_stream_gives_the_same_images():
    images = pictures(4, 1, 8, 8)
    assert torch.equal(augmented(images, 0.5, stream(3)), augmented(images, 0.5, stream(3)))
    assert not torch.equal(augmented(images, 0.5, stream(3)), augmented(images, 0.5, stream(4)))


def test_images_are_left_alone_as_often_as_the_probability_says():
    # Seven transforms: shift, size, turn, stretch, brightness, contrast, cutout. An image must escape them all.
    images = pictures(4000, 1, 4, 4) + 3
    for probability in (0.1, 0.3):
        same = (augmented(images, probability, stream()) == images).flatten(1).all(dim=1).double().mean().item()
        # A shift may round to nothing, and a box may miss the pixels of so small an image: a little more may escape.
        lowest, highest = (1 - probability) ** 7, (1 - probability) ** 5
        assert lowest - 0.03 < same < highest + 0.03


def test_the_most_frequent_version_of_an_image_is_the_image_itself():
    image = pictures(1, 1, 8, 8)
    found = augmented(image.expand(2000, -1, -1, -1), 0.2, stream())
    nothing = (found == image).flatten(1).all(dim=1).sum()
    others = torch.unique(found[(found != image).flatten(1).any(dim=1)].flatten(1), dim=0, return_counts=True)[1]
    assert nothing > 3 * others.max()


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 4, 8, 8)])
def test_gradients_reach_every_image(shape):
    images = pictures(8, *shape).requires_grad_()
    augmented(images, 1.0, stream()).square().sum().backward()
    assert images.grad.flatten(1).abs().sum(dim=1).min() > 0


def test_shifts_are_by_whole_pixels_of_at_most_an_eighth():
    # A bright dot on a ground that no other transform could take for one.
    image = torch.zeros(1, 1, 16, 16)
    image[..., 8, 8] = 1.0
    places = set()
    for found in augmented(image.expand(3000, -1, -1, -1), 0.1, stream()):
        bright = torch.nonzero(found[0] > 1e-5)
        if len(bright) == 1 and abs(found.max() - 1) < 1e-5:
            places.add(tuple((bright[0] - 8).tolist()))
    assert {(0, 0), (2, 0), (-2, -2), (1, -1)} <= places
    assert max(abs(step) for place in places for step in place) == 2


def test_hearts_stay_on_their_side():
    image = torch.full((1, 1, 16, 16), -1.0)
    image[..., 9:] = 1.0
    found = augmented(image.expand(200, -1, -1, -1), 0.8, stream())
    assert (found[..., 12:].mean(dim=(1, 2, 3)) >= found[..., :4].mean(dim=(1, 2, 3)) - 1e-5).all()


def test_brightness_has_its_spread_among_the_chosen():
    images = torch.zeros(4000, 1, 4, 4)
    change = augmented(images, 0.5, stream()).amax(dim=(1, 2, 3)) + augmented(images, 0.5, stream()).amin(dim=(1, 2, 3))
    change = change[change != 0] / 2
    assert change.std() == pytest.approx(BRIGHTNESS, rel=0.25)


def test_a_turn_keeps_lengths_in_images_that_are_not_square():
    from fourfold.generate.adaptive_augmentation import _turn

    # Grid coordinates run from -1 to 1 along sides of 40 and 20 pixels.
    turn = _turn(torch.tensor([0.3], dtype=torch.float64), torch.tensor([40.0, 20.0], dtype=torch.float64))[0]
    pixels = torch.diag(torch.tensor([20.0, 10.0, 1.0], dtype=torch.float64))
    inside = (pixels @ turn @ pixels.inverse())[:2, :2]
    assert torch.allclose(inside @ inside.T, torch.eye(2, dtype=torch.float64))


def test_probability_rises_under_overfitting_and_falls_back_within_its_bounds():
    controller = Controller(target=0.6, images=1000)
    for _ in range(3):
        controller.watch(torch.ones(100))
        assert controller.adapt() == 1.0
    assert float(controller.probability) == pytest.approx(0.3)
    controller.watch(torch.tensor([1.0, -1.0]).repeat(50))
    assert controller.adapt() == 0.0
    assert float(controller.probability) == pytest.approx(0.2)
    for _ in range(20):
        controller.watch(torch.ones(100))
        controller.adapt()
    assert float(controller.probability) == pytest.approx(MOST)
    for _ in range(20):
        controller.watch(-torch.ones(100))
        controller.adapt()
    assert float(controller.probability) == 0.0


def test_a_target_of_zero_switches_augmentation_off():
    controller = Controller(target=0.0, images=10)
    controller.watch(torch.ones(100))
    controller.adapt()
    assert float(controller.probability) == 0.0


def test_a_step_without_real_images_leaves_the_probability():
    controller = Controller()
    assert math.isnan(controller.adapt())
    assert float(controller.probability) == 0.0


def test_the_state_is_in_the_module_so_that_checkpoints_hold_it():
    controller, other = Controller(images=100), Controller(images=100)
    controller.watch(torch.ones(10))
    controller.adapt()
    controller.watch(torch.ones(3))
    other.load_state_dict(controller.state_dict())
    assert controller.adapt() == other.adapt()
    assert float(other.probability) == float(controller.probability) == pytest.approx(0.13)
    assert int(other.steps) == 2
