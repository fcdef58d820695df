import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.images.phantoms import phantoms
from fourfold.images.prepare import prepare
from fourfold.images.sources import open_set
from fourfold.utility.learning import Examples
from fourfold.utility.learning.segmentation import Segmentation

ONE = Segmentation(("square",), (1,))


def examples(drawn, patients=None):
    images, _, maps = drawn
    return Examples(images, maps, np.arange(len(images)) if patients is None else patients)


@pytest.mark.parametrize(
    ("network", "shape", "steps"),
    [("unet", (24, 24), 60), ("dynunet", (20, 30), 40), ("unet", (16, 16, 16), 60)],
)
def test_what_is_there_is_found_on_other_images(spots, network, shape, steps):
    task = Segmentation(("square",), (1,), network=network)
    learned = task.fit(examples(spots(0, 64, shape)), seed=0, steps=steps)
    tested = examples(spots(1, 40, shape))
    predicted = learned(tested.images)
    assert predicted.dtype == np.uint8
    assert predicted.shape == tested.targets.shape
    found = task.metric(task.outcomes(predicted, tested))
    assert found["dice"] > 0.8
    assert found["false_alarms/square"] < 0.5


def test_masks_of_other_images_teach_nothing(spots):
    images, _, maps = spots(0, 64)
    learned = ONE.fit(Examples(images, np.roll(maps, 2, axis=0), np.arange(64)), seed=0, steps=40)
    tested = examples(spots(1, 40))
    assert ONE.metric(ONE.outcomes(learned(tested.images), tested))["dice"] < 0.5


def test_the_lesion_of_a_phantom_is_found():
    training = phantoms("brain", 160, images_per_patient=2, size=32, prevalence=1.0)
    fresh = phantoms("brain", 60, images_per_patient=1, size=32, prevalence=1.0, first_patient=160)
    sets = [Examples(one.images, one.masks[:, 0].astype(np.uint8), np.arange(len(one))) for one in (training, fresh)]
    learned = ONE.fit(sets[0], seed=0, steps=150)
    assert ONE.metric(ONE.outcomes(learned(sets[1].images), sets[1]))["dice"] > 0.8


@pytest.mark.parametrize("augment", [False, True])
def test_a_seed_gives_the_same_network_and_another_seed_another(spots, augment):
    learned = examples(spots(0, 16, (16, 16)))
    one, again, other = (ONE.fit(learned, seed=seed, steps=3, augment=augment) for seed in (5, 5, 6))
    states = [each.network.state_dict() for each in (one, again, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_several_regions_are_kept_apart(spots):
    images, present, maps = spots(0, 64)
    darker = np.where((present == 1)[:, None, None] & (maps == 1) & (np.arange(64) % 4 == 1)[:, None, None], -0.5, 0)
    images = (images + darker[:, None]).clip(0, 1).astype(np.float32)
    maps = np.where(darker < 0, 2, maps).astype(np.uint8)
    task = Segmentation(("bright", "dark"), (1, 2))
    learned = task.fit(Examples(images, maps, np.arange(64)), seed=0, steps=80)
    found = task.metric(task.outcomes(learned(images), Examples(images, maps, np.arange(64))))
    assert found["dice/bright"] > 0.8
    assert found["dice/dark"] > 0.8
    assert found["dice"] == pytest.approx((found["dice/bright"] + found["dice/dark"]) / 2)


def test_weights_count_an_image_several_times():
    random = np.random.default_rng(3)
    task = Segmentation(("a", "b"), (1, 2), borders=True)
    true, predicted = (random.integers(0, 3, (20, 6, 6)).astype(np.uint8) for _ in range(2))
    true[:4] = 0
    outcomes = task.outcomes(predicted, Examples(np.zeros((20, 1, 6, 6), np.float32), true, np.arange(20)))
    weights = random.integers(0, 3, 20)
    rows = np.repeat(np.arange(20), weights)
    # Each repetition is a patient of its own, as in the bootstrap.
    repeated = task.outcomes(
        predicted[rows], Examples(np.zeros((len(rows), 1, 6, 6)), true[rows], np.arange(len(rows)))
    )
    weighted, again = task.metric(outcomes, weights), task.metric(repeated)
    assert list(weighted) == list(again)
    np.testing.assert_allclose(list(weighted.values()), list(again.values()))
    assert next(iter(weighted)) == "dice"
    assert "hausdorff95/a" in weighted
    np.testing.assert_allclose(task.headline(outcomes, weights[None]), [weighted["dice"]])


def test_names_and_values_belong_together():
    with pytest.raises(ValueError, match="2 names for 1 regions"):
        Segmentation(("a", "b"), (1,))


def test_a_written_set_poses_its_task(tmp_path):
    drawn = phantoms("chest", 12, images_per_patient=1, size=24)
    drawn.write(tmp_path / "set")
    images = prepare({"training": open_set(tmp_path / "set", name="training")})["training"]
    task = Segmentation.of(images, names=("lesion",))
    assert task == Segmentation(("lesion",), (255,))
    found = task.examples(images)
    places = {entry.path: row for row, entry in enumerate(images.entries)}
    order = [places[path] for path in drawn_paths(images, drawn)]
    np.testing.assert_array_equal(found.targets[order], drawn.masks[:, 0])
    assert drawn.subgroup in found.groups
    assert len(np.unique(found.patients)) == 12
    with pytest.raises(InputError, match="2 names were given and the masks of the training set hold 1 regions"):
        Segmentation.of(images, names=("a", "b"))


def drawn_paths(images, drawn):
    return [f"{label}/{patient}_00.png" for label, patient in zip(drawn.labels, drawn.patients, strict=True)]
