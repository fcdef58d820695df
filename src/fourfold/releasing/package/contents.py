"""What goes into a package, before it is files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.images.sets import Entry

__all__ = ["DOCUMENTS", "ENDINGS", "FORMS", "Contents", "Form", "classes_of", "is_identifier"]

Form = Literal["png", "nifti", "dicom"]

FORMS: tuple[Form, ...] = ("png", "nifti", "dicom")
ENDINGS: dict[str, str] = {"png": ".png", "nifti": ".nii.gz", "dicom": ".dcm"}
DOCUMENTS = ("audit.json", "policy.toml", "scores.json", "shareable.html", "statement.html")
"""What the audit leaves, byte by byte, in a package."""

_SECRET = 32


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Images, what was found out about them, and under which terms they are shared.

    Parameters
    ----------
    images : ImageSet
        Prepared, in the order of the release. Classes, findings and masks are those of its entries; nothing else of
        them travels: no name, no patient, no other column.
    title, description : str
    licence : str
        An SPDX identifier such as ``CC-BY-4.0``, or the text itself.
    creators : tuple of str
        Who releases it.
    day : date
        The only date in the package.
    secret : bytes, length 32
        What identifiers are derived from, so that an interrupted release made again has the same bytes. Never written.
    documents : mapping of str to bytes
        The files of `DOCUMENTS`.
    record : mapping
        What ``release.json`` says about how the set was made, in aggregates; see `release_schema`.
    masks : sequence of array or None, length N, or None
        Whole numbers up to 255 or truth values, shape (H, W) or (D, H, W), with or without a first axis of one
        channel; True becomes 255. None for the masks of the entries, where they have any.
    form : {"png", "nifti", "dicom"} or None
        None for PNG in two dimensions and NIfTI in three.
    bits : {8, 16}
        Depth of grey images and volumes; RGB images have 8.

    Raises
    ------
    InputError
        Where the form, depth, secret, title, licence or number of masks does not fit.
    """

    images: ImageSet
    title: str
    description: str
    licence: str
    creators: tuple[str, ...]
    day: date
    secret: bytes = field(repr=False)
    documents: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)
    masks: Sequence[np.ndarray | None] | None = field(default=None, repr=False)
    form: Form | None = None
    bits: int = 8

    def __post_init__(self) -> None:
        if not len(self.images):
            raise InputError("there is no image to release")
        volumes = len(self.images.shape) == 4
        if self.form is None:
            object.__setattr__(self, "form", "nifti" if volumes else "png")
        if self.form not in FORMS:
            raise InputError(f"images are released as {', '.join(FORMS)}, got {self.form!r}")
        if self.form == ("png" if volumes else "nifti"):
            kind, fitting = ("volumes", "nifti or dicom") if volumes else ("pictures", "png or dicom")
            raise InputError(f"{kind} are not released as {self.form}; choose {fitting}")
        if volumes and self.images.shape[0] != 1:
            raise InputError("colour volumes cannot be released; make them grey with --channels 1")
        if self.bits not in (8, 16):
            raise InputError(f"images are released with 8 or 16 bits, got {self.bits}")
        if self.images.shape[0] == 3:
            object.__setattr__(self, "bits", 8)
        if len(self.secret) != _SECRET:
            raise InputError(f"the secret of a release has {_SECRET} bytes, got {len(self.secret)}")
        for name in ("title", "licence"):
            if not getattr(self, name).strip():
                raise InputError(f"a release needs a {name}; give one")
        if not self.creators or not all(name.strip() for name in self.creators):
            raise InputError("a release needs somebody who answers for it; name the creators")
        object.__setattr__(self, "creators", tuple(self.creators))
        if self.masks is not None and len(self.masks) != len(self.images):
            raise InputError(f"there are {len(self.masks)} masks for {len(self.images)} images; give one an image")

    @property
    def masked(self) -> bool:
        """Whether any image has a mask."""
        if self.masks is not None:
            return any(mask is not None for mask in self.masks)
        return any(entry.mask is not None for entry in self.images.entries)

    @property
    def classes(self) -> dict[str, int]:
        """How many images each class has; see `classes_of`."""
        return classes_of(self.images.entries)


def classes_of(entries: Sequence[Entry]) -> dict[str, int]:
    """How many images each class has, by name; with several findings an image, how many show each of them.

    Empty where the images have neither.
    """
    if entries and all(entry.label is not None for entry in entries):
        return dict(sorted(Counter(str(entry.label) for entry in entries).items()))
    names = sorted({name for entry in entries for name in entry.labels})
    return {name: sum(entry.labels.get(name, 0.0) > 0 for entry in entries) for name in names}


def is_identifier(licence: str) -> bool:
    """Whether a licence is named by an identifier, not given as text.

    Examples
    --------
    >>> is_identifier("CC-BY-4.0"), is_identifier("For research within the consortium only.")
    (True, False)
    """
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]{1,63}", licence.strip()) is not None
