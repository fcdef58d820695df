"""Brains under one acquisition, as a study with one protocol gives them, and chest films as they come."""

from dataclasses import replace

import numpy as np
import pytest

from fourfold.images import ImageSet, prepare
from fourfold.images.phantoms import phantoms
from fourfold.images.phantoms.acquisition import Acquisition, acquire
from fourfold.images.phantoms.brain import draw_brain, render_brain
from fourfold.images.phantoms.fields import grid_coordinates
from fourfold.outliers import fit_gates

SIDE = 24
PROTOCOL = Acquisition(0, 0, 0, 0, 1, 1, 0, 1, 0.03, 0)


def brains(first, count, change=None):
    """Head volumes of patients `first` and following, shape (count, 1, 24, 24, 24); `change` alters an anatomy."""
    grid, pixel = grid_coordinates((SIDE,) * 3)
    volumes = []
    for patient in range(first, first + count):
        anatomy = draw_brain(np.random.default_rng([1, patient]), False, 3, pixel)
        clean, _ = render_brain(anatomy if change is None else change(anatomy), grid, pixel, 0, None)
        volumes.append(acquire(clean, PROTOCOL, np.random.default_rng([2, patient])))
    return np.stack(volumes)[:, None]


def shrunken(anatomy):
    """Atrophy: wider fluid spaces around the brain, and ventricles of twice the size."""
    size, length, spread = anatomy.ventricle
    return replace(anatomy, atrophy=anatomy.atrophy + 0.1, ventricle=(2 * size, length, spread))


def as_set(images, name="new", patients=None):
    found = ImageSet.from_array(images, name=name, patients=patients)
    return prepare({name: found}, scaling="0:1")[name]


@pytest.fixture(scope="session")
def real_brains():
    return as_set(brains(0, 260), "real", [f"P{row}" for row in range(260)])


@pytest.fixture(scope="session")
def brain_gates(real_brains):
    """Fitted to 200 patients and calibrated on 60, as in the measurements that this method is held to."""
    return fit_gates(real_brains, features=["pixels?size=16"], calibration=60 / 260)


@pytest.fixture(scope="session")
def chests():
    found = phantoms("chest", 300, size=32)
    return as_set(found.images, "real", list(found.patients))


@pytest.fixture(scope="session")
def chest_gates(chests):
    return fit_gates(chests, features=["pixels"])


@pytest.fixture(scope="session")
def fresh_brains():
    """Makes volumes of patients that no gate has seen, with another anatomy where one is given."""
    return lambda count=40, change=None: as_set(brains(5000, count, change))


@pytest.fixture(scope="session")
def atrophy():
    return shrunken
