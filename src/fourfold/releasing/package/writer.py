"""Writes a package, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from fourfold.auditing import audit_schema
from fourfold.errors import InputError
from fourfold.releasing.package.contents import DOCUMENTS, Contents
from fourfold.releasing.package.croissant import croissant_document
from fourfold.releasing.package.datasheet import datasheet, licence_text, readme
from fourfold.releasing.package.pictures import folder_digest, open_images, write_pictures
from fourfold.releasing.package.record import json_bytes, release_document, violations
from fourfold.releasing.package.sums import SUMS, digest_of_file, fingerprint_of, sums_of

__all__ = ["write_package"]


def write_package(folder: str | os.PathLike[str], contents: Contents) -> str:
    """Write a release: images, what was found out about them, the terms, and a digest of every file.

    The package grows in a hidden folder beside its place and is renamed when it is complete, so whatever interrupts the
    writing leaves nothing that looks like a package. Equal contents give equal bytes: no time but the day of the
    contents stands in any file.

    Parameters
    ----------
    folder : path
        Must not exist, or be empty.
    contents : Contents

    Returns
    -------
    str
        The fingerprint: SHA-256 of ``SHA256SUMS``.

    Raises
    ------
    InputError
        Where the folder holds something or cannot be written, a document is missing, the record contradicts the images,
        or the audit was made of other images.
    """
    folder = Path(folder).absolute()
    audit = _audit(contents)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; choose a new folder for the release")
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        _remove(partial)
        partial.mkdir(parents=True)
        fingerprint = _fill(partial, contents, audit)
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    except OSError as error:
        problem = error.strerror or str(error)
        raise InputError(f"{folder}: cannot be written ({problem}); free space or choose another folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return fingerprint


def _audit(contents: Contents) -> dict[str, Any]:
    """The document of ``audit.json``, once every document is there."""
    missing = sorted(set(DOCUMENTS) - set(contents.documents))
    surplus = sorted(set(contents.documents) - set(DOCUMENTS))
    if missing or surplus:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has no place for {', '.join(surplus)}"
        raise InputError(f"a release {wrong}; its documents are {', '.join(DOCUMENTS)}")
    try:
        audit = json.loads(contents.documents["audit.json"])
    except ValueError as error:
        raise InputError("audit.json of the release is no JSON; repeat the audit") from error
    problems = violations(audit, audit_schema())
    if problems:
        raise InputError(f"audit.json of the release is no audit: {problems[0]}; repeat the audit")
    return audit


def _fill(partial: Path, contents: Contents, audit: dict[str, Any]) -> str:
    rows = write_pictures(partial, contents)
    dataset = folder_digest(open_images(partial, contents.form))
    if audit["sets"]["synthetic"]["digest"] != dataset:
        raise InputError(
            "audit.json of the release speaks of other images than these; audit the folder that `write_pictures` writes"
        )
    release = release_document(contents, dataset)
    texts = {
        "README.txt": readme(release, audit),
        "LICENSE.txt": licence_text(release),
        "datasheet.md": datasheet(release, audit),
    }
    for name, text in texts.items():
        _write(partial / name, text.encode())
    for name in DOCUMENTS:
        _write(partial / name, contents.documents[name])
    _write(partial / "release.json", json_bytes(release))
    digests = {_path(partial, file): digest_of_file(file) for file in partial.rglob("*") if file.is_file()}
    croissant = json_bytes(croissant_document(release, list(rows[0]), digests, audit["expires"]))
    _write(partial / "croissant.json", croissant)
    digests["croissant.json"] = digest_of_file(partial / "croissant.json")
    content = sums_of(digests)
    _write(partial / SUMS, content)
    return fingerprint_of(content)


def _path(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix()


def _write(file: Path, content: bytes) -> None:
    with file.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _remove(partial: Path) -> None:
    """Remove what an interrupted call left."""
    if partial.is_symlink() or partial.is_file():
        partial.unlink()
    elif partial.exists():
        shutil.rmtree(partial)
