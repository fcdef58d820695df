"""DICOM values in the order of the standard: stored, modality, window, inversion; and what damaged files are told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from fourfold.errors import UnreadableImage
from fourfold.images import open_set
from fourfold.images.dicom import pseudonym


def _write(file: Path, pixels: np.ndarray, **elements: object) -> Path:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = generate_uid()
    frames = pixels.shape[0] if pixels.ndim == 3 else 1
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(file, enforce_file_format=True)
    return file


def _values(file: Path, **options: object) -> np.ndarray:
    return open_set(file, name="scan").raw(0) if not options else open_set(file, name="scan", **options).raw(0)


RAMP = np.arange(16, dtype=np.uint16).reshape(4, 4)


def test_rescale_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.dcm", RAMP, RescaleSlope="2.5", RescaleIntercept="-1000")
    assert np.array_equal(_values(file)[0], RAMP * 2.5 - 1000)


def test_a_linear_window_follows_the_standard(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.dcm", RAMP, WindowCenter="8", WindowWidth="9")
    expected = np.clip((RAMP - 7.5) / 8 + 0.5, 0, 1) * 255  # PS3.3 C.11.2.1.2.1 on the scale of a display
    assert _values(file)[0] == pytest.approx(expected, abs=1e-4)


def test_an_exact_window_and_a_sigmoid_follow_the_standard(tmp_path: Path) -> None:
    window = {"WindowCenter": "8", "WindowWidth": "8"}
    exact = _write(tmp_path / "a.dcm", RAMP, VOILUTFunction="LINEAR_EXACT", **window)
    assert _values(exact)[0] == pytest.approx(np.clip((RAMP - 8.0) / 8 + 0.5, 0, 1) * 255, abs=1e-4)
    sigmoid = _write(tmp_path / "b.dcm", RAMP, VOILUTFunction="SIGMOID", **window)
    assert _values(sigmoid)[0] == pytest.approx(255 / (1 + np.exp(-4 * (RAMP - 8.0) / 8)), abs=1e-4)


def test_the_window_applies_to_rescaled_values_and_can_be_left_out(tmp_path: Path) -> None:
    file = _write(
        tmp_path / "a.dcm", RAMP, RescaleSlope="10", RescaleIntercept="0", WindowCenter="75", WindowWidth="151"
    )
    assert _values(file)[0] == pytest.approx(np.clip((RAMP * 10 - 74.5) / 150 + 0.5, 0, 1) * 255, abs=1e-3)
    assert np.array_equal(_values(file, window=False)[0], RAMP * 10)


def test_monochrome1_is_inverted_with_and_without_window(tmp_path: Path) -> None:
    dark = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11}
    assert np.array_equal(_values(_write(tmp_path / "a.dcm", RAMP, **dark))[0], 4095.0 - RAMP)
    window = {"WindowCenter": "8", "WindowWidth": "9"}
    plain = _values(_write(tmp_path / "b.dcm", RAMP, **window))
    assert _values(_write(tmp_path / "c.dcm", RAMP, **dark, **window)) == pytest.approx(255 - plain, abs=1e-4)


def test_a_set_in_which_one_file_has_no_window_is_read_without_windows(tmp_path: Path) -> None:
    _write(tmp_path / "a.dcm", RAMP, WindowCenter="8", WindowWidth="9")
    _write(tmp_path / "b.dcm", RAMP)
    opened = open_set(tmp_path, name="scans")
    assert np.array_equal(opened.raw(0), opened.raw(1))


def test_patients_of_headers_are_pseudonyms(tmp_path: Path) -> None:
    for number, identifier in enumerate(["Doe^Jane-1970", "Doe^Jane-1970", "Roe"]):
        _write(tmp_path / f"{number}.dcm", RAMP, PatientID=identifier)
    patients = open_set(tmp_path, name="scans").patients
    assert patients.tolist() == [pseudonym("Doe^Jane-1970")] * 2 + [pseudonym("Roe")]
    assert re.fullmatch(r"p-[0-9a-f]{12}", patients[0])


def test_slices_are_stacked_along_their_normal_whatever_their_names(tmp_path: Path) -> None:
    series = generate_uid()
    for name, height in (("a", 30.0), ("b", -5.0), ("c", 10.0)):
        _write(
            tmp_path / f"{name}.dcm",
            np.full((4, 4), int(height) + 100, dtype=np.uint16),
            SeriesInstanceUID=series,
            ImagePositionPatient=[0, 0, height],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        )
    volume = open_set(tmp_path, name="scans", volumes=True)
    assert volume.paths == ["b.dcm+2"]
    assert volume.raw(0)[0, :, 0, 0].tolist() == [95, 110, 130]


def test_frames_are_images(tmp_path: Path) -> None:
    frames = np.stack([RAMP, RAMP + 1, RAMP + 2])
    opened = open_set(_write(tmp_path / "a.dcm", frames), name="scan")
    assert opened.paths == ["a.dcm#0", "a.dcm#1", "a.dcm#2"]
    assert [image[0, 0, 0] for image in map(opened.raw, range(3))] == [0, 1, 2]


def test_an_object_without_pixels_is_refused(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.dcm", RAMP, Modality="SR")
    import pydicom

    dataset = pydicom.dcmread(file)
    del dataset.PixelData, dataset.Rows
    dataset.save_as(file)
    message = "a.dcm: is a DICOM object without pixels (SR); remove it from the set"
    with pytest.raises(UnreadableImage, match="^" + re.escape(message) + "$"):
        _values(file)


def test_pixels_cut_short_are_refused_in_bytes(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.dcm", RAMP, PixelData=RAMP.tobytes()[:20])
    message = "a.dcm: is cut short: it holds 20 bytes of pixels where 32 are expected; replace or remove the file"
    with pytest.raises(UnreadableImage, match="^" + re.escape(message) + "$"):
        _values(file)


def test_a_header_that_announces_too_many_pixels_is_refused_before_they_are_read(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.dcm", RAMP, Rows=60000, Columns=60000)
    message = "a.dcm: announces 1 x 60000 x 60000 x 1 values, more than the limit of 268435456; crop or downsample it"
    with pytest.raises(UnreadableImage, match="^" + re.escape(message) + "$"):
        _values(file)


def test_a_message_about_a_broken_file_holds_nothing_of_its_header(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.dcm", RAMP, PatientID="SECRET", PatientName="SECRET", PixelData=b"\0\0")
    with pytest.raises(UnreadableImage) as caught:
        _values(file)
    assert "SECRET" not in str(caught.value)
