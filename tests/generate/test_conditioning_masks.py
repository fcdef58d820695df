"""Masks as a condition."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning
from fourfold.images import ImageSet, open_set, prepare

nibabel = pytest.importorskip("nibabel")


def write_set(folder, masks, size=(12, 16)):
    """Grey pictures of one size, each with its mask file."""
    folder.mkdir(exist_ok=True)
    rows = ["path,mask"]
    for row, mask in enumerate(masks):
        Image.fromarray(np.full(size, 100 + row, np.uint8)).save(folder / f"image{row}.png")
        Image.fromarray(mask).save(folder / f"mask{row}.png")
        rows.append(f"image{row}.png,mask{row}.png")
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


def opened(folder, **more):
    return prepare({"training": open_set(folder, name="training")}, **more)["training"]


def halves(count=4, size=(12, 16)):
    """Masks of two regions, 128 and 255, with a border that moves."""
    masks = np.full((count, *size), 128, np.uint8)
    for row, mask in enumerate(masks):
        mask[:, : 3 + row] = 0
        mask[6:, 8:] = 255
    return masks


@pytest.fixture
def images(tmp_path):
    return opened(write_set(tmp_path / "set", halves()))


def test_regions_are_one_hot_and_add_up_to_one(images):
    conditioning = Conditioning.fit(["mask"], images, np.arange(4))
    mask = conditioning.encode(conditioning.read(images)).mask
    assert mask.shape == (4, 3, 12, 16)
    assert mask.dtype == torch.float32
    assert (mask.sum(dim=1) == 1).all()
    assert (mask[0, 2].numpy() == (halves()[0] == 255)).all()
    assert conditioning.regions == 3
    assert conditioning.width == 0


def test_a_withheld_mask_is_nothing_at_all(images):
    conditioning = Conditioning.fit(["mask"], images, np.arange(4))
    withheld = conditioning.encode(conditioning.read(images)).withheld()
    assert not withheld.mask.any()
    assert torch.equal(conditioning.withheld(4).mask, withheld.mask)


def test_no_pixel_of_a_mask_is_in_the_model_file(images):
    conditioning = Conditioning.fit(["mask"], images, np.arange(4))
    assert conditioning.record() == [{"kind": "mask", "values": [0, 128, 255], "shape": [12, 16]}]
    assert conditioning.arrays() == {}


def test_masks_are_resampled_by_the_nearest_neighbour(tmp_path):
    images = opened(write_set(tmp_path / "set", halves()), size=8)
    conditioning = Conditioning.fit(["mask"], images, np.arange(4))
    regions = conditioning.read(images).columns["mask"]
    assert regions.shape == (4, 8, 8)
    assert set(np.unique(regions)) == {0, 1, 2}
    assert (regions[:, 4:, 4:] == 2).all(), "a region of whole pixels stays where it is"


def test_masks_cannot_be_drawn_and_must_be_given(images):
    conditioning = Conditioning.fit(["mask"], images, np.arange(4))
    with pytest.raises(InputError, match=r"masks are patients' anatomy.*--conditions SET"):
        conditioning.draw([0])


def test_a_typed_file_is_the_mask_of_every_image(images, tmp_path):
    conditioning = Conditioning.fit(["mask"], images, np.arange(4))
    drawn = conditioning.draw([0, 1], {"mask": str(tmp_path / "set" / "mask2.png")})
    assert (drawn.columns["mask"] == conditioning.read(images).columns["mask"][[2, 2]]).all()
    with pytest.raises(InputError, match=r"nowhere\.png: there is no such file"):
        conditioning.draw([0], {"mask": "nowhere.png"})


def test_what_is_written_beside_an_image_reads_as_it_was(images, tmp_path):
    conditioning = Conditioning.fit(["mask"], images, np.arange(4))
    conditions = conditioning.read(images)
    out = tmp_path / "out"
    out.mkdir()
    cells = conditioning.write(conditions, 1, out, "00001")
    assert cells == {"mask": "masks/00001.png"}
    assert (np.asarray(Image.open(out / cells["mask"])) == halves()[1]).all()
    given = conditioning.draw([0], {"mask": str(out / cells["mask"])})
    assert (given.columns["mask"][0] == conditions.columns["mask"][1]).all()


def test_volumes_have_masks_too(tmp_path):
    rows = ["path,mask"]
    mask = np.zeros((5, 6, 7), np.uint8)
    mask[1:3, 2:, 3] = 4
    for row in range(2):
        image = np.random.default_rng(row).normal(size=(5, 6, 7)).astype(np.float32)
        nibabel.save(nibabel.Nifti1Image(image, np.diag([-1.0, -1.0, 1.0, 1.0])), tmp_path / f"image{row}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(mask, np.diag([-1.0, -1.0, 1.0, 1.0])), tmp_path / f"mask{row}.nii.gz")
        rows.append(f"image{row}.nii.gz,mask{row}.nii.gz")
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    images = opened(tmp_path)
    conditioning = Conditioning.fit(["mask"], images, np.arange(2))
    conditions = conditioning.read(images)
    assert conditioning.encode(conditions).mask.shape == (2, 2, 7, 6, 5)
    assert (conditions.columns["mask"][0] == (mask.transpose(2, 1, 0) == 4)).all()
    cells = conditioning.write(conditions, 0, tmp_path, "a")
    assert cells == {"mask": "masks/a.nii.gz"}
    again = conditioning.draw([0], {"mask": str(tmp_path / cells["mask"])})
    assert (again.columns["mask"][0] == conditions.columns["mask"][0]).all()


def test_slices_of_a_volume_take_the_slices_of_its_mask(tmp_path):
    mask = np.zeros((6, 6, 4), np.uint8)
    mask[:, :3, 2] = 1
    image = np.random.default_rng(0).normal(size=(6, 6, 4)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(image, np.diag([-1.0, -1.0, 1.0, 1.0])), tmp_path / "image.nii.gz")
    nibabel.save(nibabel.Nifti1Image(mask, np.diag([-1.0, -1.0, 1.0, 1.0])), tmp_path / "mask.nii.gz")
    (tmp_path / "metadata.csv").write_text("path,mask\nimage.nii.gz,mask.nii.gz")
    images = prepare({"training": open_set(tmp_path, name="training", slices=True)})["training"]
    column = Conditioning.fit(["mask"], images, np.arange(4)).read(images).columns["mask"]
    assert column.shape == (4, 6, 6)
    assert column.reshape(4, -1).sum(axis=1).tolist() == [0, 0, 18, 0]


def test_a_restored_part_is_the_same(images):
    conditioning = Conditioning.fit(["mask"], images, np.arange(4))
    again = Conditioning.restore(json.loads(json.dumps(conditioning.record())), {})
    assert again.record() == conditioning.record()
    conditions = conditioning.read(images)
    assert torch.equal(again.encode(conditions).mask, conditioning.encode(conditions).mask)


def test_a_mask_of_another_size_is_named(tmp_path):
    folder = write_set(tmp_path / "set", halves())
    Image.fromarray(halves(1, (12, 20))[0]).save(folder / "mask3.png")
    with pytest.raises(InputError, match=r"mask3\.png: the mask is 12 x 20 and its image image3\.png is 12 x 16"):
        Conditioning.fit(["mask"], opened(folder), np.arange(4))


def test_a_value_that_the_model_does_not_know_is_named(images, tmp_path):
    conditioning = Conditioning.fit(["mask"], images, np.arange(4))
    other = halves(2)
    other[1, 0, 0] = 7
    with pytest.raises(InputError, match=r"mask1\.png: holds the value 7, .* it knows: 0, 128, 255"):
        conditioning.read(opened(write_set(tmp_path / "other", other)))


def test_masks_with_too_many_values_are_refused(tmp_path):
    shaded = np.arange(12 * 16, dtype=np.uint8).reshape(1, 12, 16)
    with pytest.raises(InputError, match=r"mask0\.png: with it the masks hold more than 31 regions"):
        Conditioning.fit(["mask"], opened(write_set(tmp_path / "set", shaded)), np.arange(1))


def test_values_that_a_written_mask_could_not_hold_are_refused(tmp_path):
    folder = write_set(tmp_path / "set", halves(1))
    values = np.zeros((12, 16), np.int32)
    values[3:, 5:] = 70_000
    Image.fromarray(values).save(folder / "mask0.tiff")
    (folder / "metadata.csv").write_text("path,mask\nimage0.png,mask0.tiff")
    with pytest.raises(InputError, match=r"hold the value 70000; store whole numbers from 0 \(background\) to 65535"):
        Conditioning.fit(["mask"], opened(folder), np.arange(1))


def test_masks_in_colour_or_of_fractions_are_refused(tmp_path):
    folder = write_set(tmp_path / "set", halves(1))
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)).save(folder / "mask0.png")
    with pytest.raises(InputError, match="is a mask in colour"):
        Conditioning.fit(["mask"], opened(folder), np.arange(1))
    Image.fromarray(np.full((12, 16), 0.5, np.float32)).save(folder / "mask0.tiff")
    (folder / "metadata.csv").write_text("path,mask\nimage0.png,mask0.tiff")
    with pytest.raises(InputError, match="holds values that are no region numbers"):
        Conditioning.fit(["mask"], opened(folder), np.arange(1))


def test_images_without_masks_and_masks_without_regions_are_refused(tmp_path):
    with pytest.raises(InputError, match="hold nothing but background"):
        Conditioning.fit(["mask"], opened(write_set(tmp_path / "set", np.zeros((2, 12, 16), np.uint8))), np.arange(2))
    images = ImageSet.from_array(np.zeros((2, 1, 4, 4), np.float32), name="training")
    with pytest.raises(InputError, match=r"training\[0\]: has no mask; add a column mask"):
        Conditioning.fit(["mask"], replace(images), np.arange(2))


def test_real_masks_fit_their_images(data_folder):
    images = open_set(Path(data_folder) / "cheng_brain_128", name="training").take(range(0, 2000, 100))
    images = prepare({"training": images}, size=32)["training"]
    conditioning = Conditioning.fit(["mask"], images, np.arange(20))
    mask = conditioning.encode(conditioning.read(images)).mask
    assert mask.shape == (20, 2, 32, 32)
    assert 0.0 < float(mask[:, 1].mean()) < 0.2
