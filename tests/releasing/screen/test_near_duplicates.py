from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from fourfold.privacy import ORDINARY
from fourfold.releasing.screen import NearDuplicates, disguised_near_duplicates, generated_near_duplicates
from fourfold.releasing.screen.near_duplicates import with_the_look_of


def test_every_disguise_is_there_as_it_is_and_softened(world) -> None:
    found = disguised_near_duplicates(world.training_images, world.fresh, disguises=ORDINARY, count=3)
    assert len(found) == 2 * 3 * len(ORDINARY)
    assert set(found.kinds) == {f"{one.name}{end}" for one in ORDINARY for end in ("", ", softened")}
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    verbatim = found.kinds == "none"
    assert (found.images[verbatim] == world.training_images[found.sources[verbatim]]).all()


def test_the_seed_decides_which(world) -> None:
    def drawn(seed: int) -> np.ndarray:
        return disguised_near_duplicates(world.training_images, world.fresh, disguises=ORDINARY[:2], seed=seed).images

    assert (drawn(1) == drawn(1)).all()
    assert (drawn(1) != drawn(2)).any()


def test_the_look_of_blurred_candidates_is_blur(world) -> None:
    blurred = ndimage.gaussian_filter(world.fresh, (0, 0, 1.5, 1.5))
    images = world.training_images[:40]
    found = with_the_look_of(images, world.training_images, blurred)

    def roughness(some: np.ndarray) -> float:
        return float(np.abs(np.diff(some, axis=-1)).mean())

    assert roughness(found) < 0.8 * roughness(images)
    same = with_the_look_of(images, world.training_images, world.training_images)
    assert same == pytest.approx(images, abs=1e-4)


class _Denoiser:
    """Knows every training image by heart: the posterior mean of a set of points."""

    value_range = (-1.0, 1.0)

    def __init__(self, images: np.ndarray) -> None:
        self.points = torch.from_numpy(images.reshape(len(images), -1) * 2 - 1)

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        assert sigma.shape == (len(x),)
        squared = torch.cdist(x.flatten(1), self.points) ** 2
        weight = torch.softmax(-squared / (2 * sigma[:, None] ** 2), dim=1)
        return (weight @ self.points).reshape(x.shape)


def test_a_memorising_denoiser_gives_its_sources_back(world) -> None:
    denoiser = _Denoiser(world.training_images)
    found = generated_near_duplicates(world.training, denoiser, levels=(0.1, 0.3), count=5, steps=5)
    assert sorted(set(found.kinds)) == ["generated from 0.1", "generated from 0.3"]
    assert found.images.shape == (10, 1, 32, 32)
    assert found.images == pytest.approx(world.training_images[found.sources], abs=0.02)


def test_kinds_can_be_joined(world) -> None:
    parts = [
        disguised_near_duplicates(world.training_images, world.fresh, disguises=ORDINARY[:1], count=2),
        generated_near_duplicates(world.training, _Denoiser(world.training_images), levels=(0.1,), count=2, steps=3),
    ]
    joined = NearDuplicates.joined(parts)
    assert len(joined) == 6
    assert joined.kinds[-1] == "generated from 0.1"
