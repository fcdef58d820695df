"""Guidance away from a guide: what it calls, where it acts, and what a weight means."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.generate.analytic import MixtureLaw
from fourfold.generate.condition import Condition
from fourfold.generate.denoiser import Denoise
from fourfold.generate.frameworks import framework
from fourfold.generate.guidance import autoguidance, classifier_free
from fourfold.generate.noise import Noise
from fourfold.generate.sampling import sample

LAW = MixtureLaw(
    torch.tensor([0.5, 0.5]), torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).reshape(2, 1, 1, 2), torch.tensor([0.7, 0.7])
)
CLASSES = [MixtureLaw(torch.ones(1), LAW.means[[k]], torch.full((1,), 0.7)) for k in range(2)]


class Network:
    """A perfect class-conditional denoiser that counts its calls."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, x: Tensor, sigma: Tensor, condition: Condition | None = None) -> Tensor:
        self.batches.append(len(x))
        assert condition is not None
        assert len(condition) == len(x)
        given = torch.stack([one(x, sigma) for one in (*CLASSES, LAW)], dim=1)
        return given[torch.arange(len(x)), condition.vector.argmax(dim=1)]


def classes(*numbers: int) -> Condition:
    """Class numbers one-hot, the last column for what is withheld."""
    return Condition(vector=torch.eye(3)[list(numbers)])


X = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 1, 1, 2)))
CONDITION = classes(0, 1, 0, 1)
SIGMAS = {
    "one for all": torch.tensor(0.8),
    "one an image": torch.full((4,), 0.8),
    "a map": torch.full((4, 1, 1, 2), 0.8),
    "a map for all": torch.full((1, 1, 1, 2), 0.8),
}


def parts(sigma: Tensor) -> tuple[Tensor, Tensor]:
    """The conditional estimate and the guide."""
    return Network()(X, sigma, CONDITION), Network()(X, sigma, CONDITION.withheld())


@pytest.mark.parametrize("kind", SIGMAS)
def test_classifier_free_guidance_is_one_call_of_twice_the_batch(kind: str) -> None:
    network = Network()
    found = classifier_free(network, CONDITION, 2.5)(X, SIGMAS[kind])
    estimate, guide = parts(SIGMAS[kind])
    torch.testing.assert_close(found, guide + 2.5 * (estimate - guide))
    assert network.batches == [8]


@pytest.mark.parametrize(("weight", "expected"), [(1.0, 0), (0.0, 1)])
def test_weights_of_one_and_nought_cost_one_call_and_are_exact(weight: float, expected: int) -> None:
    network = Network()
    found = classifier_free(network, CONDITION, weight)(X, torch.tensor(0.8))
    assert torch.equal(found, parts(torch.tensor(0.8))[expected])
    assert network.batches == [4]


@pytest.mark.parametrize(("weight", "calls"), [(1.0, (1, 0)), (0.0, (0, 1)), (1.7, (1, 1))])
def test_autoguidance_calls_only_whom_it_needs(weight: float, calls: tuple[int, int]) -> None:
    counts = [0, 0]

    def counted(which: int, law: MixtureLaw) -> Denoise:
        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            counts[which] += 1
            return law(x, sigma)

        return denoise

    found = autoguidance(counted(0, CLASSES[0]), counted(1, LAW), weight)(X, torch.tensor(0.8))
    estimate, guide = CLASSES[0](X, torch.tensor(0.8)), LAW(X, torch.tensor(0.8))
    torch.testing.assert_close(found, guide + weight * (estimate - guide))
    assert tuple(counts) == calls


def test_outside_its_interval_guidance_costs_nothing_and_changes_nothing() -> None:
    network = Network()
    denoise = classifier_free(network, CONDITION, 2.0, between=(0.3, 1.0))
    for level, batch in ((1.5, 4), (1.0, 8), (0.5, 8), (0.3, 4), (0.1, 4)):
        sigma = torch.tensor(level, dtype=torch.float64)
        found = denoise(X, sigma)
        assert network.batches[-1] == batch
        estimate, guide = parts(sigma)
        expected = guide + 2 * (estimate - guide) if batch == 8 else estimate
        torch.testing.assert_close(found, expected)


def test_each_pixel_of_a_map_is_guided_by_its_own_level() -> None:
    sigma = torch.tensor([0.2, 0.8]).expand(4, 1, 1, 2)
    found = classifier_free(Network(), CONDITION, 3.0, between=(0.3, 1.0))(X, sigma)
    estimate, guide = parts(sigma)
    assert torch.equal(found[..., 0], estimate[..., 0])
    torch.testing.assert_close(found[..., 1], (guide + 3 * (estimate - guide))[..., 1])
    apart = autoguidance(lambda x, s: estimate, lambda x, s: guide, 3.0, between=(0.3, 1.0))(X, sigma)
    torch.testing.assert_close(apart, found)


def test_guidance_without_a_condition_is_refused_unless_it_is_none() -> None:
    with pytest.raises(InputError, match="guidance of 2 without a condition has nothing to guide towards"):
        classifier_free(Network(), None, 2.0)
    assert torch.equal(classifier_free(lambda x, s, c: x + 1, None, 1.0)(X, torch.tensor(1.0)), X + 1)


def test_every_part_of_a_condition_is_withheld_from_the_guide() -> None:
    seen = []

    def network(x: Tensor, sigma: Tensor, condition: Condition | None) -> Tensor:
        seen.append(condition)
        return x

    whole = Condition(
        vector=torch.ones(4, 3),
        tokens=torch.ones(4, 5, dtype=torch.int64),
        context=torch.ones(4, 5, 2),
        mask=torch.ones(4, 2, 1, 2),
    )
    classifier_free(network, whole, 2.0)(X, torch.tensor(1.0))
    for name in ("vector", "tokens", "context", "mask"):
        part = getattr(seen[0], name)
        assert len(part) == 8
        assert torch.equal(part[:4], getattr(whole, name))
        assert torch.equal(part[4:], getattr(whole.withheld(), name))


def test_more_guidance_obeys_the_condition_more_and_varies_less() -> None:
    n = 400
    condition = classes(*[1] * n)
    obeyed, width = [], []
    for weight in (0.0, 1.0, 3.0):
        drawn = sample(
            classifier_free(Network(), condition, weight),
            framework("edm"),
            Noise(range(n), (1, 1, 2)),
            sampler="dpm++2m",
            evaluations=20,
        )
        obeyed.append(float((drawn[..., 0] > 0).float().mean()))
        width.append(float(drawn[..., 0].std()))
    assert obeyed[0] < 0.6 < obeyed[1] < obeyed[2]
    assert width[2] < width[1] < width[0]
