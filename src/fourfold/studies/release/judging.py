"""What one set is asked: what a classifier learns from it, whom it singles out, and how much of the real it covers.

Every set is judged on the same holdout patients, in feature spaces that the screen does not look at.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from fourfold.features import extract, get
from fourfold.features.standardisation import standardised
from fourfold.fidelity import frechet_distance
from fourfold.images import ImageSet
from fourfold.privacy import isolation_test
from fourfold.privacy.person_labels import SinglingOut
from fourfold.statistics import holm
from fourfold.studies.release.arms import Patients, patients
from fourfold.studies.seeds import Asked
from fourfold.utility.network import SmallNetwork
from fourfold.utility.roc import area_under_curve
from fourfold.utility.tasks import Labelled
from fourfold.variety import coverage, image_retrieval_score, retrieval_gap

__all__ = ["SPACES", "figures_of"]

SPACES = ("pixels", "radiomics")

_FEWEST = 20
"""Images of a set that is judged: fewer have no shares to speak of."""


def figures_of(asked: Asked, images: ImageSet) -> dict[str, float | None]:
    """The figures of one set.

    Parameters
    ----------
    asked : Asked
    images : ImageSet
        With classes; of fewer than 20 only the number is known.

    Returns
    -------
    dict
        ``area`` (under the curve, on holdout patients), and for each space ``coverage``, ``frechet`` (the published
        scores, against the holdout), ``retrieval`` (image retrieval score), ``retrieval_gap``, ``isolated`` and
        ``isolated_holdout`` (shares of images that isolate one person at n w = 0.1), ``excess``, their difference;
        ``p`` and ``p_holes`` of the permutation tests over weights and spaces, after Holm's correction.
    """
    found: dict[str, float | None] = {"images": len(images)}
    if len(images) < _FEWEST:
        return found
    real = patients(asked)
    found["area"] = _area(asked, images, real)
    tests = []
    for space in SPACES:
        training, holdout, synthetic = _features(asked, space, images)
        mine, theirs = _people(real.training), _people(real.holdout)
        test = isolation_test(
            synthetic, training, holdout, training_persons=mine, holdout_persons=theirs, seed=asked.seed
        )
        tests.append(test)
        cell = test.deciding
        found |= {
            f"coverage_{space}": coverage(holdout, synthetic, groups=theirs),
            f"frechet_{space}": frechet_distance(holdout, synthetic),
            f"retrieval_{space}": image_retrieval_score(training, synthetic).infinity,
            f"retrieval_gap_{space}": retrieval_gap(training, holdout, synthetic, seed=asked.seed),
            f"isolated_{space}": cell.training,
            f"isolated_holdout_{space}": cell.holdout,
            f"excess_{space}": cell.training - cell.holdout,
        }
    return found | {"p": _least(tests, "p_upper"), "p_holes": _least(tests, "p_lower")}


def _least(tests: list[SinglingOut], tail: str) -> float:
    return float(np.min(holm([getattr(cell, tail) for test in tests for cell in test.cells])[1]))


def _area(asked: Asked, images: ImageSet, real: Patients) -> float:
    """Area under the curve on holdout patients, the mean over several first weights."""
    task = Labelled.from_images("training", real.training)
    learner = replace(
        SmallNetwork.suited(real.training.shape),
        steps=int(asked["network_steps"]),
        batch_size=32,
        learning_rate=1e-2,
        workers=1,
    )
    shown, wanted = _in_terms_of(task, images), _in_terms_of(task, real.holdout)
    values, tested = images.load(), real.holdout.load()
    # Seeds of networks of different cells are the same, so that their differences are of the sets.
    scores = [learner(values, shown, 1.0, tested, 100 * asked.seed + turn) for turn in range(int(asked["networks"]))]
    return float(np.mean([area_under_curve(wanted.targets, one)[0] for one in scores]))


def _in_terms_of(task: Labelled, images: ImageSet) -> Labelled:
    """The classes of a set, which may lack some, in the columns of the task."""
    codes = np.searchsorted(task.names, images.labels)
    return Labelled(task.names, True, np.eye(len(task.names), dtype=np.float32)[codes], np.arange(len(images)))


def _features(asked: Asked, space: str, images: ImageSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, holdout and synthetic, in units of the spread of both real sets, which keeps them exchangeable."""
    training, holdout = _real_features(asked, space)
    synthetic = extract(images, get(space))
    sets = {"training": training, "holdout": holdout, "synthetic": synthetic}
    if get(space).standardise:
        sets, _ = standardised(np.concatenate([training, holdout]), sets)
    return sets["training"], sets["holdout"], sets["synthetic"]


@lru_cache(maxsize=len(SPACES))
def _real_features(asked: Asked, space: str) -> tuple[np.ndarray, np.ndarray]:
    real = patients(asked)
    return extract(real.training, get(space)), extract(real.holdout, get(space))


def _people(images: ImageSet) -> np.ndarray | None:
    return None if images.patients is None else np.unique(images.patients, return_inverse=True)[1]
