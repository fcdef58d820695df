"""Structural similarity within a set, and the size of the mean image."""

import io

import numpy as np
import pytest
from PIL import Image

from fourfold.errors import InputError
from fourfold.variety import mean_image_file_size, ms_ssim_diversity, similarity_scales
from fourfold.variety.similarity import draw_pairs


def _images(n: int, side: int = 32, seed: int = 0) -> np.ndarray:
    """Smooth random images."""
    rng = np.random.default_rng(seed)
    small = rng.random((n, 1, 4, 4))
    return np.repeat(np.repeat(small, side // 4, axis=2), side // 4, axis=3).astype(np.float32)


def test_repeated_prototypes_are_more_alike_than_a_varied_set():
    varied = _images(60)
    assert ms_ssim_diversity(np.tile(varied[:3], (20, 1, 1, 1))) > ms_ssim_diversity(varied) + 0.1
    assert ms_ssim_diversity(np.tile(varied[:1], (20, 1, 1, 1))) == pytest.approx(1, abs=1e-5)


def test_volumes_and_colour_images_are_compared_too():
    rng = np.random.default_rng(0)
    volumes = rng.random((4, 1, 12, 16, 20), dtype=np.float32)
    colour = rng.random((4, 3, 24, 24), dtype=np.float32)
    assert 0 <= ms_ssim_diversity(volumes) < 0.5
    assert 0 <= ms_ssim_diversity(colour) < 0.5


@pytest.mark.parametrize(("side", "scales"), [(10, 0), (11, 1), (22, 2), (44, 3), (99, 4), (175, 4), (176, 5)])
def test_the_number_of_scales_follows_the_size(side, scales):
    assert similarity_scales((side, 300)) == scales
    if scales:
        assert ms_ssim_diversity(np.random.default_rng(0).random((2, 1, side, side))) >= 0


def test_pairs_stay_within_classes_and_leave_out_the_same_patient():
    labels = np.repeat(["a", "b"], 20)
    groups = np.arange(40) // 4
    pairs = draw_pairs(40, labels, groups, 50, seed=0)
    assert len(pairs) == len({tuple(pair) for pair in pairs.tolist()}) == 50
    assert (labels[pairs[:, 0]] == labels[pairs[:, 1]]).all()
    assert (groups[pairs[:, 0]] != groups[pairs[:, 1]]).all()
    np.testing.assert_array_equal(pairs, draw_pairs(40, labels, groups, 50, seed=0))


def test_what_has_no_pair_or_no_window_is_refused_with_a_sentence():
    with pytest.raises(InputError, match="no two images of one class"):
        ms_ssim_diversity(_images(3), groups=np.zeros(3))
    with pytest.raises(InputError, match="at least 11 pixels a side"):
        ms_ssim_diversity(np.zeros((3, 1, 8, 8)))


def test_the_mean_image_is_truncated_class_by_class():
    images = np.zeros((4, 1, 16, 16), dtype=np.float32)
    images[:3] = 100.9 / 255
    images[3, 0, :8] = 51.9 / 255
    expected = np.full((16, 16), (100 + 0) // 2, dtype=np.uint8)
    expected[:8] = (100 + 51) // 2
    stream = io.BytesIO()
    Image.fromarray(expected).save(stream, format="PNG")
    assert mean_image_file_size(images, labels=np.array(["x", "x", "x", "y"])) == stream.tell()


def test_collapse_to_prototypes_raises_the_file_size_and_blurring_lowers_it():
    rng = np.random.default_rng(0)
    images = np.clip(_images(200, 64) + 0.1 * rng.normal(size=(200, 1, 64, 64)), 0, 1)
    assert mean_image_file_size(np.tile(images[:3], (60, 1, 1, 1))) > mean_image_file_size(images)
    blurred = (images[..., :-1, :-1] + images[..., 1:, :-1] + images[..., :-1, 1:] + images[..., 1:, 1:]) / 4
    assert mean_image_file_size(blurred) < mean_image_file_size(images)


def test_a_mean_image_of_nothing_is_refused_with_a_sentence():
    with pytest.raises(InputError, match=r"got \(0, 1, 4, 4\)"):
        mean_image_file_size(np.zeros((0, 1, 4, 4)))
