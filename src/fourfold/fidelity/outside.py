"""The share of synthetic images that lie outside the distribution of the real ones, and which they are.

Every other score of this room judges the set. This one judges images: gates (`fourfold.outliers`) that look at
intensities, their places, edges, and every feature space of the evaluation are fitted to the training set and
calibrated on the holdout, so that a fresh real image lies outside with a probability of at most alpha, whatever the
gates. What the gates are blind to (small lesions, halves of two patients, copies) is named by `measure_controls`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fourfold.comparison import Spaces
from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.outliers.conformal import fewest_patients, one_image_a_patient, outside_share
from fourfold.outliers.fitting import CALIBRATION, DEFAULT_GATES, calibrated_gates, deal_patients
from fourfold.outliers.gates import Gate, judge_by_gates
from fourfold.outliers.views import NEIGHBOURS, embed, views
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["ALPHA", "OUTSIDE"]

ALPHA = 0.05
"""Share of fresh real images that is accepted to lie outside."""

_NO_HOLDOUT = "no holdout: the gates are fitted to one part of the training patients and calibrated on the others"


def _outside(spaces: Spaces) -> Score:
    try:
        fitted, held, patients = _real_rows(spaces)
        gates, calibration, features, count = _fitted(spaces, fitted, held, patients)
    except InputError as problem:
        return does_not_apply("fidelity", "outside_share", str(problem), better="lower", source=OUTSIDE.source)
    judged = judge_by_gates(gates, calibration, features, ALPHA, spaces.sets.memory)
    names = spaces.sets.synthetic.patients
    independent = np.arange(len(judged.outside))
    if names is not None:
        independent = one_image_a_patient(names, np.random.default_rng([spaces.sets.seed, 3]))
    share = outside_share(judged.outside[independent], len(calibration), ALPHA)
    columns = {
        "outside": judged.outside,
        "outside_p": judged.p,
        "outside_by": np.where(judged.outside, judged.leading, ""),
        **{f"outside_p:{name}": p for name, p in judged.p_values.items()},
    }
    return Score(
        axis="fidelity",
        name="outside_share",
        **vars(share),
        better="lower",
        source=OUTSIDE.source,
        null_source="holdout" if spaces.sets.holdout is not None else "training halves",
        reason=None if spaces.sets.holdout is not None else _NO_HOLDOUT,
        per_synthetic=columns,
        details={
            "alpha": ALPHA,
            "patients_fitted": count,
            "patients_calibration": len(calibration),
            "images_counted": len(independent),
            "outside_by_gate": {
                gate.name: int((judged.outside & (judged.leading == gate.name)).sum()) for gate in gates
            },
        },
    )


def _real_rows(spaces: Spaces) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows to fit, rows of the holdout (or of the training set) to calibrate on, and whose the first are."""
    sets, seed = spaces.sets, spaces.sets.seed
    patients = _owners(sets.training)
    if sets.holdout is None:
        fitted, held = deal_patients(patients, ALPHA, CALIBRATION, seed)
        return fitted, held, patients[fitted]
    held = one_image_a_patient(_owners(sets.holdout), np.random.default_rng([seed, 1]))
    if len(held) < fewest_patients(ALPHA):
        raise InputError(
            f"a threshold at alpha {ALPHA:g} is read from at least {fewest_patients(ALPHA)} holdout patients, got "
            f"{len(held)}; give more of them"
        )
    return np.arange(len(sets.training)), held, patients


def _owners(images: ImageSet) -> np.ndarray:
    # The opened sets have stand-ins where identifiers are missing; a set made by hand may have none.
    return np.arange(len(images)).astype(str) if images.patients is None else images.patients


def _fitted(
    spaces: Spaces, fitted: np.ndarray, held: np.ndarray, patients: np.ndarray
) -> tuple[tuple[Gate, ...], np.ndarray, Mapping[str, np.ndarray], int]:
    """Calibrated gates, the calibration of all together, the synthetic features by view, and patients fitted."""
    sets = spaces.sets
    looked_at, asked = views(DEFAULT_GATES, ())
    real = sets.training if sets.holdout is None else sets.holdout
    seen = embed(sets.training.take(fitted), looked_at, sets.memory)
    fresh = embed(real.take(held), looked_at, sets.memory)
    new = embed(sets.synthetic, looked_at, sets.memory)
    for space, comparison in spaces.comparisons.items():
        # A space may be called like a gate of intensities.
        view = f"{space} features"
        others = comparison.training if comparison.holdout is None else comparison.holdout
        seen[view] = comparison.training.values[fitted]
        fresh[view] = others.values[held]
        new[view] = comparison.synthetic.values
        asked = [*asked, (view, view, None), (f"neighbours:{view}", view, NEIGHBOURS)]
    # Features of a comparison are scaled already, where their extractor asks for it.
    standardise = [name for name, view in looked_at.items() if view.extractor.standardise]
    gates, calibration = calibrated_gates(
        asked, seen, fresh, patients, standardise=standardise, seed=sets.seed, memory=sets.memory
    )
    return gates, calibration, new, len(np.unique(patients))


OUTSIDE = register(
    Metric(
        axis="fidelity",
        name="outside_share",
        kind="spaces",
        better="lower",
        summary="share of synthetic images outside the distribution of real ones, and which they are",
        null="the share that the conformal threshold gives fresh real images, at most 5 %",
        cost="O((N + M + H) pixels + (N + M + H) N d), and an eigendecomposition a gate and fold",
        source="Vovk et al. 2005; Frolova et al. 2022; Mahalanobis and neighbour distances after Lee et al. 2018",
        compute=_outside,
    )
)
