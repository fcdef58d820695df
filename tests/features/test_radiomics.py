import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.features.radiomics import Radiomics

# Values that pyradiomics 3.0.1 gives for the arrays of `golden_images`.
GOLDEN = json.loads(Path(__file__).with_name("radiomics_golden.json").read_text())
TEXTURE = ("glcm", "glrlm", "glszm", "ngtdm")


def golden_images() -> dict[str, np.ndarray]:
    """8-bit codes by whole-number formulas, so that they are the same on every machine."""
    i, j = np.mgrid[:12, :14]
    plane = (3 * i * i + 2 * j * j + 5 * i * j) // 5 % 256
    k, i2, j2 = np.mgrid[:6, :7, :8]
    volume = (20 * k + 9 * i2 * i2 + 7 * j2 + 40 * ((i2 // 3 + j2 // 4 + k // 2) % 3)) % 256
    noise = (i * 7919 + j * 104729 + i * i * j * 31 + j * j * j * 17) % 251
    return {"plane": plane, "volume": volume, "noise": noise}


def images_of(codes: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(codes.astype(np.float32) / np.float32(255))[None, None]


def textures(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """Noise averaged with its neighbours, in 8-bit codes."""
    codes = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    pool = functional.avg_pool2d if codes.ndim == 4 else functional.avg_pool3d
    return (pool(codes, 3, stride=1) * 255).round() / 255


def named(images: torch.Tensor, **settings) -> dict[str, float]:
    radiomics = Radiomics(**settings)
    return dict(zip(radiomics.feature_names(), radiomics(images)[0].double().tolist(), strict=True))


def assert_close(found: dict[str, float], expected: dict[str, float], relative: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # Where the exact value is 0, both programs leave rounding of order 1e-8 (a square root of 1e-16).
        assert math.isclose(found[name], value, rel_tol=relative, abs_tol=1e-7), (name, found[name], value)


@pytest.mark.parametrize("which", ["plane", "volume", "noise"])
def test_values_are_those_of_pyradiomics(which):
    assert_close(named(images_of(golden_images()[which])), GOLDEN[which])


def test_values_agree_with_pyradiomics_side_by_side():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("radiomics", reason="needs pyradiomics 3.0.1 beside fourfold")
        for shape in [(1, 1, 40, 31), (1, 1, 9, 12, 10), (1, 1, 34, 3), (1, 1, 3, 30, 20)]:
            for bin_width in (8, 5, 25, 100):
                images = textures(shape)
                expected = pyradiomics((images[0, 0] * 255).numpy().astype(np.float64), bin_width)
                found = named(images, bin_width=bin_width)
                assert_close(found, {name: expected[name] for name in found}, relative=1e-4)


def pyradiomics(intensities: np.ndarray, bin_width: float) -> dict[str, float]:
    import SimpleITK
    from radiomics import firstorder, glcm, glrlm, glszm, ngtdm

    mask = SimpleITK.GetImageFromArray(np.ones(intensities.shape, dtype=np.uint8))
    values = {}
    for family, family_class in {
        "firstorder": firstorder.RadiomicsFirstOrder,
        "glcm": glcm.RadiomicsGLCM,
        "glrlm": glrlm.RadiomicsGLRLM,
        "glszm": glszm.RadiomicsGLSZM,
        "ngtdm": ngtdm.RadiomicsNGTDM,
    }.items():
        features = family_class(SimpleITK.GetImageFromArray(intensities), mask, binWidth=bin_width)
        features.enableAllFeatures()
        for name, value in features.execute().items():
            values[f"original_{family}_{name}"] = float(np.real(np.squeeze(value)))
    return values


def test_names_are_unique_and_counted_by_family():
    names = Radiomics().feature_names()
    assert len(set(names)) == len(names) == 79
    families = [name.split("_")[1] for name in names]
    counts = {family: families.count(family) for family in dict.fromkeys(families)}
    assert counts == {"firstorder": 18, "glcm": 24, "glrlm": 16, "glszm": 16, "ngtdm": 5}


@pytest.mark.parametrize("shape", [(3, 1, 30, 22), (3, 1, 12, 10, 9)])
def test_turning_or_mirroring_an_image_changes_nothing(shape):
    images = textures(shape)
    expected = Radiomics()(images)
    for first in range(2, images.ndim):
        torch.testing.assert_close(Radiomics()(images.flip(first)), expected, rtol=2e-6, atol=1e-6)
        for second in range(first + 1, images.ndim):
            turned = images.rot90(1, (first, second))
            torch.testing.assert_close(Radiomics()(turned), expected, rtol=2e-6, atol=1e-6)


def test_brightness_by_whole_bins_moves_intensities_and_leaves_texture():
    images = textures((4, 1, 30, 22)) * 255 // 2
    brighter = images + 32
    radiomics = Radiomics(families=TEXTURE)
    torch.testing.assert_close(radiomics(brighter / 255), radiomics(images / 255), rtol=1e-6, atol=1e-7)
    shift = Radiomics()(brighter / 255) - Radiomics()(images / 255)
    mean = Radiomics().feature_names().index("original_firstorder_Mean")
    torch.testing.assert_close(shift[:, mean], torch.full((4,), 32.0), rtol=1e-5, atol=0)


def test_features_of_an_image_do_not_depend_on_its_batch_mates():
    images = textures((7, 1, 30, 22))
    images[3] = 0.25
    together = Radiomics()(images)
    alone = torch.cat([Radiomics()(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=2e-7, atol=1e-12)


def test_large_batches_are_worked_on_in_parts_with_the_same_result(monkeypatch):
    images = textures((9, 1, 30, 22))
    whole = Radiomics()(images)
    monkeypatch.setattr("fourfold.features.radiomics.extractor._PIXELS_AT_ONCE", 2000)
    torch.testing.assert_close(Radiomics()(images), whole, rtol=2e-7, atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(6, 8), (4, 5, 6)])
def test_constant_images_have_the_values_of_pyradiomics(value, shape):
    found = named(torch.full((1, 1, *shape), value))
    expected = {
        "firstorder_Entropy": 0,
        "firstorder_Skewness": 0,
        "firstorder_Kurtosis": 0,
        "firstorder_Uniformity": 1,
        "firstorder_Mean": 255 * value,
        "glcm_Correlation": 1,
        "glcm_MCC": 1,
        "glcm_Imc1": 0,
        "glcm_Imc2": 0,
        "glcm_JointAverage": 1,
        "glszm_LargeAreaEmphasis": math.prod(shape) ** 2,
        "ngtdm_Coarseness": 1e6,
        "ngtdm_Contrast": 0,
        "ngtdm_Busyness": 0,
        "ngtdm_Complexity": 0,
        "ngtdm_Strength": 0,
    }
    for name, number in expected.items():
        assert found[f"original_{name}"] == pytest.approx(number, abs=1e-12), name


@pytest.mark.parametrize("shape", [(1, 2), (2, 2), (1, 9), (9, 1), (1, 6, 7), (6, 1, 7), (2, 2, 2)])
def test_thin_images_have_finite_features(shape):
    images = torch.rand((5, 1, *shape), generator=torch.Generator().manual_seed(1))
    assert torch.isfinite(Radiomics()(images)).all()


def test_a_volume_of_one_slice_has_the_features_of_the_slice():
    images = textures((3, 1, 20, 22))
    torch.testing.assert_close(Radiomics()(images[:, :, None]), Radiomics()(images), rtol=1e-6, atol=1e-9)


def test_a_colour_image_of_equal_channels_has_the_features_of_its_grey_image():
    images = textures((4, 1, 30, 22))
    assert torch.equal(Radiomics()(images.expand(-1, 3, -1, -1)), Radiomics()(images))


def test_a_last_bit_of_rounding_does_not_move_codes_across_bins():
    codes = torch.arange(256, dtype=torch.float32).reshape(1, 1, 16, 16) / 255
    radiomics = Radiomics(families=TEXTURE)
    below = torch.nextafter(codes, torch.zeros(())).clamp(0, 1)
    above = torch.nextafter(codes, torch.ones(())).clamp(0, 1)
    assert torch.equal(radiomics(below), radiomics(codes))
    assert torch.equal(radiomics(above), radiomics(codes))


def test_features_do_not_depend_on_memory_layout_or_gradients():
    images = textures((2, 1, 18, 18))
    strided = images.mT.contiguous().mT.requires_grad_()
    assert torch.equal(Radiomics()(strided), Radiomics()(images))


def test_blur_lowers_contrast_and_lengthens_runs_of_real_images(data_folder):
    paths = sorted((data_folder / "kermany_cxr_96" / "images").rglob("*.png"))[::600]
    images = torch.stack([torch.from_numpy(np.array(Image.open(p).convert("L"), dtype=np.float32)) for p in paths])
    images = images[:, None] / 255
    blurred = functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    sharp, soft = Radiomics()(images), Radiomics()(blurred)
    names = Radiomics().feature_names()
    assert torch.isfinite(sharp).all()
    for name, sign in (("glcm_Contrast", -1), ("glrlm_LongRunEmphasis", 1), ("ngtdm_Coarseness", 1)):
        column = names.index(f"original_{name}")
        assert ((soft - sharp)[:, column] * sign > 0).all(), name


def test_settings_change_the_fingerprint():
    fingerprints = {
        Radiomics().fingerprint,
        Radiomics(bin_width=5).fingerprint,
        Radiomics(scale=100).fingerprint,
        Radiomics(families=("glcm",)).fingerprint,
    }
    assert len(fingerprints) == 4
    assert Radiomics().fingerprint == Radiomics().fingerprint
    assert Radiomics().standardise


def test_families_choose_columns():
    images = textures((2, 1, 18, 18))
    both = Radiomics(families=("ngtdm", "glcm"))
    everything = Radiomics()
    columns = [everything.feature_names().index(name) for name in both.feature_names()]
    assert torch.equal(both(images), everything(images)[:, columns])


def test_an_empty_batch_gives_no_rows():
    assert Radiomics()(torch.zeros(0, 1, 8, 8)).shape == (0, 79)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 8, 8), "radiomics takes images (B, C, H, W) or volumes (B, C, D, H, W), got 3 axes"),
        (torch.zeros(1, 1, 1, 1), "radiomics needs images of at least two pixels"),
        (torch.zeros(1, 2, 8, 8), "images need 1 or 3 channels, got 2"),
        (torch.full((1, 1, 8, 8), 1.5), "radiomics takes values from 0 to 1, got 1.5 to 1.5"),
        (torch.full((1, 1, 8, 8), float("nan")), "radiomics takes values from 0 to 1, got nan to nan"),
    ],
)
def test_images_out_of_contract_are_refused(images, message):
    with pytest.raises(InputError) as error:
        Radiomics()(images)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scale": 0}, "the scale of 'radiomics' must be above 0, got 0"),
        ({"bin_width": -1}, "the bin width of 'radiomics' must be above 0, got -1"),
        ({"bin_width": 0.1}, "at most 1024 grey levels: widen bin_width=0.1 or lower scale=255.0"),
        ({"families": ("gldm",)}, "'radiomics' has the families firstorder, glcm, glrlm, glszm, ngtdm; got gldm"),
        ({"families": ()}, "'radiomics' has the families firstorder, glcm, glrlm, glszm, ngtdm; got none"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(InputError) as error:
        Radiomics(**settings)
    assert str(error.value) == message
