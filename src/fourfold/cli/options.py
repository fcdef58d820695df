"""Options that several commands share."""

from __future__ import annotations

import argparse
import re

from fourfold.errors import InputError

__all__ = ["add_reading", "columns_of", "memory_of", "size_of"]


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How images are read."""
    group = parser.add_argument_group("reading")
    group.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="ROLE=NAME",
        help="the metadata column of a role (path, label, patient, split, mask), e.g. patient=MRN",
    )
    group.add_argument("--root", metavar="DIR", help="where the paths of a table start (the table's own folder)")
    group.add_argument("--volumes", action="store_true", help="join the DICOM files of a series into a volume")
    group.add_argument("--slices", action="store_true", help="cut volumes into axial slices")
    group.add_argument(
        "--skip-broken", action="store_true", help="leave out files that cannot be read, and list them in the report"
    )


def columns_of(pairs: list[str]) -> dict[str, str] | None:
    """``ROLE=NAME`` options as a mapping."""
    found = {}
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not equals or role not in ("path", "label", "patient", "split", "mask") or not name:
            raise InputError(f"--column takes ROLE=NAME with path, label, patient, split or mask, got {pair!r}")
        found[role] = name
    return found or None


def size_of(text: str | None) -> int | tuple[int, ...] | None:
    """``128``, ``128x96`` or ``24x96x96``."""
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,5}(x\d{1,5}){0,2}", text) or "0" in text.split("x"):
        raise InputError(f"--size takes 128, 128x96 (height x width) or 24x96x96, got {text!r}")
    sides = tuple(int(side) for side in text.split("x"))
    return sides[0] if len(sides) == 1 else sides


def memory_of(text: str) -> int:
    """``512M`` or ``2G`` in bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG])?i?B?", text.strip(), re.IGNORECASE)
    if not found or float(found[1]) == 0:
        raise InputError(f"--memory takes a number of bytes such as 512M or 2G, got {text!r}")
    return int(float(found[1]) * 1024 ** " KMG".index((found[2] or " ").upper()))
