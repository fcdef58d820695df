"""A small world of chest phantoms, and searches quick enough to be repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from fourfold.images import ImageSet, Preparation
from fourfold.images.phantoms import phantoms
from fourfold.privacy import REPRESENTATIONS
from fourfold.releasing.screen import ScreenOptions

# Without registration, which takes most of the time of a search.
QUICK = (REPRESENTATIONS[0], REPRESENTATIONS[2])


def image_set(images: np.ndarray, name: str, patients: np.ndarray | None = None) -> ImageSet:
    found = ImageSet.from_array(images, name=name, patients=None if patients is None else list(patients))
    return replace(found, preparation=Preparation("range", 0.0, 1.0, images.shape[2:], images.shape[1]))


@dataclass(frozen=True)
class World:
    """Training, holdout and calibration patients, and images of others again that stand for an honest generator."""

    training: ImageSet
    holdout: ImageSet
    calibration: ImageSet
    fresh: np.ndarray
    training_images: np.ndarray


@pytest.fixture(scope="session")
def world() -> World:
    def draw(first: int, patients: int, images: int | tuple[int, int]):
        return phantoms("chest", patients, images_per_patient=images, size=32, seed=11, first_patient=first)

    training, holdout = draw(0, 140, (1, 2)), draw(1000, 140, (1, 2))
    calibration, fresh = draw(2000, 90, (1, 2)), draw(3000, 260, 1)
    return World(
        image_set(training.images, "training", training.patients),
        image_set(holdout.images, "holdout", holdout.patients),
        image_set(calibration.images, "calibration", calibration.patients),
        fresh.images,
        training.images,
    )


@pytest.fixture(scope="session")
def quick() -> Callable[..., ScreenOptions]:
    """Options without networks."""

    def options(**changes) -> ScreenOptions:
        chosen = {"representations": QUICK, "networks": (), "embeddings": ("local contrast",), "sources": 4}
        return ScreenOptions(**{**chosen, **changes})

    return options


@pytest.fixture(scope="session")
def as_set() -> Callable[..., ImageSet]:
    return image_set
