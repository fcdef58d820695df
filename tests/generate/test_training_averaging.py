"""Moving averages of weights whose memory grows with the training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fourfold.generate.training.averaging import PowerAverages, decay, exponent


@pytest.mark.parametrize(("width", "gamma"), [(0.05, 16.97), (0.10, 6.94)])
def test_exponents_are_those_that_the_paper_names(width: float, gamma: float) -> None:
    assert exponent(width) == pytest.approx(gamma, abs=0.005)


@pytest.mark.parametrize("width", [0.03, 0.12, 0.25])
def test_the_profile_of_weights_has_the_width_that_was_asked_for(width: float) -> None:
    steps = 20_000
    gamma = exponent(width)
    betas = np.array([decay(step, gamma) for step in range(1, steps + 1)])
    after = np.append(np.cumprod(betas[::-1])[::-1][1:], 1.0)
    weights = (1 - betas) * after
    times = np.arange(1, steps + 1) / steps
    mean = weights @ times
    assert weights.sum() == pytest.approx(1)
    assert np.sqrt(weights @ (times - mean) ** 2) == pytest.approx(width, rel=1e-3)


def test_nothing_of_the_initial_weights_remains_after_the_first_step() -> None:
    module = nn.Linear(2, 2)
    averages = PowerAverages({"net": module}, (0.1,))
    with torch.no_grad():
        module.weight.fill_(3.0)
    averages.update(1)
    assert torch.equal(averages.modules()["net"].weight, torch.full((2, 2), 3.0))


def test_buffers_are_taken_over_and_not_averaged() -> None:
    module = nn.BatchNorm1d(2)
    averages = PowerAverages({"norm": module}, (0.1,))
    for step in (1, 2, 3):
        module(torch.full((4, 2), float(step)) + torch.randn(4, 2))
        averages.update(step)
    averaged = averages.modules()["norm"]
    assert int(averaged.num_batches_tracked) == 3
    assert torch.equal(averaged.running_mean, module.running_mean)


def test_several_widths_are_kept_and_restored_and_the_first_is_used() -> None:
    module = nn.Linear(1, 1)
    averages = PowerAverages({"net": module}, (0.05, 0.2))
    for step in range(1, 6):
        with torch.no_grad():
            module.weight.fill_(float(step))
        averages.update(step)
    arrays = averages.arrays()
    assert arrays["0.05/net/weight"] > arrays["0.2/net/weight"]
    other = PowerAverages({"net": nn.Linear(1, 1)}, (0.05, 0.2))
    other.restore(arrays)
    assert torch.equal(other.modules()["net"].weight, arrays["0.05/net/weight"])
    assert not other.modules()["net"].weight.requires_grad


def test_nothing_is_averaged_where_no_width_is_given() -> None:
    averages = PowerAverages({"net": nn.Linear(1, 1)}, ())
    averages.update(1)
    assert averages.modules() == {}
    assert averages.arrays() == {}
