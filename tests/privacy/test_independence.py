"""Holdouts that share patients with the training set are recognised from images and from the order of names."""

from __future__ import annotations

import numpy as np
import pytest

from fourfold.privacy.independence import holdout_signals, merged_places, natural_key

WIDTH = 40


def _population(patients: int, images: int, likeness: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images in runs of one patient each, and their patients."""
    rng = np.random.default_rng(seed)
    anatomy = np.repeat(rng.normal(size=(patients, WIDTH)), images, axis=0)
    values = likeness * anatomy + np.sqrt(1 - likeness**2) * rng.normal(size=anatomy.shape)
    return values.astype(np.float32), np.repeat(np.arange(patients), images)


def _signals(values, chosen, patients=None, known=False, places=None):
    places = np.arange(len(values)) if places is None else places
    return holdout_signals(
        values[~chosen],
        values[chosen],
        places[~chosen],
        places[chosen],
        training_patients=None if patients is None else patients[~chosen],
        holdout_patients=None if patients is None else patients[chosen],
        known=known,
    )


def _by_image(count: int, share: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(count) < share


def _by_patient(patients: np.ndarray, share: float, seed: int) -> np.ndarray:
    chosen = np.random.default_rng(seed).random(patients.max() + 1) < share
    return chosen[patients]


def test_names_are_ordered_as_people_order_them() -> None:
    names = ["scan10/s2.png", "scan9/s10.png", "scan9/s9.png", "2.png", "x"]
    assert sorted(names, key=natural_key) == ["2.png", "scan9/s9.png", "scan9/s10.png", "scan10/s2.png", "x"]


def test_folders_that_only_name_the_set_do_not_part_the_order() -> None:
    training, holdout = merged_places(["train/a/1.png", "train/b/3.png"], ["test/a/2.png", "test/b/4.png"])
    assert training.tolist() == [0, 2]
    assert holdout.tolist() == [1, 3]
    training, holdout = merged_places(["all/1.png", "all/3.png"], ["all/2.png"])
    assert (training.tolist(), holdout.tolist()) == ([0, 2], [1])


@pytest.mark.parametrize("share", [0.5, 1 / 6, 5 / 6])
@pytest.mark.parametrize("known", [False, True])
def test_slices_of_training_patients_stand_out_whatever_the_sizes(share: float, known: bool) -> None:
    values, patients = _population(90, 8, 0.9, 0)
    found = _signals(values, _by_image(len(values), share, 1), patients if known else None, known)
    assert found.siblings.beyond(5) > 0.05
    assert found.sibling_like.mean() == pytest.approx(found.siblings.value)


@pytest.mark.parametrize("share", [0.5, 1 / 6, 5 / 6])
@pytest.mark.parametrize("known", [False, True])
def test_other_patients_do_not_stand_out_whatever_the_sizes(share: float, known: bool) -> None:
    for seed in range(4):
        values, patients = _population(90, 8, 0.9, 10 + seed)
        found = _signals(values, _by_patient(patients, share, seed), patients if known else None, known)
        assert found.siblings.beyond(3) < 0.02


def test_wrong_identifiers_do_not_hide_slices() -> None:
    values, patients = _population(90, 8, 0.9, 2)
    found = _signals(values, _by_image(len(values), 0.5, 3), np.arange(len(patients)), known=True)
    assert found.siblings.beyond(5) > 0.05


def test_a_holdout_that_is_merely_more_typical_does_not_stand_out() -> None:
    values, patients = _population(120, 5, 0.9, 4)
    chosen = _by_patient(patients, 0.5, 5)
    values[chosen] *= 0.5
    found = _signals(np.concatenate([values, np.ones((len(values), 1), np.float32)], axis=1), chosen)
    assert found.siblings.beyond(3) < 0.02


def test_faint_likeness_shows_in_the_order_and_nowhere_else() -> None:
    values, _ = _population(700, 2, 0.45, 6)
    found = _signals(values, _by_image(len(values), 0.5, 7))
    assert found.siblings.beyond(3) < 0.02
    assert found.adjacency.beyond(4) > 0


def test_the_order_says_nothing_where_patients_are_whole_or_names_do_not_interleave() -> None:
    values, patients = _population(700, 2, 0.45, 8)
    chosen = _by_patient(patients, 0.5, 9)
    assert _signals(values, chosen).adjacency.beyond(3) < 0
    halves = np.arange(len(values)) >= len(values) // 2
    assert _signals(values, halves).adjacency is None


def test_runs_of_one_patient_are_seen_among_training_images() -> None:
    values, _ = _population(90, 8, 0.9, 0)
    chosen = np.arange(len(values)) >= 360
    assert _signals(values, chosen).runs.beyond(4) > 0.1
    shuffled = np.random.default_rng(1).permutation(len(values))
    assert _signals(values[shuffled], chosen).runs.beyond(4) < 0


def test_small_sets_are_not_measured() -> None:
    values, _ = _population(10, 8, 0.9, 0)
    assert _signals(values, np.arange(80) < 40) is None
