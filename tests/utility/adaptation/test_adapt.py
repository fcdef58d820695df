from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from fourfold import phantoms
from fourfold.errors import InputError
from fourfold.utility.adaptation import Regression, adapt
from fourfold.utility.adaptation.alignment import displaced
from fourfold.utility.adaptation.maps import chosen_layers, watched
from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.contract import Examples
from fourfold.utility.learning.segmentation import Segmentation

SIZE = 24
TASK = Segmentation(("lesion",), (1,))


def people(patients, first=0):
    found = phantoms("brain", patients, images_per_patient=1, size=SIZE, first_patient=first, prevalence=1.0)
    return Examples(found.images, found.masks[:, 0].astype(np.uint8), np.arange(patients))


def another_kind(images, seed=0):
    rng = np.random.default_rng(seed)
    found = ndimage.gaussian_filter(1 - images**1.6, (0, 0, 0.5, 0.5))
    return np.clip(found + 0.03 * rng.standard_normal(found.shape), 0, 1).astype(np.float32)


def dice(predictor, test):
    return TASK.metric(TASK.outcomes(predictor(test.images), test))["dice"]


@pytest.fixture(scope="module")
def world():
    source, test = people(96), people(48, 1000)
    return source, replace(test, images=another_kind(test.images, 1)), TASK.fit(source, seed=0, steps=120)


def test_a_network_works_on_another_kind_of_image_without_its_labels(world):
    source, test, teacher = world
    found = adapt(teacher, source.images, another_kind(source.images), Regression(steps=120), seed=0)
    assert dice(teacher, test) < 0.4
    assert dice(found.predictor, test) > dice(teacher, test) + 0.3
    last = list(found.after)[-1]
    assert found.after[last] < 0.5 * found.before[last]
    assert found.displaced == 0


def test_tolerance_makes_up_for_displaced_pairs(world):
    source, test, teacher = world
    rng = np.random.default_rng(2)
    target = another_kind(displaced(source.images, rng.integers(-2, 3, (len(source), 2))))
    strict, tolerant = (
        adapt(teacher, source.images, target, Regression(tolerance=tolerance, steps=120)) for tolerance in (0, 2)
    )
    assert dice(tolerant.predictor, test) > dice(strict.predictor, test) + 0.03
    assert 0.8 < tolerant.displaced <= 1
    assert tolerant.edges[1] > tolerant.edges[0]


def test_pairs_of_strangers_teach_nothing(world):
    source, test, teacher = world
    target = another_kind(source.images)[np.random.default_rng(0).permutation(len(source))]
    found = adapt(teacher, source.images, target, Regression(steps=60))
    assert dice(found.predictor, test) < 0.4


def test_equal_seeds_give_equal_students_and_the_teacher_stays(world):
    source, _, teacher = world
    before = {name: value.clone() for name, value in teacher.network.state_dict().items()}
    target = another_kind(source.images)
    first, again, other = (
        adapt(teacher, source.images, target, Regression(steps=3), seed=seed).predictor.network.state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert all(torch.equal(before[name], value) for name, value in teacher.network.state_dict().items())


def test_the_head_stays_the_teachers(world):
    source, _, teacher = world
    found = adapt(teacher, source.images, another_kind(source.images), Regression(steps=3))
    image = torch.from_numpy(source.images[:1])
    (last,) = chosen_layers(teacher.network, image, "last")
    old, new = teacher.network.state_dict(), found.predictor.network.state_dict()
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed
    assert not any(name.startswith(f"{last}.") for name in changed)


def test_a_classifier_is_adapted_by_its_pooled_features():
    found = phantoms("chest", 80, images_per_patient=1, size=SIZE, prevalence=0.5)
    task = Classification(("lesion", "normal"))
    targets = np.stack([found.labels == name for name in task.names], axis=1).astype(np.float32)
    examples = Examples(found.images, targets, np.arange(80))
    teacher = task.fit(examples, seed=0, steps=60)
    target = another_kind(found.images)
    adapted = adapt(teacher, found.images, target, Regression(steps=60)).predictor
    own, before, after = (
        np.abs(predictor(images) - targets).mean()
        for predictor, images in ((teacher, found.images), (teacher, target), (adapted, target))
    )
    assert own <= after < before


def test_maps_are_the_inputs_of_layers_in_the_order_of_work():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Conv2d(2, 3, 3), torch.nn.Flatten()
    )
    network.append(torch.nn.Linear(3 * 16, 2))
    image = torch.rand(1, 1, 8, 8)
    assert chosen_layers(network, image, "all") == ("2", "4")
    assert chosen_layers(network, image, "last") == ("4",)
    with watched(network, ("2", "4")) as found:
        network(image)
    assert torch.equal(found["2"], network[:2](image))
    assert found["4"].shape == (1, 48)
    # Nothing is left hanging on the network.
    assert not any(module._forward_pre_hooks for module in network.modules())
    with pytest.raises(ValueError, match="has no feature maps; give a deeper one"):
        chosen_layers(torch.nn.Conv2d(1, 1, 3), image, "last")


def test_what_cannot_be_adapted(world):
    source, _, teacher = world
    with pytest.raises(InputError, match="pairs are as many images of one kind as of the other"):
        adapt(teacher, source.images, source.images[1:])
    with pytest.raises(InputError, match="has no network whose feature maps could be regressed"):
        adapt(lambda images: images, source.images, source.images)
    with pytest.raises(InputError, match="maps that are regressed are 'last' or 'all', got 'first'"):
        Regression("first")
    with pytest.raises(InputError, match="tolerance is a whole number from 0 up, got -1"):
        Regression(tolerance=-1)
