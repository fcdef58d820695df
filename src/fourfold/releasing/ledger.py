"""The private ledger: what was released from whom, and the state of releases that are being made.

It stays inside. It counts how often the same patients were released before, because security against singling out does
not add up over releases; it holds the provenance of every released image, which the package must not; and it is where
an interrupted release goes on from.

Patients and images are kept as codes under the ledger's own key (HMAC-SHA256), so that a copied ledger without its key
names nobody. The key also decides the order of the released images, their names and identifiers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fourfold.errors import InputError
from fourfold.generate.provenance import write_atomically
from fourfold.images import ImageSet

__all__ = ["Ledger", "open_ledger"]

SCHEMA = "fourfold.ledger/1"

_KEY, _RELEASES = "key", "releases"


@dataclass(frozen=True)
class Ledger:
    """A folder with a key, a record of each release, and a folder of work for each.

    Parameters
    ----------
    folder : Path
    key : bytes
        32 random ones.
    """

    folder: Path
    key: bytes

    def secret(self, purpose: str) -> bytes:
        """32 bytes that only the holder of the key can make again."""
        return hmac.digest(self.key, purpose.encode("utf-8"), "sha256")

    def work(self, name: str) -> Path:
        """Where a release of that name is being made."""
        return self.folder / name

    def codes(self, training: ImageSet) -> frozenset[str]:
        """One code a patient and one an image of a training set; releases that share one share a patient."""
        told = {f"image {digest}" for digest in training.digests()}
        if training.patients is not None:
            told |= {f"patient {patient}" for patient in training.patients.tolist()}
        return frozenset(hmac.new(self.key, one.encode("utf-8"), hashlib.sha256).hexdigest()[:32] for one in told)

    def earlier(self, codes: Iterable[str], besides: str) -> int:
        """Releases that were made from any of these patients, not counting the one named `besides`."""
        mine = frozenset(codes)
        return sum(
            1 for record in self._records() if record["name"] != besides and not mine.isdisjoint(record["codes"])
        )

    def enter(self, name: str, codes: Iterable[str], facts: dict[str, Any]) -> None:
        """Record a release that was made; entering the same one again changes nothing.

        Raises
        ------
        InputError
            Where the ledger cannot be written.
        """
        folder = self.folder / _RELEASES
        record = {"schema": SCHEMA, "name": name, **facts, "codes": sorted(codes)}
        text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
        _make(folder)
        write_atomically(folder / f"{name}.json", lambda partial: partial.write_text(text, encoding="utf-8"))

    def _records(self) -> list[dict[str, Any]]:
        found = []
        for file in sorted((self.folder / _RELEASES).glob("*.json")):
            try:
                record = json.loads(file.read_text(encoding="utf-8"))
                good = record["schema"] == SCHEMA and isinstance(record["codes"], list) and record["name"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise _damaged(file) from error
            if not good:
                raise _damaged(file)
            found.append(record)
        return found


def open_ledger(folder: str | os.PathLike[str]) -> Ledger:
    """Open a ledger, or begin one.

    Parameters
    ----------
    folder : path
        Kept readable by its owner only, where the system knows owners.

    Raises
    ------
    InputError
        Where it cannot be read or written, or its key is damaged.
    """
    folder = Path(folder)
    file = folder / _KEY
    _make(folder)
    if not file.exists():
        fresh = os.urandom(32).hex() + "\n"
        write_atomically(file, lambda partial: (partial.touch(mode=0o600), partial.write_text(fresh)))
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: is no key of a ledger; restore it from a copy, or choose another ledger") from error
    if len(key) != 32:
        raise InputError(f"{file}: is no key of a ledger; restore it from a copy, or choose another ledger")
    return Ledger(folder, key)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{folder}: the ledger cannot be written ({problem}); choose another with --ledger") from error


def _damaged(file: Path) -> InputError:
    return InputError(f"{file}: is no record of a release; restore it from a copy, or the count of releases is wrong")
