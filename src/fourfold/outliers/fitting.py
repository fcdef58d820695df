"""Fits gates to one part of the real patients and calibrates them on the other.

A gate is something to look at and a distance from what was seen. It is calibrated on patients that it was not fitted
to, one image of each, so that its p-values hold for an image of a fresh patient whatever the gate. The scale on which
several gates are compared is found by cross-validation among the fitted patients and costs none of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from fourfold.errors import InputError
from fourfold.features import FeatureExtractor
from fourfold.images import ImageSet, near_duplicate_groups
from fourfold.outliers.conformal import fewest_patients, one_image_a_patient
from fourfold.outliers.distances import FEWEST, IMAGES_A_COMPONENT, Distance, fit_mahalanobis, fit_nearest
from fourfold.outliers.gates import Gate, Gates
from fourfold.outliers.surprise import fit_surprise
from fourfold.outliers.views import Progress, embed, views

__all__ = ["CALIBRATION", "DEFAULT_FEATURES", "DEFAULT_GATES", "calibrated_gates", "deal_patients", "fit_gates"]

DEFAULT_GATES = ("levels", "histogram", "regions", "gradients", "grain", "nearest:histogram")
DEFAULT_FEATURES: tuple[str | FeatureExtractor, ...] = ("radiomics", "pixels?size=16")

CALIBRATION = 0.4
"""Share of the patients that gates are calibrated on."""

_FOLDS = 5
_FEWEST_FITTED = FEWEST * _FOLDS // (_FOLDS - 1)


def fit_gates(
    real: ImageSet,
    *,
    gates: Sequence[str] = DEFAULT_GATES,
    features: Sequence[str | FeatureExtractor] = DEFAULT_FEATURES,
    alpha: float = 0.05,
    calibration: float = CALIBRATION,
    seed: int = 0,
    memory: int = 1 << 30,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Gates:
    """Fit gates to a part of the real patients and calibrate them on the others.

    Parameters
    ----------
    real : ImageSet
        N images, prepared. Patients are kept together; where there are no identifiers, groups of near-duplicates.
    gates : sequence of str
        ``"NAME"`` (Mahalanobis), ``"nearest:NAME"`` (distance to the nearest fitted image) or ``"neighbours:NAME"``
        (to the fifth nearest), with a name of `fourfold.outliers.EMBEDDINGS`.
    features : sequence of str or FeatureExtractor
        Feature spaces (as for `fourfold.features.get`), each with the gates ``"NAME"`` and ``"neighbours:NAME"``.
        Histograms do not see anatomy.
    alpha : float
        Accepted share of false alarms, of all gates together.
    calibration : float
        Share of the patients that the gates are calibrated on; more where alpha needs more.
    seed : int
        Deals the patients.
    memory : int
        Bytes for searches.
    device : str
        Where networks run.
    progress : callable or None
        Called with (task, done, total).

    Returns
    -------
    Gates

    Raises
    ------
    InputError
        Where there are too few patients, no gate, or one that does not exist.
    """
    looked_at, asked = views(gates, features)
    if not 0 < calibration < 1:
        raise InputError(f"the share of patients to calibrate on lies between 0 and 1, got {calibration}")
    if real.preparation is None:
        raise InputError(f"the {real.name} set is not prepared; prepare it with the images to be judged")
    patients = near_duplicate_groups(real) if real.patients is None else real.patients
    fit_rows, held_rows = deal_patients(patients, alpha, calibration, seed)
    fitted, held = real.take(fit_rows), real.take(held_rows)
    seen = embed(fitted, looked_at, memory, device, progress)
    fresh = embed(held, looked_at, memory, device, progress)
    made, together = calibrated_gates(
        asked,
        seen,
        fresh,
        patients[fit_rows],
        standardise=[name for name, view in looked_at.items() if view.extractor.standardise],
        seed=seed,
        memory=memory,
        progress=progress,
    )
    count = len(np.unique(patients[fit_rows]))
    return Gates(alpha, made, looked_at, real.preparation, fitted, held, count, together, memory=memory, device=device)


def calibrated_gates(
    asked: Sequence[tuple[str, str, int | None]],
    seen: Mapping[str, np.ndarray],
    fresh: Mapping[str, np.ndarray],
    patients: np.ndarray,
    *,
    standardise: Collection[str] = (),
    seed: int = 0,
    memory: int = 1 << 30,
    progress: Progress | None = None,
) -> tuple[tuple[Gate, ...], np.ndarray]:
    """Gates from features: fitted to some real patients, calibrated on others.

    Parameters
    ----------
    asked : sequence of (str, str, int or None)
        Name, view and rank of each gate, as `fourfold.outliers.views.views` gives them.
    seen, fresh : mapping of str to array, shape (N, d) and (n, d)
        By view: features of the images that are fitted, and of those that are calibrated on, one a patient.
    patients : array, shape (N,)
        Whose the fitted images are.
    standardise : collection of str
        Views whose columns are scaled to equal spread first.
    seed, memory, progress
        As for `fit_gates`.

    Returns
    -------
    gates : tuple of Gate
    together : array, shape (n,)
        The largest surprise of each calibration image over the gates: the scale of one threshold for all of them.

    Raises
    ------
    InputError
        Where there are too few images to fit, or all of them have the same features.
    """
    folds = _folds(patients, np.random.default_rng([seed, 2]))
    made = []
    for place, (name, view, rank) in enumerate(asked):
        if progress is not None:
            progress("fitting the gates", place, len(asked))
        scaled = view in standardise
        made.append(_gate(name, view, scaled, rank, seen[view], fresh[view], patients, folds, memory))
    if progress is not None:
        progress("fitting the gates", len(asked), len(asked))
    return tuple(made), np.max([gate.surprise.of(gate.calibration) for gate in made], axis=0)


def deal_patients(patients: np.ndarray, alpha: float, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to fit and rows to calibrate on, one a patient; no patient in both.

    Raises
    ------
    InputError
        Where there are too few patients for both.
    """
    names, numbers = np.unique(patients, return_inverse=True)
    needed = fewest_patients(alpha)
    if len(names) < needed + _FEWEST_FITTED:
        raise InputError(
            f"there are {len(names)} real patients, and a gate at alpha {alpha:g} needs {needed + _FEWEST_FITTED}: "
            f"{_FEWEST_FITTED} to fit and {needed} to calibrate on; give more patients or a larger alpha"
        )
    count = min(max(round(share * len(names)), needed), len(names) - _FEWEST_FITTED)
    calibrates = np.zeros(len(names), dtype=bool)
    calibrates[np.random.default_rng([seed, 0]).permutation(len(names))[:count]] = True
    held = np.flatnonzero(calibrates[numbers])
    held = held[one_image_a_patient(np.asarray(patients)[held], np.random.default_rng([seed, 1]))]
    return np.flatnonzero(~calibrates[numbers]), held


def _folds(patients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fold number for each row; a patient is in one fold."""
    names, numbers = np.unique(patients, return_inverse=True)
    return (rng.permutation(len(names)) % _FOLDS)[numbers]


def _gate(
    name: str,
    view: str,
    standardise: bool,
    rank: int | None,
    seen: np.ndarray,
    fresh: np.ndarray,
    patients: np.ndarray,
    folds: np.ndarray,
    memory: int,
) -> Gate:
    """Fit, find the scale by cross-validation, calibrate."""

    def fit(rows: np.ndarray) -> Distance:
        if rank is not None:
            return fit_nearest(seen[rows], standardise=standardise, rank=rank)
        most = len(np.unique(patients[rows])) // IMAGES_A_COMPONENT
        return fit_mahalanobis(seen[rows], standardise=standardise, components=most)

    left_out = np.empty(len(seen))
    for fold in range(_FOLDS):
        left_out[folds == fold] = fit(folds != fold).score(seen[folds == fold], memory)
    distance = fit(np.ones(len(seen), dtype=bool))
    return Gate(name, view, distance, fit_surprise(left_out), distance.score(fresh, memory))
