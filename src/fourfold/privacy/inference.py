"""Attribute inference: whether the synthetic image nearest to a patient's image gives away what is secret about them.

Somebody holds an image of a patient and takes the label of the synthetic image nearest to it for the patient's. Often
that is right because images of one kind look alike, which holds for patients never seen too and is what synthetic
images are made for. Only what the guess gains on training patients is inference about them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.neighbors import nearest
from fourfold.privacy.excess import Excess, one_image_each
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["attribute_inference", "correct", "inference"]

SOURCE = "inference (WP 216, 2014) with main and control attacks (Giomi et al., PoPETs 2023)"

TOLERANCE = 0.05
"""Error up to which a guess of a number counts as right, as a share of the range of the real values."""

CLASS = "class"
LEAST_PATIENTS = 10
"""Patients with a known secret that each side needs."""


def correct(guesses: np.ndarray, secrets: np.ndarray, span: float | None = None) -> np.ndarray:
    """Which guesses are right.

    Parameters
    ----------
    guesses, secrets : arrays, shape (n,)
        Names, or numbers.
    span : float or None
        Range of the real values where these are numbers; a guess is right where it is off by 5 % of it or less. The
        error is never divided by the guess or the secret, whose sign or smallness would decide instead.

    Returns
    -------
    array of bool, shape (n,)

    Examples
    --------
    >>> correct(np.array([-100.0, 40.0]), np.array([50.0, 41.0]), 60.0).tolist()
    [False, True]
    """
    if span is None:
        return np.asarray(guesses) == np.asarray(secrets)
    return np.abs(np.asarray(guesses, dtype=np.float64) - np.asarray(secrets, dtype=np.float64)) <= TOLERANCE * span


def attribute_inference(
    comparison: Comparison,
    secrets: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> dict[str, Excess]:
    """Guess secrets from the nearest synthetic image.

    Parameters
    ----------
    comparison : Comparison
        With a holdout.
    secrets : mapping of str to (array, array, array), shapes (M,), (N,) and (H,)
        Of the synthetic, training and holdout images: names, or numbers with NaN where unknown.

    Returns
    -------
    dict of str to Excess
        Secrets that fewer than ten patients of either side have are left out, and so are those that no synthetic
        image tells or that do not vary. Attempts are the patients on whom a guess was made.
    """
    found = {}
    for name, (told, *real) in secrets.items():
        usable = _known(told)
        values = np.concatenate([one[_known(one)] for one in real])
        if not usable.any() or len(np.unique(values)) < 2:
            continue
        numeric = values.dtype.kind == "f"
        span = float(np.ptp(values)) if numeric else None
        outcomes = []
        for number, (role, secret) in enumerate(zip(("training", "holdout"), real, strict=True)):
            rows = _attacked(comparison.set(role), secret, np.random.default_rng([comparison.seed, 41, number]))
            guesses = told[usable][_nearest(comparison, role, rows, usable)]
            outcomes.append(correct(guesses, secret[rows], span))
        if min(len(one) for one in outcomes) >= LEAST_PATIENTS:
            found[name] = Excess.of(*outcomes)
    return found


def inference(comparison: Comparison) -> Score:
    """Correct guesses of a secret of training patients in excess of those of holdout patients.

    Returns
    -------
    Score
        Of the class, where images have one; else of the finding with the smallest p-value, with an interval that
        allows for the choice. One-sided. Every secret is an endpoint.
    """
    fields = {"better": "lower", "features": comparison.space, "source": SOURCE}
    if comparison.holdout is None or not len(comparison.holdout):
        reason = "without a holdout a good guess cannot be told from inference about a person"
        return does_not_apply("privacy", "inference", reason, **fields)
    secrets = _secrets(comparison)
    if not secrets:
        reason = "needs synthetic, training and holdout images with labels"
        return does_not_apply("privacy", "inference", reason, **fields)
    found = attribute_inference(comparison, secrets)
    if not found:
        reason = f"needs a label that varies and {LEAST_PATIENTS} patients who have it in training and holdout each"
        return does_not_apply("privacy", "inference", reason, **fields)
    leading = CLASS if CLASS in found else min(found, key=lambda name: found[name].p)
    details = {
        "secret": leading,
        "secrets": {name: one.described() for name, one in found.items()},
        "endpoints": [
            one.endpoint("inference_excess", secret=name, space=comparison.space) for name, one in found.items()
        ],
    }
    level = 0.95 if leading == CLASS else 1 - 0.05 / len(found)
    return found[leading].score("inference", comparison.space, SOURCE, level, details=details)


def _secrets(comparison: Comparison) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    sets = (comparison.synthetic, comparison.training, comparison.set("holdout"))
    found = {}
    if all(one.labels is not None for one in sets):
        found[CLASS] = tuple(np.asarray(one.labels) for one in sets)
    names = set.intersection(*(set(one.findings or {}) for one in sets))
    for name in sorted(names):
        found[name] = tuple(np.asarray(one.findings[name], dtype=np.float64) for one in sets)
    return found


def _known(values: np.ndarray) -> np.ndarray:
    return ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)


def _attacked(features: Features, secret: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One image of each patient whose secret is known."""
    rows = np.flatnonzero(_known(secret))
    patients = np.arange(len(features)) if features.patients is None else np.asarray(features.patients)
    return rows[one_image_each(patients[rows], rng)]


def _nearest(comparison: Comparison, role: str, rows: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Places, among the usable synthetic images, of those nearest to the rows."""
    if usable.all():
        return comparison.neighbors(role, "synthetic", 1).indices[rows, 0]
    values, told = comparison.set(role).values[rows], comparison.synthetic.values[usable]
    return nearest(values, told, 1, metric=comparison.distance, memory=comparison.memory).indices[:, 0]


register(
    Metric(
        axis="privacy",
        name="inference",
        kind="features",
        better="lower",
        summary="labels of patients guessed from the nearest synthetic image, in excess of patients never seen",
        null="0: the same guesses about holdout patients",
        cost="O((N + H) M d)",
        source=SOURCE,
        compute=inference,
        needs=("holdout", "labels"),
    )
)
