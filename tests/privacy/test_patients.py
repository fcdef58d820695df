from __future__ import annotations

import numpy as np

from fourfold.privacy.patients import join_near_duplicates, numbered


def test_patients_are_numbered_alike_in_both_sets() -> None:
    training, holdout = numbered(np.array(["a", "b", "b"]), np.array(["c", "a"]), (3, 2))
    assert training.tolist() == [0, 1, 1]
    assert holdout.tolist() == [2, 0]


def test_without_identifiers_each_image_is_a_patient() -> None:
    training, holdout = numbered(None, None, (3, 2))
    assert training.tolist() == [0, 1, 2]
    assert not set(training) & set(holdout)
    training, holdout = numbered(np.array(["a", "a"]), None, (2, 2))
    assert training.tolist() == [0, 0]
    assert len(set(holdout)) == 2
    assert not set(training) & set(holdout)


def test_the_same_image_under_two_names_is_joined_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, 20)).astype(np.float32)
    values[50] = values[10]
    values[51] = values[10] + 0.01
    values[120] = values[121] - 0.01
    groups, found, scale = join_near_duplicates(values, np.arange(200))
    assert groups[50] == groups[51] == groups[10]
    assert groups[120] == groups[121]
    assert len(np.unique(groups)) == 197
    assert found.distances[:, 0].min() > 0.3 * scale


def test_the_scale_holds_where_every_image_has_a_twin() -> None:
    rng = np.random.default_rng(1)
    half = rng.normal(size=(100, 20)).astype(np.float32)
    groups, _, _ = join_near_duplicates(np.concatenate([half, half + 0.02]), np.arange(200))
    assert (groups[:100] == groups[100:]).all()
    assert len(np.unique(groups)) == 100


def test_more_copies_of_one_image_than_neighbours_are_searched_are_joined_too() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(100, 20)).astype(np.float32)
    values[:12] = values[0] + 0.001 * np.arange(12, dtype=np.float32)[:, None]
    groups, _, _ = join_near_duplicates(values, np.arange(100))
    assert len(np.unique(groups[:12])) == 1
    assert len(np.unique(groups)) == 89


def test_identical_images_alone_are_one_patient() -> None:
    groups, found, _ = join_near_duplicates(np.ones((4, 3), dtype=np.float32), np.arange(4), share=0.3)
    assert len(np.unique(groups)) in (1, 4)
    assert len(found.distances) == 4
