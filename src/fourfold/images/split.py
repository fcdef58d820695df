"""Split a set by patient: no patient in two parts, classes in proportion, the draw recorded."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from fourfold.errors import InputError
from fourfold.images.sets import ImageSet

__all__ = ["split_by_patient", "write_split"]


def split_by_patient(
    image_set: ImageSet,
    fractions: Mapping[str, float],
    seed: int,
    *,
    stratify: bool = True,
    groups: np.ndarray | None = None,
) -> dict[str, ImageSet]:
    """Give each patient, with all images, to one part.

    Patients are drawn at random within the class that most of their images have, and dealt out so that each part has
    its share of the patients of each class to within one. Which patient goes where depends on nothing but the class
    and the draw, so that the parts are exchangeable.

    Parameters
    ----------
    image_set : ImageSet
    fractions : mapping of str to float
        Share of the patients by the name of the part, for example ``{"training": 0.6, "holdout": 0.4}``. What is
        missing to 1 is left out.
    seed : int
    stratify : bool
        Whether classes are kept in proportion, where the images have classes.
    groups : array of shape (N,) or None
        What must stay together; the patients by default, near-duplicate groups where there are none.

    Returns
    -------
    dict of str to ImageSet
        In the order of the original set.

    Raises
    ------
    InputError
        Where the fractions are no shares, or there are fewer patients than parts.

    Examples
    --------
    >>> import numpy as np
    >>> from fourfold.images import ImageSet, split_by_patient
    >>> images = ImageSet.from_array(np.zeros((6, 1, 4, 4)), patients=["a", "a", "b", "b", "c", "d"])
    >>> parts = split_by_patient(images, {"training": 0.5, "holdout": 0.5}, seed=0)
    >>> sorted({*parts["training"].patients} & {*parts["holdout"].patients})
    []
    """
    names, shares = list(fractions), np.array([float(share) for share in fractions.values()])
    if not names or not np.isfinite(shares).all() or shares.min() <= 0 or shares.sum() > 1 + 1e-9:
        raise InputError(
            f"the fractions {dict(fractions)} are no shares; give positive numbers that add up to at most 1"
        )
    of_image = _groups(image_set) if groups is None else np.asarray(groups)
    if of_image.shape != (len(image_set),):
        raise InputError(f"there are {of_image.size} groups for {len(image_set)} images; give one an image")
    known, numbers = np.unique(of_image, return_inverse=True)
    if len(known) < len(names):
        raise InputError(
            f"the {image_set.name} set has {len(known)} patients, too few for {len(names)} parts; add patients"
        )
    strata = _strata(image_set, numbers, len(known), stratify)
    part_of = _deal(strata, np.append(shares, max(0.0, 1.0 - shares.sum())), seed)
    parts = part_of[numbers]
    chosen = {}
    for place, name in enumerate(names):
        rows = np.flatnonzero(parts == place)
        if not len(rows):
            raise InputError(f"the part {name!r} would get no patient out of {len(known)}; give it a larger fraction")
        chosen[name] = replace(image_set.take(rows), name=name)
    return chosen


def write_split(parts: Mapping[str, ImageSet], file: str | os.PathLike[str]) -> Path:
    """Record a split as a CSV that `open_set` reads: ``path``, ``label``, ``patient``, ``split``.

    The file appears whole or not at all. Paths are as in the original set: open it with the set's folder as `root`.
    """
    file = Path(file)
    partial = file.with_name(f".{file.name}.partial")
    labelled = any(entry.label is not None for part in parts.values() for entry in part.entries)
    known = any(entry.patient is not None for part in parts.values() for entry in part.entries)
    header = ["path", *(["label"] if labelled else []), *(["patient"] if known else []), "split"]
    try:
        with partial.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, header, extrasaction="ignore")
            writer.writeheader()
            for name, part in parts.items():
                for entry in part.entries:
                    row = {"path": entry.path, "label": entry.label, "patient": entry.patient, "split": name}
                    writer.writerow(row)
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        problem = error.strerror or error
        raise InputError(f"{file}: cannot be written ({problem}); choose a folder with write permission") from error
    return file


def _groups(image_set: ImageSet) -> np.ndarray:
    if image_set.patients is not None:
        return image_set.patients
    from fourfold.images.duplicates import near_duplicate_groups

    return near_duplicate_groups(image_set)


def _strata(image_set: ImageSet, numbers: np.ndarray, count: int, stratify: bool) -> list[str]:
    """The class that most images of each patient have; the first in the alphabet where classes tie."""
    labels = image_set.labels if stratify else None
    if labels is None:
        return [""] * count
    votes: list[Counter[str]] = [Counter() for _ in range(count)]
    for number, label in zip(numbers, labels, strict=True):
        votes[number][str(label)] += 1
    return [min(vote, key=lambda label: (-vote[label], label)) for vote in votes]


def _deal(strata: list[str], shares: np.ndarray, seed: int) -> np.ndarray:
    """The part of each patient: shuffled within strata, then each in turn to the part that lags its share most."""
    generator = np.random.default_rng([seed, 0])
    of_class = np.array(strata)
    order = np.concatenate(
        [generator.permutation(np.flatnonzero(of_class == stratum)) for stratum in sorted(set(strata))]
    )
    parts = np.empty(len(strata), dtype=int)
    dealt = np.zeros(len(shares))
    for turn, patient in enumerate(order, start=1):
        part = int(np.argmax(shares * turn - dealt))
        parts[patient] = part
        dealt[part] += 1
    return parts
