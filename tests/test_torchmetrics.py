"""Metrics for training loops."""

import doctest

import numpy as np
import pytest
import torch

import fourfold.torchmetrics
from fourfold import fidelity, variety
from fourfold.errors import InputError
from fourfold.torchmetrics import Coverage, Density, FrechetDistance, KernelDistance, Precision, Recall

CASES = (
    (lambda: FrechetDistance(6), fidelity.frechet_distance, False),
    (KernelDistance, fidelity.kernel_distance, False),
    (Precision, fidelity.precision, True),
    (Density, fidelity.density, True),
    (Recall, variety.recall, True),
    (Coverage, variety.coverage, True),
)


@pytest.fixture
def sets() -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(90, 6)), 0.8 * rng.normal(size=(70, 6)) + 0.3
    return torch.from_numpy(real).float(), torch.from_numpy(synthetic).float()


def _filled(metric, real, synthetic, size=1000):
    for batch in real.split(size):
        metric.update(batch, real=True)
    for batch in synthetic.split(size):
        metric.update(batch, real=False)
    return metric


@pytest.mark.parametrize(("make", "function", "higher"), CASES)
def test_a_metric_gives_what_its_function_gives_whatever_the_batches(sets, make, function, higher):
    expected = function(*(one.numpy() for one in sets))
    for size in (1, 7, 1000):
        assert float(_filled(make(), *sets, size).compute()) == pytest.approx(expected, rel=1e-9)
    assert make().higher_is_better is higher


@pytest.mark.parametrize(("make", "function", "higher"), CASES)
def test_two_processes_that_merge_agree_with_one(sets, make, function, higher):
    real, synthetic = sets
    first = _filled(make(), real[:50], synthetic[:20])
    first.merge_state(_filled(make(), real[50:], synthetic[20:]))
    assert float(first.compute()) == pytest.approx(function(real.numpy(), synthetic.numpy()), rel=1e-9)


@pytest.mark.parametrize(("make", "function", "higher"), CASES)
def test_states_gathered_from_processes_reduce_to_one(sets, make, function, higher):
    real, synthetic = sets
    parts = [_filled(make(), real[:50], synthetic[:20]), _filled(make(), real[50:], synthetic[20:])]
    gathered = make()
    for name, reduction in gathered._reductions.items():
        states = []
        for part in parts:
            state = getattr(part, name)
            states.append(torch.cat(state) if isinstance(state, list) else state)
        setattr(gathered, name, reduction(states))
    gathered._update_count = 1
    assert float(gathered.compute()) == pytest.approx(function(real.numpy(), synthetic.numpy()), rel=1e-9)


@pytest.mark.parametrize(("make", "function", "higher"), CASES)
def test_reset_forgets_everything(sets, make, function, higher):
    metric = _filled(make(), *sets)
    metric.reset()
    with (
        pytest.warns(UserWarning, match="before the ``update``"),
        pytest.raises(InputError, match=r"got 0|no real images"),
    ):
        metric.compute()
    assert float(_filled(metric, *sets).compute()) == float(_filled(make(), *sets).compute())


def test_an_extractor_turns_images_into_features(sets):
    real, synthetic = sets

    def extractor(images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)

    for make in (lambda: FrechetDistance(6, extractor), lambda: Precision(extractor, k=3)):
        metric = _filled(make(), real.view(-1, 1, 2, 3), synthetic.view(-1, 1, 2, 3))
        assert float(metric.compute()) >= 0


def test_the_frechet_distance_stays_in_float64(sets):
    metric = FrechetDistance(6).half()
    assert _filled(metric, *sets).real_scatter.dtype == torch.float64


def test_images_without_an_extractor_are_refused_with_a_sentence():
    with pytest.raises(InputError, match=r"shape \(B, d\), got \(2, 1, 4, 4\); give an extractor"):
        Precision().update(torch.zeros(2, 1, 4, 4), real=True)
    with pytest.raises(InputError, match="made for 6 features, got 5"):
        FrechetDistance(6).update(torch.zeros(2, 5), real=True)


def test_the_examples_run_as_printed():
    assert doctest.testmod(fourfold.torchmetrics).failed == 0
