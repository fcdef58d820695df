import numpy as np
import pytest
import torch

from fourfold.utility.network import SmallNetwork, balanced_loss, shrink
from fourfold.utility.tasks import Labelled


def spots(seed, size, shape=(28, 28), channels=1):
    """Noise; the images of class 1 have a bright square somewhere."""
    random = np.random.default_rng([31, seed])
    images = random.normal(size=(size, channels, *shape)).astype(np.float32)
    labels = np.arange(size) % 2
    for image, label in zip(images, labels, strict=True):
        corner = [int(random.integers(0, side - side // 3)) for side in shape]
        where = tuple(slice(start, start + side // 3) for start, side in zip(corner, shape, strict=True))
        image[(slice(None), *where)] += 2.0 * label
    return images, Labelled.from_arrays("any", labels.astype(str), None, size)


def test_it_learns_what_is_there():
    images, task = spots(0, 128)
    test, truth = spots(1, 60)
    scores = SmallNetwork(steps=25, batch_size=32)(images, task, 1.0, test, seed=0)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0)
    assert np.mean(scores.argmax(axis=1) == truth.targets.argmax(axis=1)) > 0.9


@pytest.mark.parametrize(("shape", "channels"), [((8, 8), 1), ((28, 28), 3), ((64, 40), 1), ((12, 14, 10), 1)])
def test_small_large_coloured_and_three_dimensional_images_go_through(shape, channels):
    images, task = spots(0, 16, shape, channels)
    scores = SmallNetwork(steps=2, batch_size=8)(images, task, 1.0, images, seed=0)
    assert scores.shape == (16, 2)
    assert np.isfinite(scores).all()


def test_volumes_are_learned_from_in_smaller_batches():
    assert SmallNetwork.suited((1, 28, 28)) == SmallNetwork()
    assert SmallNetwork.suited((1, 32, 32, 32)).batch_size < SmallNetwork().batch_size


def test_a_seed_gives_the_same_network_and_another_seed_another():
    images, task = spots(0, 40, (12, 12))
    network = SmallNetwork(steps=3, batch_size=16)
    first = network(images, task, 1.0, images, seed=5)
    np.testing.assert_array_equal(network(images, task, 1.0, images, seed=5), first)
    assert not np.array_equal(network(images, task, 1.0, images, seed=6), first)


def test_global_random_state_and_threads_are_left_alone():
    images, task = spots(0, 16, (12, 12))
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    SmallNetwork(steps=2, batch_size=8)(images, task, 1.0, images, seed=0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def gradient_of_an_even_guess(targets, exclusive):
    """Gradient of the loss of the whole set at logits of 0, shape (n, K)."""
    logits = torch.zeros(targets.shape, requires_grad=True)
    targets = torch.from_numpy(targets.astype(np.float32))
    balanced_loss(targets, exclusive)(logits, targets).backward()
    return logits.grad.numpy()


def test_rare_and_frequent_classes_pull_equally():
    slopes = gradient_of_an_even_guess(np.eye(3)[np.repeat([0, 1, 2], [50, 8, 2])], exclusive=True)
    np.testing.assert_allclose(slopes.sum(axis=0), 0.0, atol=1e-6)
    assert np.abs(slopes[-1]).sum() > 10 * np.abs(slopes[0]).sum()


def test_presence_and_absence_of_a_finding_pull_equally_and_unknown_ones_not_at_all():
    findings = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, np.nan], [0.0, 0.0], [np.nan, 0.0]])
    slopes = gradient_of_an_even_guess(findings, exclusive=False)
    np.testing.assert_allclose(slopes.sum(axis=0), 0.0, atol=1e-6)
    assert slopes[2, 1] == slopes[4, 0] == 0.0
    assert (slopes[findings == 1] < 0).all()


def test_findings_get_a_probability_each():
    images, _ = spots(0, 40, (12, 12))
    present = np.arange(40) % 2
    task = Labelled.from_arrays("any", {"a": present, "b": 1.0 - present}, None, 40)
    scores = SmallNetwork(steps=30, batch_size=40)(images, task, 1.0, images, seed=0)
    assert np.mean((scores > 0.5) == np.stack([present, 1 - present], axis=1)) > 0.9


def test_images_are_shrunk_by_their_mean():
    images = np.arange(2 * 1 * 128 * 128, dtype=np.float32).reshape(2, 1, 128, 128)
    small = shrink(images)
    assert small.shape == (2, 1, 64, 64)
    np.testing.assert_allclose(small[0, 0, 0, 0], images[0, 0, :2, :2].mean())


def test_volumes_are_shrunk_further_and_small_images_stay():
    assert shrink(np.zeros((1, 1, 64, 48, 32), np.float32)).shape == (1, 1, 32, 24, 16)
    small = np.random.default_rng(0).random((2, 1, 28, 28), dtype=np.float32)
    np.testing.assert_array_equal(shrink(small), small)
