"""A whole study: sets as a user has them in, every arm beside its control out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fourfold.comparison import no_progress
from fourfold.devices import check_device
from fourfold.errors import InputError
from fourfold.utility.learning.contract import Task
from fourfold.utility.study.engine import Effort
from fourfold.utility.study.findings import findings_of
from fourfold.utility.study.opening import Reading, StudySets, named, open_study_sets, problems_of
from fourfold.utility.study.plan import REAL, plan_of
from fourfold.utility.study.problem import sizes
from fourfold.utility.study.results import UtilityStudy
from fourfold.utility.study.tasks import second_task_of, task_of

__all__ = ["utility_study"]


def utility_study(
    synthetic: Any,
    train: Any,
    holdout: Any,
    fresh: Any | None = None,
    *,
    task: str | Task = "classification",
    network: str | None = None,
    second_task: str | None = None,
    subgroups: Sequence[str] = (),
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
    curve: Sequence[int] = (),
    questions: Sequence[str] | None = None,
    fresh_part: float | None = None,
    effort: Effort | None = None,
    reading: Reading | None = None,
    units: str | Path | None = None,
    memory: int = 1 << 30,
    progress: Callable[[str, int, int], None] = no_progress,
) -> UtilityStudy:
    """Whether a model that learned from synthetic images works on real patients, each answer beside its control.

    Parameters
    ----------
    synthetic : set, list of sets or mapping of str to set
        Whatever `fourfold.images.open_set` opens, by its own name where it is a mapping.
    train : set
        The real images that the synthetic ones are to stand in for, or to be added to.
    holdout : set
        Real patients who are tested on.
    fresh : set or None
        Further real patients, in neither: what a perfect generator would give.
    task : {"classification", "segmentation"} or Task
        What is learned.
    network : str or None
        By what; see `fourfold.utility.learning.registry`. None for the default network.
    second_task : str or None
        A column of the metadata with other labels: does a network that has learned the task from synthetic images
        learn these from real ones as well as one that has learned it from real images?
    subgroups : sequence of str
        Columns of the holdout's metadata by which the answers are given separately.
    ratios : sequence of float
        Synthetic images added for each real one.
    curve : sequence of int
        Numbers of real images of the learning curve.
    questions : sequence of str or None
        From `fourfold.utility.study.QUESTIONS`; None for all.
    fresh_part : float or None
        In place of `fresh`, a share of the holdout's patients.
    effort : Effort or None
        Seeds, halvings, steps, device.
    reading : Reading or None
        How the sets are read.
    units : path or None
        A folder where finished trainings are kept, so that a study that was stopped goes on; it holds predictions about
        single patients and stays inside.
    memory : int
        Bytes for images.
    progress : callable
        Called with (what is done, done, total).

    Returns
    -------
    UtilityStudy

    Raises
    ------
    InputError
        Where a set, an option or a combination of sets is wrong; the message says what and what to do.
    """
    effort = Effort() if effort is None else effort
    check_device(effort.device)
    sets = open_study_sets(
        named(synthetic),
        train,
        holdout,
        fresh,
        fresh_part=fresh_part,
        reading=reading,
        memory=memory,
        seed=effort.seed,
        progress=progress,
    )
    first, notes = task_of(task, sets, network)
    second = None if second_task is None else second_task_of(second_task, first, sets)
    problems = problems_of(sets, first, second, subgroups, progress)
    # What cannot be planned is said before anything is trained.
    plan_of(sizes(problems[0]), ratios=ratios, curve=curve, questions=questions)
    found = []
    for problem in problems:
        findings, said = findings_of(
            problem,
            effort,
            ratios=ratios,
            curve=curve,
            questions=questions,
            columns=subgroups,
            folder=units,
            progress=progress,
        )
        found.append(findings)
        notes += [sentence for sentence in said if sentence not in notes]
    settings = {
        **asdict(effort),
        "ratios": list(ratios),
        "curve": list(curve),
        "questions": None if questions is None else list(questions),
        "subgroups": list(subgroups),
        "second_task": second_task,
        "fresh_part": fresh_part,
    }
    return UtilityStudy(
        sets.counts, tuple(found), settings, _preparation(sets), (*sets.notes, *notes, *_limits(effort))
    )


def _preparation(sets: StudySets) -> dict[str, Any]:
    found = sets.images[REAL].preparation
    if found is None:
        raise InputError("the sets are not prepared")
    return found.describe()


def _limits(effort: Effort) -> list[str]:
    if effort.halvings:
        return []
    return [
        "Nothing was trained on halves of the sets, so the intervals speak of these very images: other images of the "
        "same generator, or of other patients, would give other numbers."
    ]
