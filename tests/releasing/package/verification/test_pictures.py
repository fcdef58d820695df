"""Verification finds whatever a picture holds beside its pixels."""

from __future__ import annotations

import gzip
import shutil
import struct
import zlib
from datetime import date
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from fourfold.releasing.verify import verify

TODAY = date(2026, 6, 30)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _with_text(content: bytes) -> bytes:
    return content[:33] + _chunk(b"tEXt", b"Comment\0MRN-4711") + content[33:]


def _with_exif(content: bytes) -> bytes:
    return content[:-12] + _chunk(b"eXIf", b"MM\0*") + content[-12:]


def _with_bomb(content: bytes) -> bytes:
    return content[:33] + _chunk(b"IDAT", zlib.compress(bytes(1 << 24))) + content[-12:]


def _with_hidden_rows(content: bytes) -> bytes:
    return content[:33] + _chunk(b"IDAT", zlib.compress(bytes(25 * 24 + 1))) + content[-12:]


def _with_tail_in_stream(content: bytes) -> bytes:
    return content[:33] + _chunk(b"IDAT", zlib.compress(bytes(25 * 24)) + b"MRN-4711") + content[-12:]


def _larger(content: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", 1 << 20, 1 << 20, 8, 0, 0, 0, 0)
    return content[:8] + _chunk(b"IHDR", header) + content[33:]


@pytest.mark.parametrize(
    "change",
    [
        _with_text,
        _with_exif,
        _with_bomb,
        _with_hidden_rows,
        _with_tail_in_stream,
        _larger,
        lambda content: content + b"x",
        lambda content: b"GIF89a" + content[6:],
    ],
)
@pytest.mark.parametrize("folder", ["images", "masks"])
def test_pictures_that_hold_more_than_pixels_are_found(failed, sum_again, copy: Path, change, folder: str) -> None:
    file = copy / folder / "000004.png"
    file.write_bytes(change(file.read_bytes()))
    sum_again(copy)
    found = verify(copy, today=TODAY)
    assert "pictures" in failed(found)
    assert not any("MRN" in problem for problem in found.problems)


def _volume_with(content: bytes, place: int, words: bytes) -> bytes:
    plain = bytearray(gzip.decompress(content))
    plain[place : place + len(words)] = words
    return gzip.compress(bytes(plain), mtime=0)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: _volume_with(content, 148, b"MRN-4711"),
        lambda content: _volume_with(content, 228, b"MRN"),
        lambda content: _volume_with(content, 328, b"MRN"),
        lambda content: _volume_with(content, 132, struct.pack("<f", 4711.0)),
        lambda content: _volume_with(content, 348, b"\1"),
        lambda content: gzip.compress(gzip.decompress(content) + b"x", mtime=0),
        lambda content: gzip.compress(gzip.decompress(content), mtime=4711),
        lambda content: content + gzip.compress(b"x", mtime=0),
        lambda content: gzip.compress(bytes(1 << 24), mtime=0),
    ],
)
def test_volumes_that_hold_more_than_voxels_are_found(failed, sum_again, volumes, tmp_path: Path, change) -> None:
    copy = Path(shutil.copytree(volumes["nifti"], tmp_path / "copy"))
    file = copy / "images" / "000001.nii.gz"
    file.write_bytes(change(file.read_bytes()))
    sum_again(copy)
    assert "pictures" in failed(verify(copy, today=TODAY))


def _private(dataset: pydicom.Dataset) -> None:
    dataset.private_block(0x4711, "WARD", create=True).add_new(1, "LO", "MRN-4711")


def _comment(dataset: pydicom.Dataset) -> None:
    dataset.ImageComments = "MRN-4711"


def _patient(dataset: pydicom.Dataset) -> None:
    dataset.PatientID = "MRN-4711"


def _acquired(dataset: pydicom.Dataset) -> None:
    dataset.SyntheticData = "NO"


def _source(dataset: pydicom.Dataset) -> None:
    dataset.StudyInstanceUID = "1.2.840.113619.2.1"


def _version(dataset: pydicom.Dataset) -> None:
    dataset.SoftwareVersions = "MRN 4711"


def _station(dataset: pydicom.Dataset) -> None:
    dataset.file_meta.SourceApplicationEntityTitle = "WARD7"


def _preamble(dataset: pydicom.Dataset) -> None:
    dataset.preamble = b"MRN-4711".ljust(128, b"\0")


@pytest.mark.parametrize("change", [_private, _comment, _patient, _acquired, _source, _version, _station, _preamble])
def test_dicom_files_that_say_more_or_something_else_are_found(
    failed, sum_again, volumes, tmp_path: Path, change
) -> None:
    copy = Path(shutil.copytree(volumes["dicom"], tmp_path / "copy"))
    file = copy / "images" / "000001" / "0002.dcm"
    dataset = pydicom.dcmread(BytesIO(file.read_bytes()))
    change(dataset)
    dataset.save_as(file, enforce_file_format=True)
    sum_again(copy)
    found = verify(copy, today=TODAY)
    assert "pictures" in failed(found)
    assert not any("MRN" in problem for problem in found.problems)


def test_a_uid_that_is_used_twice_is_found(sum_again, volumes, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(volumes["dicom"], tmp_path / "copy"))
    first = pydicom.dcmread(copy / "images" / "000001" / "0001.dcm")
    file = copy / "images" / "000002" / "0001.dcm"
    dataset = pydicom.dcmread(BytesIO(file.read_bytes()))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = first.SOPInstanceUID
    dataset.save_as(file, enforce_file_format=True)
    sum_again(copy)
    assert any("a UID stands for two images" in problem for problem in verify(copy, today=TODAY).problems)
