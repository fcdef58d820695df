import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.images.phantoms import phantoms
from fourfold.images.prepare import prepare
from fourfold.images.sets import ImageSet
from fourfold.utility.learning import Examples
from fourfold.utility.learning.classification import Classification, prior_shift
from fourfold.utility.roc import area_under_curve, balanced_accuracy

TWO = Classification(("with", "without"), batch_size=32)


def examples(images, present, patients=None):
    patients = np.arange(len(images)) if patients is None else patients
    return Examples(images, np.eye(2, dtype=np.float32)[present], patients)


def made_up(random, count=60, classes=3, exclusive=True):
    """Targets and probabilities that know something of them."""
    targets = np.eye(classes, dtype=np.float32)[random.integers(0, classes, count)]
    probabilities = random.dirichlet(np.ones(classes), count) + 0.3 * targets
    if exclusive:
        return targets, probabilities / probabilities.sum(axis=1, keepdims=True)
    targets[random.uniform(size=targets.shape) < 0.2] = np.nan
    return targets, np.nan_to_num(probabilities, nan=0.5).clip(0, 1)


def outcomes_of(task, targets, probabilities):
    size = len(targets)
    return task.outcomes(probabilities, Examples(np.zeros((size, 1, 2, 2), np.float32), targets, np.arange(size)))


def test_what_is_there_is_learned_and_what_is_not_is_not(spots):
    images, present, _ = spots(0, 96)
    tested = examples(*spots(1, 200)[:2])
    right = TWO.fit(examples(images, present), seed=0, steps=30)
    assert TWO.metric(TWO.outcomes(right(tested.images), tested))["auc"] > 0.95
    shuffled = np.random.default_rng(0).permutation(present)
    wrong = [TWO.fit(examples(images, shuffled), seed=seed, steps=30) for seed in range(3)]
    areas = [TWO.metric(TWO.outcomes(one(tested.images), tested))["auc"] for one in wrong]
    assert abs(np.mean(areas) - 0.5) < 0.2


def test_a_lesion_of_a_phantom_is_learned():
    training = phantoms("brain", 200, images_per_patient=2, size=32, prevalence=0.5)
    fresh = phantoms("brain", 120, images_per_patient=1, size=32, prevalence=0.5, first_patient=200)
    task = Classification(("lesion", "normal"))
    sets = [
        Examples(one.images, np.eye(2, dtype=np.float32)[(one.labels == "normal").astype(int)], np.arange(len(one)))
        for one in (training, fresh)
    ]
    predictor = task.fit(sets[0], seed=0, steps=60)
    assert task.metric(task.outcomes(predictor(sets[1].images), sets[1]))["auc"] > 0.9


@pytest.mark.parametrize("augment", [False, True])
def test_a_seed_gives_the_same_network_and_another_seed_another(spots, augment):
    images, present, _ = spots(0, 40, (12, 12))
    one, again, other = (
        TWO.fit(examples(images, present), seed=seed, steps=3, augment=augment)(images) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_augmentation_and_first_weights_change_what_is_learned(spots):
    images, present, _ = spots(0, 40, (12, 12))
    plain = TWO.fit(examples(images, present), seed=5, steps=3)(images)
    assert not np.array_equal(TWO.fit(examples(images, present), seed=5, steps=3, augment=True)(images), plain)
    initial = {"conv1.weight": torch.ones(16, 1, 3, 3)}
    assert not np.array_equal(TWO.fit(examples(images, present), seed=5, steps=3, initial=initial)(images), plain)


def test_global_random_state_and_threads_are_left_alone_and_progress_told(spots):
    images, present, _ = spots(0, 16, (12, 12))
    state, threads, told = torch.random.get_rng_state(), torch.get_num_threads(), []
    TWO.fit(examples(images, present), seed=0, steps=2, progress=lambda done, total: told.append((done, total)))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert told == [(1, 2), (2, 2)]


def test_findings_are_learned_with_what_is_unknown_of_them(spots):
    images, present, _ = spots(0, 120)
    noise = np.random.default_rng(2).integers(0, 2, 120)
    targets = np.stack([present, noise], axis=1).astype(np.float32)
    targets[:30, 0] = np.nan
    task = Classification(("bright", "coin"), exclusive=False)
    tested, truth, _ = spots(1, 80)
    predictor = task.fit(Examples(images, targets, np.arange(120)), seed=0, steps=30)
    wanted = np.stack([truth, np.full(80, np.nan)], axis=1).astype(np.float32)
    found = task.metric(task.outcomes(predictor(tested), Examples(tested, wanted, np.arange(80))))
    assert found["auc/bright"] > 0.9
    assert np.isnan(found["auc/coin"])
    assert {"ece/bright", "ece_null/bright"} <= set(found)


def test_probabilities_know_the_shares_of_the_training_set(spots):
    random = np.random.default_rng(9)
    noise = random.uniform(size=(480, 1, 12, 12)).astype(np.float32)
    learned = examples(noise[:240], (np.arange(240) % 5 == 0).astype(int))
    # There is nothing to be learned but that one image in five is of the second class.
    probabilities = TWO.fit(learned, seed=0, steps=20)(noise[240:])
    assert probabilities.mean(axis=0) == pytest.approx([0.8, 0.2], abs=0.12)


def test_shifts_of_classes_and_findings_by_hand():
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(prior_shift(targets, True).exp(), [0.75, 0.25])
    targets[3, 1] = torch.nan
    np.testing.assert_allclose(prior_shift(targets, False).exp(), [3.0, 0.5 / 3])


@pytest.mark.parametrize("exclusive", [True, False])
def test_weights_count_an_image_several_times(exclusive):
    random = np.random.default_rng(5)
    task = Classification(("a", "b", "c"), exclusive)
    outcomes = outcomes_of(task, *made_up(random, exclusive=exclusive))
    weights = random.integers(0, 3, len(outcomes))
    weighted = task.metric(outcomes, weights)
    repeated = task.metric(outcomes.take(np.repeat(np.arange(len(outcomes)), weights)))
    assert list(weighted) == list(repeated)
    np.testing.assert_allclose(list(weighted.values()), list(repeated.values()))
    assert next(iter(weighted)) == "auc"
    np.testing.assert_allclose(task.headline(outcomes, np.stack([weights, weights])), [weighted["auc"]] * 2)


def test_without_weights_the_areas_are_those_of_the_quick_answer():
    random = np.random.default_rng(6)
    targets, probabilities = made_up(random)
    found = Classification(("a", "b", "c")).metric(outcomes_of(Classification(("a", "b", "c")), targets, probabilities))
    assert found["auc"] == pytest.approx(float(area_under_curve(targets, probabilities)[0]))
    assert found["auc"] == pytest.approx(np.mean([found[f"auc/{name}"] for name in "abc"]))
    even = np.eye(3, dtype=np.float32)[np.arange(60) % 3]
    both = Classification(("a", "b", "c")).metric(outcomes_of(Classification(("a", "b", "c")), even, probabilities))
    # With as many images of each class the two rules for calls agree.
    assert both["balanced_accuracy"] == pytest.approx(balanced_accuracy(even, probabilities, True))


def test_a_finding_that_no_test_image_tells_about_is_left_out_of_the_mean():
    random = np.random.default_rng(10)
    targets, probabilities = made_up(random, exclusive=False)
    targets[:, 2] = np.nan
    task = Classification(("a", "b", "c"), exclusive=False)
    outcomes = outcomes_of(task, targets, probabilities)
    found = task.metric(outcomes)
    assert found["auc"] == pytest.approx((found["auc/a"] + found["auc/b"]) / 2)
    np.testing.assert_allclose(task.headline(outcomes, np.ones((2, 60))), [found["auc"]] * 2)


def test_a_resampled_test_set_without_a_class_has_no_value():
    task = Classification(("a", "b", "c"))
    targets, probabilities = made_up(np.random.default_rng(11))
    outcomes = outcomes_of(task, targets, probabilities)
    weights = np.stack([np.ones(60), targets[:, 0] == 0])
    assert list(np.isnan(task.headline(outcomes, weights))) == [False, True]


def test_a_subgroup_is_a_matter_of_weights():
    random = np.random.default_rng(7)
    task = Classification(("a", "b", "c"))
    outcomes = outcomes_of(task, *made_up(random))
    group = np.arange(60) % 2 == 0
    assert task.metric(outcomes, group.astype(float)) == task.metric(outcomes.take(np.flatnonzero(group)))


def test_no_image_no_value():
    task = Classification(("a", "b", "c"))
    outcomes = outcomes_of(task, *made_up(np.random.default_rng(8)))
    assert np.isnan(list(task.metric(outcomes, np.zeros(60)).values())).all()


def labelled_set(labels, name="training"):
    images = ImageSet.from_array(np.zeros((len(labels), 1, 8, 8), np.uint8), name=name, labels=labels)
    return prepare({name: images}, scaling="0:255")[name]


def test_a_set_poses_its_task_and_gives_its_examples():
    images = labelled_set(["b", "a", "b"])
    task = Classification.of(images, network="densenet121")
    assert task == Classification(("a", "b"), network="densenet121")
    found = task.examples(images)
    np.testing.assert_array_equal(found.targets, [[0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(found.patients, [0, 1, 2])
    assert found.images.shape == (3, 1, 8, 8)


def test_predictions_of_another_shape_and_an_empty_set_are_refused():
    with pytest.raises(ValueError, match="shape"):
        TWO.outcomes(np.zeros((2, 3)), examples(np.zeros((2, 1, 8, 8), np.float32), [0, 1]))
    with pytest.raises(InputError, match="no image to learn from"):
        TWO.fit(examples(np.zeros((0, 1, 8, 8), np.float32), np.zeros(0, int)), seed=0, steps=1)
