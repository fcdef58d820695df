"""Whether an image file holds an image of the stated size and nothing beside it.

Everything is decided from headers and from decompressing at most as many bytes as the stated size needs, before any
decoder sees the file.
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

from fourfold.releasing.dicom import FIXED, IMPLEMENTATION, VARYING, patient_of
from fourfold.releasing.verification.found import Unsound, read_bounded

__all__ = ["check_dicom", "check_nifti", "check_png"]

_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNKS = (b"IHDR", b"IDAT", b"IEND")
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
_NIFTI_HEADER = 352
_NIFTI_TYPES = {8: 2, 16: 512}
_SLACK = 4096
_META = 7
_UNTOLD = ("data_type", "db_name", "descrip", "aux_file", "intent_name")


def check_png(file: Path, shape: tuple[int, ...], bits: int) -> None:
    """Raises Unsound unless a file is a PNG of that size with its three necessary kinds of chunks only."""
    channels, height, width = shape
    raw = height * (1 + (width * channels * bits + 7) // 8)
    content = read_bounded(file, raw + raw // 8 + _SLACK)
    if not content.startswith(_PNG):
        raise Unsound("is no PNG")
    place, kinds, packed = len(_PNG), [], []
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        kind, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        check = content[place + 8 + length : place + 12 + length]
        if len(check) < 4 or int.from_bytes(check, "big") != zlib.crc32(kind + body):
            raise Unsound("is a damaged PNG")
        if kind not in _CHUNKS:
            raise Unsound(f"holds the surplus {ascii(kind)[1:]} beside its pixels")
        kinds.append(kind)
        if kind == b"IHDR" and body != struct.pack(">IIBBBBB", width, height, bits, 0 if channels == 1 else 2, 0, 0, 0):
            raise Unsound(f"is not {height} x {width} of {channels} channels and {bits} bits")
        if kind == b"IDAT":
            packed.append(body)
        place += 12 + length
    if kinds[:1] != [b"IHDR"] or kinds.count(b"IHDR") != 1 or kinds.index(b"IEND") != len(kinds) - 1:
        raise Unsound("is a PNG whose chunks are out of order")
    if len(_inflated(b"".join(packed), raw, zlib.MAX_WBITS)) != raw:
        raise Unsound("holds another number of pixels than it states")


def check_nifti(file: Path, shape: tuple[int, ...], bits: int, top: float = 1.0) -> None:
    """Raises Unsound unless a file is one gzip member with a NIfTI-1 volume of that size and no word in its header.

    `top` is what the largest number that can be stored stands for.
    """
    import nibabel as nib

    _, depth, height, width = shape
    size = _NIFTI_HEADER + depth * height * width * bits // 8
    content = read_bounded(file, size + size // 8 + _SLACK)
    if not content.startswith(_GZIP_HEADER):
        raise Unsound("is no gzip without name and time")
    plain = _inflated(content, size, zlib.MAX_WBITS | 16)
    if len(plain) != size:
        raise Unsound("holds another number of bytes than its size needs")
    header = nib.Nifti1Header(plain[:348], check=False)
    if header["sizeof_hdr"] != 348 or header["magic"].item() != b"n+1" or plain[348:352] != b"\0\0\0\0":
        raise Unsound("is no NIfTI-1 file without extensions")
    if header["dim"].tolist()[:4] != [3, width, height, depth] or int(header["datatype"]) != _NIFTI_TYPES[bits]:
        raise Unsound(f"is not {depth} x {height} x {width} of {bits} bits")
    if any(header[name].item() for name in _UNTOLD):
        raise Unsound("holds text in its header")
    if header.binaryblock != _volume_header((width, height, depth), bits, top):
        raise Unsound("holds surplus numbers in its header")


def _volume_header(shape: tuple[int, int, int], bits: int, top: float) -> bytes:
    """The header that a release writes for a volume of shape (X, Y, Z) whose largest stored value stands for `top`."""
    import nibabel as nib
    import numpy as np

    empty = np.broadcast_to(np.zeros((), np.uint8 if bits == 8 else np.uint16), shape)
    header = nib.Nifti1Image(empty, np.diag([-1.0, -1.0, 1.0, 1.0])).header
    header["magic"], header["vox_offset"] = b"n+1", _NIFTI_HEADER
    header["scl_slope"], header["scl_inter"] = top / (2**bits - 1), 0.0
    return header.binaryblock


def check_dicom(file: Path, shape: tuple[int, ...], bits: int, number: int, place: int, day: str) -> tuple[str, ...]:
    """Raises Unsound unless a file is the synthetic DICOM image that a release writes; gives its UIDs.

    Returns
    -------
    (instance, series, study)
    """
    channels, height, width = shape[0], shape[-2], shape[-1]
    size = height * width * channels * bits // 8
    content = read_bounded(file, size + _SLACK)
    if content[:128] != bytes(128):
        raise Unsound("holds something in its preamble")
    # pydicom's warnings quote header values.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _told(content, _elements(shape, bits, number, place, day), size)
        except Unsound:
            raise
        except Exception as error:  # a damaged file may raise anything
            raise Unsound("is a damaged DICOM file") from error


def _elements(shape: tuple[int, ...], bits: int, number: int, place: int, day: str) -> dict[str, Any]:
    """The elements of a file whose values are known beforehand."""
    return {
        **{name: list(value) if isinstance(value, tuple) else value for name, value in FIXED.items()},
        "PatientName": patient_of(number),
        "PatientID": patient_of(number),
        "StudyDate": day.replace("-", ""),
        "InstanceNumber": place,
        "SeriesNumber": 1,
        "PatientOrientation": "",
        "SamplesPerPixel": shape[0],
        "Rows": shape[-2],
        "Columns": shape[-1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
        **(
            {
                "PhotometricInterpretation": "MONOCHROME2",
                "WindowCenter": 2 ** (bits - 1),
                "WindowWidth": 2**bits,
            }
            if shape[0] == 1
            else {"PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
        ),
    }


def _told(content: bytes, expected: dict[str, Any], size: int) -> tuple[str, ...]:
    """The UIDs of a file that holds the expected elements, those that differ from file to file, and no others."""
    import pydicom

    dataset, again = pydicom.dcmread(BytesIO(content)), BytesIO()
    names = {element.keyword or str(element.tag) for element in dataset}
    surplus, missing = names - {*expected, *VARYING}, {*expected, *VARYING} - names
    if surplus or missing:
        raise Unsound(f"holds {len(surplus)} surplus elements and lacks {len(missing)}")
    wrong = sorted(name for name, value in expected.items() if (dataset[name].value or None) != (value or None))
    if wrong:
        raise Unsound(f"has another {wrong[0]} than a release gives")
    meta = dataset.file_meta
    told = (str(meta.ImplementationClassUID), str(meta.ImplementationVersionName))
    if told != IMPLEMENTATION or meta.MediaStorageSOPInstanceUID != dataset.SOPInstanceUID or len(meta) != _META:
        raise Unsound("has a file meta header that a release does not give")
    if len(dataset.PixelData) != size + size % 2 or any(dataset.PixelData[size:]):
        raise Unsound("holds another number of pixels than it states")
    identifiers = tuple(str(dataset[f"{kind}InstanceUID"].value) for kind in ("SOP", "Series", "Study"))
    fresh = all(re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", uid) for uid in identifiers)
    if not fresh or re.fullmatch(r"[0-9A-Za-z.+]{1,20}", str(dataset.SoftwareVersions)) is None:
        raise Unsound("has a UID or version that is not one of a release")
    dataset.save_as(again, enforce_file_format=True)
    if again.getvalue() != content:
        raise Unsound("holds bytes beside its elements")
    return identifiers


def _inflated(packed: bytes, size: int, window: int) -> bytes:
    """At most `size` bytes; raises Unsound where the stream is damaged, gives more, or is followed by something."""
    stream = zlib.decompressobj(window)
    try:
        plain = stream.decompress(packed, size + 1)
        if len(plain) <= size and not stream.eof:
            plain += stream.decompress(stream.unconsumed_tail, size + 1 - len(plain))
    except zlib.error as error:
        raise Unsound("is damaged: it cannot be decompressed") from error
    if len(plain) > size or not stream.eof or stream.unused_data:
        raise Unsound("holds more than the pixels of its size")
    return plain
