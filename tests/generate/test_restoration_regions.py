"""Regions drawn anew under a Gaussian prior, where the law of a region given its surroundings is known."""

import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.generate.analytic import GaussianLaw
from fourfold.generate.conditioning import Conditioning
from fourfold.generate.conditioning.classes import ClassPart
from fourfold.generate.diffusion.generator import DiffusionGenerator, build_denoiser
from fourfold.generate.frameworks import karras_levels
from fourfold.generate.restoration.network import RestorationNet
from fourfold.generate.restoration.regions import (
    regenerate,
    regenerate_by_map,
    regenerate_by_projection,
    regenerate_by_restorer,
)
from fourfold.generate.restoration.restorer import Restorer

SIDE, DRAWS = 8, 250
LEVELS = torch.cat([karras_levels(torch.linspace(0, 1, 40, dtype=torch.float64), 0.02, 4.0), torch.zeros(1)])


def places():
    return torch.stack(torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")).flatten(1).double().T


@pytest.fixture(scope="module")
def law():
    """In [-1, 1], seldom clipped; rough, so that the surroundings leave something open."""
    covariance = 0.1 * torch.exp(-torch.cdist(places(), places()) / 3)
    return GaussianLaw(torch.zeros(1, SIDE, SIDE), covariance)


@pytest.fixture(scope="module")
def case(law):
    """One image many times over, a mask, and the exact mean and covariance of the region, in [-1, 1]."""
    image = law.draw(1, np.random.default_rng(1))
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    mask[2:5, 3:7] = True
    inside = torch.from_numpy(mask.ravel())
    covariance = law.covariance
    gain = torch.linalg.solve(covariance[~inside][:, ~inside], covariance[~inside][:, inside]).T
    mean = gain @ image.flatten()[~inside]
    spread = covariance[inside][:, inside] - gain @ covariance[~inside][:, inside]
    images = ((image + 1) / 2).float().expand(DRAWS, 1, SIDE, SIDE).numpy()
    return images, np.broadcast_to(mask, (DRAWS, SIDE, SIDE)), mean.numpy(), spread.numpy()


class ExactRestorer(Restorer):
    """The best estimate in place of a network, for masks that are the same for all images."""

    law: GaussianLaw

    def estimate(self, x, y, time):
        total = self.law.covariance + torch.diag(4 * self.schedule.gamma(time[0]).double().flatten())
        gain = torch.linalg.solve(total, self.law.covariance).float()
        return ((2 * x - 1).flatten(1) @ gain).reshape(x.shape) / 2 + 0.5


def regions(found, masks):
    return 2 * found[:, 0][masks].reshape(len(found), -1) - 1


def exact_restorer(law):
    restorer = ExactRestorer(RestorationNet(1, 2, (4,)))
    object.__setattr__(restorer, "law", law)
    return restorer


def drawn(way, law, images, masks):
    if way is regenerate_by_restorer:
        return way(images, masks, exact_restorer(law))
    return way(images, masks, law, LEVELS)


@pytest.mark.parametrize("way", [regenerate_by_restorer, regenerate_by_map, regenerate_by_projection])
def test_the_surroundings_stay_to_the_bit(way, law, case):
    images, masks, _, _ = case
    found = drawn(way, law, images[:4], masks[:4])
    assert found.dtype == np.float32
    assert np.array_equal(found[:, 0][~masks[:4]], images[:4, 0][~masks[:4]])
    assert (found[:, 0][masks[:4]] != images[:4, 0][masks[:4]]).all()


@pytest.mark.parametrize(
    ("way", "tolerance"), [(regenerate_by_restorer, 0.15), (regenerate_by_map, 0.05), (regenerate_by_projection, 0.2)]
)
def test_a_region_follows_its_law_given_the_surroundings(way, tolerance, law, case):
    images, masks, mean, covariance = case
    found = regions(drawn(way, law, images, masks), masks)
    spread = np.sqrt(np.diag(covariance))
    assert (np.abs(found.mean(axis=0) - mean) / spread).mean() < 0.1 + tolerance
    assert (found.std(axis=0) / spread).mean() == pytest.approx(1, abs=0.05 + tolerance)


@pytest.mark.parametrize("way", [regenerate_by_restorer, regenerate_by_map, regenerate_by_projection])
def test_nothing_of_the_old_content_enters_a_region(way, law, case):
    images, masks, _, _ = case
    marked = np.where(masks[:, None], np.float32(1), images)[:3]
    assert np.array_equal(drawn(way, law, marked, masks[:3]), drawn(way, law, images[:3], masks[:3]))


def test_a_region_depends_on_seed_and_place_alone(law, case):
    images, masks, _, _ = case
    restorer = exact_restorer(law)
    whole = regenerate(images[:4], masks[:4], restorer, seed=5)
    np.testing.assert_allclose(regenerate(images[2:4], masks[2:4], restorer, seed=5, first=2), whole[2:], atol=1e-5)
    assert not np.array_equal(regenerate(images[:4], masks[:4], restorer, seed=6), whole)


def test_an_empty_mask_changes_nothing_and_a_full_one_everything(law, case):
    images, masks, _, _ = case
    restorer = exact_restorer(law)
    assert np.array_equal(regenerate(images[:2], np.zeros_like(masks[:2]), restorer), images[:2])
    assert (regenerate(images[:2], np.ones_like(masks[:2]), restorer) != images[:2]).all()


def test_masks_that_do_not_fit_are_refused(law, case):
    images, masks, _, _ = case
    with pytest.raises(InputError, match=r"masks of shape \(4, 8, 7\) do not fit images of shape \(4, 1, 8, 8\)"):
        regenerate(images[:4], masks[:4, :, :7], exact_restorer(law))
    with pytest.raises(InputError, match="trained on 2-D images of 1 channels"):
        regenerate(np.zeros((1, 3, 8, 8)), np.zeros((1, 8, 8)), exact_restorer(law))


def generator(channels=(8,), **changes):
    settings = {
        "framework": "edm", "prediction": "edm", "sigma_data": 0.5, "channels": list(channels), "blocks": 1,
        "patch": 1, "augmentation": 0, "guided": False,
    }  # fmt: skip
    torch.manual_seed(0)
    denoiser = build_denoiser((1, SIDE, SIDE), Conditioning(), settings)
    return DiffusionGenerator((1, SIDE, SIDE), changes.get("conditioning", Conditioning()), settings, denoiser)


def test_a_diffusion_generator_draws_regions_too(case):
    images, masks, _, _ = case
    found = regenerate(images[:2], masks[:2], generator(), steps=3)
    assert np.array_equal(found[:, 0][~masks[:2]], images[:2, 0][~masks[:2]])
    assert (found[:, 0][masks[:2]] != images[:2, 0][masks[:2]]).all()


def test_a_generator_of_other_images_or_without_its_condition_is_refused(case):
    images, masks, _, _ = case
    with pytest.raises(InputError, match=r"the model makes images of shape \(1, 8, 8\) and these have \(1, 6, 8\)"):
        regenerate(images[:2, :, :6], masks[:2, :6], generator())
    conditional = Conditioning([ClassPart(("a", "b"), np.array([0.5, 0.5]))])
    with pytest.raises(InputError, match="the model was never trained without its condition"):
        regenerate(images[:2], masks[:2], generator(conditioning=conditional))


def test_a_generator_that_does_not_work_on_pixels_is_refused(case):
    class Other:
        recipe = "mixture"

    images, masks, _, _ = case
    with pytest.raises(InputError, match="a mixture model cannot draw a region anew"):
        regenerate(images[:2], masks[:2], Other())
