"""Everything that one set is asked: the published scores, the calibrated ones, and what it is good for.

Utility is that of a linear probe on real patients who are in no other set: learned from the set in place of as many
real images, and from a few real images with the set added, beside the same few repeated.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fourfold import fidelity, privacy, utility, variety
from fourfold.comparing.table import standard_error
from fourfold.comparison import Comparison, Spaces
from fourfold.feature_spaces import compared_in
from fourfold.features import extract, get
from fourfold.features.pixels import Pixels
from fourfold.images import ImageSet
from fourfold.opening import open_sets
from fourfold.score import Metric, Score, metrics
from fourfold.studies.trade_off.dealing import SCALING
from fourfold.studies.trade_off.ladders import Pictures
from fourfold.utility import linear_probe

__all__ = ["figures_of"]

# Pixels averaged down: as much as a copy is told by, at a quarter of the time.
_PIXELS = Pixels(size=16)
_IN_EACH_SPACE = (
    "fidelity/frechet_distance",
    "fidelity/clipped_density",
    "variety/recall",
    "variety/coverage",
    "privacy/nearest_neighbour_ratio",
)
_SPLITS = 5
# Images of the rarest class: among the few real ones at least, and in a draw of as many synthetic ones, which is cut in
# halves.
_FEWEST, _FEWEST_DRAWN = 10, 5
_AXES = (fidelity, privacy, utility, variety)  # Importing them enters their metrics.


def figures_of(made: Pictures, real: Mapping[str, ImageSet], few: int, seed: int) -> dict[str, float | None]:
    """The figures of one set.

    Parameters
    ----------
    made : Pictures
        The synthetic set.
    real : mapping of str to ImageSet
        ``"training"``, ``"holdout"`` and ``"test"``, from `fourfold.studies.trade_off.dealing.dealt`.
    few : int
        Real images that the set is added to.
    seed : int

    Returns
    -------
    dict of str to float or None
        ``<score>``, ``<score>_null`` and ``<score>_error``, those of a feature space under ``<space>_<score>``.
    """
    synthetic = ImageSet.from_array(made.images, name="synthetic", labels=made.labels.tolist())
    opened = open_sets(synthetic, real["training"], real["holdout"], scaling=SCALING, seed=seed)
    spaces = {
        "radiomics": compared_in(opened, get("radiomics"), None),
        "pixels": compared_in(opened, _PIXELS, None),
    }
    asked: dict[str, Metric] = {metric.key: metric for metric in metrics()}
    found: dict[str, float | None] = {}
    for name, comparison in spaces.items():
        for key in _IN_EACH_SPACE:
            found |= _as_figures(f"{name}_{key.partition('/')[2]}", _one(asked[key].compute(comparison)))
        found |= _published(name, _one(asked["privacy/legacy_privacy"].compute(comparison)))
    size = _one(asked["variety/mean_image_file_size"].compute(opened.sets))
    member = _one(asked["privacy/membership"].compute(Spaces(opened.sets, spaces)))
    found |= _as_figures("mean_image_file_size", size) | _as_figures("membership", member)
    return found | _usefulness(spaces["pixels"], real["test"], few, seed)


def _usefulness(comparison: Comparison, test: ImageSet, few: int, seed: int) -> dict[str, float | None]:
    training, made = comparison.training, comparison.synthetic
    tested = extract(test, _PIXELS, store=None)
    groups = None if test.patients is None else np.unique(test.patients, return_inverse=True)[1]
    rows = _some_of_each_class(np.asarray(training.labels), few, seed)
    in_place, _ = linear_probe(
        training.values,
        training.labels,
        made.values,
        made.labels,
        tested,
        test.labels,
        training_patients=training.patients,
        holdout_patients=groups,
        splits=_SPLITS,
        seed=seed,
    )
    counts = np.unique(np.asarray(made.labels), return_counts=True)[1]
    if len(rows) * counts.min() / counts.sum() < _FEWEST_DRAWN:
        return _as_figures("in_place_of_real", in_place)
    _, added = linear_probe(
        training.values[rows],
        training.labels[rows],
        made.values,
        made.labels,
        tested,
        test.labels,
        training_patients=None if training.patients is None else training.patients[rows],
        holdout_patients=groups,
        splits=_SPLITS,
        seed=seed,
    )
    return _as_figures("in_place_of_real", in_place) | _as_figures("added_to_few", added)


def _published(space: str, score: Score) -> dict[str, float | None]:
    """Precision and privacy of the published triple, beside those of the holdout."""
    details = score.details
    return {
        f"{space}_precision": details.get("precision"),
        f"{space}_precision_null": details.get("holdout_precision"),
        f"{space}_legacy_privacy": score.value,
        f"{space}_legacy_privacy_null": score.null,
    }


def _as_figures(name: str, score: Score) -> dict[str, float | None]:
    return {name: score.value, f"{name}_null": score.null, f"{name}_error": standard_error(score)}


def _one(found: Score | list[Score]) -> Score:
    """The headline of a metric that returns several scores."""
    return found if isinstance(found, Score) else found[0]


def _some_of_each_class(labels: np.ndarray, few: int, seed: int) -> np.ndarray:
    """`few` rows, about, each class with its share or with as many as can be learned from."""
    rng = np.random.default_rng([seed, 21])
    chosen = []
    for name in np.unique(labels):
        own = rng.permutation(np.flatnonzero(labels == name))
        chosen.append(own[: max(_FEWEST, round(few * len(own) / len(labels)))])
    return np.sort(np.concatenate(chosen))
