"""Which images a step uses, and what is done to them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

import fourfold
from fourfold.errors import InputError
from fourfold.generate.condition import Condition
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.training import Batch, Dealer
from fourfold.generate.training.augmentation import augment, width
from fourfold.generate.training.batches import batches
from fourfold.generate.training_set import TrainingSet

PATIENTS = np.array([5, 5, 5, 5, 2, 2, 9, 1, 1, 1])
LABELS = np.array(["well", "well", "well", "ill", "well", "well", "well", "ill", "ill", "ill"])


def test_every_image_is_dealt_once_a_round() -> None:
    rows = Dealer(PATIENTS, None, "none", seed=1).rows(0, 40)
    for start in range(0, 40, 10):
        assert sorted(rows[start : start + 10]) == list(range(10))
    assert list(rows[:10]) != list(rows[10:20])


def test_patients_are_dealt_evenly_however_many_images_they_have() -> None:
    rows = Dealer(PATIENTS, None, "patient", seed=1).rows(0, 400)
    assert Counter(PATIENTS[rows]) == {1: 100, 2: 100, 5: 100, 9: 100}
    of_five = Counter(rows[PATIENTS[rows] == 5])
    assert sorted(of_five) == [0, 1, 2, 3]
    assert min(of_five.values()) > 10


def test_classes_are_dealt_evenly_and_patients_within_them() -> None:
    rows = Dealer(PATIENTS, LABELS, "class", seed=1).rows(0, 600)
    assert Counter(LABELS[rows]) == {"well": 300, "ill": 300}
    assert Counter(PATIENTS[rows][LABELS[rows] == "well"]) == {5: 100, 2: 100, 9: 100}
    assert Counter(PATIENTS[rows][LABELS[rows] == "ill"]) == {5: 150, 1: 150}


@pytest.mark.parametrize("balance", ["none", "patient", "class"])
def test_what_is_dealt_at_a_place_does_not_depend_on_where_dealing_began(balance: str) -> None:
    whole = Dealer(PATIENTS, LABELS, balance, seed=3).rows(0, 97)
    late = Dealer(PATIENTS, LABELS, balance, seed=3)
    assert np.array_equal(np.concatenate([late.rows(37, 13), late.rows(50, 47)]), whole[37:])
    assert not np.array_equal(Dealer(PATIENTS, LABELS, balance, seed=4).rows(0, 97), whole)


def test_balancing_classes_needs_classes() -> None:
    with pytest.raises(InputError, match="add a label column, or choose --set balance=patient"):
        Dealer(PATIENTS, None, "class", seed=0)


@pytest.fixture(scope="module")
def training_set() -> TrainingSet:
    images = fourfold.phantoms("chest", 10, size=16).to_image_set("training")
    images = fourfold.images.prepare({"training": images})["training"]
    patients = np.unique(images.patients, return_inverse=True)[1]
    conditioning = Conditioning.fit(("class",), images, patients)
    return TrainingSet(images, conditioning, conditioning.read(images), patients)


def feed(data: TrainingSet, steps: range, process: int = 0, processes: int = 1, **more: float) -> list[Batch]:
    dealer = Dealer(data.patients, data.labels, "patient", seed=0)
    return list(batches(data, dealer, steps, (8, process, processes), seed=0, **more))


def test_batches_are_images_between_minus_one_and_one_with_their_rows_and_conditions(training_set: TrainingSet) -> None:
    (batch,) = feed(training_set, range(3, 4))
    assert batch.images.dtype == torch.float32
    assert torch.equal(batch.images, torch.from_numpy(training_set.load(batch.rows)) * 2 - 1)
    expected = training_set.conditioning.encode(training_set.conditions.take(batch.rows))
    assert torch.equal(batch.condition.vector, expected.vector)
    assert batch.augmentation is None


def test_conditions_are_the_same_whether_they_are_encoded_at_once_or_anew(training_set: TrainingSet) -> None:
    little = TrainingSet(
        training_set.images, training_set.conditioning, training_set.conditions, training_set.patients, memory=1
    )
    for ours, theirs in zip(feed(training_set, range(2)), feed(little, range(2)), strict=True):
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.condition.vector, theirs.condition.vector)


def test_processes_share_a_batch(training_set: TrainingSet) -> None:
    (whole,) = feed(training_set, range(1))
    parts = [feed(training_set, range(1), process, 3)[0].rows for process in range(3)]
    assert [len(part) for part in parts] == [3, 3, 2]
    assert sorted(np.concatenate(parts)) == sorted(whole.rows)


def test_a_share_of_the_conditions_is_withheld_and_the_same_at_every_call(training_set: TrainingSet) -> None:
    found = feed(training_set, range(60), dropout=0.3)
    withheld = torch.cat([batch.condition.vector[:, -1] for batch in found])
    assert withheld.mean() == pytest.approx(0.3, abs=0.07)
    again = feed(training_set, range(30, 60), dropout=0.3)
    assert torch.equal(torch.cat([batch.condition.vector[:, -1] for batch in again]), withheld[240:])


def test_an_unreadable_image_is_reported_from_the_reader_thread(training_set: TrainingSet) -> None:
    def broken(entry: object) -> np.ndarray:
        raise InputError("broken.png: cannot be read; remove it")

    images = fourfold.ImageSet("training", training_set.images.entries, broken, None, training_set.images.preparation)
    data = TrainingSet(images, Conditioning(), Conditions(len(images)), training_set.patients, memory=1)
    with pytest.raises(InputError, match=r"broken\.png"):
        feed(data, range(1))


@pytest.mark.parametrize("shape", [(6, 1, 12, 16), (6, 1, 6, 8, 10)])
def test_images_that_augmentation_spares_are_untouched_and_told_nothing(shape: tuple[int, ...]) -> None:
    images = torch.rand(shape) * 2 - 1
    batch = augment(Batch(images, np.arange(6)), 0.2, torch.Generator().manual_seed(1))
    assert batch.augmentation.shape == (6, width(len(shape) - 2))
    spared = batch.augmentation.eq(0).all(dim=1)
    assert 0 < spared.sum() < 6
    assert torch.equal(batch.images[spared], images[spared])
    for row in torch.where(~spared)[0]:
        assert not torch.allclose(batch.images[row], images[row], atol=1e-3)


def test_no_augmentation_is_told_as_zeros() -> None:
    images = torch.rand(4, 1, 8, 8)
    batch = augment(Batch(images, np.arange(4)), 0.0, torch.Generator())
    assert torch.equal(batch.images, images)
    assert not batch.augmentation.any()


def warped(images: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    from fourfold.generate.training.augmentation import _warp

    return _warp(images, told, "bilinear")


def test_the_vector_says_what_was_done() -> None:
    images = torch.rand(1, 1, 8, 12)
    told = torch.zeros(1, width(2) - 2)
    for place, axis in ((0, 2), (1, 3)):
        flipped = told.clone()
        flipped[0, place] = 1
        assert torch.allclose(warped(images, flipped), images.flip(axis), atol=1e-5)
    moved = told.clone()
    moved[0, 5] = 2 / 8
    assert torch.allclose(warped(images, moved)[:, :, 2:], images[:, :, :-2], atol=1e-5)
    moved = told.clone()
    moved[0, 6] = 3 / 12
    assert torch.allclose(warped(images, moved)[..., 3:], images[..., :-3], atol=1e-5)


def test_a_quarter_turn_turns_a_square_image_by_a_quarter() -> None:
    images = torch.rand(1, 1, 9, 9)
    told = torch.zeros(1, width(2) - 2)
    told[0, 3], told[0, 4] = -1.0, 1.0
    turned = warped(images, told)
    quarter = torch.rot90(images, 1, (2, 3)), torch.rot90(images, -1, (2, 3))
    assert min((turned - one).abs().max() for one in quarter) < 1e-4


def test_enlarging_by_two_shows_the_middle() -> None:
    images = torch.zeros(1, 1, 8, 8)
    images[..., 2:6, 2:6] = 1.0
    told = torch.zeros(1, width(2) - 2)
    told[0, 2] = 1.0
    assert warped(images, told).mean() > 0.85


def test_masks_move_with_their_images_and_stay_masks() -> None:
    images = torch.zeros(16, 1, 16, 16)
    images[:, :, 3:9, 4:12] = 1.0
    mask = torch.cat([1 - images, images], dim=1)
    batch = augment(Batch(images, np.arange(16), Condition(mask=mask)), 0.9, torch.Generator().manual_seed(0))
    moved = batch.condition.mask
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(moved.sum(dim=1), torch.ones(16, 16, 16))
    # Undo what was done to brightness and contrast, then compare where the object is.
    log_contrast, brightness = batch.augmentation[:, -2:].unbind(dim=1)
    shown = (batch.images[:, 0] - brightness[:, None, None]) / 2 ** log_contrast[:, None, None]
    assert ((shown > 0.5) == (moved[:, 1] > 0.5)).float().mean() > 0.97
