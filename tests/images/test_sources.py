"""From folders, lists and files to image sets, and what a wrong source is told."""

from __future__ import annotations

import json
import pickle
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from fourfold.errors import InputError, UnreadableImage
from fourfold.images import ImageSet, drop_broken, open_set


def _picture(file: Path, value: int = 0, shape: tuple[int, ...] = (6, 5)) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(value).integers(0, 256, shape, dtype=np.uint8)).save(file)
    return file


def test_class_folders_give_labels(tmp_path: Path) -> None:
    for number, path in enumerate(["normal/1.png", "normal/deep/2.png", "ill/3.png"]):
        _picture(tmp_path / path, number)
    opened = open_set(tmp_path, name="training")
    assert opened.paths == ["ill/3.png", "normal/1.png", "normal/deep/2.png"]
    assert opened.labels.tolist() == ["ill", "normal", "normal"]


def test_a_flat_folder_and_a_mixed_one_have_no_labels(tmp_path: Path) -> None:
    _picture(tmp_path / "1.png")
    _picture(tmp_path / "deep" / "2.png")
    assert open_set(tmp_path, name="training").labels is None


def test_a_folder_called_images_is_no_class(tmp_path: Path) -> None:
    _picture(tmp_path / "images" / "normal" / "1.png")
    assert open_set(tmp_path, name="training").labels.tolist() == ["normal"]
    _picture(tmp_path / "flat" / "images" / "1.png")
    assert open_set(tmp_path / "flat", name="training").labels is None


def test_folders_of_splits_are_chosen_by_split(tmp_path: Path) -> None:
    for path in ("train/normal/1.png", "train/ill/2.png", "test/ill/3.png"):
        _picture(tmp_path / path)
    assert open_set(tmp_path, name="training", split="train").paths == ["train/ill/2.png", "train/normal/1.png"]
    assert sorted(open_set(tmp_path, name="all").labels) == ["ill", "ill", "normal"]
    with pytest.raises(InputError, match=r": there is no split 'dev'; the splits are test, train$"):
        open_set(tmp_path, name="training", split="dev")


def test_the_metadata_of_an_imagefolder_is_used(tmp_path: Path) -> None:
    _picture(tmp_path / "a" / "1.png")
    _picture(tmp_path / "a" / "2.png")
    lines = [json.dumps({"file_name": f"a/{number}.png", "label": number}) for number in (2, 1)]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    opened = open_set(tmp_path, name="training")
    assert opened.paths == ["a/2.png", "a/1.png"]
    assert opened.labels.tolist() == ["2", "1"]


def test_a_monai_list_is_read_by_split(tmp_path: Path) -> None:
    for number in range(3):
        _picture(tmp_path / f"{number}.png", number)
    items = [{"image": "0.png", "label": "1.png"}, {"image": "2.png", "label": 1, "patient": 7}]
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps({"name": "x", "training": items, "test": ["1.png"]}))
    opened = open_set(file, name="training", split="training")
    assert opened.paths == ["0.png", "2.png"]
    assert opened.entries[0].mask == tmp_path / "1.png"
    assert opened.entries[1].label == "1"
    assert opened.entries[1].patient is None
    assert len(open_set(file, name="all")) == 3
    with pytest.raises(InputError, match=r": there is no split 'dev'; the splits are test, training$"):
        open_set(file, name="training", split="dev")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "cannot be read as JSON"),
        ('{"a": 1}', "is no MONAI data list; it needs"),
        ('[{"image": "../x.png"}]', "leaves the folder of the images"),
        ('[{"image": "0.png"}, {"image": "0.png"}]', "the file '0.png' is listed twice; remove one of the entries"),
        ('[{"image": ["0.png", "0.png"]}]', "an 'image' is list; images of several files are not read, list one"),
    ],
)
def test_a_wrong_monai_list_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    _picture(tmp_path / "0.png")
    (tmp_path / "list.json").write_text(content)
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'list.json'}: ") + ".*" + re.escape(problem)):
        open_set(tmp_path / "list.json", name="training")


def test_a_set_is_returned_under_its_new_name() -> None:
    opened = ImageSet.from_array(np.zeros((2, 1, 4, 4)), name="x")
    assert open_set(opened, name="x") is opened
    assert open_set(opened, name="training").name == "training"


def test_a_source_that_does_not_exist_is_named(tmp_path: Path) -> None:
    message = f"{tmp_path / 'gone'}: does not exist; correct the path of the training set"
    with pytest.raises(InputError, match="^" + re.escape(message) + "$"):
        open_set(tmp_path / "gone", name="training")


@pytest.mark.parametrize("litter", [[], [".DS_Store", "Thumbs.db", "notes.txt", "readme.md"]])
def test_a_folder_without_images_is_refused(tmp_path: Path, litter: list[str]) -> None:
    for name in litter:
        (tmp_path / name).write_text("x")
    message = f"{tmp_path}: there is no image in the holdout set; point at a folder or table with images"
    with pytest.raises(InputError, match="^" + re.escape(message) + "$"):
        open_set(tmp_path, name="holdout")


def test_one_image_is_a_set(tmp_path: Path) -> None:
    assert open_set(_picture(tmp_path / "1.png"), name="training").raw(0).shape == (1, 6, 5)


def test_truncated_and_foreign_files_fail_when_they_are_decoded(tmp_path: Path) -> None:
    _picture(tmp_path / "1.png")
    content = _picture(tmp_path / "2.png", 2, (60, 60)).read_bytes()
    (tmp_path / "2.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "3.png").write_text("no picture")
    opened = open_set(tmp_path, name="training")
    for row, problem in ((1, "is cut short or damaged"), (2, "is not an image in a format that is read")):
        with pytest.raises(UnreadableImage, match=re.escape(problem)):
            opened.raw(row)


def test_broken_files_are_left_out_and_listed_when_asked(tmp_path: Path) -> None:
    _picture(tmp_path / "1.png")
    (tmp_path / "2.png").write_text("no picture")
    opened = open_set(tmp_path, name="training", skip_broken=True)
    assert opened.paths == ["1.png"]
    assert [(item.path, item.reason) for item in opened.skipped] == [
        ("2.png", "is not an image in a format that is read")
    ]


def test_a_set_of_broken_files_only_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_text("no picture")
    (tmp_path / "2.png").write_bytes(b"")
    message = (
        "none of the 2 images of the training set can be read, first 1.png: is not an image in a format that is read; "
        "point at a folder with images"
    )
    with pytest.raises(InputError, match="^" + re.escape(message) + "$"):
        drop_broken(open_set(tmp_path, name="training"))


def test_a_picture_that_announces_too_many_pixels_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 50000, 50000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    message = (
        f"bomb.png: announces more than {Image.MAX_IMAGE_PIXELS} pixels, as a decompression bomb does; "
        "crop or downsample it"
    )
    with pytest.raises(UnreadableImage, match="^" + re.escape(message) + "$"):
        open_set(tmp_path, name="training").raw(0)


def test_a_volume_that_announces_too_many_voxels_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((4000, 4000, 4000))
    header.set_data_dtype(np.uint8)
    header["magic"], header["vox_offset"] = b"n+1", 352
    (tmp_path / "bomb.nii").write_bytes(header.binaryblock + bytes(4))
    message = "bomb.nii: announces 4000 x 4000 x 4000 values, more than the limit of 268435456; crop or downsample it"
    with pytest.raises(UnreadableImage, match="^" + re.escape(message) + "$"):
        open_set(tmp_path, name="training").raw(0)


def test_volumes_can_be_cut_into_axial_slices(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1, -1, 2, 1])), tmp_path / "v.nii.gz")
    volume = open_set(tmp_path, name="training").raw(0)
    slices = open_set(tmp_path, name="training", slices=True)
    assert volume.shape == (1, 6, 5, 4)
    assert np.array_equal(volume[0], values.transpose(2, 1, 0))
    assert slices.paths == [f"v.nii.gz#{place}" for place in range(6)]
    assert all(np.array_equal(slices.raw(place), volume[:, place]) for place in (5, 0, 3))
    assert len({*slices.digests(), *open_set(tmp_path, name="training").digests()}) == 7


@pytest.mark.parametrize("axes", ["RAS", "LPS", "PIR", "SAL"])
def test_a_volume_is_the_same_however_its_axes_are_stored(tmp_path: Path, axes: str) -> None:
    values = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    model = nibabel.Nifti1Image(values, np.diag([-1.0, -1.0, 2.0, 1.0]))
    there = nibabel.orientations.axcodes2ornt(tuple(axes))
    turned = model.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(model.affine), there))
    nibabel.save(turned, tmp_path / "v.nii")
    assert np.array_equal(open_set(tmp_path, name="training").raw(0)[0], values.transpose(2, 1, 0))


def test_a_digest_is_of_the_content_and_not_of_the_name(tmp_path: Path) -> None:
    _picture(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "2.png").write_bytes((tmp_path / "a" / "1.png").read_bytes())
    _picture(tmp_path / "a" / "3.png", 3)
    first, second, third = open_set(tmp_path, name="training").digests()
    assert first == second != third


def test_a_set_travels_between_processes(tmp_path: Path) -> None:
    _picture(tmp_path / "1.png")
    opened = open_set(tmp_path, name="training")
    again = pickle.loads(pickle.dumps(opened))  # noqa: S301
    assert np.array_equal(again.raw(0), opened.raw(0))


def test_importing_the_room_imports_no_heavy_package() -> None:
    code = "import sys, fourfold.images; print(*{'torch', 'pandas', 'pydicom', 'nibabel', 'scipy'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
