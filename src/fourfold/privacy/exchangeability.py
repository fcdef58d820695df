"""Whether training and holdout are two draws of one population: a classifier two-sample test by patient.

Membership attacks compare how training and holdout patients lie to the synthetic set. Where a classifier can tell the
two sets apart without looking at a synthetic image (another hospital, another year, another view), an attack finds
that difference and calls it membership. Lopez-Paz, Oquab (ICLR 2017), with folds that keep patients whole.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping

import numpy as np
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fourfold.comparison import Comparison, Features, Spaces
from fourfold.privacy.contrast import clipped, one_sided
from fourfold.score import Metric, Score, does_not_apply, register
from fourfold.statistics import RankedArea, ranked_area

__all__ = ["MATERIAL", "exchangeability", "two_sample_area"]

SOURCE = "Lopez-Paz, Oquab: Revisiting classifier two-sample tests (ICLR 2017), folds and errors by patient"

MATERIAL = 0.05
"""Distance of the area from 0.5 that the interval must exclude before membership results count as confounded."""

COMPONENTS = 30
FOLDS = 5
LEAST_PATIENTS = 20
LARGEST = 4_000

_STRENGTH = 0.01


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
    seed : int

    Returns
    -------
    RankedArea or None
        The mean over folds of the area within each fold, with its standard error by patient. None with fewer than 20
        patients in either set.

    Notes
    -----
    Areas are averaged and not scores pooled: the intercept of a fold follows the others' class sizes, which makes the
    pooled area of equal sets smaller than 0.5.
    """
    counts = len(np.unique(training_patients)), len(np.unique(holdout_patients))
    if min(counts) < LEAST_PATIENTS:
        return None
    values = np.concatenate([training, holdout]).astype(np.float64)
    groups = np.concatenate([training_patients, holdout_patients])
    classes = np.repeat([0, 1], [len(training), len(holdout)])
    spread = values.std(axis=0)
    values = values[:, spread > 1e-12]
    if not values.shape[1]:
        return RankedArea(0.5, 0.0, 0.0, *counts)
    # Labels play no part in the components, so that they may be found before the folds.
    width = min(COMPONENTS, values.shape[1], len(values) // 10)
    reduced = PCA(width, svd_solver="auto", random_state=seed).fit_transform(values - values.mean(axis=0))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    areas = []
    for fitted, held in folds.split(reduced, classes, groups):
        if len(np.unique(classes[held])) < 2 or len(np.unique(classes[fitted])) < 2:
            continue
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, class_weight="balanced"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(reduced[fitted], classes[fitted])
        scores = classifier.decision_function(reduced[held])
        of_holdout = classes[held] == 1
        areas.append(
            ranked_area(scores[of_holdout], scores[~of_holdout], groups[held][of_holdout], groups[held][~of_holdout])
        )
    if not areas:
        return None
    return RankedArea(
        float(np.mean([area.value for area in areas])),
        math.sqrt(sum(area.standard_error**2 for area in areas)) / len(areas),
        math.sqrt(sum(area.null_standard_error**2 for area in areas)) / len(areas),
        *counts,
    )


def _of_comparison(comparison: Comparison) -> RankedArea | None:
    rng = np.random.default_rng([comparison.seed, 43])
    training, holdout = (_drawn(comparison.set(role), rng) for role in ("training", "holdout"))
    start = int(training.patients.max(initial=0)) + 1 if training.patients is not None else len(training)
    mine = np.arange(len(training)) if training.patients is None else training.patients
    theirs = start + np.arange(len(holdout)) if holdout.patients is None else holdout.patients
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
    error = max(area.standard_error, area.null_standard_error)
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
        cost="O((N + H) d^2)",
        source=SOURCE,
        compute=exchangeability,
        needs=("holdout",),
    )
)
