import base64
import io

import numpy as np
import pytest
from PIL import Image

from fourfold.report.gallery import data_uri, difference, slice_of


def opened(uri):
    start = "data:image/png;base64,"
    assert uri.startswith(start)
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(start))))


def test_small_grey_images_are_shown_pixel_by_pixel():
    image = np.arange(12, dtype=np.float32).reshape(1, 3, 4) / 255
    assert np.array_equal(np.asarray(opened(data_uri(image))), np.arange(12).reshape(3, 4))


@pytest.mark.parametrize(
    ("shape", "size"), [((1, 512, 256), (64, 128)), ((3, 300, 600), (96, 48)), ((1, 1, 900), (128, 1))]
)
def test_large_images_are_shrunk_to_a_bounded_side_and_keep_their_shape(shape, size):
    assert opened(data_uri(np.zeros(shape, dtype=np.float32))).size == size


def test_colours_stay_in_their_channels():
    image = np.zeros((3, 2, 2), dtype=np.float32)
    image[0] = 1
    assert opened(data_uri(image)).getpixel((0, 0)) == (255, 0, 0)


def test_values_outside_of_the_range_are_clipped():
    assert np.asarray(opened(data_uri(np.array([[[-1.0, 2.0]]], dtype=np.float32)))).tolist() == [[0, 255]]


def test_a_volume_is_shown_by_its_central_axial_slice():
    volume = np.stack([np.full((4, 5), k) for k in range(7)])[None]
    assert np.array_equal(slice_of(volume), np.full((1, 4, 5), 3))


def test_equal_images_differ_by_middle_grey():
    image = np.random.default_rng(0).random((3, 4, 4), dtype=np.float32)
    assert np.array_equal(difference(image, image), np.full((1, 4, 4), 0.5))
    assert difference(np.ones((1, 2, 2)), np.zeros((1, 2, 2))).max() == 1
