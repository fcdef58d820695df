"""What a study found: plain records, which the report draws and ``utility.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fourfold.utility.study.differences import Estimate
from fourfold.utility.study.plan import Question

__all__ = ["ArmResult", "Contrast", "Findings", "SetCounts", "Standing", "Subgroup", "UtilityStudy"]

Standing = Literal["better", "worse", "not told apart", "unknown"]


@dataclass(frozen=True)
class Subgroup:
    """A part of the test images: the column, its value, how many they are, and what was found there."""

    column: str
    value: str
    images: int
    estimate: Estimate


@dataclass(frozen=True)
class ArmResult:
    """One arm on the test patients.

    Parameters
    ----------
    name : str
    images : mapping of str to int
        How many different images of each source it was learned from.
    total : int
        Images after repetition.
    augmented : bool
    before : (str, int) or None
        What the first task was learned from beforehand.
    values : mapping of str to Estimate
        The headline first, then single classes or regions, accuracy, calibration.
    seeds : tuple of float
        The headline at each seed.
    subgroups : tuple of Subgroup
        Of the headline.
    """

    name: str
    images: Mapping[str, int]
    total: int
    augmented: bool
    before: tuple[str, int] | None
    values: Mapping[str, Estimate]
    seeds: tuple[float, ...]
    subgroups: tuple[Subgroup, ...]


@dataclass(frozen=True)
class Contrast:
    """An arm against its control.

    Parameters
    ----------
    question, subject, arm, control, real, added
        As in `fourfold.utility.study.plan.Comparison`.
    difference : Estimate
        Of the headline, arm less control; 0 is its null.
    null_interval : (float, float) or None
        Where 95 % of such differences lie for as many fresh real images; None where it is not known.
    adjusted : float or None
        p after Holm over all synthetic sets and sizes of the question; as it is for fresh real and augmented images.
    standing : {"better", "worse", "not told apart", "unknown"}
        At 5 % after Holm.
    share : float or None
        Value of the arm as a share of that of its control.
    values : mapping of str to Estimate
        The differences of everything beside the headline.
    subgroups : tuple of Subgroup
        The differences of the headline in each subgroup.
    """

    question: Question
    subject: str
    arm: str
    control: str
    real: int
    added: int
    difference: Estimate
    null_interval: tuple[float, float] | None
    adjusted: float | None
    standing: Standing
    share: float | None
    values: Mapping[str, Estimate]
    subgroups: tuple[Subgroup, ...]


@dataclass(frozen=True)
class Findings:
    """What one task showed.

    Parameters
    ----------
    problem : str
        ``"intra-task"`` or ``"cross-task"``.
    task : mapping
        Kind, names and settings.
    headline : str
        ``"auc"`` or ``"dice"``.
    test_images, test_patients : int
    arms : tuple of ArmResult
    contrasts : tuple of Contrast
    """

    problem: str
    task: Mapping[str, Any]
    headline: str
    test_images: int
    test_patients: int
    arms: tuple[ArmResult, ...]
    contrasts: tuple[Contrast, ...]

    def of(self, question: str, subject: str | None = None) -> tuple[Contrast, ...]:
        """The contrasts of a question, of one subject or of all."""
        return tuple(one for one in self.contrasts if one.question == question and subject in (None, one.subject))


@dataclass(frozen=True)
class SetCounts:
    """Images, patients (None where nobody knows whose the images are) and SHA-256 of a set."""

    images: int
    patients: int | None
    digest: str


@dataclass(frozen=True)
class UtilityStudy:
    """A whole study; no path, no identifier and no pixel is in it.

    Parameters
    ----------
    sets : mapping of str to SetCounts
        ``"real"``, ``"test"``, ``"fresh real"`` where there is one, and every synthetic set by its name.
    findings : tuple of Findings
        The task of the labels first, a second task after it.
    settings : mapping
        Seeds, halvings, steps and whatever else decides the numbers.
    preparation : mapping
        How pixel values became [0, 1].
    notes : tuple of str
        What limits the study, a sentence each.
    """

    sets: Mapping[str, SetCounts]
    findings: tuple[Findings, ...]
    settings: Mapping[str, Any]
    preparation: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def synthetic(self) -> tuple[str, ...]:
        """Names of the synthetic sets."""
        return tuple(name for name in self.sets if name not in ("real", "test", "fresh real"))
