import numpy as np
import pytest
from scipy import ndimage

from fourfold import phantoms
from fourfold.utility.adaptation.alignment import displaced, displacements, edge_agreement


def another_kind(images, seed=0):
    """Inverted, with another contrast, blurred and noisier."""
    rng = np.random.default_rng(seed)
    found = ndimage.gaussian_filter(1 - images**1.6, (0, 0, *(0.6,) * (images.ndim - 2)))
    return np.clip(found + 0.04 * rng.standard_normal(found.shape), 0, 1).astype(np.float32)


@pytest.fixture(scope="module", params=["chest", "brain"])
def images(request):
    return phantoms(request.param, 40, images_per_patient=1, size=32).images


@pytest.mark.parametrize("reach", [0, 1, 3])
def test_displacements_are_found_across_kinds_of_image(images, reach):
    truth = np.random.default_rng(1).integers(-reach, reach + 1, (len(images), 2))
    target = another_kind(displaced(images, truth))
    found = displacements(images, target, reach)
    assert np.mean((found == truth).all(axis=1)) >= 0.95
    aligned = displaced(images, found)
    assert edge_agreement(aligned, target) >= edge_agreement(images, target)
    assert edge_agreement(aligned, target) > 0.3


def test_pairs_in_place_stay_in_place(images):
    assert not displacements(images, another_kind(images), 3).any()


def test_volumes_are_aligned_too():
    volumes = phantoms("brain", 4, images_per_patient=1, size=(16, 20, 18)).images
    truth = np.array([[0, 0, 0], [1, -1, 0], [0, 2, -2], [-2, 0, 1]])
    assert np.array_equal(displacements(volumes, another_kind(displaced(volumes, truth)), 2), truth)


def test_images_of_other_things_do_not_agree(images):
    # People of one kind are alike, so the strangers are turned over.
    strangers = images[::-1, :, ::-1].transpose(0, 1, 3, 2)
    assert edge_agreement(images, strangers) < edge_agreement(images, another_kind(images)) - 0.2


def test_flat_images_are_left_where_they_are_compared():
    flat = np.full((3, 1, 16, 16), 0.5, dtype=np.float32)
    assert edge_agreement(flat, flat) == 0.0
    assert displacements(flat, flat, 2).shape == (3, 2)
