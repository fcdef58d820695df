"""The opened sets in a feature space: extracted once, scaled alike, with what is known of each image beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fourfold.comparison import Comparison, Features, Role, Sets
from fourfold.engine import LOCAL, Engine
from fourfold.features import FeatureExtractor, FeatureStore, extract
from fourfold.features.remote import RemoteStore
from fourfold.features.standardisation import standardised
from fourfold.neighbors.searches import EXACT, Searching
from fourfold.opening import Opened

__all__ = ["compared_in"]


def compared_in(
    opened: Opened,
    extractor: FeatureExtractor,
    store: FeatureStore | None,
    workers: int = 0,
    device: str = "cpu",
    depth: int = 5,
    *,
    engine: Engine = LOCAL,
    features_to: str | None = None,
    searching: Searching = EXACT,
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
    depth, searching
        Of the comparison.
    engine : Engine
        Where features are computed.
    features_to : str or None
        URL where the workers keep features, instead of in `store`.

    Raises
    ------
    InputError
        As for `fourfold.features.extract`.
    """
    sets = opened.sets
    # Patients in no other set, where there are any: what is learned from them favours nobody.
    others = sets.training if sets.reference is None else sets.reference
    folder = store.folder / "networks" if isinstance(store, FeatureStore) else None
    extractor.learn(others, folder=folder, device=device, progress=sets.progress)
    kept = store if features_to is None else RemoteStore(features_to)
    values = {
        role: extract(
            image_set,
            extractor,
            store=kept,
            workers=workers,
            progress=sets.progress,
            device=device,
            engine=engine,
        )
        for role, image_set in _roles(sets).items()
    }
    names = extractor.feature_names()
    if extractor.standardise:
        values, names = standardised(values["training"], values, names)
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
        distance=extractor.distance,
        seed=sets.seed,
        memory=sets.memory,
        names=names,
        depth=depth,
        searching=searching,
    )


def _roles(sets: Sets) -> dict[Role, Any]:
    found: dict[Role, Any] = {"training": sets.training, "synthetic": sets.synthetic}
    if sets.holdout is not None:
        found["holdout"] = sets.holdout
    if sets.reference is not None:
        found["reference"] = sets.reference
    return found


def _findings(image_set: Any) -> dict[str, np.ndarray] | None:
    names = sorted({name for entry in image_set.entries for name in entry.labels})
    if not names:
        return None
    return {name: np.array([entry.labels.get(name, np.nan) for entry in image_set.entries]) for name in names}
