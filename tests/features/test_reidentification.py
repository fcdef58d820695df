from __future__ import annotations

import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.features.reidentification import ReidentificationNetwork, patients_with_several_images
from fourfold.images.phantoms import phantoms


def _patients(count: int, first: int, images: int = 2) -> tuple[np.ndarray, np.ndarray]:
    made = phantoms("chest", count, images_per_patient=images, size=32, seed=6, first_patient=first)
    return made.images, np.unique(made.patients, return_inverse=True)[1]


def test_unseen_patients_are_recognised_more_often_after_training() -> None:
    images, groups = _patients(60, 0)
    fresh, patients = _patients(60, 500)
    same = patients[:, None] == patients[None, :]
    np.fill_diagonal(same, False)
    hits = []
    for steps in (0, 60):
        network = ReidentificationNetwork.train(images, groups, steps=steps, width=16)
        vectors = network.embed(fresh)
        nearness = vectors @ vectors.T
        np.fill_diagonal(nearness, -np.inf)
        hits.append(same[np.arange(len(fresh)), nearness.argmax(axis=1)].mean())
    assert hits[1] > hits[0]
    assert hits[1] > 0.5


def test_the_seed_decides_the_network() -> None:
    images, groups = _patients(40, 0)
    first, second = (ReidentificationNetwork.train(images, groups, seed=1, steps=2, width=8) for _ in range(2))
    assert (first.embed(images[:4]) == second.embed(images[:4])).all()
    assert first.trained_on == 40


def test_few_patients_with_several_images_are_refused() -> None:
    images, _ = _patients(70, 0, 1)
    groups = np.concatenate([np.arange(19), np.arange(51)])
    assert patients_with_several_images(groups) == 19
    with pytest.raises(InputError, match="needs patients with several images: 20 of them, there are 19"):
        ReidentificationNetwork.train(images, groups)


def test_few_images_are_refused() -> None:
    images, groups = _patients(25, 0)
    with pytest.raises(InputError, match="cannot be trained on 50 images"):
        ReidentificationNetwork.train(images, groups)
