import numpy as np
import pytest

from fourfold.releasing.selection import label_gate
from fourfold.releasing.selection.cross_fitting import cross_fit, fold_numbers
from fourfold.releasing.selection.labels import fewest_patients
from fourfold.utility.roc import area_under_curve
from fourfold.utility.tasks import Labelled

REPEATS = 12


def people(seed, patients, *, classes=3, most=3, apart=1.8, findings=False):
    """Features and labels of patients with one to `most` images each."""
    rng = np.random.default_rng([71, *seed])
    if findings:
        present = (rng.random((patients, classes)) < 0.4).astype(np.float32)
    else:
        present = np.eye(classes, dtype=np.float32)[rng.permutation(np.arange(patients) % classes)]
    base = rng.normal(size=(patients, 8))
    base[:, :classes] += apart * present
    patient = np.repeat(np.arange(patients), rng.integers(1, most + 1, patients))
    values = base[patient] + 0.4 * rng.normal(size=(len(patient), 8))
    return values, Labelled(tuple("abcdefgh"[:classes]), not findings, present[patient], patient)


def relabelled(task, targets):
    return Labelled(task.names, task.exclusive, np.asarray(targets, dtype=np.float32), task.groups)


@pytest.mark.parametrize("findings", [False, True])
@pytest.mark.parametrize("calibrating", [0, 150])
def test_fresh_real_patients_pass_at_the_stated_share(findings, calibrating):
    passed = []
    for seed in range(REPEATS):
        training = people((seed, 0), 200, findings=findings)
        calibration = people((seed, 1), calibrating, findings=findings) if calibrating else (None, None)
        fresh = people((seed, 2), 400, most=1, findings=findings)
        passed.append(label_gate(*fresh, *training, *calibration, seed=seed).passed.mean())
    assert 0.93 < np.mean(passed) < 0.98


def test_each_class_passes_at_the_stated_share_however_unlike_they_are():
    shares = []
    for seed in range(REPEATS):
        training, fresh = people((seed, 0), 300), people((seed, 2), 600, most=1)
        # Class a is much harder to tell than the others.
        for values, task in (training, fresh):
            values[task.targets[:, 0] == 1, 0] -= 1.4
        found = label_gate(*fresh, *training, share=0.9, seed=seed)
        shares.append([found.passed[fresh[1].targets[:, column] == 1].mean() for column in range(3)])
    assert np.all(np.abs(np.mean(shares, axis=0) - 0.9) < 0.04)


def test_wrong_labels_are_rejected_at_the_rate_that_is_stated():
    stated, rejected = [], []
    for seed in range(6):
        training, fresh = people((seed, 0), 400, classes=2, apart=2.5), people((seed, 2), 400, classes=2, apart=2.5)
        found = label_gate(fresh[0], relabelled(fresh[1], 1 - fresh[1].targets), *training, seed=seed)
        stated.append(np.mean(list(found.figures["wrong_label_rejected"].values())))
        rejected.append(found.figures["rejected_share"])
    assert np.mean(rejected) > 0.8
    assert np.mean(stated) == pytest.approx(np.mean(rejected), abs=0.03)


def test_wrong_findings_are_rejected_and_unknown_ones_are_not_asked_about():
    training, fresh = people((0, 0), 500, findings=True, apart=3.5), people((0, 2), 400, findings=True, apart=3.5)
    targets = fresh[1].targets.copy()
    targets[:, 0] = 1 - targets[:, 0]
    wrong = label_gate(fresh[0], relabelled(fresh[1], targets), *training)
    targets[:, 0] = np.nan
    unknown = label_gate(fresh[0], relabelled(fresh[1], targets), *training)
    nothing = label_gate(fresh[0], relabelled(fresh[1], np.full_like(targets, np.nan)), *training)
    assert wrong.passed.mean() < 0.25
    assert unknown.passed.mean() > 0.9
    assert nothing.passed.all()


def test_the_gate_keeps_the_unsure_cases_that_a_ranking_throws_away():
    training, fresh = people((0, 0), 400, classes=2), people((0, 2), 800, classes=2, most=1)
    other = people((0, 3), 2000, classes=2, most=1)
    found = label_gate(*fresh, *training)
    seen = cross_fit(*training, [fresh[0]]).others[0].mean(axis=0)
    certain = (seen * fresh[1].targets).sum(axis=1)
    ranked = np.concatenate(
        [
            np.flatnonzero(fresh[1].targets[:, column])[
                np.argsort(-certain[fresh[1].targets[:, column] == 1])[: len(certain) // 8]
            ]
            for column in range(2)
        ]
    )
    gated = np.random.default_rng(0).permutation(np.flatnonzero(found.passed))[: len(ranked)]

    def spread(rows):
        direction = fresh[0][:, 1] - fresh[0][:, 0]
        return np.mean([direction[rows][fresh[1].targets[rows, column] == 1].std() for column in range(2)])

    everyone = np.mean([(other[0][:, 1] - other[0][:, 0])[other[1].targets[:, k] == 1].std() for k in range(2)])
    assert spread(gated) > 0.85 * everyone
    assert spread(ranked) < 0.75 * everyone


def test_too_few_patients_of_a_class_switch_its_gate_off_and_say_so():
    training, fresh = people((0, 0), 120), people((0, 2), 90, most=1)
    kept = np.flatnonzero((training[1].targets[:, 2] == 0) | (training[1].groups < 30))
    few = (training[0][kept], training[1].take(kept))
    assert len(np.unique(few[1].groups[few[1].targets[:, 2] == 1])) < fewest_patients(0.95)
    found = label_gate(*fresh, *few)
    assert found.figures["off"] == ["c"]
    assert set(found.figures["level"]) == {"a", "b"}
    assert found.passed[fresh[1].targets[:, 2] == 1].all()


def test_one_class_only_is_no_gate():
    values, task = people((0, 0), 60)
    alone = task.columns(["a"])
    found = label_gate(values, alone, values, alone)
    assert found.passed.all()
    assert found.figures["reason"] == "there is one class only"


def test_a_class_that_training_does_not_know_is_not_judged():
    training, fresh = people((0, 0), 120), people((0, 2), 60, most=1)
    stranger = Labelled(("z",), True, np.ones((60, 1), dtype=np.float32), fresh[1].groups)
    assert label_gate(fresh[0], stranger, *training).passed.all()


def test_images_of_a_patient_share_a_fold_and_classes_are_dealt_evenly():
    _, task = people((0, 0), 150)
    fold = fold_numbers(task, 5, 0)
    assert all(len(set(fold[task.groups == patient])) == 1 for patient in range(150))
    first = np.unique(task.groups, return_index=True)[1]
    for column in range(3):
        assert np.bincount(fold[first][task.targets[first, column] == 1], minlength=5).tolist() == [10] * 5


def test_nobody_is_judged_by_a_classifier_that_has_seen_them():
    # Labels by chance: a classifier that had seen the patients would still know them.
    rng = np.random.default_rng(72)
    values, task = rng.normal(size=(120, 60)), people((0, 0), 120, most=1, classes=2)[1]
    own = cross_fit(values, task, []).own
    assert abs(area_under_curve(task.targets, own)[0] - 0.5) < 0.15


def test_figures_hold_nothing_per_patient():
    training, fresh = people((0, 0), 150), people((0, 2), 60, most=1)
    figures = label_gate(*fresh, *training).figures
    assert all(not isinstance(value, np.ndarray) and np.size(value) <= 3 for value in figures.values())
    assert 0.7 < figures["area_under_curve"] <= 1
