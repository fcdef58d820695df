import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fourfold.errors import InputError
from fourfold.features.radiomics import Radiomics, laplacian_of_gaussian, wavelet_bands

# The fifth row (from 0) of each filtered image that pyradiomics 3.0.1 gives for `plane`.
GOLDEN = json.loads(Path(__file__).with_name("radiomics_golden.json").read_text())["fifth row"]


def plane() -> torch.Tensor:
    i, j = np.mgrid[:12, :14]
    return torch.from_numpy((3 * i * i + 2 * j * j + 5 * i * j) // 5 % 256)[None]


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_the_laplacian_of_gaussian_is_that_of_pyradiomics(sigma):
    expected = GOLDEN[f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D"]
    assert laplacian_of_gaussian(plane(), sigma)[0, 5].tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("band", ["LH", "HL", "HH", "LL"])
def test_wavelet_bands_are_those_of_pyradiomics(band):
    assert wavelet_bands(plane())[band][0, 5].tolist() == pytest.approx(GOLDEN[f"wavelet-{band}"], abs=1e-4)


@pytest.mark.parametrize("shape", [(2, 9, 11), (2, 6, 7, 8)])
def test_filters_of_a_constant_image_see_nothing_but_the_mean(shape):
    constant = torch.full(shape, 100.0)
    torch.testing.assert_close(laplacian_of_gaussian(constant, 2.0), torch.zeros(shape, dtype=torch.float64))
    bands = wavelet_bands(constant)
    *high, low = bands
    assert low == "L" * (len(shape) - 1)
    for name in high:
        torch.testing.assert_close(bands[name], torch.zeros(shape, dtype=torch.float64))
    expected = torch.full(shape, 100 * 2 ** ((len(shape) - 1) / 2), dtype=torch.float64)
    torch.testing.assert_close(bands[low], expected)


def test_the_laplacian_of_a_parabola_is_its_curvature():
    x = torch.arange(81, dtype=torch.float64) - 40
    parabola = (x.square() / 2)[None, None, :].expand(1, 81, 81)
    # Deriche's kernel is normalised so that this is exact, away from the border.
    assert float(laplacian_of_gaussian(parabola, 2.0)[0, 40, 40]) == pytest.approx(2.0**2, rel=1e-6)


def test_wavelet_bands_keep_the_energy():
    images = noise(3, 12, 10)
    energy = sum(band.square().sum(dim=(1, 2)) for band in wavelet_bands(images).values())
    torch.testing.assert_close(energy, 4 * images.double().square().sum(dim=(1, 2)))


def test_filtered_images_add_the_same_columns_under_their_names():
    radiomics = Radiomics(log_sigmas=(1.0, 2.5), wavelet=True)
    for images in (noise(3, 1, 14, 15), noise(2, 1, 8, 7, 9)):
        axes = images.ndim - 2
        names = radiomics.feature_names(axes)
        features = radiomics(images)
        assert features.shape == (len(images), len(names)) == (len(images), 79 * (3 + 2**axes))
        assert torch.isfinite(features).all()
        torch.testing.assert_close(features[:, :79], Radiomics()(images))
    assert names[79] == "log-sigma-1-0-mm-3D_firstorder_10Percentile"
    assert names[-1] == "wavelet-LLL_ngtdm_Strength"


def test_features_of_a_filtered_image_do_not_depend_on_its_batch_mates():
    images = torch.cat([noise(3, 1, 14, 15), noise(1, 1, 14, 15) * 0.1])
    radiomics = Radiomics(log_sigmas=(1.0,), wavelet=True)
    alone = torch.cat([radiomics(image[None]) for image in images])
    torch.testing.assert_close(radiomics(images), alone, rtol=1e-6, atol=1e-9)


def test_filters_are_part_of_the_fingerprint():
    fingerprints = {Radiomics(log_sigmas=s, wavelet=w).fingerprint for s in ((), (1.0,)) for w in (False, True)}
    assert len(fingerprints) == 4


def test_filters_without_meaning_are_refused():
    with pytest.raises(InputError) as error:
        Radiomics(log_sigmas=(0,))
    assert str(error.value) == "a sigma of 'radiomics' must be above 0, got 0"
    with pytest.raises(InputError) as error:
        Radiomics(log_sigmas=(2.0, 5.0))(noise(1, 1, 5, 20))
    assert str(error.value) == "a side of 5 pixels is too short for sigma=5"
