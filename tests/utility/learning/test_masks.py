import numpy as np
import pytest
from PIL import Image

from fourfold.errors import InputError
from fourfold.images.prepare import prepare
from fourfold.images.sources import open_set
from fourfold.utility.learning.masks import regions, values_of_regions


@pytest.fixture
def written(tmp_path):
    def write(*masks, size=None):
        (tmp_path / "masks").mkdir()
        lines = ["path,mask"]
        for row, mask in enumerate(masks):
            Image.fromarray(np.full((8, 8), 10 * row, dtype=np.uint8)).save(tmp_path / f"{row}.png")
            if mask is not None:
                Image.fromarray(np.asarray(mask)).save(tmp_path / "masks" / f"{row}.png")
            lines.append(f"{row}.png,{'' if mask is None else f'masks/{row}.png'}")
        (tmp_path / "metadata.csv").write_text("\n".join(lines))
        return prepare({"training": open_set(tmp_path, name="training")}, size=size)["training"]

    return write


def halves(value, side=8, dtype=np.uint8):
    mask = np.zeros((side, side), dtype=dtype)
    mask[:, side // 2 :] = value
    return mask


def test_one_region_may_be_written_as_1_255_or_true(written):
    images = written(halves(1), halves(255), halves(True, dtype=bool))
    assert values_of_regions(written_values(images)) == (1, 255)
    np.testing.assert_array_equal(regions(images, (255,)), [halves(1)] * 3)


def written_values(images):
    return images.take([0, 1])


def test_several_regions_are_numbered_by_their_values_and_an_image_without_a_mask_is_background(written):
    images = written(halves(3), None, halves(7))
    values = values_of_regions(images)
    assert values == (3, 7)
    np.testing.assert_array_equal(regions(images, values), [halves(1), halves(0), halves(2)])


def test_masks_are_resampled_without_new_values(written):
    images = written(halves(3), halves(7), size=6)
    assert set(np.unique(regions(images, (3, 7)))) == {0, 1, 2}


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([None, None], "no image of the training set has a mask"),
        ([halves(0), None], "nothing but background"),
        ([np.arange(64, dtype=np.uint8).reshape(8, 8)], "more than 31 regions, as compressed"),
        ([np.zeros((8, 8, 3), np.uint8) + np.arange(3, dtype=np.uint8)], "a mask in colour"),
    ],
)
def test_masks_that_mark_nothing_are_refused_with_a_reason(written, masks, message):
    with pytest.raises(InputError, match=message):
        values_of_regions(written(*masks))


@pytest.mark.parametrize(
    ("mask", "message"),
    [(halves(5), "holds the value 5, which is no region of the task; it knows: 0, 3, 7"), (halves(3, side=4), "4 x 4")],
)
def test_a_mask_that_does_not_fit_is_named(written, mask, message):
    with pytest.raises(InputError, match=message) as raised:
        regions(written(mask), (3, 7))
    assert "0.png" in str(raised.value)
