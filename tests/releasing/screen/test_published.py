"""The published filter, and the defects of its first implementation that must not come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.images.phantoms import phantoms
from fourfold.privacy.learned import FoldNetwork, halves
from fourfold.privacy.patients import numbered
from fourfold.releasing.screen import Networks, screen_published, train_networks
from fourfold.releasing.screen.networks import REIDENTIFICATION


@dataclass(frozen=True)
class Paired:
    """A world in which every training patient has two images."""

    training: object
    calibration: object
    images: np.ndarray
    fresh: np.ndarray
    groups: np.ndarray


@pytest.fixture(scope="module")
def paired(as_set) -> Paired:
    def draw(first: int, patients: int, images: int):
        return phantoms("chest", patients, images_per_patient=images, size=32, seed=12, first_patient=first)

    training, calibration, fresh = draw(0, 80, 2), draw(1000, 60, 1), draw(2000, 60, 1)
    sets = [as_set(one.images, name, one.patients) for one, name in ((training, "training"), (calibration, "others"))]
    groups = numbered(sets[0].patients, sets[1].patients, (160, 60))[0]
    return Paired(*sets, training.images, fresh.images, groups)


class _Pixels:
    """Stands in for a trained network: centred pixels, scaled to length 1."""

    def embed(self, images: np.ndarray, views: bool = False) -> np.ndarray:
        vectors = images.reshape(len(images), -1) - images.mean(axis=(1, 2, 3))[:, None]
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.repeat(vectors[:, None], 8, axis=1) if views else vectors


@pytest.fixture(scope="module")
def networks(paired) -> Networks:
    parts = halves(paired.groups, 0)
    folds = [FoldNetwork(_Pixels(), np.flatnonzero(parts == fold), np.flatnonzero(parts != fold)) for fold in (0, 1)]
    return Networks({REIDENTIFICATION: folds})


def test_a_copy_of_another_patient_than_its_source_is_vetoed(paired, networks, quick, as_set) -> None:
    pool = paired.fresh.copy()
    pool[:10] = paired.images[40:50]
    # Each was drawn for a patient that it does not show: comparing with the own source only would let it pass.
    sources = np.arange(100, 160)
    found = screen_published(
        as_set(pool, "candidates"), sources, paired.training, paired.calibration, options=quick(), networks=networks
    )
    assert found.vetoed[:10].all()
    assert (paired.groups[found.nearest[:10]] == paired.groups[40:50]).all()
    assert not found.accepted[:10].any()
    assert found.accepted[10:].mean() > 0.9
    assert found.figures["vetoed_for_another_patient"] >= 10
    assert found.figures["mode"] == "published"
    assert found.weights == {}
    assert set(found.veto_kind[:10]) <= {"re-identification, fold 1", "re-identification, fold 2"}


@pytest.fixture(scope="module")
def trained(paired) -> Networks:
    return train_networks(paired.images, paired.groups, [REIDENTIFICATION], steps=8)


def test_the_network_is_in_evaluation_mode_and_blind_to_the_rest_of_the_batch(paired, trained) -> None:
    for network, _, _ in trained.folds[REIDENTIFICATION]:
        network.network.train()
        together = network.embed(paired.fresh[:32])
        assert not network.network.training
        assert not any(part.training for part in network.network.modules() if isinstance(part, torch.nn.BatchNorm2d))
        alone = np.concatenate([network.embed(paired.fresh[[row]]) for row in range(8)])
        assert alone == pytest.approx(together[:8], abs=1e-4)
        # Copies of one image beside it, as in a batch of siblings, change nothing either.
        siblings = network.embed(np.repeat(paired.fresh[[3]], 16, axis=0))
        assert siblings == pytest.approx(np.repeat(together[[3]], 16, axis=0), abs=1e-4)


def test_a_training_patient_is_only_searched_by_the_network_that_has_not_seen_them(paired, trained) -> None:
    for _, seen, searched in trained.folds[REIDENTIFICATION]:
        assert not np.intersect1d(paired.groups[seen], paired.groups[searched]).size
        assert len(seen) + len(searched) == len(paired.groups)


def test_the_flags_of_a_trained_network_do_not_depend_on_the_batch(paired, trained, quick, as_set) -> None:
    pool = np.concatenate([paired.images[:6], paired.fresh[:30]])
    order = np.random.default_rng(1).permutation(len(pool))
    given = {"options": quick(sources=0), "networks": trained}
    sources = np.zeros(len(pool), dtype=int)
    found = screen_published(as_set(pool, "candidates"), sources, paired.training, paired.calibration, **given)
    shuffled = screen_published(
        as_set(pool[order], "candidates"), sources, paired.training, paired.calibration, **given
    )
    assert shuffled.veto_p == pytest.approx(found.veto_p[order], rel=1e-2, abs=1e-6)
    assert (shuffled.vetoed == found.vetoed[order]).all()
    assert found.vetoed[:6].all()


def test_without_a_network_that_recognises_patients_the_published_screen_refuses(world, as_set, quick) -> None:
    pool = as_set(world.fresh[:5], "candidates")
    with pytest.raises(InputError, match="needs a network that recognises patients"):
        screen_published(
            pool, np.zeros(5, dtype=int), world.training, world.calibration, options=quick(), networks=Networks()
        )
    with pytest.raises(InputError, match="needs the row of a training image for every candidate"):
        screen_published(pool, np.full(5, 10_000), world.training, world.calibration, options=quick())
    with pytest.raises(InputError, match="there is no network 'siamese' for the screen"):
        train_networks(world.training_images, np.arange(len(world.training)), ["siamese"])
