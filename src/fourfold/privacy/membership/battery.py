"""Every attack in every feature space, on the images of training and holdout set alike.

The suspects are all real images. Whatever an attack uses besides the synthetic set is the same for a training and for
a holdout image: a reference set where one was given, else all suspects of other patients, both sets together. The
holdout therefore keeps all of its patients as non-members, and no rule depends on the sizes of the two sets.

Features that were standardised by the training set are standardised again by all suspects: by the training set alone,
its own outliers are pulled in and those of the holdout are not, which no generator is to blame for (area 0.63 on 100
patients with 300 heavy-tailed features).
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Comparison, Features, Spaces
from fourfold.neighbors import nearest
from fourfold.neighbors.distances import mapped
from fourfold.privacy.membership.attacks import (
    calibrated_distance_attack,
    classifier_attack,
    density_ratio_attack,
    distance_attack,
    distance_ratio_attack,
    kernel_density_attack,
    monte_carlo_attack,
    weighted_monte_carlo_attack,
)
from fourfold.privacy.patients import numbered

__all__ = ["Battery", "all_attacks", "attack_scores", "commonly_scaled"]

SYNTHETIC_NEIGHBOURS = 32
REFERENCE_NEIGHBOURS = 5
COMPONENTS = 32
"""Principal components for densities and classifiers, which fail in many dimensions."""

_PRINCIPAL_ROWS = 5000
"""Images, drawn from synthetic and reference set, that the directions of the components are read from."""


@dataclass(frozen=True)
class Battery:
    """The scores of all attacks on all suspects, training images first.

    Parameters
    ----------
    scores : mapping of (str, str) to array of float64, shape (N + H,)
        By feature space and name of the attack; attacks that cannot tell any two suspects apart are left out.
    patients : array of int64, shape (N + H,)
    members : array of bool, shape (N + H,)
        True for training images.
    reference : str
        What attacks were calibrated by: ``"reference set"`` or ``"other real patients"``.
    """

    scores: Mapping[tuple[str, str], np.ndarray]
    patients: np.ndarray
    members: np.ndarray
    reference: str


# Two metrics ask for the same battery; what is kept goes with the comparisons that it was computed from.
_KEPT: dict[tuple[int, ...], Battery] = {}


def all_attacks(spaces: Spaces) -> Battery:
    """All attacks in all feature spaces; computed once for the same comparisons.

    Parameters
    ----------
    spaces : Spaces
        With a holdout, and at least two synthetic images.

    Returns
    -------
    Battery
    """
    leading = next(iter(spaces.comparisons.values()))
    key = tuple(id(comparison) for comparison in spaces.comparisons.values())
    if key in _KEPT:
        return _KEPT[key]
    patients = suspect_patients(leading)
    scores: dict[tuple[str, str], np.ndarray] = {}
    for done, (space, comparison) in enumerate(spaces.comparisons.items()):
        spaces.sets.progress("privacy: membership attacks", done, len(spaces.comparisons))
        for name, values in attack_scores(comparison, patients).items():
            if values.min() < values.max():
                scores[space, name] = values
    found = Battery(
        scores,
        patients,
        np.arange(len(patients)) < len(leading.training),
        "other real patients" if leading.reference is None else "reference set",
    )
    _KEPT[key] = found
    for comparison in spaces.comparisons.values():
        weakref.finalize(comparison, _KEPT.pop, key, None)
    return found


def suspect_patients(comparison: Comparison) -> np.ndarray:
    """Patients of training and holdout images as numbers, shape (N + H,); images are their own where unknown."""
    training, holdout = comparison.training, comparison.set("holdout")
    return np.concatenate(numbered(training.patients, holdout.patients, (len(training), len(holdout))))


def attack_scores(comparison: Comparison, patients: np.ndarray) -> dict[str, np.ndarray]:
    """The attacks in one feature space.

    Parameters
    ----------
    comparison : Comparison
        With a holdout; calibrated by its reference set where it has one.
    patients : array of int, shape (N + H,)

    Returns
    -------
    dict of str to array of float64, shape (N + H,)
        Scores of training images, then of holdout images.
    """
    scaled = commonly_scaled(comparison)
    synthetic = scaled.synthetic.values
    suspects = np.concatenate([scaled.training.values, scaled.set("holdout").values])
    search = {"metric": scaled.distance, "memory": scaled.memory}
    to_synthetic = nearest(suspects, synthetic, min(SYNTHETIC_NEIGHBOURS, len(synthetic)), **search).distances
    apart = scaled.reference is not None and len(scaled.reference) > 0
    reference = scaled.reference.values if apart else suspects
    if apart:
        k = min(REFERENCE_NEIGHBOURS, len(reference))
        to_reference = nearest(suspects, reference, k, **search).distances
    else:
        to_reference = to_other_patients(suspects, patients, scaled)
    k = min(to_reference.shape[1], to_synthetic.shape[1])
    scores = {
        "distance": distance_attack(to_synthetic),
        "distance ratio": distance_ratio_attack(to_synthetic[:, :10]),
        "Monte Carlo": monte_carlo_attack(to_synthetic),
        "weighted Monte Carlo": weighted_monte_carlo_attack(to_synthetic),
        "calibrated distance": calibrated_distance_attack(to_synthetic, to_reference),
        "density ratio": density_ratio_attack(to_synthetic[:, :1], to_reference[:, :1]),
        f"density ratio of {k}": density_ratio_attack(to_synthetic[:, :k], to_reference[:, :k]),
    }
    if scaled.distance == "hamming":
        return scores
    seed = scaled.seed
    parts = _components([suspects, synthetic, reference] if apart else [suspects, synthetic], scaled.distance, seed)
    suspects, synthetic = parts[:2]
    # In many dimensions a kernel as wide as the distance to the nearest synthetic image sees only the bulk.
    typical = np.median(nearest(suspects, synthetic, 1, memory=scaled.memory).distances)
    bandwidth = float(typical) / np.sqrt(synthetic.shape[1])
    if bandwidth > 0:
        who = (None, None) if apart else (patients, patients)
        known = parts[-1] if apart else suspects
        scores["kernel density ratio"] = kernel_density_attack(suspects, synthetic, known, bandwidth, *who)
    scores["classifier"] = classifier_attack(suspects, synthetic, parts[-1] if apart else None, patients, seed)
    return scores


def to_other_patients(suspects: np.ndarray, patients: np.ndarray, comparison: Comparison) -> np.ndarray:
    """Distances of each suspect to its nearest suspects of other patients, of training and holdout set together.

    Parameters
    ----------
    suspects : array, shape (N + H, d)
    patients : array of int, shape (N + H,)
    comparison : Comparison
        Its distance and memory.

    Returns
    -------
    array of float64, shape (N + H, k)
        k is 5, or less where a patient has fewer other images around.
    """
    fewest = len(patients) - int(np.unique(patients, return_counts=True)[1].max())
    return nearest(
        suspects,
        suspects,
        max(1, min(REFERENCE_NEIGHBOURS, fewest)),
        metric=comparison.distance,
        query_groups=patients,
        point_groups=patients,
        memory=comparison.memory,
    ).distances


def commonly_scaled(comparison: Comparison) -> Comparison:
    """The comparison, standardised by training and holdout images together where it was by training images alone."""
    training, holdout = comparison.training.values, comparison.set("holdout").values
    if len(training) < 2:
        return comparison
    mean, spread = training.mean(axis=0, dtype=np.float64), training.std(axis=0, dtype=np.float64)
    if np.abs(mean).max() > 1e-3 or np.abs(spread - 1).max() > 1e-3:
        return comparison
    both = np.concatenate([training, holdout])
    mean, spread = both.mean(axis=0, dtype=np.float64), both.std(axis=0, dtype=np.float64)

    def scaled(features: Features) -> Features:
        values = ((features.values - mean) / spread).astype(np.float32)
        return Features(values, features.patients, features.labels, features.findings)

    return Comparison(
        comparison.space,
        scaled(comparison.training),
        scaled(comparison.synthetic),
        scaled(comparison.set("holdout")),
        comparison.distance,
        comparison.seed,
        comparison.memory,
        comparison.names,
        None if comparison.reference is None else scaled(comparison.reference),
    )


def _components(sets: list[np.ndarray], metric: str, seed: int) -> list[np.ndarray]:
    """The sets in the principal components of synthetic and reference images (those of the suspects without one)."""
    from sklearn.decomposition import PCA

    rows = np.concatenate(sets[1:] if len(sets) == 3 else sets)
    chosen = np.random.default_rng([seed, len(rows)]).permutation(len(rows))[:_PRINCIPAL_ROWS]
    fitted = mapped(rows[chosen], metric)
    count = min(COMPONENTS, *fitted.shape)
    pca = PCA(count, svd_solver="randomized" if count < min(fitted.shape) else "full", random_state=seed).fit(fitted)
    return [
        np.concatenate([pca.transform(mapped(one[start : start + 4096], metric)) for start in range(0, len(one), 4096)])
        for one in sets
    ]
