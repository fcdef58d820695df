"""Every byte: what lies in the folder, and whether it is what ``SHA256SUMS`` says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fourfold.releasing.package.contents import DOCUMENTS
from fourfold.releasing.package.pictures import METADATA
from fourfold.releasing.package.sums import SUMS, digest_of_file, fingerprint_of, parse_sums
from fourfold.releasing.verification.found import Check, Unsound, check_of, read_bounded

__all__ = ["NAMES", "Listing", "check_bytes", "check_fingerprint", "check_kinds", "listing_of", "sums_in"]

NAMES = (
    *DOCUMENTS,
    METADATA,
    *("LICENSE.txt", "README.txt", "croissant.json", "datasheet.md", "release.json"),
)
"""Every file of a package but images, masks and ``SHA256SUMS``."""

_PLACES = re.compile(
    r"(?:images/[0-9]{6,}(?:\.png|\.nii\.gz|\.dcm|/[0-9]{4,}\.dcm))|(?:masks/[0-9]{6,}(?:\.png|\.nii\.gz))"
)
_MOST_FILES = 5_000_000
_MOST_SUMS = 1 << 30
_DEEPEST = 3


@dataclass(frozen=True)
class Listing:
    """What lies in a folder: regular files by path with their sizes, and what else there is, a clause each."""

    sizes: Mapping[str, int]
    oddities: tuple[str, ...]


def listing_of(folder: Path) -> Listing:
    """Look at every name in a folder without following links."""
    sizes: dict[str, int] = {}
    oddities: list[str] = []
    for path, item in _walk(folder, "", 1):
        if isinstance(item, str):
            oddities.append(item)
        else:
            sizes[path] = item
        if len(sizes) + len(oddities) > _MOST_FILES:
            oddities.append(f"there are more than {_MOST_FILES} files")
            break
    return Listing(sizes, tuple(oddities))


def sums_in(folder: Path) -> tuple[dict[str, str], str]:
    """The digests of ``SHA256SUMS`` by path, and the fingerprint; raises Unsound."""
    content = read_bounded(folder / SUMS, _MOST_SUMS)
    try:
        return parse_sums(content), fingerprint_of(content)
    except ValueError as error:
        raise Unsound(f"{SUMS} {error}") from error


def check_fingerprint(found: str, expected: str | None) -> Check:
    """Whether the package is the one that was meant."""
    if expected is None:
        sentence = "None was given; who changes a package can make its digests anew, so compare it with a known one."
        return Check("fingerprint", "not checked", sentence)
    wrong = [] if found == expected.strip().lower() else ["the fingerprint is another: this is not the package meant"]
    return check_of("fingerprint", wrong, "It is the one that was given.")


def check_kinds(listing: Listing) -> Check:
    """Whether there are only the files that a package has, under the names that it gives."""
    known = {*NAMES, SUMS}
    problems = list(listing.oddities)
    problems += [f"{name} is missing" for name in sorted(known - set(listing.sizes))]
    strange = [path for path in listing.sizes if path not in known and _PLACES.fullmatch(path) is None]
    problems += [f"{_shown(path)} is no file of a package" for path in sorted(strange)]
    return check_of("files", problems, f"{len(listing.sizes)} files, each where a package has one.")


def check_bytes(folder: Path, listing: Listing, sums: Mapping[str, str]) -> Check:
    """Whether every file is listed, every listed file is there, and every byte is what it was."""
    there = set(listing.sizes) - {SUMS}
    problems = [f"{_shown(path)} is listed in {SUMS} and missing" for path in sorted(set(sums) - there)]
    problems += [f"{_shown(path)} is not listed in {SUMS}" for path in sorted(there - set(sums))]
    for path in sorted(there & set(sums)):
        try:
            same = digest_of_file(folder / path) == sums[path]
        except OSError as error:
            problems.append(f"{_shown(path)} cannot be read ({(error.strerror or 'an error').lower()})")
        else:
            problems += [] if same else [f"{_shown(path)} was changed"]
    return check_of("bytes", problems, f"{len(sums)} files have the digests of {SUMS}.")


def _walk(folder: Path, before: str, depth: int) -> Iterator[tuple[str, int | str]]:
    """Path and size of every regular file; in place of the size a clause for anything else."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield before, f"{_shown(before or 'the folder')} cannot be read ({(error.strerror or 'an error').lower()})"
        return
    if not entries and before:
        yield before, f"{_shown(before)} is an empty folder"
    for entry in entries:
        path = before + entry.name
        if entry.is_symlink():
            yield path, f"{_shown(path)} is a link"
        elif entry.is_dir(follow_symlinks=False):
            if depth >= _DEEPEST:
                yield path, f"{_shown(path)} is a folder where a package has none"
            else:
                yield from _walk(Path(entry.path), f"{path}/", depth + 1)
        elif entry.is_file(follow_symlinks=False):
            yield path, entry.stat(follow_symlinks=False).st_size
        else:
            yield path, f"{_shown(path)} is no regular file"


def _shown(path: str) -> str:
    """A name from a folder that nobody vouches for, safe to print."""
    return ascii(path[:100])[1:-1]
