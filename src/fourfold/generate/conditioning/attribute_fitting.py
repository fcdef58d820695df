"""From a column of a training set to an attribute, or from what the user declared of it.

A column is asked for by its name; what would be measured on the patients can be declared instead: ``age:0:100`` gives
the ends of a range, ``sex:F/M`` the words. A private model measures nothing, so it needs the declaration.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.conditioning.aggregates import FEWEST_PATIENTS, SharedValues, holders
from fourfold.generate.conditioning.attribute import Attribute, Category, Number, is_unknown, number_of
from fourfold.images import ImageSet

__all__ = ["fit_attribute"]

_TAIL = 0.01


def fit_attribute(
    asked: str, images: ImageSet, patients: np.ndarray, classes: np.ndarray | None, private: bool
) -> Attribute:
    """The attribute that was asked for.

    Parameters
    ----------
    asked : str
        ``NAME``, ``NAME:LOW:HIGH`` or ``NAME:WORD/WORD``.
    images : ImageSet
    patients : array of int, shape (N,)
    classes : array of str, shape (N,), or None
    private : bool
        Whether nothing may be measured.

    Raises
    ------
    InputError
        Where the column is missing, its declaration is not understood, or too few patients have a value.
    """
    name, low_high, words = _declaration(asked, {name for entry in images.entries for name in entry.columns})
    cells = [entry.columns.get(name, "").strip() for entry in images.entries]
    if low_high is not None:
        low, high = map(float, low_high)
        # Standard deviation of a number that lies anywhere in the range with equal chance.
        deviation = (high - low) / np.sqrt(12)
        whole = all(re.fullmatch(r"[+-]?\d+", end) for end in low_high)
        return Number(name, (low + high) / 2, float(deviation), low, high, whole, True)
    if private:
        if words is None:
            raise InputError(
                f"a private model may not measure the column {name!r}; say what it can hold: "
                f"{name}:LOW:HIGH for numbers, {name}:WORD/WORD for words"
            )
        return Category(name, words, SharedValues.even(words))
    if words is None:
        numbers = [number_of(cell) for cell in cells]
        readable = [number is not None for number, cell in zip(numbers, cells, strict=True) if not is_unknown(cell)]
        if readable and np.mean(readable) > 0.5:
            return _measured(name, images, numbers, patients)
    return _category(name, cells, words, patients, classes)


def _declaration(asked: str, columns: set[str]) -> tuple[str, tuple[str, str] | None, tuple[str, ...] | None]:
    """Name, ends of a range, and words of a column as asked for."""
    name, low_high, words = asked, None, None
    if asked not in columns:
        front, *ends = asked.rsplit(":", 2)
        if len(ends) == 2 and None not in map(number_of, ends):
            name, low_high = front, (ends[0].strip(), ends[1].strip())
        elif "/" in asked.rpartition(":")[2] and ":" in asked:
            name, _, listed = asked.rpartition(":")
            words = tuple(dict.fromkeys(word.strip() for word in listed.split("/") if word.strip()))
    if name not in columns:
        there = f"there are: {', '.join(sorted(columns))}" if columns else "there is none"
        raise InputError(f"there is no column {name!r} to take as an attribute; {there}")
    if low_high is not None and not float(low_high[0]) < float(low_high[1]):
        raise InputError(f"the range of the attribute {asked!r} is empty; write {name}:LOW:HIGH with LOW below HIGH")
    if words is not None and len(words) < 2:
        raise InputError(f"the attribute {asked!r} names fewer than two words; write {name}:WORD/WORD")
    return name, low_high, words


def _measured(name: str, images: ImageSet, numbers: Sequence[float | None], patients: np.ndarray) -> Number:
    for entry, number in zip(images.entries, numbers, strict=True):
        if number is None:
            raise InputError(
                f"{entry.path}: the column {name!r} holds no number, though most images have one; "
                "correct it, or leave it empty"
            )
    values = np.array(numbers, dtype=np.float64)
    known = ~np.isnan(values)
    if len(np.unique(patients[known])) < FEWEST_PATIENTS:
        raise InputError(
            f"the column {name!r} is known for fewer than {FEWEST_PATIENTS} patients; fill it in, or leave it out"
        )
    values, patients = values[known], patients[known]
    deviation = float(values.std())
    if not deviation > 0:
        raise InputError(f"the column {name!r} is the same for every image and no condition; leave it out")
    low, high = _ends(values, patients)
    return Number(name, float(values.mean()), deviation, low, high, bool((values == np.rint(values)).all()), False)


def _ends(values: np.ndarray, patients: np.ndarray) -> tuple[float, float]:
    """The 1 % and 99 % quantiles of the patients' means, each as the mean of the `FEWEST_PATIENTS` nearest its rank.

    A quantile of few patients is the value of one of them.
    """
    _, numbers = np.unique(patients, return_inverse=True)
    each = np.sort(np.bincount(numbers, values) / np.bincount(numbers))
    starts = [round(share * (len(each) - 1)) - FEWEST_PATIENTS // 2 for share in (_TAIL, 1 - _TAIL)]
    starts = np.clip(starts, 0, len(each) - FEWEST_PATIENTS)
    low, high = (float(each[start : start + FEWEST_PATIENTS].mean()) for start in starts)
    return low, high


def _category(
    name: str, cells: Sequence[str], words: tuple[str, ...] | None, patients: np.ndarray, classes: np.ndarray | None
) -> Category:
    known = [cell if (cell in words if words is not None else not is_unknown(cell)) else None for cell in cells]
    shared = SharedValues.count(known, patients, classes)
    if len(shared.overall) < 2:
        held = len(holders(known, patients))
        raise InputError(
            f"the column {name!r} has {held} different values, fewer than two of them with {FEWEST_PATIENTS} patients "
            "or more; join values into groups, or leave it out"
        )
    return Category(name, words or tuple(shared.overall), shared)
