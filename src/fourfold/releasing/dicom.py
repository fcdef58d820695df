"""Synthetic images as DICOM: files that say of themselves that no scanner and no patient stands behind them.

Every image is a Secondary Capture Image (PS3.3 A.8.1): the class for pictures that no modality acquired, whose modules
ask for no acquisition that would have to be invented. A volume is one series with a file a slice, since the frames of a
multi-frame file are images of their own to most readers, ours included. Synthetic Data (0008,001C) is YES and
Conversion Type (0008,0064) SYN, a synthetic image.

Identifiers are UIDs under 2.25 (PS3.5 B.2), derived from a secret by HMAC-SHA256: they tell nothing about a source, do
not collide with those of another release, and are the same when an interrupted release is made again.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from fourfold import __version__

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["FIXED", "IMPLEMENTATION", "VARYING", "derived_uid", "patient_of", "synthetic_dicom"]

FIXED: dict[str, str | tuple[str, ...]] = {
    "SpecificCharacterSet": "ISO_IR 192",
    "ImageType": ("DERIVED", "SECONDARY", "SYNTHETIC"),
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
    "SyntheticData": "YES",
    "StudyTime": "",
    "AccessionNumber": "",
    "Modality": "OT",
    "ConversionType": "SYN",
    "Manufacturer": "fourfold",
    "ReferringPhysicianName": "",
    "DerivationDescription": "Drawn by a generator of images, not acquired; release.json says how.",
    "PatientBirthDate": "",
    "PatientSex": "",
    "PatientIdentityRemoved": "YES",
    "DeidentificationMethod": "Synthetic image, not acquired from any patient",
    "ContentQualification": "RESEARCH",
    "StudyID": "",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
}
"""Elements that have the same value in every file of every release."""

VARYING = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SoftwareVersions", "PixelData")
"""Elements that differ from file to file in a way that cannot be told beforehand."""

IMPLEMENTATION = ("2.25.243094129712365107640263297190451371265", "FOURFOLD")
"""Implementation class UID and version name of the file meta information."""


def derived_uid(secret: bytes, *names: str | int) -> str:
    """A UID that only the holder of the secret can derive.

    Parameters
    ----------
    secret : bytes
    *names : str or int
        What it is of, for example ``"instance", 7``.

    Examples
    --------
    >>> derived_uid(b"secret", "study", 1) == derived_uid(b"secret", "study", 1)
    True
    >>> derived_uid(b"secret", "study", 1) == derived_uid(b"secret", "study", 2)
    False
    """
    digest = hmac.new(secret, "/".join(["uid", *map(str, names)]).encode(), hashlib.sha256).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def patient_of(number: int) -> str:
    """What stands where an identifier is asked for: the place of the image in its release, from 1."""
    return f"SYNTHETIC-{number:06d}"


def synthetic_dicom(image: np.ndarray, number: int, secret: bytes, day: date, *, bits: int = 8) -> list[bytes]:
    """One image as the bytes of its files.

    Parameters
    ----------
    image : array, shape (1, H, W), (3, H, W) or (1, D, H, W)
        Values in [0, 1]; values beyond are clipped.
    number : int
        Place of the image in its release, from 1.
    secret : bytes
        What the UIDs are derived from.
    day : date
        What the study is dated.
    bits : {8, 16}
        Depth of grey images; RGB has 8.

    Returns
    -------
    list of bytes
        One file; of a volume one a slice, in order. The window maps the stored values to [0, 1] of a display, so
        `fourfold.images.open_set` reads the values that were given, rounded to the depth.
    """
    slices: Sequence[np.ndarray] = [image] if image.ndim == 3 else [image[:, place] for place in range(image.shape[1])]
    return [_file(part, number, place, secret, day, bits) for place, part in enumerate(slices, start=1)]


def _file(image: np.ndarray, number: int, place: int, secret: bytes, day: date, bits: int) -> bytes:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    dataset = Dataset()
    for keyword, value in FIXED.items():
        setattr(dataset, keyword, list(value) if isinstance(value, tuple) else value)
    dataset.SOPInstanceUID = derived_uid(secret, "instance", number, place)
    dataset.StudyInstanceUID = derived_uid(secret, "study", number)
    dataset.SeriesInstanceUID = derived_uid(secret, "series", number)
    dataset.StudyDate = day.strftime("%Y%m%d")
    dataset.SoftwareVersions = __version__
    dataset.PatientName = dataset.PatientID = patient_of(number)
    dataset.SeriesNumber = 1
    dataset.InstanceNumber = place
    dataset.PatientOrientation = ""
    _set_pixels(dataset, image, bits)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = UID(IMPLEMENTATION[0])
    dataset.file_meta.ImplementationVersionName = IMPLEMENTATION[1]
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _set_pixels(dataset: Dataset, image: np.ndarray, bits: int) -> None:
    grey = len(image) == 1
    bits = bits if grey else 8
    values = np.clip(np.nan_to_num(np.asarray(image, dtype=np.float64)), 0.0, 1.0)
    stored = np.rint(values * (2**bits - 1)).astype("<u1" if bits == 8 else "<u2")
    dataset.SamplesPerPixel = len(stored)
    dataset.PhotometricInterpretation = "MONOCHROME2" if grey else "RGB"
    if not grey:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = stored.shape[1:]
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 0
    if grey:
        # LINEAR of PS3.3 C.11.2.1.2.1: this centre and width map 0 to 0 and the largest stored value to 1.
        dataset.WindowCenter, dataset.WindowWidth = 2 ** (bits - 1), 2**bits
    content = np.ascontiguousarray(stored.transpose(1, 2, 0)).tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
