"""Whether a candidate looks like the label it carries: a gate, never a ranking.

To take the candidates whose label is most certain leaves a set of textbook cases. So nothing is ranked here: a
candidate passes where the probability of its own label is above the level that a stated share of fresh real patients
with this label reach.

Classes, one an image: for every class a level of its own. Findings, any number an image: how probable the stated value
of a finding is, is first expressed by the share of real images with this value for which it is less so; the smallest
of these over the known findings then is held against one level, so that the stated share of patients passes with all
their findings together. What is unknown (NaN) is not asked about.

The level is conformal. Under the classifier of fold f (see `cross_fitting`) the real patients of fold f, the
calibration patients and a fresh patient are alike new, so the rank of the fresh one among them is uniform. Ranks under
the F classifiers are put together as in cross-conformal prediction: the share that fails is close to what was asked
for, and but for a term that falls with the number of patients never more than twice that, whatever the classifier is
worth (Vovk 2015; Barber et al. 2021). Ties pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourfold.releasing.selection.cross_fitting import FOLDS, CrossFitted, cross_fit
from fourfold.utility.roc import area_under_curve
from fourfold.utility.tasks import Labelled

__all__ = ["GATE_SHARE", "LabelGate", "fewest_patients", "gate_off", "label_gate"]

GATE_SHARE = 0.95
"""Share of fresh real patients that pass."""


@dataclass(frozen=True)
class LabelGate:
    """Which candidates look like their label.

    Parameters
    ----------
    passed : array of bool, shape (M,)
    p : array, shape (M,)
        Share of real patients with the same label whose label is no more probable, the candidate counted; 1 where
        the gate is off.
    figures : dict
        Aggregates only, as JSON can hold them.
    """

    passed: np.ndarray
    p: np.ndarray
    figures: dict[str, Any]


def fewest_patients(share: float) -> int:
    """Real patients without which no candidate could fail at this share.

    Examples
    --------
    >>> fewest_patients(0.95), fewest_patients(0.9)
    (19, 9)
    """
    return max(1, math.ceil(1 / (1 - share) - 1 - 1e-9))


def label_gate(
    candidates: np.ndarray,
    candidate_task: Labelled,
    training: np.ndarray,
    training_task: Labelled,
    calibration: np.ndarray | None = None,
    calibration_task: Labelled | None = None,
    *,
    share: float = GATE_SHARE,
    seed: int = 0,
) -> LabelGate:
    """Ask every candidate whether it looks like its label.

    Parameters
    ----------
    candidates, training, calibration : arrays, shapes (M, d), (N, d), (C, d), or None
        Features of selection. Calibration patients are real and not in the training set; without them the training
        patients calibrate alone, each judged by a classifier that has not seen them.
    candidate_task, training_task, calibration_task : Labelled, or None
        Labels, all of one kind.
    share : float
        Of fresh real patients that pass, in (0, 1).
    seed : int

    Returns
    -------
    LabelGate
        Several images of one patient count as one, each with a part. Off where there are fewer patients than
        `fewest_patients`: those candidates pass, and ``figures["off"]`` names the label.
    """
    names, size = training_task.names, len(candidates)
    if len(names) < (2 if training_task.exclusive else 1):
        return gate_off(size, share, "there is one class only")
    if len(np.unique(training_task.groups)) < 2 * FOLDS:
        return gate_off(size, share, f"there are fewer than {2 * FOLDS} training patients to learn from")
    sets = [candidates] if calibration is None or calibration_task is None else [candidates, calibration]
    found = cross_fit(training, training_task, sets, seed=seed)
    asked = _aligned(candidate_task, names)
    real = [(_aligned(training_task, names), training_task.groups)]
    if len(sets) == 2 and calibration_task is not None:
        real.append((_aligned(calibration_task, names), calibration_task.groups))
    judge = _by_class if training_task.exclusive else _by_findings
    p, figures = judge(found, asked, real, names, share)
    passed = p > 1 - share + 1e-12
    figures |= {
        "share": share,
        "classifier": "logistic regression, cross-fitted over patients",
        "area_under_curve": _finite(area_under_curve(real[0][0], found.own)[0]),
        "rejected": int(np.sum(~passed)),
        "rejected_share": float(np.mean(~passed)) if size else 0.0,
        "rejected_by_label": {
            name: float(np.mean(~passed[asked[:, column] == 1]))
            for column, name in enumerate(names)
            if np.any(asked[:, column] == 1)
        },
    }
    return LabelGate(passed, p, figures)


def gate_off(size: int, share: float, reason: str) -> LabelGate:
    """Everything passes, and the figures say why."""
    return LabelGate(np.ones(size, dtype=bool), np.ones(size), {"share": share, "reason": reason})


def _aligned(task: Labelled, names: tuple[str, ...]) -> np.ndarray:
    """Targets in the columns of the training set; what a set does not know is 0 for classes and NaN for findings."""
    targets = np.full((len(task), len(names)), 0.0 if task.exclusive else np.nan)
    for place, name in enumerate(names):
        if name in task.names:
            targets[:, place] = task.targets[:, task.names.index(name)]
    return targets


def _by_class(
    found: CrossFitted,
    asked: np.ndarray,
    real: list[tuple[np.ndarray, np.ndarray]],
    names: tuple[str, ...],
    share: float,
) -> tuple[np.ndarray, dict[str, Any]]:
    p = np.ones(len(asked))
    levels, wrong, off = {}, {}, []
    for column, name in enumerate(names):
        weights = [_weights(targets[:, column] == 1, groups) for targets, groups in real]
        if _patients(weights) < fewest_patients(share):
            off.append(name)
            continue
        members = np.flatnonzero(asked[:, column] == 1)
        values = [found.own[:, column], *(other[:, :, column] for other in found.others[1:])]
        p[members] = _ranks(found.others[0][:, members, column], values, weights, found.fold)
        levels[name] = _level(values[0], weights[0], share)
        others = real[0][0][:, column] == 0
        wrong[name] = float(np.mean(found.own[others, column] < levels[name])) if others.any() else None
    return p, {"level": levels, "wrong_label_rejected": wrong, "off": off}


def _by_findings(
    found: CrossFitted,
    asked: np.ndarray,
    real: list[tuple[np.ndarray, np.ndarray]],
    names: tuple[str, ...],
    share: float,
) -> tuple[np.ndarray, dict[str, Any]]:
    training, groups = real[0]
    smallest = [np.ones(values.shape[:-1]) for values in (found.own, *found.others)]
    told = [training, asked, *(targets for targets, _ in real[1:])]
    off, wrong = [], {}
    for column, name in enumerate(names):
        for value in (1.0, 0.0):
            weights = _weights(training[:, column] == value, groups)
            if _patients([weights]) < fewest_patients(share):
                off.append(f"{name} {'present' if value else 'absent'}")
                continue
            own = found.own[:, column] if value else 1 - found.own[:, column]
            for least, probabilities, targets in zip(smallest, (found.own, *found.others), told, strict=True):
                stated = probabilities[..., column] if value else 1 - probabilities[..., column]
                reached = _share_below(stated, own, weights)
                least[...] = np.where(targets[:, column] == value, np.minimum(least, reached), least)
            if value:
                others = training[:, column] == 0
                level = _level(own, weights, share)
                wrong[name] = float(np.mean(own[others] < level)) if others.any() else None
    known = [_weights(~np.isnan(targets).all(axis=1), groups) for targets, groups in real]
    p = np.ones(len(asked))
    figures: dict[str, Any] = {"wrong_label_rejected": wrong, "off": off}
    if _patients(known) < fewest_patients(share):
        return p, figures | {"reason": "too few patients with a known finding"}
    rows = np.flatnonzero(~np.isnan(asked).all(axis=1))
    p[rows] = _ranks(smallest[1][:, rows], [smallest[0], *smallest[2:]], known, found.fold)
    return p, figures | {"level": {"smallest share over findings": _level(smallest[0], known[0], share)}}


def _weights(carriers: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """One for every patient, divided among those of the patient's images that carry the label; shape (N,)."""
    numbers = np.unique(groups, return_inverse=True)[1]
    counts = np.bincount(numbers, weights=carriers)[numbers]
    return np.divide(carriers.astype(np.float64), counts, out=np.zeros(len(carriers)), where=counts > 0)


def _patients(weights: list[np.ndarray]) -> int:
    return round(sum(float(part.sum()) for part in weights))


def _ranks(asked: np.ndarray, real: list[np.ndarray], weights: list[np.ndarray], fold: np.ndarray) -> np.ndarray:
    """Share of real patients that are no more probable, the asked one counted among them.

    Parameters
    ----------
    asked : array, shape (F, m)
        Under each classifier.
    real : list of arrays, shape (N,) for training (each under the classifier of its fold) and (F, C) for calibration
    weights : list of arrays, shapes (N,) and (C,)
    fold : array of int, shape (N,)
    """
    folds = len(asked)
    below = np.zeros(asked.shape[1])
    for number in range(folds):
        mine = fold == number
        below += _weight_below(asked[number], real[0][mine], weights[0][mine])
        for values, weight in zip(real[1:], weights[1:], strict=True):
            below += _weight_below(asked[number], values[number], weight) / folds
    return (1 + below) / (1 + sum(float(weight.sum()) for weight in weights))


def _weight_below(asked: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weight of the values that are at most as large as each of those asked about."""
    order = np.argsort(values, kind="stable")
    running = np.concatenate([[0.0], np.cumsum(weights[order])])
    return running[np.searchsorted(values[order], asked, side="right")]


def _share_below(asked: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return _weight_below(asked.reshape(-1), values, weights).reshape(asked.shape) / weights.sum()


def _level(values: np.ndarray, weights: np.ndarray, share: float) -> float | None:
    """What the stated share of training patients reach, each under the classifier of its fold."""
    rows = np.flatnonzero(weights > 0)
    if not len(rows):
        return None
    order = rows[np.argsort(values[rows], kind="stable")]
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order[min(np.searchsorted(reached, 1 - share, side="right"), len(order) - 1)]])


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
