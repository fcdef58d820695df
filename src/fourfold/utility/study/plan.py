"""Which arms a study trains, and which of them are held against each other.

An arm is a training set by its recipe: so many real images, so many of a synthetic set, repeated or augmented or not.
A comparison is an arm with its control, and every arm has one:

    question              arm                          control
    substitution          n synthetic                  n real
    addition              N real + r N synthetic       N real, repeated to (1 + r) N
    beyond augmentation   N real + r N synthetic       N real under classical augmentation
    augmentation          N real, augmented            N real
    learning curve        k real + m synthetic         k real, repeated to k + m
    transfer              N real, after n synthetic    N real, after n real

with n = m = min(N, M). Transfer asks about a second task that shares the anatomy and not the labels: the network has
learned the first task from n images before it learns the second from real ones.

Where there are fresh real images, they take the place of the synthetic ones in the same comparisons: their difference
from the control is what a perfect generator would be found to have. Real images are repeated because the number of
images is the great confound of such comparisons; augmentation draws anew at every step, so that for it the number is
of no account.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fourfold.errors import InputError

__all__ = ["FRESH", "QUESTIONS", "REAL", "Arm", "Comparison", "Plan", "Question", "plan_of", "plan_of_transfer"]

Question = Literal["substitution", "addition", "beyond augmentation", "augmentation", "learning curve", "transfer"]
QUESTIONS: tuple[Question, ...] = (
    "substitution",
    "addition",
    "beyond augmentation",
    "augmentation",
    "learning curve",
    "transfer",
)
REAL = "real"
FRESH = "fresh real"
"""Names of the real sources; a synthetic set goes by its own."""


@dataclass(frozen=True)
class Arm:
    """A training set by its recipe.

    Parameters
    ----------
    name : str
        In words, unique in a study.
    parts : tuple of (str, int)
        Sources and how many images are drawn from each.
    total : int
        Images after repetition; more than the parts hold only where real images are repeated.
    augmented : bool
        Whether classical augmentation is applied while it is learned from.
    before : (str, int) or None
        Source and number of images from which the first task is learned beforehand, in as many steps.
    """

    name: str
    parts: tuple[tuple[str, int], ...]
    total: int
    augmented: bool = False
    before: tuple[str, int] | None = None


@dataclass(frozen=True)
class Comparison:
    """An arm beside its control.

    Parameters
    ----------
    question : str
        One of `QUESTIONS`.
    subject : str
        What is judged: the name of a synthetic set, ``"fresh real"`` or ``"augmentation"``.
    arm, control : str
        Names of arms.
    real, added : int
        Real images in the arm, and images of the subject, beside or before them.
    """

    question: Question
    subject: str
    arm: str
    control: str
    real: int
    added: int


@dataclass(frozen=True)
class Plan:
    """Arms by their names, comparisons, and what could not be planned, a sentence each."""

    arms: Mapping[str, Arm]
    comparisons: tuple[Comparison, ...]
    notes: tuple[str, ...]


def plan_of(
    sizes: Mapping[str, int],
    *,
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
    curve: Sequence[int] = (),
    questions: Sequence[str] | None = None,
) -> Plan:
    """The arms and comparisons that the sets allow.

    Parameters
    ----------
    sizes : mapping of str to int
        Images of each source: ``"real"``, optionally ``"fresh real"``, and every synthetic set by its name.
    ratios : sequence of float
        Synthetic images for each real one, where they are added.
    curve : sequence of int
        Numbers of real images of the learning curve.
    questions : sequence of str or None
        Which of `QUESTIONS`; None for all. Controls come with them.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        Where a question is unknown, a ratio or a size is no positive number, or nothing is left to compare.

    Examples
    --------
    >>> plan = plan_of({"real": 100, "gan": 50}, questions=["substitution"])
    >>> [(one.arm, one.control) for one in plan.comparisons]
    [('50 gan', '50 real')]
    """
    asked = _checked(questions, ratios, curve)
    writer = _Writer(dict(sizes))
    subjects = [name for name in sizes if name != REAL]
    if "substitution" in asked:
        writer.substitution(subjects)
    if "augmentation" in asked:
        control = writer.arm([(REAL, sizes[REAL])])
        augmented = writer.arm([(REAL, sizes[REAL])], augmented=True)
        writer.compare("augmentation", "augmentation", augmented, control, sizes[REAL], 0)
    for subject in subjects:
        for added in writer.additions(subject, ratios if {"addition", "beyond augmentation"} & asked else ()):
            arm = writer.arm([(REAL, sizes[REAL]), (subject, added)])
            if "addition" in asked:
                control = writer.arm([(REAL, sizes[REAL])], total=sizes[REAL] + added)
                writer.compare("addition", subject, arm, control, sizes[REAL], added)
            if "beyond augmentation" in asked:
                control = writer.arm([(REAL, sizes[REAL])], augmented=True)
                writer.compare("beyond augmentation", subject, arm, control, sizes[REAL], added)
    if "learning curve" in asked:
        writer.curve(subjects, curve)
    if not writer.comparisons:
        raise InputError("there is nothing to compare: " + (" ".join(writer.notes) or "name more questions (--arms)"))
    return Plan(writer.arms, tuple(writer.comparisons), tuple(writer.notes))


def plan_of_transfer(sizes: Mapping[str, int], real: int) -> Plan:
    """Arms and comparisons of a second task.

    Parameters
    ----------
    sizes : mapping of str to int
        Images of each source of the first task, as for `plan_of`.
    real : int
        Real images with the labels of the second task.

    Returns
    -------
    Plan
    """
    writer = _Writer({**sizes, REAL: real})
    for subject in (name for name in sizes if name != REAL):
        before = min(sizes[REAL], sizes[subject])
        arm, control = (writer.arm([(REAL, real)], before=(source, before)) for source in (subject, REAL))
        writer.compare("transfer", subject, arm, control, real, before)
    return Plan(writer.arms, tuple(writer.comparisons), ())


def _checked(questions: Sequence[str] | None, ratios: Sequence[float], curve: Sequence[int]) -> set[str]:
    unknown = [name for name in questions or () if name not in QUESTIONS]
    if unknown:
        raise InputError(f"a study asks {', '.join(QUESTIONS)}; there is no {unknown[0]!r}")
    wrong = [ratio for ratio in ratios if not (math.isfinite(ratio) and ratio > 0)]
    if wrong:
        raise InputError(f"a ratio is a number of synthetic images for each real one, above 0, got {wrong[0]:g}")
    few = [size for size in curve if size < 2]
    if few:
        raise InputError(f"a learning curve takes numbers of real images, 2 or more, got {few[0]}")
    return set(QUESTIONS if questions is None else questions)


class _Writer:
    """Collects the arms, each once, and the comparisons of one plan."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes
        self.arms: dict[str, Arm] = {}
        self.comparisons: list[Comparison] = []
        self.notes: list[str] = []

    def arm(
        self,
        parts: list[tuple[str, int]],
        *,
        total: int | None = None,
        augmented: bool = False,
        before: tuple[str, int] | None = None,
    ) -> Arm:
        images = sum(size for _, size in parts)
        total = images if total is None else total
        name = " + ".join(f"{size} {source}" for source, size in parts)
        name += f", repeated to {total}" if total > images else ""
        name += ", augmented" if augmented else ""
        name += "" if before is None else f", after {before[1]} {before[0]}"
        return self.arms.setdefault(name, Arm(name, tuple(parts), total, augmented, before))

    def compare(self, question: Question, subject: str, arm: Arm, control: Arm, real: int, added: int) -> None:
        self.comparisons.append(Comparison(question, subject, arm.name, control.name, real, added))

    def substitution(self, subjects: Sequence[str]) -> None:
        sizes = {subject: min(self.sizes[REAL], self.sizes[subject]) for subject in subjects}
        asked = {size for subject, size in sizes.items() if subject != FRESH}
        for subject in subjects:
            # Fresh real images stand beside every synthetic set of their number or fewer.
            fitting = sorted(size for size in asked if size <= sizes[subject])
            for size in fitting or [sizes[subject]] if subject == FRESH else [sizes[subject]]:
                arm, control = self.arm([(subject, size)]), self.arm([(REAL, size)])
                self.compare("substitution", subject, arm, control, 0, size)

    def additions(self, subject: str, ratios: Sequence[float]) -> list[int]:
        """How many images of a subject are added, for the ratios that it has images for."""
        wanted = {max(round(ratio * self.sizes[REAL]), 1): ratio for ratio in ratios}
        held = self.sizes[subject]
        for added, ratio in wanted.items():
            if added > held:
                self.notes.append(
                    f"A ratio of {ratio:g} takes {added} images and {subject} has {held}, so it is left out there."
                )
        found = sorted(added for added in wanted if added <= held)
        # A set too small for every ratio is still added as a whole.
        return found or ([held] if wanted else [])

    def curve(self, subjects: Sequence[str], curve: Sequence[int]) -> None:
        for real in sorted(set(curve)):
            if real > self.sizes[REAL]:
                self.notes.append(
                    f"The learning curve at {real} real images is left out: there are {self.sizes[REAL]}."
                )
                continue
            for subject in subjects:
                added = min(self.sizes[REAL], self.sizes[subject])
                arm = self.arm([(REAL, real), (subject, added)])
                control = self.arm([(REAL, real)], total=real + added)
                self.compare("learning curve", subject, arm, control, real, added)
