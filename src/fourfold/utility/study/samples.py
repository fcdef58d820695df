"""What each arm scored: on the test patients as they are, on resampled ones, and on subgroups of them.

The resampled test sets are the same for every arm and seed, so that differences are paired by patient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fourfold.comparison import no_progress
from fourfold.utility.learning.contract import Outcomes, Task
from fourfold.utility.roc import patient_weights
from fourfold.utility.study.engine import Units, places_of
from fourfold.utility.study.plan import Arm

__all__ = ["DRAWS", "FURTHER_DRAWS", "Judged", "Sample", "Samples", "judge"]

DRAWS = 300
"""Resampled test sets for the headline: the standard error of their standard deviation is 4 %."""
FURTHER_DRAWS = 100
"""The same for everything beside the headline: 7 %."""
FEWEST_IMAGES = 20
"""Test images below which a subgroup is not judged."""


@dataclass(frozen=True)
class Sample:
    """One unit.

    Parameters
    ----------
    values : mapping of str to float
        Every value of the metric on the test patients, the headline first; subgroups as ``"auc@sex=F"``.
    draws : mapping of str to array, shape (B,)
        The same on resampled test patients, NaN where they allow no value.
    """

    values: Mapping[str, float]
    draws: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Samples:
    """One arm: its seeds, and the pairs of halves of its halvings."""

    whole: tuple[Sample, ...]
    halves: tuple[tuple[Sample, Sample], ...]


@dataclass(frozen=True)
class Judged:
    """Every arm of a problem.

    Parameters
    ----------
    arms : mapping of str to Samples
    headline : str
    subgroups : mapping of str to (str, str, int)
        From a key such as ``"auc@sex=F"`` to column, value and test images.
    notes : tuple of str
    """

    arms: Mapping[str, Samples]
    headline: str
    subgroups: Mapping[str, tuple[str, str, int]]
    notes: tuple[str, ...]


def judge(
    units: Units,
    arms: Sequence[Arm],
    columns: Sequence[str] = (),
    progress: Callable[[str, int, int], None] = no_progress,
) -> Judged:
    """Score every unit; outcomes are read one at a time.

    Parameters
    ----------
    units : Units
        Trained.
    arms : sequence of Arm
    columns : sequence of str
        Subgroup columns of the test set.
    progress : callable
    """
    test, task, seed = units.problem.test, units.problem.task, units.effort.seed
    patients = np.unique(test.patients, return_inverse=True)[1]
    weights = patient_weights(patients, DRAWS, np.random.default_rng([seed, 4]))
    masks, notes = _masks(test.groups, columns)
    places = places_of(units.effort)
    found: dict[str, Samples] = {}
    headline = ""
    words = f"judging ({units.problem.name})"
    for number, arm in enumerate(arms):
        samples = []
        for place in places:
            # Resampling everything that stands beside the headline would cost more than it tells, at halves.
            thorough = place.halving is None
            samples.append(_sample(task, units.outcomes(arm, place), weights, masks, thorough))
        headline = next(iter(samples[0].values))
        whole, rest = samples[: units.effort.seeds], samples[units.effort.seeds :]
        found[arm.name] = Samples(tuple(whole), tuple(zip(rest[::2], rest[1::2], strict=True)))
        progress(words, number + 1, len(arms))
    subgroups = {
        f"{headline}@{column}={value}": (column, value, int(mask.sum())) for (column, value), mask in masks.items()
    }
    return Judged(found, headline, subgroups, tuple(notes))


def _sample(
    task: Task,
    outcomes: Outcomes,
    weights: np.ndarray,
    masks: Mapping[tuple[str, str], np.ndarray],
    thorough: bool,
) -> Sample:
    values = {name: float(value) for name, value in task.metric(outcomes).items()}
    headline = next(iter(values))
    draws = {headline: np.asarray(task.headline(outcomes, weights), dtype=np.float64)}
    if thorough:
        further = [task.metric(outcomes, one) for one in weights[:FURTHER_DRAWS]]
        for name in list(values)[1:]:
            draws[name] = np.array([one.get(name, np.nan) for one in further], dtype=np.float64)
    for (column, value), mask in masks.items():
        rows = np.flatnonzero(mask)
        inside = outcomes.take(rows)
        key = f"{headline}@{column}={value}"
        values[key] = float(task.headline(inside, np.ones((1, len(rows))))[0])
        draws[key] = np.asarray(task.headline(inside, weights[:, rows]), dtype=np.float64)
    return Sample(values, draws)


def _masks(
    groups: Mapping[str, np.ndarray], columns: Sequence[str]
) -> tuple[dict[tuple[str, str], np.ndarray], list[str]]:
    """Which test images belong to each subgroup that is large enough to be judged."""
    masks: dict[tuple[str, str], np.ndarray] = {}
    notes = []
    for column in columns:
        entries = np.asarray(groups[column]).astype(str)
        for value in sorted(set(entries.tolist()) - {""}):
            mask = entries == value
            if mask.sum() < FEWEST_IMAGES:
                notes.append(
                    f"The subgroup {column} = {value} has {mask.sum()} test images, fewer than {FEWEST_IMAGES}: "
                    "it is not judged."
                )
                continue
            masks[column, value] = mask
    return masks, notes
