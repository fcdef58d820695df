"""Every file of the folder of odd files is read as its index says, or refused with the sentence declared here."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from fourfold.errors import InputError, UnreadableImage
from fourfold.images import open_set
from fourfold.images.dicom import stored_pixels

REFUSED = {
    "pydicom/MR_truncated.dcm": "is cut short: it holds 8130 bytes of pixels where 8192 are expected",
    "pydicom/no_meta.dcm": "is not an image in a format that is read",
    "pydicom/ExplVR_LitEndNoMeta.dcm": "is a DICOM object without pixels (RTPLAN)",
    "pydicom/rtplan.dcm": "is a DICOM object without pixels (RTPLAN)",
    "odd/truncated.png": "is cut short or damaged (image file is truncated)",
    "odd/empty.png": "is empty (0 bytes)",
    "odd/text.png": "is not an image in a format that is read",
    "odd/Thumbs.db": "is not an image in a format that is read",
    "odd/with_nan.npy": "holds 2760 values that are not finite (NaN or infinity)",
    "odd/pickled.npy": "holds pickled Python objects, which are never loaded",
    "odd/truncated.nii.gz": "is cut short or damaged: its voxels cannot be read",
    "odd/nan_inf.nii.gz": "holds 2 values that are not finite (NaN or infinity)",
    "odd/volume.nrrd": "is an NRRD file, a format that is not read",
    "odd/volume.mha": "is a MetaImage file (.mha, .mhd), a format that is not read",
    "odd/complex.nii.gz": "holds complex values",
}

# The shape of the first image, channels first, and its smallest and largest value, where the index is silent.
READ = {
    "odd/float_range.npy": ((1, 160, 200), 0, 0.9333),
    "odd/chw.npy": ((3, 160, 200), 0, 238),
    "odd/gz_named.nii": ((1, 35, 51, 35), 2, 139),
    "odd/plain_named.nii.gz": ((1, 35, 51, 35), 2, 139),
    "odd/rgba.png": ((3, 160, 200), 0, 119),
    "odd/la.png": ((1, 160, 200), 0, 238),
    "odd/exif_rotated.jpg": ((1, 200, 160), 0, 238),
    "odd/bilevel.png": ((1, 160, 200), 0, 255),
    "odd/grey16.png": ((1, 160, 200), 0, 61166),
    "odd/grey12_in16.png": ((1, 160, 200), 0, 3808),
    "odd/cmyk.jpg": ((3, 160, 200), 0, 238),
    "odd/scaled_int16.nii.gz": ((1, 35, 51, 35), -5.05, -4.95),
    "odd/rgb24.nii.gz": ((3, 35, 51, 35), 4, 255),
    "odd/one_pixel.png": ((1, 1, 1), 200, 200),
    "odd/wide.png": ((1, 9, 600), 0, 234),
    "nibabel/phantom_EPI_asc_CLEAR_2_1.PAR": ((1, 9, 64, 64), 0, 2299.4038),
    "nibabel/scaled+tlrc.HEAD": ((1, 43, 54, 47), 0, 0.00127),
}


@pytest.fixture(scope="module")
def index(data_folder: Path) -> list[dict[str, str]]:
    with (data_folder / "files" / "index.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _short(row: dict[str, str]) -> str:
    return row["file"].removeprefix("files/")


def test_every_stored_pixel_array_has_the_hash_of_the_index(data_folder: Path, index: list[dict[str, str]]) -> None:
    hashed = [row for row in index if row["pixel_sha1"]]
    differing = []
    for row in hashed:
        values = stored_pixels(data_folder / row["file"])
        shape, low, high = re.search(r"\(([\d, ]+)\) min (\S+) max (\S+)", row["decoded"]).groups()
        told = tuple(int(extent) for extent in shape.split(","))
        as_told = values.shape == told and float(values.min()) == float(low) and float(values.max()) == float(high)
        if not as_told or hashlib.sha1(values.tobytes()).hexdigest() != row["pixel_sha1"]:
            differing.append(row["file"])
    assert len(hashed) > 40
    assert differing == []


def test_every_file_is_read_whole_or_refused_with_its_sentence(data_folder: Path, index: list[dict[str, str]]) -> None:
    wrong = []
    for row in index:
        short = _short(row)
        try:
            opened = open_set(data_folder / row["file"], name="odd")
            for image in range(len(opened)):
                values = opened.raw(image)
                if values.ndim not in (3, 4) or values.shape[0] not in (1, 3) or not np.isfinite(values).all():
                    wrong.append((short, values.shape))
        except UnreadableImage as error:
            message = f"{Path(short).name}: {REFUSED.get(short)}; {error.remedy}"
            if str(error) != message:
                wrong.append((short, str(error)))
        else:
            if short in REFUSED:
                wrong.append((short, "was read"))
    assert wrong == []


def test_a_refused_file_names_itself_and_what_to_do(data_folder: Path, index: list[dict[str, str]]) -> None:
    for row in index:
        if _short(row) in REFUSED:
            with pytest.raises(InputError, match=re.escape(Path(row["file"]).name) + r": .+; .+"):
                open_set(data_folder / row["file"], name="odd").raw(0)


@pytest.mark.parametrize("short", sorted(READ))
def test_a_file_has_the_declared_shape_and_range(data_folder: Path, short: str) -> None:
    values = open_set(data_folder / "files" / short, name="odd").raw(0)
    shape, low, high = READ[short]
    assert values.shape == shape
    assert float(values.min()) == pytest.approx(low, abs=1e-4)
    assert float(values.max()) == pytest.approx(high, rel=1e-4, abs=1e-4)


def test_pictures_have_the_size_of_the_index(data_folder: Path, index: list[dict[str, str]]) -> None:
    sizes = {}
    for row in index:
        told = re.fullmatch(r"(?:1|L|LA|P|RGB|RGBA|CMYK|F|I;16) \((\d+), (\d+)\)", row["decoded"])
        if told and _short(row) != "odd/exif_rotated.jpg":
            values = open_set(data_folder / row["file"], name="odd").raw(0)
            sizes[_short(row)] = (values.shape[1:], (int(told[2]), int(told[1])))
    assert len(sizes) > 15
    assert {short: pair for short, pair in sizes.items() if pair[0] != pair[1]} == {}


@pytest.mark.parametrize(
    ("short", "frames"),
    [
        ("odd/multipage.tif", 3),
        ("odd/animated.gif", 2),
        ("pydicom/examples_ybr_color.dcm", 30),
        ("pydicom/rtdose.dcm", 15),
        ("pydicom-data/emri_small.dcm", 10),
        ("nibabel/example4d.nii.gz", 2),
        ("odd/singleton_4d.nii.gz", 1),
    ],
)
def test_every_frame_of_a_file_is_an_image(data_folder: Path, short: str, frames: int) -> None:
    opened = open_set(data_folder / "files" / short, name="odd")
    name = Path(short).name
    assert opened.paths == ([f"{name}#{index}" for index in range(frames)] if frames > 1 else [name])


def test_the_pixels_of_one_picture_are_the_same_under_every_name(data_folder: Path) -> None:
    odd = data_folder / "files" / "odd"
    names = ["UPPER.PNG", "png_named.jpg", "no_extension_png", "name with spaces é.png", ".hidden.png", "bmp.bmp"]
    images = [open_set(odd / name, name="odd").raw(0) for name in names]
    assert all(np.array_equal(images[0], image) for image in images[1:])


def test_one_volume_is_the_same_in_every_container_and_orientation(data_folder: Path) -> None:
    odd = data_folder / "files" / "odd"
    model = open_set(odd / "gz_named.nii", name="odd").raw(0)
    for name in ("plain_named.nii.gz", "singleton_4d.nii.gz"):
        assert np.array_equal(model, open_set(odd / name, name="odd").raw(0))


def test_a_compressed_and_a_plain_dicom_file_give_the_same_image(data_folder: Path) -> None:
    folder = data_folder / "files" / "pydicom"
    names = ["MR_small", "MR_small_RLE", "MR_small_bigendian", "MR_small_implicit", "MR_small_jp2klossless"]
    images = [open_set(folder / f"{name}.dcm", name="odd").raw(0) for name in names]
    assert all(np.array_equal(images[0], image) for image in images[1:])


def test_a_folder_scan_passes_over_litter_and_keeps_every_image(data_folder: Path) -> None:
    opened = open_set(data_folder / "files" / "odd", name="odd")
    ignored = {item.path: item.reason for item in opened.ignored}
    assert ignored == {
        ".hidden.png": "a hidden file",
        "Thumbs.db": "left by a file manager",
        "pair.img": "the data of the header file beside it",
    }
    assert "truncated.png" in opened.paths
    assert "pair.hdr" in opened.paths


def test_a_dicom_series_becomes_one_volume_when_asked(data_folder: Path) -> None:
    folder = data_folder / "files" / "series_hippo"
    slices = open_set(folder, name="hippo")
    volume = open_set(folder, name="hippo", volumes=True)
    assert len(slices) == 32
    assert len(volume) == 1
    assert volume.raw(0).shape == (1, 32, 51, 35)
    heights = [int(Path(file).stem) for file in volume.entries[0].files]
    assert heights in (sorted(heights), sorted(heights, reverse=True))


def test_a_patient_identifier_of_a_header_never_leaves_the_reader(data_folder: Path) -> None:
    import pydicom

    file = data_folder / "files" / "pydicom" / "CT_small.dcm"
    identifier = str(pydicom.dcmread(file, stop_before_pixels=True).PatientID)
    opened = open_set(file, name="odd")
    assert opened.entries[0].patient.startswith("p-")
    assert identifier not in repr(opened.entries)
