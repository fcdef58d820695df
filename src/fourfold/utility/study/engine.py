"""Trains every arm at every place and keeps what it did on each test image, so that a study that was killed goes on.

One arm at one place is a unit. What it did (the outcomes, never the weights) is kept in one file that appears whole or
not at all, under a key of everything that decides it: the contents of its sources and of the test set, the task, the
recipe of the arm, its place, steps and seed. A study with another ratio or one more synthetic set takes up the units
that it shares with an earlier one; changed images are another key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from fourfold import __version__
from fourfold.errors import InputError
from fourfold.features.results import ResultStore
from fourfold.utility.learning.contract import Outcomes
from fourfold.utility.study.plan import Arm
from fourfold.utility.study.problem import Place, Problem, drawn

__all__ = ["Effort", "Units", "body_of", "described", "places_of"]


@dataclass(frozen=True)
class Effort:
    """How often and how long everything is trained.

    Parameters
    ----------
    seeds : int
        Trainings of each arm; 2 or more.
    halvings : int
        Cuts of the sources into halves, each two further trainings of each arm. They say how far a result would move
        with other training images; 2 or more, or 0 for a study that speaks of these very images only.
    steps : int
        Optimiser steps of every training.
    seed : int
        From which all others are made.
    device : str
        As torch names it.
    """

    seeds: int = 5
    halvings: int = 3
    steps: int = 300
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise InputError(f"a study takes 2 seeds or more, since one tells nothing of chance, got {self.seeds}")
        if self.halvings < 0 or self.halvings == 1:
            raise InputError(f"a study takes 2 halvings or more, or 0 for none, got {self.halvings}")
        if self.steps < 1:
            raise InputError(f"a study takes 1 optimiser step or more, got {self.steps}")


def places_of(effort: Effort) -> tuple[Place, ...]:
    """Every place at which an arm is trained: whole at each seed, then the two halves of each halving."""
    whole = [Place(seed) for seed in range(effort.seeds)]
    halves = [Place(effort.seeds + 2 * cut + half, cut, half) for cut in range(effort.halvings) for half in (0, 1)]
    return (*whole, *halves)


class Units:
    """The units of one problem: trained where they are missing, read back where they are not.

    Parameters
    ----------
    problem : Problem
    effort : Effort
    folder : str, Path or None
        Where outcomes are kept; they are predictions about single patients and stay inside. None keeps them in memory.
    """

    def __init__(self, problem: Problem, effort: Effort, folder: str | Path | None = None) -> None:
        self.problem = problem
        self.effort = effort
        self._store = None if folder is None else ResultStore(folder)
        self._memory: dict[str, Outcomes] = {}
        self._digests = problem.digests()
        self._first = {} if problem.first is None else problem.first.digests()

    def train(self, arms: Sequence[Arm], progress: Callable[[str, int, int], None]) -> None:
        """Train what is missing.

        Seed by seed over all arms, so that whatever was done when the work is stopped can be compared.

        Parameters
        ----------
        arms : sequence of Arm
        progress : callable
            Called with (what is done, units done, units in all).
        """
        units = [(arm, place) for place in places_of(self.effort) for arm in arms]
        words = f"training ({self.problem.name})"
        progress(words, 0, len(units))
        for number, (arm, place) in enumerate(units):
            if self.kept(arm, place) is None:
                self._keep(arm, place, self._trained(arm, place))
            progress(words, number + 1, len(units))

    def outcomes(self, arm: Arm, place: Place) -> Outcomes:
        """What an arm did at a place; raises KeyError where it was not trained."""
        found = self.kept(arm, place)
        if found is None:
            raise KeyError(f"{arm.name} at {place.words} has not been trained")
        return found

    def kept(self, arm: Arm, place: Place) -> Outcomes | None:
        """The outcomes of a unit, None where it is missing."""
        key = self._key(arm, place)
        if self._store is None:
            return self._memory.get(key)
        found = self._store.get(key)
        return None if found is None else _from_arrays(found[1])

    def _trained(self, arm: Arm, place: Place) -> Outcomes:
        problem, effort = self.problem, self.effort
        settings = {"seed": effort.seed * 100_003 + place.seed, "steps": effort.steps, "device": effort.device}
        initial = None
        if arm.before is not None and problem.first is not None:
            before = Arm("before", (arm.before,), arm.before[1])
            learned = problem.first.task.fit(drawn(problem.first, before, place, effort.seed), **settings)
            initial = body_of(learned)
        examples = drawn(problem, arm, place, effort.seed)
        predictor = problem.task.fit(examples, augment=arm.augmented, initial=initial, **settings)
        return problem.task.outcomes(predictor(problem.test.images), problem.test)

    def _keep(self, arm: Arm, place: Place, outcomes: Outcomes) -> None:
        key = self._key(arm, place)
        if self._store is None:
            self._memory[key] = outcomes
        else:
            facts = {f"fact/{name}": np.asarray(fact) for name, fact in outcomes.facts.items()}
            self._store.put(key, {"arm": arm.name, "place": place.words}, {**facts, "patients": outcomes.patients})

    def _key(self, arm: Arm, place: Place) -> str:
        problem, effort = self.problem, self.effort
        before = None
        if arm.before is not None and problem.first is not None:
            source, size = arm.before
            before = [described(problem.first.task), self._first[source], size]
        return json.dumps(
            {
                "fourfold": __version__,
                "before": before,
                "task": described(problem.task),
                "sources": {source: self._digests[source] for source, _ in arm.parts},
                "test": self._digests["test"],
                "arm": {"parts": arm.parts, "total": arm.total, "augmented": arm.augmented},
                "place": asdict(place),
                "steps": effort.steps,
                "seed": effort.seed,
                "device": effort.device.partition(":")[0],
            },
            sort_keys=True,
        )


def body_of(predictor: object) -> dict[str, Tensor]:
    """The weights of a learned network but those of its last layer, which knows the labels.

    Raises
    ------
    InputError
        Where the predictor has no attribute ``network`` that is a `torch.nn.Module`.
    """
    network = getattr(predictor, "network", None)
    if not isinstance(network, nn.Module):
        raise InputError(
            "a second task is learned by a network that has learned the first, and this model has none to go on with "
            "(an attribute `network` of its predictor); leave out --second-task"
        )
    weights = network.state_dict()
    last = list(weights)[-1].rpartition(".")[0]
    return {name: values for name, values in weights.items() if name.rpartition(".")[0] != last}


def described(task: object) -> str:
    """A task in words that are the same in every process: its class and its settings."""
    words = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(task))
    return f"{type(task).__module__}.{words}"


def _from_arrays(arrays: Mapping[str, np.ndarray]) -> Outcomes:
    facts = {name.removeprefix("fact/"): array for name, array in arrays.items() if name != "patients"}
    return Outcomes(facts, arrays["patients"])
