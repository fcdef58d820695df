from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fourfold.errors import InputError
from fourfold.images import ImageSet, open_set
from fourfold.images.formats import FileReading
from fourfold.images.masks import nearest, read_mask, region_numbers, region_values, stored_mask

nibabel = pytest.importorskip("nibabel")


def volume(file, values):
    """Stored so that it reads along S, P, L as it is given."""
    nibabel.save(nibabel.Nifti1Image(values.transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0])), file)
    return file


@pytest.fixture
def with_masks(tmp_path):
    """A set of 4 x 6 images in memory, each with the mask that is given for it, or none."""

    def make(*masks):
        images = ImageSet.from_array(np.zeros((len(masks), 1, 4, 6), dtype=np.float32), name="training")
        entries = list(images.entries)
        for row, mask in enumerate(masks):
            if mask is not None:
                Image.fromarray(np.asarray(mask)).save(tmp_path / f"{row}.png")
                entries[row] = replace(entries[row], mask=tmp_path / f"{row}.png")
        return replace(images, entries=tuple(entries))

    return make


def test_a_mask_is_read_as_the_whole_numbers_it_holds(tmp_path):
    values = np.arange(24, dtype=np.uint16).reshape(4, 6) * 1000
    Image.fromarray(values).save(tmp_path / "mask.png")
    found = read_mask(tmp_path / "mask.png", 2)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, values)
    three = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    np.testing.assert_array_equal(read_mask(volume(tmp_path / "mask.nii.gz", three), 3), three)


def test_grey_that_is_written_in_colours_is_grey(tmp_path):
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6)
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", 2), grey)


def test_an_image_that_is_a_slice_takes_the_slice_of_its_mask(tmp_path):
    three = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    file = volume(tmp_path / "mask.nii.gz", three)
    np.testing.assert_array_equal(read_mask(file, 2, 1, FileReading(slices=True)), three[1])
    with pytest.raises(InputError, match="holds several masks for one image"):
        read_mask(file, 2, None, FileReading(slices=True))
    with pytest.raises(InputError, match="is a 3-D mask of a 2-D image"):
        read_mask(file, 2)


@pytest.mark.parametrize("wrong", [0.5, -1.0, 1e30])
def test_what_numbers_no_region_is_refused(tmp_path, wrong):
    file = volume(tmp_path / "mask.nii.gz", np.full((2, 2, 2), wrong, dtype=np.float64))
    with pytest.raises(InputError, match="holds values that are no region numbers"):
        read_mask(file, 3)


def test_colours_are_no_regions(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match="is a mask in colour"):
        read_mask(tmp_path / "mask.png", 2)


def test_a_mask_has_the_size_of_its_image(with_masks):
    assert stored_mask(with_masks(np.ones((4, 6), np.uint8)), 0).shape == (4, 6)
    with pytest.raises(InputError, match=r"0\.png: the mask is 6 x 4 and its image training\[0\] is 4 x 6"):
        stored_mask(with_masks(np.ones((6, 4), np.uint8)), 0)


def test_regions_are_the_values_above_0_of_all_masks_and_some_images_may_have_none(with_masks):
    assert region_values(with_masks(np.eye(4, 6, dtype=np.uint8) * 9, None, np.full((4, 6), 3, np.uint8))) == (3, 9)


def test_the_greys_of_a_compressed_mask_are_no_regions(with_masks):
    as_many = np.arange(32, dtype=np.uint8)[:24].reshape(4, 6)
    assert len(region_values(with_masks(as_many))) == 23
    with pytest.raises(InputError, match=r"1\.png: with it the masks hold more than 31 regions, as compressed"):
        region_values(with_masks(as_many, as_many + 20))


def test_masks_without_regions_are_refused(with_masks):
    with pytest.raises(InputError, match="the masks of the training set hold nothing but background"):
        region_values(with_masks(np.zeros((4, 6), np.uint8)))


def test_numbers_of_regions_follow_the_order_of_their_values():
    mask = np.array([[0, 7, 3], [128, 0, 3]])
    np.testing.assert_array_equal(region_numbers(mask, (3, 7, 128), "m.png", "task"), [[0, 2, 1], [3, 0, 1]])
    with pytest.raises(InputError, match=r"m\.png: holds the value 7, which is no region of the task; .* 0, 3, 128"):
        region_numbers(mask, (3, 128), "m.png", "task")


@pytest.mark.parametrize("shape", [(2, 3), (8, 12), (3, 5), (1, 1)])
def test_the_nearest_neighbour_makes_no_new_value_and_keeps_whole_blocks(shape):
    mask = np.arange(24).reshape(4, 6)
    found = nearest(mask, shape)
    assert found.shape == shape
    assert set(found.ravel()) <= set(mask.ravel())
    np.testing.assert_array_equal(nearest(mask.repeat(5, axis=0).repeat(5, axis=1), (4, 6)), mask)


def test_masks_of_a_volume_cut_into_slices_are_cut_with_it(tmp_path):
    three = np.zeros((3, 4, 5), np.uint8)
    three[2, :2] = 4
    volume(tmp_path / "image.nii.gz", np.random.default_rng(0).normal(size=(3, 4, 5)))
    volume(tmp_path / "mask.nii.gz", three)
    (tmp_path / "metadata.csv").write_text("path,mask\nimage.nii.gz,mask.nii.gz")
    images = open_set(tmp_path, name="training", slices=True)
    np.testing.assert_array_equal([stored_mask(images, row) for row in range(3)], three)
