"""Whether training and holdout are two draws of one population: a classifier two-sample test by patient.

Membership attacks compare how training and holdout patients lie to the synthetic set. Where a classifier can tell the
two sets apart without looking at a synthetic image (another hospital, another year, another view), an attack finds
that difference and calls it membership. Lopez-Paz, Oquab (ICLR 2017), with folds that keep patients whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.stats import norm, rankdata
from sklearn.utils.extmath import randomized_svd

from fourfold.comparison import Comparison, Features, Spaces
from fourfold.privacy.contrast import clipped, one_sided
from fourfold.privacy.patients import numbered
from fourfold.score import Metric, Score, does_not_apply, register
from fourfold.statistics import RankedArea, ranked_area

__all__ = ["MATERIAL", "exchangeability", "two_sample_area"]

SOURCE = "Lopez-Paz, Oquab: Revisiting classifier two-sample tests (ICLR 2017), folds and permutations by patient"

MATERIAL = 0.05
"""Distance of the area from 0.5 that the interval must exclude before membership results count as confounded."""

COMPONENTS = 30
FOLDS = 5
LEAST_PATIENTS = 20
LARGEST = 4_000
PERMUTATIONS = 199
SHRINKAGE = 0.1
"""Added to the unit variance of each component."""


def exchangeability(spaces: Spaces) -> list[Score]:
    """Area under the ROC curve of a classifier between training and holdout, in every feature space.

    Parameters
    ----------
    spaces : Spaces

    Returns
    -------
    list of Score
        One a space; 0.5 where the sets cannot be told apart. ``details["blocker"]`` is None, or the sentence why
        membership results would be confounded: the lower end of the interval, at 95 % over all spaces, lies above
        ``0.5 + MATERIAL``.
    """
    fields = {"better": "null", "source": SOURCE}
    if spaces.sets.holdout is None:
        return [does_not_apply("privacy", "exchangeability", "there is no holdout", **fields)]
    areas = {name: _of_comparison(comparison) for name, comparison in spaces.comparisons.items()}
    reach = float(norm.isf(0.025 / len(areas)))
    return [_score(name, area, reach, fields) for name, area in areas.items()]


def two_sample_area(
    training: np.ndarray,
    holdout: np.ndarray,
    training_patients: np.ndarray,
    holdout_patients: np.ndarray,
    seed: int = 0,
) -> RankedArea | None:
    """How well a linear classifier tells holdout from training patients that it was not fitted on.

    Parameters
    ----------
    training, holdout : arrays, shapes (N, d) and (H, d)
    training_patients, holdout_patients : arrays of int, shapes (N,) and (H,)
        No number in both.
    seed : int

    Returns
    -------
    RankedArea or None
        The mean over five folds of the area within each fold; `null_standard_error` is the spread over 199
        permutations of the patients' labels within folds, and `standard_error` at least that. None with fewer than 20
        patients in either set.

    Notes
    -----
    Fisher's discriminant on standardised principal components, shrunk; neither sees labels before the discriminant,
    whose permutations are then one product of matrices. Folds overlap in what they are fitted on, so that the spread
    within folds alone is too small: by up to 45 % where one set has 50 patients. Areas are averaged and not scores
    pooled, because offsets of folds follow the classes that are left to fit.
    """
    counts = len(np.unique(training_patients)), len(np.unique(holdout_patients))
    if min(counts) < LEAST_PATIENTS:
        return None
    rng = np.random.default_rng([seed, 45])
    reduced = _standard_components(np.concatenate([training, holdout]))
    patients, owner = np.unique(np.concatenate([training_patients, holdout_patients]), return_inverse=True)
    owner = owner.reshape(-1)
    label = np.zeros(len(patients), dtype=bool)
    label[owner[len(training) :]] = True
    fold = np.empty(len(patients), dtype=np.int64)
    for one in (False, True):
        members = rng.permutation(np.flatnonzero(label == one))
        fold[members] = np.arange(len(members)) % FOLDS
    labels = np.repeat(label[:, None], PERMUTATIONS + 1, axis=1)
    for number in range(FOLDS):
        labels[fold == number, 1:] = rng.permuted(labels[fold == number, 1:], axis=0)
    areas, errors = np.zeros(PERMUTATIONS + 1), []
    for number in range(FOLDS):
        held = fold[owner] == number
        scores = reduced[held] @ _discriminants(reduced[~held], labels[owner[~held]])
        which = labels[owner[held]]
        areas += _areas(scores, which) / FOLDS
        first = which[:, 0]
        mine, others = owner[held][first], owner[held][~first]
        errors.append(ranked_area(scores[first, 0], scores[~first, 0], mine, others).standard_error)
    null = float(areas[1:].std(ddof=1))
    own = math.sqrt(sum(error**2 for error in errors)) / FOLDS
    return RankedArea(float(areas[0]), max(own, null), null, *counts)


def _standard_components(values: np.ndarray) -> np.ndarray:
    """The leading principal components with variance 1, shape (n, k); no column where nothing varies."""
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    width = min(COMPONENTS, centred.shape[1], len(centred) // 10)
    components, spread, _ = randomized_svd(centred, width, random_state=0)
    return components[:, spread > 1e-9 * max(1.0, float(np.abs(values).max()))] * math.sqrt(len(values))


def _discriminants(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fisher's direction for each column of labels, shape (k, columns)."""
    covariance = np.cov(values.T, bias=True).reshape(2 * (values.shape[1],))
    weights = labels / labels.sum(axis=0) - ~labels / (~labels).sum(axis=0)
    return np.linalg.solve(covariance + SHRINKAGE * np.eye(len(covariance)), values.T @ weights)


def _areas(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    positives = labels.sum(axis=0)
    ranks = np.where(labels, rankdata(scores, axis=0), 0.0).sum(axis=0)
    return (ranks - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))


def _of_comparison(comparison: Comparison) -> RankedArea | None:
    rng = np.random.default_rng([comparison.seed, 43])
    training, holdout = (_drawn(comparison.set(role), rng) for role in ("training", "holdout"))
    mine, theirs = numbered(training.patients, holdout.patients, (len(training), len(holdout)))
    return two_sample_area(training.values, holdout.values, mine, theirs, comparison.seed)


def _drawn(features: Features, rng: np.random.Generator) -> Features:
    """At most `LARGEST` images, with whole patients."""
    if len(features) <= LARGEST:
        return features
    if features.patients is None:
        return features.take(np.sort(rng.choice(len(features), LARGEST, replace=False)))
    patients, owner, sizes = np.unique(features.patients, return_inverse=True, return_counts=True)
    order = rng.permutation(len(patients))
    kept = order[np.cumsum(sizes[order]) <= LARGEST]
    return features.take(np.flatnonzero(np.isin(owner, kept if len(kept) else order[:1])))


def _score(name: str, area: RankedArea | None, reach: float, fields: Mapping[str, str]) -> Score:
    if area is None or not math.isfinite(area.standard_error):
        reason = f"needs {LEAST_PATIENTS} patients in training and holdout each"
        return does_not_apply("privacy", "exchangeability", reason, features=name, **fields)
    error = area.standard_error
    blocker = None
    if area.value - 0.5 - reach * error > MATERIAL:
        blocker = (
            f"training and holdout differ (a classifier on {name} tells them apart, area {area.value:.2f} where 0.50 "
            "is expected): membership results would be confounded"
        )
    half = float(norm.isf(0.025))
    return Score(
        "privacy",
        "exchangeability",
        area.value,
        null=0.5,
        # A classifier that does worse than guessing has learned nothing; only areas above 0.5 tell the sets apart.
        interval=one_sided(clipped((area.value - half * error, area.value + half * error), (0.0, 1.0)), 0.5, "lower"),
        null_interval=(0.5 - half * area.null_standard_error, 0.5 + half * area.null_standard_error),
        null_source="analytic",
        features=name,
        details={
            "blocker": blocker,
            "standard_error": error,
            "training_patients": area.positives,
            "holdout_patients": area.negatives,
            "material": MATERIAL,
        },
        **fields,
    )


register(
    Metric(
        axis="privacy",
        name="exchangeability",
        kind="spaces",
        better="null",
        summary="how well a classifier tells holdout from training patients; membership attacks need 0.5",
        null="0.5, whatever the sizes of the sets",
        cost="O((N + H) d)",
        source=SOURCE,
        compute=exchangeability,
        needs=("holdout",),
    )
)
