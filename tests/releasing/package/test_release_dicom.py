"""Synthetic DICOM: what it says of itself, and that our own reader gets back what went in."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest

from fourfold.images import open_set, prepare
from fourfold.releasing.dicom import derived_uid, synthetic_dicom

SECRET = bytes(range(32))
DAY = date(2026, 3, 31)


@pytest.fixture(autouse=True)
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pydicom would warn about is an error."""
    monkeypatch.setattr(pydicom.config.settings, "_reading_validation_mode", pydicom.config.RAISE)
    monkeypatch.setattr(pydicom.config.settings, "_writing_validation_mode", pydicom.config.RAISE)


def _written(folder: Path, images: np.ndarray, bits: int) -> Path:
    for number, image in enumerate(images, start=1):
        for place, content in enumerate(synthetic_dicom(image, number, SECRET, DAY, bits=bits)):
            (folder / f"{number}_{place}.dcm").write_bytes(content)
    return folder


def _images(*shape: int) -> np.ndarray:
    """Noise that leaves the top of the range empty, so that a scale guessed from the values would be found out."""
    return 0.2 * np.random.default_rng(1).random(shape, dtype=np.float32)


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_pictures_read_back(tmp_path: Path, bits: int) -> None:
    images = _images(3, 1, 9, 7)
    found = prepare({"s": open_set(_written(tmp_path, images, bits), name="s")})["s"]
    assert np.abs(found.load() - images).max() <= 0.5 / (2**bits - 1) + 1e-6


def test_the_whole_range_reads_back(tmp_path: Path) -> None:
    ramp = (np.arange(256, dtype=np.float32) / 255).reshape(1, 1, 16, 16)
    found = prepare({"s": open_set(_written(tmp_path, ramp, 8), name="s")})["s"]
    assert np.abs(found.load() - ramp).max() < 1e-6


def test_colour_reads_back(tmp_path: Path) -> None:
    images = np.random.default_rng(1).random((2, 3, 5, 7), dtype=np.float32)
    found = prepare({"s": open_set(_written(tmp_path, images, 8), name="s")})["s"]
    assert np.abs(found.load() - images).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("bits", [8, 16])
def test_volumes_are_one_series_each_with_slices_in_order(tmp_path: Path, bits: int) -> None:
    images = _images(2, 1, 12, 5, 6)
    found = prepare({"s": open_set(_written(tmp_path, images, bits), name="s", volumes=True)})["s"]
    assert np.abs(found.load() - images).max() <= 0.5 / (2**bits - 1) + 1e-6


def test_a_file_says_that_it_is_synthetic_and_shows_no_patient() -> None:
    (content,) = synthetic_dicom(_images(1, 5, 5), 7, SECRET, DAY)
    dataset = pydicom.dcmread(BytesIO(content))
    assert dataset[0x0008, 0x001C].value == "YES"
    assert list(dataset.ImageType) == ["DERIVED", "SECONDARY", "SYNTHETIC"]
    assert dataset.SOPClassUID.name == "Secondary Capture Image Storage"
    assert dataset.ConversionType == "SYN"
    assert dataset.BurnedInAnnotation == "NO"
    assert dataset.ContentQualification == "RESEARCH"
    assert dataset.PatientIdentityRemoved == "YES"
    assert dataset.LossyImageCompression == "00"
    assert dataset.PatientID == "SYNTHETIC-000007"
    assert not dataset.PatientBirthDate
    assert not any(element.tag.is_private for element in dataset.iterall())


def test_every_element_is_of_its_kind() -> None:
    for image in (_images(1, 5, 5), _images(3, 5, 5)):
        for element in pydicom.dcmread(BytesIO(synthetic_dicom(image, 1, SECRET, DAY)[0])).iterall():
            assert pydicom.datadict.dictionary_VR(element.tag).startswith(element.VR) or element.keyword == "PixelData"


def test_identifiers_are_fresh_unique_and_the_same_again() -> None:
    files = [content for number in (1, 2) for content in synthetic_dicom(_images(1, 3, 5, 5), number, SECRET, DAY)]
    sets = [pydicom.dcmread(BytesIO(content)) for content in files]
    instances = [dataset.SOPInstanceUID for dataset in sets]
    assert len(set(instances)) == 6
    assert len({dataset.SeriesInstanceUID for dataset in sets}) == 2
    assert len({dataset.StudyInstanceUID for dataset in sets}) == 2
    assert all(uid.startswith("2.25.") and uid.is_valid for uid in instances)
    assert files == [
        content for number in (1, 2) for content in synthetic_dicom(_images(1, 3, 5, 5), number, SECRET, DAY)
    ]
    assert derived_uid(bytes(32), "instance", 1, 1) not in instances


def test_values_beyond_the_range_are_clipped(tmp_path: Path) -> None:
    image = np.array([[[[-1.0, 0.0], [1.0, 2.0]]]], dtype=np.float32)
    found = prepare({"s": open_set(_written(tmp_path, image, 8), name="s")})["s"]
    assert found.load()[0, 0].tolist() == [[0.0, 0.0], [1.0, 1.0]]
