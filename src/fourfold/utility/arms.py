"""The arms of the experiment: the same classifier trained on real, on synthetic, and on both, tested on real patients.

The arms
    real             n real images
    synthetic        n synthetic images
    real repeated    all N real images, each counted (N + M) / N times
    real+synthetic   all N real and all M synthetic images

with n = min(N, M), drawn by patient and in proportion to the classes where a set is larger, since the size of the
training set is the great confound of such comparisons. All arms take the same number of steps from the same seeds
and are tested on the same images.

How far a score would move with another training set is measured by halves: a set is cut in two by patient and both
halves are learned from. For a smooth score the half-difference of the two has the variance of the score of the whole
set (half-samples, McCarthy 1969), and without a resampled image ever being seen twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from fourfold.utility.tasks import Labelled, NoTaskError, Task

__all__ = ["ARMS", "Fold", "Learner", "Plan", "Run", "draw", "limited", "run"]

ARMS = ("real", "synthetic", "real repeated", "real+synthetic")


class Learner(Protocol):
    """A classifier that can be trained from scratch.

    Attributes
    ----------
    seeded : bool
        Whether two seeds give two classifiers.
    counts_matter : bool
        Whether counting every image several times changes the classifier.
    workers : int
        How many are trained at once.
    """

    seeded: bool
    counts_matter: bool
    workers: int

    def __call__(self, images: np.ndarray, task: Labelled, repeats: float, test: np.ndarray, seed: int) -> np.ndarray:
        """Train on `images` (each counted `repeats` times); returns probabilities of the `test` images, (H, K)."""
        ...


@dataclass(frozen=True)
class Plan:
    """How often everything is trained.

    Parameters
    ----------
    repeats : int
        Seeds, and draws where a set is larger than n.
    splits : int
        Cuts into two halves, of the real and of the synthetic set.
    halves_of_sums : bool
        Whether the arms that use everything are trained on halves too; their variance is bounded by that of the
        other arms where not.
    seed : int
    """

    repeats: int
    splits: int
    halves_of_sums: bool
    seed: int


@dataclass(frozen=True)
class Fold:
    """What is trained on and what is tested on: arrays of images or features, with their labels."""

    training: np.ndarray
    training_task: Labelled
    synthetic: np.ndarray
    synthetic_task: Labelled
    test: np.ndarray
    test_task: Labelled


@dataclass(frozen=True)
class Run:
    """Predictions on the test images.

    Parameters
    ----------
    size : int
        n, the images in the arms of equal size.
    whole : mapping of arm to list of arrays, shape (H, K)
        One a repeat.
    halves : mapping of arm to list of pairs of arrays, shape (H, K)
        One pair a split.
    """

    size: int
    whole: dict[str, list[np.ndarray]]
    halves: dict[str, list[tuple[np.ndarray, np.ndarray]]]


def draw(task: Labelled, size: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw images by patient, in proportion to the classes.

    Patients are put into a random order in which every stretch holds each class in proportion; the draw is its
    beginning.

    Parameters
    ----------
    task : Labelled
        N images.
    size : int
        Images to draw; the last patient may be cut.
    generator : numpy.random.Generator

    Returns
    -------
    chosen, others : arrays of int
        `size` rows and the N - `size` others.
    """
    patients, first, of_patient = np.unique(task.groups, return_index=True, return_inverse=True)
    strata = task.strata[first]
    place = np.empty(len(patients))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        place[members] = (generator.permutation(len(members)) + generator.random()) / len(members)
    order = np.lexsort((generator.random(len(task)), place[of_patient]))
    return order[:size], order[size:]


def limited(task: Task, limits: Mapping[str, int], seed: int) -> tuple[Task, list[str]]:
    """At most so many images of each set, drawn by patient, and a clause for each set that was cut."""
    kept, clauses = {}, []
    rows = dict(task.rows)
    for number, role in enumerate(("training", "synthetic", "holdout")):
        own = getattr(task, role)
        if own is not None and len(own) > limits[role]:
            chosen = np.sort(draw(own, limits[role], np.random.default_rng([seed, 5, number]))[0])
            clauses.append(f"{limits[role]} of {len(own)} {role} images drawn by patient")
            rows[role], own = rows[role][chosen], own.take(chosen).regrouped()
        kept[role] = own
    return replace(task, **kept, rows=rows), clauses


@dataclass(frozen=True)
class _Job:
    arm: str
    place: tuple[int, ...]
    real: np.ndarray
    synthetic: np.ndarray
    repeats: float
    seed: int


def run(learner: Learner, fold: Fold, plan: Plan, progress: Callable[[int, int], None] | None = None) -> Run:
    """Train every arm as often as the plan says.

    Parameters
    ----------
    learner : Learner
    fold : Fold
    plan : Plan
    progress : callable or None
        Called with (trained, total).

    Returns
    -------
    Run
    """
    jobs = _jobs(learner, fold, plan)
    found: dict[tuple[str, tuple[int, ...]], np.ndarray] = {}
    for job, scores in _train(learner, fold, jobs):
        found[job.arm, job.place] = scores
        if progress is not None:
            progress(len(found), len(jobs))
    whole: dict[str, list[np.ndarray]] = {arm: [] for arm in ARMS}
    halves: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {arm: [] for arm in ARMS}
    for job in jobs:
        if len(job.place) == 1:
            whole[job.arm].append(found[job.arm, job.place])
        elif job.place[1] == 0:
            halves[job.arm].append((found[job.arm, job.place], found[job.arm, (job.place[0], 1)]))
    if not whole["real repeated"]:
        whole["real repeated"] = whole["real"]
    return Run(min(len(fold.training), len(fold.synthetic)), whole, halves)


def _jobs(learner: Learner, fold: Fold, plan: Plan) -> list[_Job]:
    n_real, n_synthetic = len(fold.training), len(fold.synthetic)
    size = min(n_real, n_synthetic)
    none, real, synthetic = np.arange(0), np.arange(n_real), np.arange(n_synthetic)
    copies = (n_real + n_synthetic) / n_real
    jobs: list[_Job] = []
    for repeat in range(plan.repeats):
        random = np.random.default_rng([plan.seed, 1, repeat])
        for arm, task in (("real", fold.training_task), ("synthetic", fold.synthetic_task)):
            if len(task) == size and repeat > 0 and not learner.seeded:
                continue
            rows = np.arange(size) if len(task) == size else draw(task, size, random)[0]
            parts = (rows, none) if arm == "real" else (none, rows)
            jobs.append(_Job(arm, (repeat,), *parts, 1.0, repeat))
        if repeat == 0 or learner.seeded:
            jobs.append(_Job("real+synthetic", (repeat,), real, synthetic, 1.0, repeat))
            if learner.counts_matter or n_real > size:
                jobs.append(_Job("real repeated", (repeat,), real, none, copies, repeat))
    for split in range(plan.splits):
        random = np.random.default_rng([plan.seed, 2, split])
        for half, (r, s) in enumerate(
            zip(_halves(fold.training_task, size, random), _halves(fold.synthetic_task, size, random), strict=True)
        ):
            seed = plan.repeats + 2 * split + half
            jobs.append(_Job("real", (split, half), r, none, 1.0, seed))
            jobs.append(_Job("synthetic", (split, half), none, s, 1.0, seed))
        if not plan.halves_of_sums:
            continue
        for half, (r, s) in enumerate(
            zip(
                _halves(fold.training_task, n_real, random),
                _halves(fold.synthetic_task, n_synthetic, random),
                strict=True,
            )
        ):
            seed = plan.repeats + 2 * split + half
            jobs.append(_Job("real+synthetic", (split, half), r, s, 1.0, seed))
            jobs.append(_Job("real repeated", (split, half), r, none, copies, seed))
    return jobs


def _halves(task: Labelled, size: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two halves, without a patient in common, of `size` images drawn by patient."""
    rows = np.arange(len(task)) if len(task) == size else draw(task, size, random)[0]
    order = np.concatenate(draw(task.take(rows), size, random))
    of_patient = task.groups[rows][order]
    # The patient in the middle goes to the first half as a whole.
    cut = size // 2
    while cut < size and of_patient[cut] == of_patient[cut - 1]:
        cut += 1
    return rows[order[:cut]], rows[order[cut:]]


def _check_learnable(task: Labelled) -> None:
    """NoTaskError where a part of a set has nothing to tell apart: it is halved for the interval."""
    present = np.nansum(task.targets, axis=0)
    known = np.isfinite(task.targets).sum(axis=0)
    constant = (present == 0) | (present == known)
    if (present > 0).sum() < 2 if task.exclusive else constant.any():
        raise NoTaskError(
            f"{len(task)} images, half of a set, hold one class only; give more images of the rarer class"
        )


def _train(learner: Learner, fold: Fold, jobs: Sequence[_Job]) -> Iterator[tuple[_Job, np.ndarray]]:
    def train(job: _Job) -> np.ndarray:
        images = np.concatenate([fold.training[job.real], fold.synthetic[job.synthetic]])
        real, synthetic = fold.training_task.take(job.real), fold.synthetic_task.take(job.synthetic)
        task = Labelled(
            real.names,
            real.exclusive,
            np.concatenate([real.targets, synthetic.targets]),
            np.concatenate([real.groups, synthetic.groups]),
        )
        _check_learnable(task)
        return learner(images, task, job.repeats, fold.test, job.seed)

    # Fits this small lose five sixths of their speed to threads of the matrix library that wait for each other.
    with threadpool_limits(limits=1, user_api="blas"):
        if learner.workers == 1:
            for job in jobs:
                yield job, train(job)
            return
        pool = ThreadPoolExecutor(learner.workers)
        try:
            waiting = {pool.submit(train, job): job for job in jobs}
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)
