"""What is learned, from which sets, and tested on whom: one problem of a study; and how training sets are drawn.

Draws are by patient and in proportion to the classes, and nested: at one seed every arm takes the first images of one
random order of each source, so that arms are paired in their images as they are in their seeds and test patients.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from fourfold.utility.arms import draw
from fourfold.utility.learning.contract import Examples, Task
from fourfold.utility.study.plan import FRESH, REAL, Arm
from fourfold.utility.tasks import Labelled

__all__ = ["Place", "Problem", "drawn", "sizes"]


@dataclass(frozen=True)
class Problem:
    """One task with the sets it is learned from and tested on.

    Parameters
    ----------
    name : str
        ``"intra-task"`` or ``"cross-task"``.
    task : Task
    sources : mapping of str to Examples
        ``"real"``, optionally ``"fresh real"``, and every synthetic set by its name.
    test : Examples
        Of real patients who are in no source.
    first : Problem or None
        For a second task: the one whose labels the synthetic sets have.
    """

    name: str
    task: Task
    sources: Mapping[str, Examples]
    test: Examples
    first: Problem | None = None

    def digests(self) -> dict[str, str]:
        """SHA-256 of each source and of the test set, over images, targets and patients."""
        # Predictions do not depend on subgroups, so naming others later must not train anything again.
        return {
            name: replace(examples, groups={}).digest()
            for name, examples in {**self.sources, "test": self.test}.items()
        }


@dataclass(frozen=True)
class Place:
    """Which repetition of an arm a unit is.

    Parameters
    ----------
    seed : int
        Of the training; equal in all arms of a place.
    halving : int or None
        None where the arm is trained whole; else which cut of the sources into halves.
    half : int
        0 or 1.
    """

    seed: int
    halving: int | None = None
    half: int = 0

    @property
    def words(self) -> str:
        """For keys and messages."""
        return f"seed {self.seed}" if self.halving is None else f"half {self.half} of halving {self.halving}"


def drawn(problem: Problem, arm: Arm, place: Place, seed: int) -> Examples:
    """The training set of an arm at a place.

    Parameters
    ----------
    problem : Problem
    arm : Arm
    place : Place
        Of a half: half as many images of each part, from one half of the patients of each source.
    seed : int
        Of the study.

    Returns
    -------
    fourfold.utility.learning.Examples
        As many as ``arm.total``, or half of them. Repeated images stand as often as the total asks, each as often as
        any other or once more.
    """
    parts = []
    for source, size in arm.parts:
        examples = problem.sources[source]
        order = _order(problem, source, place, seed)
        total = size if len(arm.parts) > 1 else arm.total
        if place.halving is not None:
            order = order[_half(examples.patients[order], place.half)]
            size, total = max(size // 2, 1), max(total // 2, 1)
        parts.append(examples.take(_repeated(order[:size], total)))
    return parts[0] if len(parts) == 1 else Examples.concatenate(parts)


def _repeated(rows: np.ndarray, total: int) -> np.ndarray:
    """Rows repeated to a total; those that stand once more than others are the first of the random order."""
    # Whole sets keep their order, so that a user's own set is learned from as it stands.
    whole = np.tile(np.sort(rows), max(total // len(rows), 1))
    return np.concatenate([whole, rows[: max(total - len(whole), 0)]])


def _order(problem: Problem, source: str, place: Place, seed: int) -> np.ndarray:
    """A random order of a source in which every stretch holds each class in proportion and patients stay together."""
    number = int.from_bytes(hashlib.sha256(source.encode()).digest()[:4], "big")
    kind, count = (1, place.seed) if place.halving is None else (2, place.halving)
    examples = problem.sources[source]
    labelled = Labelled(problem.task.names, problem.task.exclusive, _present(problem.task, examples), examples.patients)
    return draw(labelled, len(examples), np.random.default_rng([seed, kind, count, number]))[0]


def _present(task: Task, examples: Examples) -> np.ndarray:
    """Which classes, findings or regions each image has, shape (n, K), float32."""
    if task.kind == "classification":
        return examples.targets
    inside = examples.targets.reshape(len(examples), -1)
    return np.stack([(inside == region + 1).any(axis=1) for region in range(len(task.names))], axis=1).astype(
        np.float32
    )


def _half(of_patient: np.ndarray, half: int) -> np.ndarray:
    """Places in an order that belong to its first or second half; the patient in the middle goes to the first."""
    cut = len(of_patient) // 2
    while 0 < cut < len(of_patient) and of_patient[cut] == of_patient[cut - 1]:
        cut += 1
    # One patient alone cannot be cut in two; both halves are then the same.
    if cut == len(of_patient):
        return np.arange(cut)
    return np.arange(cut) if half == 0 else np.arange(cut, len(of_patient))


def sizes(problem: Problem) -> dict[str, int]:
    """Images of each source: the real ones first, the fresh real ones, if any, last."""
    names = sorted(problem.sources, key=lambda name: (name != REAL, name == FRESH))
    return {name: len(problem.sources[name]) for name in names}
