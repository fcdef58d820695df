"""The opened sets in a feature space: extracted once, scaled alike, with what is known of each image beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fourfold.comparison import Comparison, Features, Role, Sets
from fourfold.features import FeatureExtractor, FeatureStore, extract
from fourfold.opening import Opened

__all__ = ["compared_in"]


def compared_in(
    opened: Opened, extractor: FeatureExtractor, store: FeatureStore | None, workers: int = 0, device: str = "cpu"
) -> Comparison:
    """The sets in one feature space, scaled by the training set where the extractor asks for it.

    Parameters
    ----------
    opened : Opened
    extractor : FeatureExtractor
    store : FeatureStore or None
        Where features are kept between runs; None keeps nothing.
    workers : int
        Processes that decode images.
    device : str
        Where the extractor runs.

    Raises
    ------
    InputError
        As for `fourfold.features.extract`.
    """
    sets = opened.sets
    values = {
        role: extract(image_set, extractor, store=store, workers=workers, progress=sets.progress, device=device)
        for role, image_set in _roles(sets).items()
    }
    names = extractor.feature_names()
    if extractor.standardise:
        values, names = _standardised(values, names)
    features = {
        role: Features(values[role], opened.patients[role], image_set.labels, _findings(image_set))
        for role, image_set in _roles(sets).items()
    }
    return Comparison(
        space=extractor.name,
        training=features["training"],
        synthetic=features["synthetic"],
        holdout=features.get("holdout"),
        reference=features.get("reference"),
        seed=sets.seed,
        memory=sets.memory,
        names=names,
    )


def _roles(sets: Sets) -> dict[Role, Any]:
    found: dict[Role, Any] = {"training": sets.training, "synthetic": sets.synthetic}
    if sets.holdout is not None:
        found["holdout"] = sets.holdout
    if sets.reference is not None:
        found["reference"] = sets.reference
    return found


def _standardised(
    values: Mapping[Role, np.ndarray], names: tuple[str, ...] | None
) -> tuple[dict[Role, np.ndarray], tuple[str, ...] | None]:
    """Columns by the training set's mean and standard deviation; columns that do not vary there are dropped."""
    training = values["training"].astype(np.float64)
    mean, spread = training.mean(axis=0), training.std(axis=0)
    varies = spread > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    if not varies.any():
        varies = np.ones_like(varies)
        spread = np.ones_like(spread)
    scaled = {
        role: ((own.astype(np.float64)[:, varies] - mean[varies]) / spread[varies]).astype(np.float32)
        for role, own in values.items()
    }
    kept = None if names is None else tuple(name for name, keep in zip(names, varies, strict=True) if keep)
    return scaled, kept


def _findings(image_set: Any) -> dict[str, np.ndarray] | None:
    names = sorted({name for entry in image_set.entries for name in entry.labels})
    if not names:
        return None
    return {name: np.array([entry.labels.get(name, np.nan) for entry in image_set.entries]) for name in names}
