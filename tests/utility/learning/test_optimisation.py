import numpy as np
import pytest
import torch
from torch import nn

from fourfold.errors import InputError
from fourfold.utility.learning import Examples
from fourfold.utility.learning.optimisation import Schedule, learned


def some(count):
    images = np.random.default_rng(0).random((count, 1, 4, 4), dtype=np.float32)
    return Examples(images, images.mean(axis=(2, 3)), np.arange(count))


def line():
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    for weights in network.parameters():
        nn.init.zeros_(weights)
    return network


def test_what_was_learned_comes_with_the_scale_it_was_shown_on():
    examples = some(40)
    network, scale = learned(line, examples, nn.functional.mse_loss, Schedule(200, 20, 0.05, 0.0), seed=0, device="cpu")
    assert not network.training
    assert (scale.centre, scale.spread) == pytest.approx((examples.images.mean(), examples.images.std()))
    with torch.inference_mode():
        found = network(scale(torch.from_numpy(examples.images)))
    error = nn.functional.mse_loss(found, torch.from_numpy(examples.targets))
    assert float(error) < 0.05 * examples.targets.var()


def test_nothing_is_learned_from_no_image():
    with pytest.raises(InputError, match="there is no image to learn from"):
        learned(line, some(0), nn.functional.mse_loss, Schedule(1, 2, 0.1, 0.0), seed=0, device="cpu")
