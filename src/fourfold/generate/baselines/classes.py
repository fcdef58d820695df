"""The classes of a model that keeps a law a class: their numbers, and which training images are of which.

A model without a condition has one class that holds everything.
"""

from __future__ import annotations

import numpy as np

from fourfold.errors import InputError
from fourfold.generate.conditioning import Conditioning, Conditions
from fourfold.generate.training_set import TrainingSet

__all__ = ["class_names", "class_numbers", "rows_by_class"]


def class_names(conditioning: Conditioning) -> tuple[str, ...]:
    """Names of the classes by their numbers, ``("",)`` for a model without a condition."""
    part = conditioning.part("class")
    return ("",) if part is None else part.names


def class_numbers(conditioning: Conditioning, conditions: Conditions) -> np.ndarray:
    """The class of each row.

    Returns
    -------
    array of int, shape (n,)
        All 0 for a model without a condition.

    Raises
    ------
    InputError
        Where classes are needed and missing, or unknown.
    """
    part = conditioning.part("class")
    if part is None:
        return np.zeros(len(conditions), dtype=np.intp)
    if "class" not in conditions.columns:
        raise InputError("the model needs the condition 'class' for every image; give it")
    numbers = {name: number for number, name in enumerate(part.names)}
    return np.array([numbers[part.parse(str(name))] for name in conditions.columns["class"]], dtype=np.intp)


def rows_by_class(data: TrainingSet, recipe: str, *, patients: int = 1) -> dict[str, np.ndarray]:
    """The training images of each class, by its name.

    Parameters
    ----------
    data : TrainingSet
    recipe : str
        For messages.
    patients : int
        How many a class has at least.

    Returns
    -------
    dict of str to array of int
        Row numbers, in the order of `class_names`.

    Raises
    ------
    InputError
        Where a class has fewer.
    """
    numbers = class_numbers(data.conditioning, data.conditions)
    found = {}
    for number, name in enumerate(class_names(data.conditioning)):
        rows = np.flatnonzero(numbers == number)
        there = len(np.unique(data.patients[rows]))
        if there < patients:
            where, remedy = ("the set", "") if not name else (f"the class {name!r}", ", or train with --condition none")
            raise InputError(
                f"the recipe {recipe} needs {patients} patients or more{' in each class' if name else ''}, "
                f"and {where} has {there}; add images{remedy}"
            )
        found[name] = rows
    return found
