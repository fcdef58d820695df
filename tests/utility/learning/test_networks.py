import pytest
import torch

from fourfold.errors import InputError
from fourfold.utility.learning.networks import CLASSIFIERS, SEGMENTERS, build, depth


@pytest.mark.parametrize("name", sorted(SEGMENTERS))
@pytest.mark.parametrize("shape", [(1, 16, 24), (3, 8, 8), (1, 16, 16, 8)])
def test_every_segmenter_gives_a_map_for_every_region(name, shape):
    network = build(SEGMENTERS, name, shape, 3, seed=0).eval()
    assert network(torch.zeros(2, *shape)).shape == (2, 3, *shape[1:])


@pytest.mark.parametrize("shape", [(1, 32, 40), (3, 32, 32, 32)])
def test_densenet_takes_images_and_volumes(shape):
    network = build(CLASSIFIERS, "densenet121", shape, 2, seed=0).eval()
    assert network(torch.zeros(1, *shape)).shape == (1, 2)


def test_densenet_refuses_what_it_cannot_halve_and_says_what_to_do():
    with pytest.raises(InputError, match=r"a side of 16; prepare them at 32 or more with --size"):
        build(CLASSIFIERS, "densenet121", (1, 16, 64), 2, seed=0)


def test_an_unknown_network_is_refused_with_those_there_are():
    with pytest.raises(InputError, match="no network 'vit' for this task; there are: resnet, densenet121"):
        build(CLASSIFIERS, "vit", (1, 32, 32), 2, seed=0)


@pytest.mark.parametrize(("networks", "name"), [(CLASSIFIERS, "resnet"), (SEGMENTERS, "unet"), (SEGMENTERS, "dynunet")])
def test_first_weights_come_from_the_seed_alone(networks, name):
    state = torch.random.get_rng_state()
    first, again, other = (build(networks, name, (1, 16, 16), 2, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_a_network_starts_from_weights_learned_elsewhere():
    plain = build(CLASSIFIERS, "resnet", (1, 16, 16), 2, seed=0).state_dict()
    given = {"conv1.weight": torch.full_like(plain["conv1.weight"], 0.5)}
    started = build(CLASSIFIERS, "resnet", (1, 16, 16), 2, seed=0, initial=given).state_dict()
    assert torch.equal(started["conv1.weight"], given["conv1.weight"])
    assert torch.equal(started["fc.weight"], plain["fc.weight"])


@pytest.mark.parametrize(
    ("given", "message"),
    [({"no.such": torch.zeros(1)}, "no weights 'no.such'"), ({"conv1.weight": torch.zeros(1)}, r"shape \(1,\)")],
)
def test_weights_that_do_not_fit_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        build(CLASSIFIERS, "resnet", (1, 16, 16), 2, seed=0, initial=given)


def test_small_images_are_halved_less_often():
    assert [depth((side, 64)) for side in (4, 8, 16, 32, 64)] == [1, 1, 2, 3, 3]
