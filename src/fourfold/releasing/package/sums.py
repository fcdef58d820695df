"""``SHA256SUMS``: the digest of every file of a package but itself, in one canonical form.

A line a file, ``DIGEST  PATH``: 64 lower-case hexadecimal digits, two spaces, the path from the root of the package
with ``/`` between its parts; sorted by path, every line ended by a line feed. ``sha256sum --check SHA256SUMS`` reads
it. The SHA-256 of this file is the fingerprint of the package.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["SUMS", "digest_of_file", "fingerprint_of", "parse_sums", "sums_of"]

SUMS = "SHA256SUMS"

_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9_.-]*(?:/[A-Za-z0-9][A-Za-z0-9_.-]*)*)")


def sums_of(digests: Mapping[str, str]) -> bytes:
    """The file, from path to digest.

    Examples
    --------
    >>> sums_of({"b": "1" * 64, "a": "0" * 64}).decode().splitlines()[0][60:]
    '0000  a'
    """
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode("ascii")


def parse_sums(content: bytes) -> dict[str, str]:
    """From path to digest; raises ValueError, with what is wrong, for anything but the canonical form."""
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise ValueError("holds bytes that are no ASCII text") from error
    digests: dict[str, str] = {}
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"line {number} is not a digest, two spaces and a path")
        if found[2] in digests:
            raise ValueError(f"line {number} repeats a path")
        digests[found[2]] = found[1]
    if not digests or sums_of(digests) != content:
        raise ValueError("is not sorted by path with a line feed after every line")
    return digests


def fingerprint_of(content: bytes) -> str:
    """The fingerprint of a package, from the bytes of its ``SHA256SUMS``."""
    return hashlib.sha256(content).hexdigest()


def digest_of_file(file: Path) -> str:
    """SHA-256 of a file, in bounded memory."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
