import numpy as np
import pytest

from fourfold.utility.arms import ARMS, Fold, Plan, draw, limited, run
from fourfold.utility.tasks import Labelled, Task


class Recorder:
    """A learner that remembers what it was given and predicts nothing."""

    def __init__(self, seeded=True, counts_matter=True, workers=1):
        self.seeded, self.counts_matter, self.workers = seeded, counts_matter, workers
        self.calls = []

    def __call__(self, images, task, repeats, test, seed):
        self.calls.append((images[:, 0], task, repeats, seed))
        return np.full((len(test), len(task.names)), 0.5)


def labelled(size, per_patient=1, ones=0.5):
    groups = np.arange(size) // per_patient
    labels = np.where((groups * 7919) % 100 < 100 * ones, "one", "two")
    return Labelled.from_arrays("training", labels, groups, size)


def fold(real, synthetic, per_patient=1):
    numbers = np.arange(1000.0)[:, None]
    return Fold(
        numbers[:real],
        labelled(real, per_patient),
        -1 - numbers[:synthetic],
        labelled(synthetic),
        numbers[:20],
        labelled(20),
    )


PLAN = Plan(repeats=2, splits=3, halves_of_sums=True, seed=0)


def test_a_draw_keeps_the_classes_in_proportion():
    task = labelled(200, ones=0.2)
    for size in (20, 50, 100):
        chosen, others = draw(task, size, np.random.default_rng(size))
        assert sorted([*chosen, *others]) == list(range(200))
        assert task.targets[chosen, 0].sum() == pytest.approx(0.2 * size, abs=1.01)


def test_a_draw_takes_whole_patients_save_the_last():
    task = labelled(120, per_patient=4)
    chosen, others = draw(task, 50, np.random.default_rng(0))
    assert len(set(task.groups[chosen]) & set(task.groups[others])) <= 1


def test_halves_share_no_patient_and_hold_every_image():
    learner = Recorder()
    run(learner, fold(90, 90, per_patient=4), PLAN)
    halves = [images for images, _, repeats, seed in learner.calls if seed >= PLAN.repeats and repeats == 1.0]
    real = [images for images in halves if images.min() >= 0]
    assert len(real) == 2 * PLAN.splits
    for first, second in zip(real[::2], real[1::2], strict=True):
        assert not set(first // 4) & set(second // 4)
        assert sorted([*first, *second]) == list(range(90))


def test_arms_have_equal_sizes_and_both_arms_hold_everything():
    learner = Recorder()
    run(learner, fold(60, 100), Plan(1, 1, False, 0))
    whole = {(images.min() >= 0, images.max() < 0): (images, repeats) for images, _, repeats, seed in learner.calls[:3]}
    assert len(whole[True, False][0]) == len(whole[False, True][0]) == 60
    assert len(whole[False, False][0]) == 160
    repeated = [repeats for images, _, repeats, seed in learner.calls if repeats != 1.0]
    assert repeated == [pytest.approx(160 / 60)]


def test_arms_are_paired_by_seed():
    learner = Recorder()
    run(learner, fold(50, 50), PLAN)
    seeds = {"real": [], "synthetic": []}
    for images, _, repeats, seed in learner.calls:
        if repeats == 1.0 and (images.min() >= 0 or images.max() < 0):
            seeds["real" if images.min() >= 0 else "synthetic"].append(seed)
    assert sorted(seeds["real"]) == sorted(seeds["synthetic"])
    assert len(set(seeds["real"])) == PLAN.repeats + 2 * PLAN.splits


def test_larger_sets_are_drawn_anew_for_each_repeat():
    learner = Recorder(seeded=False)
    found = run(learner, fold(100, 40), PLAN)
    assert len(found.whole["real"]) == 2
    assert len(found.whole["synthetic"]) == 1
    first, second = (images for images, _, repeats, seed in learner.calls if len(images) == 40 and images.min() >= 0)
    assert set(first) != set(second)


def test_repeated_images_are_the_real_arm_where_counting_them_changes_nothing():
    found = run(Recorder(counts_matter=False), fold(50, 50), PLAN)
    assert found.whole["real repeated"] is found.whole["real"]


def test_labels_follow_their_images():
    learner = Recorder()
    data = fold(50, 50)
    run(learner, data, PLAN)
    for images, task, _, _ in learner.calls:
        for image, target in zip(images, task.targets, strict=True):
            source = data.training_task if image >= 0 else data.synthetic_task
            np.testing.assert_array_equal(target, source.targets[int(image if image >= 0 else -1 - image)])


def test_several_workers_give_what_one_gives_and_progress_is_told():
    told = []
    one = run(Recorder(), fold(50, 60), PLAN)
    many = run(Recorder(workers=3), fold(50, 60), PLAN, lambda done, total: told.append((done, total)))
    assert {arm: len(many.whole[arm]) for arm in ARMS} == {arm: len(one.whole[arm]) for arm in ARMS}
    assert [done for done, _ in told] == list(range(1, told[0][1] + 1))


def test_an_error_in_a_worker_arrives():
    class Broken(Recorder):
        def __call__(self, *arguments):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run(Broken(workers=2), fold(50, 50), PLAN)


def test_a_set_over_its_limit_is_drawn_from_by_patient_and_it_is_said():
    whole = labelled(100, per_patient=5)
    task, clauses = limited(
        Task.of(whole, labelled(30), labelled(60)), {"training": 50, "synthetic": 50, "holdout": 50}, seed=0
    )
    assert clauses == ["50 of 100 training images drawn by patient", "50 of 60 holdout images drawn by patient"]
    assert len(np.unique(whole.groups[task.rows["training"]])) == 10
    np.testing.assert_array_equal(task.training.targets, whole.targets[task.rows["training"]])
    assert len(task.synthetic) == 30
