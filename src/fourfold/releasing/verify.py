"""Whether a release is what it says it is: checked by anybody, on the files alone, without trusting them.

What can be told: that every byte is as it was packed, that the documents speak of these images and of each other, that
files hold nothing beside what they show, and that the statement has not expired. What cannot: whether the audit was
done as it says. Who changes a package can write new digests into it, so compare the fingerprint with one that came by
another way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from fourfold.errors import InputError
from fourfold.images.check import check_sets
from fourfold.releasing.package import folder_digest, open_images
from fourfold.releasing.verification import documents as papers
from fourfold.releasing.verification.files import (
    Listing,
    check_bytes,
    check_fingerprint,
    check_kinds,
    listing_of,
    sums_in,
)
from fourfold.releasing.verification.found import Check, Unsound, check_of
from fourfold.releasing.verification.table import check_labels_agree, check_names, check_pictures, table_in

__all__ = ["Check", "Verification", "verify"]

_DOCUMENTS = ("agreement", "verdict", "statement", "texts", "expiry")
_IMAGES = ("names", "labels", "croissant", "pictures", "images", "duplicates")


@dataclass(frozen=True)
class Verification:
    """What was looked at and what was found.

    Parameters
    ----------
    checks : tuple of Check
        Each with its ``name``, its ``status`` (``"pass"``, ``"fail"``, ``"warning"`` or ``"not checked"``) and a
        ``sentence``.
    fingerprint : str
        SHA-256 of ``SHA256SUMS``; empty where it cannot be read.
    """

    checks: tuple[Check, ...]
    fingerprint: str

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a sentence a failed check."""
        return tuple(f"{check.name}: {check.sentence}" for check in self.checks if check.status == "fail")


def verify(
    folder: str | os.PathLike[str], fingerprint: str | None = None, *, today: date | None = None
) -> Verification:
    """Check a release.

    Parameters
    ----------
    folder : path
        Of the release. Links in it are not followed; no file of it is decoded before its header and size are found to
        be those of a package.
    fingerprint : str or None
        What the fingerprint should be, 64 hexadecimal digits.
    today : date or None
        The day on which an expiry counts as past; None for today.

    Returns
    -------
    Verification

    Raises
    ------
    InputError
        Where there is no folder, or the fingerprint is none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; point at a release")
    if fingerprint is not None and not _hexadecimal(fingerprint):
        raise InputError("a fingerprint has 64 hexadecimal digits; copy it whole")
    listing = listing_of(folder)
    checks = [check_kinds(listing)]
    sums: dict[str, str] = {}
    found = ""
    try:
        sums, found = sums_in(folder)
        checks += [check_bytes(folder, listing, sums), check_fingerprint(found, fingerprint)]
    except Unsound as error:
        checks.append(check_of("bytes", [str(error)], ""))
    documents, schemas = papers.read(folder)
    checks.append(schemas)
    if schemas.status != "pass":
        return Verification((*checks, *_unchecked((*_DOCUMENTS, *_IMAGES))), found)
    day = date.today() if today is None else today
    checks += [
        _sound("agreement", papers.check_agreement, folder, documents),
        _sound("verdict", papers.check_verdict, folder, documents),
        _sound("statement", papers.check_statement, folder, documents),
        _sound("texts", papers.check_texts, folder, documents),
        _sound("expiry", papers.check_expiry, documents, day),
    ]
    checks += _about_images(folder, documents, sums, listing)
    return Verification(tuple(checks), found)


def _about_images(
    folder: Path, documents: papers.Documents, sums: Mapping[str, str], listing: Listing
) -> Iterator[Check]:
    """The checks of the table and the images; decoding comes last and only where all before it was sound."""
    release = documents["release.json"]
    try:
        table = table_in(folder)
    except Unsound as error:
        yield check_of("names", [str(error)], "")
        yield from _unchecked(_IMAGES[1:])
        return
    names = _sound("names", check_names, table, release, listing.sizes)
    yield names
    yield _sound("labels", check_labels_agree, table, release)
    if names.status != "pass" or listing.oddities:
        yield from _unchecked(_IMAGES[2:])
        return
    yield _sound("croissant", papers.check_croissant, folder, release, table.columns, sums)
    pictures = _sound("pictures", check_pictures, folder, table, release)
    yield pictures
    if pictures.status != "pass":
        yield from _unchecked(_IMAGES[4:])
        return
    yield _sound("images", _check_decoded, folder, documents)
    yield _sound("duplicates", _check_duplicates, folder, documents)


def _check_decoded(folder: Path, documents: papers.Documents) -> Check:
    images = open_images(folder, documents["release.json"]["form"])
    return papers.check_images(documents, folder_digest(images), len(images))


def _check_duplicates(folder: Path, documents: papers.Documents) -> Check:
    """Equal images fail; images that look nearly the same are said, since anatomy alone can make them so."""
    images = open_images(folder, documents["release.json"]["form"])
    report = check_sets({"synthetic": images}).sets[0]
    problems = [f"{len(report.broken)} images cannot be read"] if report.broken else []
    problems += [f"{' and '.join(group[:2])} have equal pixels" for group in report.exact]
    near = sum(map(len, report.near))
    if near and not problems:
        sentence = f"No two images have equal pixels; {near} look nearly the same as another."
        return Check("duplicates", "warning", sentence)
    return check_of("duplicates", problems, "No two images have equal pixels.")


def _sound(name: str, check: Callable[..., Check], *arguments: Any) -> Check:
    """The check, which fails where it stumbles over what it was given."""
    try:
        return check(*arguments)
    except Unsound as error:
        return check_of(name, [str(error)], "")
    except Exception as error:  # a package that nobody vouches for may hold anything
        return check_of(name, [f"it could not be made on what the package holds ({type(error).__name__})"], "")


def _unchecked(names: tuple[str, ...]) -> list[Check]:
    return [Check(name, "not checked", "What it needs is not sound.") for name in names]


def _hexadecimal(text: str) -> bool:
    text = text.strip().lower()
    return len(text) == 64 and not set(text) - set("0123456789abcdef")
