"""The choice of the published pipeline: for every source image the candidate that a classifier sees most like it.

With two of its defects mended. A candidate that the screen vetoed is out, however consistent it is, where the paper's
code adds a penalty that a consistent candidate can outweigh; a source all of whose candidates are vetoed is given up.
And the classifier that ranks is not the one that judges utility, nor has it seen the source (see `consistency`).
"""

from __future__ import annotations

import numpy as np

from fourfold.comparison import Progress, no_progress
from fourfold.errors import InputError
from fourfold.images.sets import ImageSet
from fourfold.releasing.selection.consistency import source_consistency
from fourfold.releasing.selection.contents import content_keys, first_of_each
from fourfold.releasing.selection.features import FEATURES, selection_features
from fourfold.releasing.selection.selection import Selection, label_sets
from fourfold.releasing.selection.strata import FEWEST_CARRIERS, rare_labels
from fourfold.utility.tasks import Labelled, NoTaskError

__all__ = ["select_published"]


def select_published(
    candidates: ImageSet,
    allowed: np.ndarray,
    sources: np.ndarray,
    training: ImageSet,
    *,
    fewest: int = FEWEST_CARRIERS,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Selection:
    """One candidate for every source image that has any left.

    Parameters
    ----------
    candidates : ImageSet
        M images, prepared with the training set, labelled as their sources.
    allowed : array of bool, shape (M,)
        What the screen let through.
    sources : array of int, shape (M,)
        Training row that each candidate was drawn from.
    training : ImageSet
        N images with labels.
    fewest : int
        Training patients that must carry a label, or combination of findings, for it to be released.
    seed, progress
        As everywhere.

    Returns
    -------
    Selection
        `label_gate` is True throughout: this mode ranks and has no gate. The order says nothing about the sources.

    Raises
    ------
    InputError
        Where arrays do not fit the sets, or the training set has no labels to learn from.

    References
    ----------
    Dombrowski & Kainz 2025, arXiv:2506.17975.
    """
    size = len(candidates)
    allowed, sources = np.asarray(allowed, dtype=bool), np.asarray(sources)
    for name, column in (("allowed", allowed), ("sources", sources)):
        if column.shape != (size,):
            raise InputError(f"{name} must have one entry for each of the {size} candidates")
    if size and not 0 <= sources.min() <= sources.max() < len(training):
        raise InputError(f"sources must be rows of the training set, 0 to {len(training) - 1}")
    try:
        task = Labelled.from_images("training", training)
    except NoTaskError as none:
        raise InputError(f"candidates cannot be ranked by their label: {none}; label the training set") from none
    names, real, _ = label_sets(candidates, training, None)
    released = real[~np.isin(real, sorted(rare_labels(training, fewest)))]
    carried = np.isin(names, released)
    keys = content_keys(candidates, seed, progress)
    entropy = source_consistency(
        selection_features(candidates, progress), sources, selection_features(training, progress), task, seed=seed
    )
    rows = np.flatnonzero(allowed & carried)
    # Equal consistency is settled by the pixels, whatever the order of the candidates.
    order = rows[np.lexsort((keys[rows], entropy[rows], sources[rows]))]
    best = order[np.unique(sources[order], return_index=True)[1]]
    final = best[first_of_each(keys[best], names[best])]
    figures = {
        "candidates": size,
        "allowed": int(allowed.sum()),
        "rare_labels": {"fewer_than": fewest, "candidates": int(np.sum(~carried))},
        "duplicates": len(best) - len(final),
        "sources": len(np.unique(sources)),
        "given_up": len(np.unique(sources)) - len(best),
        "consistency": {
            "all": float(entropy.mean()) if size else None,
            "chosen": float(entropy[final].mean()) if len(final) else None,
        },
        "method": {"name": "published", "features": FEATURES, "calibrated": False},
        "images": len(final),
    }
    return Selection(final.astype(np.int64), np.ones(size, dtype=bool), figures)
