"""What a check says, and how the files of a package that nobody vouches for are read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

__all__ = ["MOST_BYTES", "Check", "Status", "Unsound", "check_of", "read_bounded", "read_json"]

Status = Literal["pass", "fail", "warning", "not checked"]

MOST_BYTES = 1 << 26
"""Most bytes of one document; larger ones are not read."""

_SHOWN = 3


class Unsound(Exception):
    """Something in the package is wrong; the message says what, a clause without a full stop."""


class Check(NamedTuple):
    """One thing that was looked at: its name, how it ended, and a sentence."""

    name: str
    status: Status
    sentence: str


def check_of(name: str, problems: Iterable[str], fine: str) -> Check:
    """A check that fails where there are problems, clauses without a full stop, and says `fine` where there is none."""
    found = list(problems)
    if not found:
        return Check(name, "pass", fine)
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return Check(name, "fail", f"{'; '.join(found[:_SHOWN])}{more}.")


def read_bounded(file: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a regular file of at most `most` bytes, links not followed; raises Unsound."""
    try:
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise Unsound(f"{file.name} cannot be read ({(error.strerror or 'an error').lower()})") from error
    with os.fdopen(handle, "rb") as stream:
        facts = os.fstat(stream.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise Unsound(f"{file.name} is no regular file")
        content = stream.read(most + 1)
    if len(content) > most:
        raise Unsound(f"{file.name} is larger than {most} bytes")
    return content


def read_json(file: Path) -> Any:
    """What a JSON document holds; raises Unsound, also for repeated names and numbers that are not finite."""
    try:
        return json.loads(read_bounded(file).decode(), parse_constant=_refused, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Unsound(f"{file.name} is no JSON as fourfold writes it") from error


def _refused(word: str) -> Any:
    raise ValueError(word)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found
