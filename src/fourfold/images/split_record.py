"""The record of a split: what proves later that chance, and nobody else, decided who was trained on.

A lower bound on epsilon from one training run holds where patients were assigned to training and holdout at random
(Steinke, Nasr, Jagielski, NeurIPS 2023). The record holds the seed, the shares and a digest of each part's images: no
path and no identifier, and one cannot tell from it whether a given image was in a part.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from fourfold.errors import InputError
from fourfold.images.sets import ImageSet
from fourfold.images.split import split_by_patient

__all__ = ["PartRecord", "SplitRecord", "randomised_by_us", "read_split_record", "record_split", "write_split_record"]

SCHEMA = "fourfold.split/1"
_OTHER = "is no record of a split; give the .json file that `fourfold split` wrote beside its table"


@dataclass(frozen=True)
class PartRecord:
    """One part of a split.

    Parameters
    ----------
    share : float
        Of the patients, as asked for.
    images : int
    digest : str
        SHA-256 over the sorted digests of the images' contents.
    """

    share: float
    images: int
    digest: str


@dataclass(frozen=True)
class SplitRecord:
    """A split by patient.

    Parameters
    ----------
    seed : int
    unit : {"patient", "group"}
        What was dealt: patients, or near-duplicate groups where there were no identifiers.
    stratified : bool
    parts : mapping of str to PartRecord
        In the order in which they were dealt.
    """

    seed: int
    unit: Literal["patient", "group"]
    stratified: bool
    parts: Mapping[str, PartRecord]


def record_split(
    parts: Mapping[str, ImageSet], fractions: Mapping[str, float], seed: int, *, stratify: bool = True
) -> SplitRecord:
    """The record of what `split_by_patient` returned for these arguments."""
    known = all(part.patients is not None for part in parts.values())
    return SplitRecord(
        seed=seed,
        unit="patient" if known else "group",
        stratified=stratify,
        parts={
            name: PartRecord(float(fractions[name]), len(part), _digest(part.digests())) for name, part in parts.items()
        },
    )


def write_split_record(record: SplitRecord, file: str | os.PathLike[str]) -> Path:
    """Write a record as JSON; the file appears whole or not at all.

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    file = Path(file)
    partial = file.with_name(f".{file.name}.partial")
    try:
        partial.write_text(json.dumps({"schema": SCHEMA, **asdict(record)}, indent=1) + "\n", encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        problem = error.strerror or error
        raise InputError(f"{file}: cannot be written ({problem}); choose a folder with write permission") from error
    return file


def read_split_record(file: str | os.PathLike[str]) -> SplitRecord:
    """Read what `write_split_record` wrote.

    Raises
    ------
    InputError
        Where the file is missing or is no such record.
    """
    file = Path(file)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror or error}); give the record of the split") from error
    except ValueError as error:
        raise InputError(f"{file}: {_OTHER}") from error
    try:
        if found["schema"] != SCHEMA or found["unit"] not in ("patient", "group"):
            raise InputError(f"{file}: {_OTHER}")
        parts = {
            str(name): PartRecord(float(part["share"]), int(part["images"]), str(part["digest"]))
            for name, part in found["parts"].items()
        }
        return SplitRecord(int(found["seed"]), found["unit"], bool(found["stratified"]), parts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file}: {_OTHER}") from error


def randomised_by_us(record: SplitRecord, training: ImageSet, holdout: ImageSet) -> bool:
    """Whether these sets are the parts of a recorded split, and the recorded seed deals them so.

    Parameters
    ----------
    record : SplitRecord
    training, holdout : ImageSet

    Returns
    -------
    bool
        The contents must agree image for image. Where patients were dealt and the two parts are all there was, the
        draw is repeated as well; where groups were, or some patients were left out, the digests alone must do.
    """
    digests = {id(image_set): image_set.digests() for image_set in (training, holdout)}
    names = [
        next((name for name, part in record.parts.items() if part.digest == _digest(digests[id(image_set)])), None)
        for image_set in (training, holdout)
    ]
    if None in names or names[0] == names[1]:
        return False
    whole = len(record.parts) == 2 and math.isclose(sum(part.share for part in record.parts.values()), 1.0)
    if record.unit != "patient" or not whole:
        return True
    everyone = replace(training, entries=(*training.entries, *holdout.entries))
    if everyone.patients is None or set(training.patients) & set(holdout.patients):
        return False
    shares = {name: part.share for name, part in record.parts.items()}
    again = split_by_patient(everyone, shares, record.seed, stratify=record.stratified)
    return set(again[str(names[0])].patients) == set(training.patients)


def _digest(digests: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
