"""From the name of a task to the task that the sets pose."""

from __future__ import annotations

from dataclasses import replace
from typing import cast, get_args

import numpy as np

from fourfold.errors import InputError
from fourfold.utility.learning import registry
from fourfold.utility.learning.classification import Classification
from fourfold.utility.learning.contract import Task
from fourfold.utility.learning.labels import columns_of
from fourfold.utility.learning.networks import CLASSIFIERS
from fourfold.utility.learning.registry import Kind
from fourfold.utility.study.opening import TEST, StudySets
from fourfold.utility.study.plan import REAL
from fourfold.utility.tasks import FEWEST_IMAGES

__all__ = ["second_task_of", "task_of"]


def task_of(task: str | Task, sets: StudySets, network: str | None = None) -> tuple[Task, list[str]]:
    """The task that the training set poses.

    Parameters
    ----------
    task : str or Task
        As for `fourfold.utility.study.utility_study`.
    sets : StudySets
    network : str or None

    Returns
    -------
    task : Task
    notes : list of str
        What was left out of it.

    Raises
    ------
    InputError
        Where there is no such task, the sets do not pose it, or too few test patients could judge it.
    """
    if isinstance(task, Task):
        return task, []
    if task not in get_args(Kind):
        raise InputError(f"a task is {' or '.join(get_args(Kind))}, got {task!r}")
    found = registry.task_of(cast(Kind, task), sets.images[REAL], network)
    return _judgeable(found, sets) if isinstance(found, Classification) else (found, [])


def second_task_of(column: str, first: Task, sets: StudySets) -> Task:
    """A classification by another column, by the network of the first task.

    Raises
    ------
    InputError
        Where the first task is none, or the column does not allow one.
    """
    if not isinstance(first, Classification) or first.network not in CLASSIFIERS:
        raise InputError(
            "a second task is a classification by another column, learned by a network that has learned a first one; "
            f"choose --task classification with a network of {', '.join(CLASSIFIERS)}, or leave out --second-task"
        )
    return _judgeable(Classification.of(sets.images[REAL], column=column, network=first.network), sets)[0]


def _judgeable(task: Classification, sets: StudySets) -> tuple[Classification, list[str]]:
    """Without the findings that are too rare to be learned or judged; a class that is too rare is an error."""
    rare: dict[str, str] = {}
    for role in (REAL, TEST):
        images = sets.images[role]
        targets = columns_of(images, task.names, task.exclusive, task.column)
        for name, column in zip(task.names, targets.T, strict=True):
            count = min(int(np.sum(column == 1)), int(np.sum(column == 0)))
            if count < FEWEST_IMAGES:
                rare.setdefault(name, f"the {images.name} set has {count} images to tell {name!r} by")
    if not rare:
        return task, []
    first = next(iter(rare.values()))
    kept = tuple(name for name in task.names if name not in rare)
    if task.exclusive or not kept:
        raise InputError(f"{first}, and {FEWEST_IMAGES} are needed; add images or leave the class out of every set")
    words = ", ".join(map(repr, rare))
    return replace(task, names=kept), [f"Left out, too few real images with or without the finding: {words}."]
