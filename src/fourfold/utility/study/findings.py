"""The study of arms on examples in memory: plan, train, judge, compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.comparison import no_progress
from fourfold.utility.learning.contract import Task
from fourfold.utility.study.differences import Estimate, adjusted, difference, fresh_half_width, level
from fourfold.utility.study.engine import Effort, Units, described
from fourfold.utility.study.plan import FRESH, Comparison, Plan, plan_of, plan_of_transfer
from fourfold.utility.study.problem import Problem, sizes
from fourfold.utility.study.results import ArmResult, Contrast, Findings, Standing, Subgroup
from fourfold.utility.study.samples import Judged, judge

__all__ = ["findings_of"]

SIGNIFICANT = 0.05
# The p-value of these belongs to no synthetic set, so that they are no further chance for one to look good.
_CONTROLS = (FRESH, "augmentation")


def findings_of(
    problem: Problem,
    effort: Effort,
    *,
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
    curve: Sequence[int] = (),
    questions: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    folder: str | Path | None = None,
    progress: Callable[[str, int, int], None] = no_progress,
) -> tuple[Findings, tuple[str, ...]]:
    """Train every arm that the sets allow, and hold each against its control.

    Parameters
    ----------
    problem : Problem
        With a `first` problem it is a second task, and transfer is what is asked.
    effort : Effort
    ratios, curve, questions
        As for `fourfold.utility.study.plan.plan_of`.
    columns : sequence of str
        Subgroup columns of the test set.
    folder : path or None
        Where finished units are kept, so that a study goes on where it was stopped.
    progress : callable
        Called with (what is done, done, total).

    Returns
    -------
    findings : Findings
    notes : tuple of str
        What could not be asked, a sentence each.

    Raises
    ------
    InputError
        Where there is nothing to compare, or the folder cannot be written.
    """
    if problem.first is None:
        plan = plan_of(sizes(problem), ratios=ratios, curve=curve, questions=questions)
    else:
        plan = plan_of_transfer(sizes(problem.first), sizes(problem)["real"])
    units = Units(problem, effort, folder)
    arms = tuple(plan.arms.values())
    units.train(arms, progress)
    judged = judge(units, arms, columns, progress)
    found = Findings(
        problem=problem.name,
        task=_task(problem.task),
        headline=judged.headline,
        test_images=len(problem.test),
        test_patients=len(np.unique(problem.test.patients)),
        arms=tuple(_arm(plan, name, judged) for name in plan.arms),
        contrasts=_contrasts(plan, judged),
    )
    return found, (*plan.notes, *judged.notes)


def _task(task: Task) -> dict[str, Any]:
    settings = asdict(task) if is_dataclass(task) and not isinstance(task, type) else {"described": described(task)}
    return {**settings, "kind": task.kind, "names": list(task.names), "exclusive": task.exclusive}


def _arm(plan: Plan, name: str, judged: Judged) -> ArmResult:
    arm, samples = plan.arms[name], judged.arms[name]
    return ArmResult(
        name=name,
        images=dict(arm.parts),
        total=arm.total,
        augmented=arm.augmented,
        before=arm.before,
        values={
            key: level(samples, key, (0.0, _most(key)))
            for key in samples.whole[0].values
            if key not in judged.subgroups
        },
        seeds=tuple(one.values[judged.headline] for one in samples.whole),
        subgroups=tuple(Subgroup(*facts, level(samples, key)) for key, facts in judged.subgroups.items()),
    )


def _contrasts(plan: Plan, judged: Judged) -> tuple[Contrast, ...]:
    found = [_contrast(comparison, judged) for comparison in plan.comparisons]
    for question in {one.question for one in found}:
        family = [place for place, one in enumerate(found) if one.question == question and one.subject not in _CONTROLS]
        corrected = adjusted([found[place].difference.p for place in family])
        for place, p in zip(family, corrected, strict=True):
            found[place] = replace(found[place], adjusted=p)
    return tuple(replace(one, standing=_standing(one.difference, one.adjusted)) for one in found)


def _contrast(comparison: Comparison, judged: Judged) -> Contrast:
    arm, control = judged.arms[comparison.arm], judged.arms[comparison.control]
    headline = difference(arm, control, judged.headline)
    reach = fresh_half_width(control, judged.headline) if comparison.question == "substitution" else None
    own, base = (float(np.mean([one.values[judged.headline] for one in samples.whole])) for samples in (arm, control))
    return Contrast(
        question=comparison.question,
        subject=comparison.subject,
        arm=comparison.arm,
        control=comparison.control,
        real=comparison.real,
        added=comparison.added,
        difference=headline,
        null_interval=None if reach is None else (-reach, reach),
        adjusted=headline.p,
        standing="unknown",
        share=own / base if base > 0 else None,
        values=_differences(arm.whole[0].values, judged, comparison),
        subgroups=tuple(Subgroup(*facts, difference(arm, control, key)) for key, facts in judged.subgroups.items()),
    )


def _differences(keys: Mapping[str, float], judged: Judged, comparison: Comparison) -> dict[str, Estimate]:
    arm, control = judged.arms[comparison.arm], judged.arms[comparison.control]
    return {
        key: difference(arm, control, key, (-_most(key), _most(key)))
        for key in keys
        if key != judged.headline and key not in judged.subgroups
    }


def _most(key: str) -> float:
    """The largest value that a metric can have: shares end at 1, distances nowhere."""
    return math.inf if key.startswith(("distance", "hausdorff")) else 1.0


def _standing(found: Estimate, p: float | None) -> Standing:
    if found.value is None or p is None:
        return "unknown"
    if p >= SIGNIFICANT:
        return "not told apart"
    return "better" if found.value > 0 else "worse"
