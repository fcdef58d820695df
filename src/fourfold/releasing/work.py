"""The steps of a release on disk, so that one that was killed goes on from there and ends with the same bytes.

A step is kept whole or not at all: its arrays first, then a record that says it is done. The day of the release is
fixed when it is begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.provenance import plain, read_record, write_atomically, write_record

__all__ = ["Work", "open_work"]

SCHEMA = "fourfold.release-work/1"


@dataclass(frozen=True)
class Work:
    """The folder of one release while it is made.

    Parameters
    ----------
    folder : Path
    day : date
        When it was begun.
    """

    folder: Path
    day: date

    def keep(self, step: str, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> None:
        """Keep what a step found; raises InputError where it cannot be written."""

        def write(partial: Path) -> None:
            # Given a name without its ending, NumPy would add one.
            with partial.open("wb") as stream:
                np.savez(stream, **(arrays or {}))

        write_atomically(self.folder / f"{step}.npz", write)
        write_record(self.folder / f"{step}.json", {"schema": SCHEMA, "facts": plain(facts)})

    def kept(self, step: str) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Facts and arrays of a step that was finished; None where it was not."""
        file = self.folder / f"{step}.json"
        if not file.exists():
            return None
        facts = read_record(file, SCHEMA)["facts"]
        with np.load(self.folder / f"{step}.npz", allow_pickle=False) as found:
            return facts, {name: found[name] for name in found.files}


def open_work(folder: Path, request: Mapping[str, Any], day: date) -> Work:
    """Begin a release, or go on with one that was begun.

    Parameters
    ----------
    folder : Path
    request : mapping
        Everything that was asked for, as JSON can hold it.
    day : date
        Kept where the release is begun; where it goes on, the first day holds.

    Raises
    ------
    InputError
        Where the folder cannot be written or holds another release.
    """
    file = folder / "request.json"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{folder}: cannot be written ({problem}); choose another ledger (--ledger)") from error
    if not file.exists():
        write_record(file, {"schema": SCHEMA, "day": day.isoformat(), "request": plain(request)})
    found = read_record(file, SCHEMA)
    if found["request"] != plain(request):
        raise InputError(f"{folder}: holds another release; remove it or choose another ledger (--ledger)")
    return Work(folder, date.fromisoformat(found["day"]))
