"""The filter of the published pipeline, its defects mended: a network that recognises patients, as a hard veto.

Trichotomy compares a candidate with the one training image it was drawn for, by a siamese network in training mode
whose output is cut at 0.5, adds the flag to a score, and so lets flagged candidates win. Here the network is in
evaluation mode and has not seen the patients it searches among, every candidate is compared with all training
patients, the threshold is calibrated on near-duplicates and on fresh patients, and what is flagged is out. Which of
the candidates that are left is taken for each training image is decided elsewhere.

There are no weights and nothing is said about crowding: this is the published pipeline, and the audit judges it.

References
----------
M. Dombrowski, B. Kainz, arXiv:2506.17975 (2025); K. Packhaeuser et al., Scientific Reports 12 (2022) 14851.
"""

from __future__ import annotations

import numpy as np

from fourfold.errors import InputError
from fourfold.images import ImageSet
from fourfold.privacy import REPRESENTATIONS
from fourfold.releasing.screen.near_duplicates import NearDuplicates
from fourfold.releasing.screen.networks import REIDENTIFICATION, Networks, train_networks
from fourfold.releasing.screen.screen import Progress, Screened, ScreenOptions, known_near_duplicates, prepared_sets
from fourfold.releasing.screen.veto import veto

__all__ = ["screen_published"]


def screen_published(
    candidates: ImageSet,
    sources: np.ndarray,
    training: ImageSet,
    calibration: ImageSet,
    *,
    near_duplicates: NearDuplicates | None = None,
    options: ScreenOptions | None = None,
    networks: Networks | None = None,
    seed: int = 0,
    memory: int = 1 << 30,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Screened:
    """Screen candidates by re-identification alone.

    Parameters
    ----------
    candidates, training, calibration : ImageSet
        As for `screen`.
    sources : array of int, shape (M,)
        The training row that each candidate was drawn for; only for the figures, every patient is compared.
    near_duplicates, options, networks, seed, memory, device, progress
        As for `screen`; `networks` must hold the re-identification network.

    Returns
    -------
    Screened
        Without weights; accepted is what is not vetoed.

    Raises
    ------
    InputError
        Where the sets do not belong together, there are too few real images to calibrate on, or no re-identification
        network can be trained.
    """
    options = ScreenOptions() if options is None else options
    sources = np.asarray(sources)
    if sources.shape != (len(candidates),) or (
        len(sources) and not 0 <= sources.min() <= sources.max() < len(training)
    ):
        raise InputError("the published screen needs the row of a training image for every candidate")
    sets = prepared_sets(candidates, training, calibration)
    if networks is None:
        networks = train_networks(
            sets.training,
            sets.groups,
            [REIDENTIFICATION],
            seed=seed,
            steps=options.steps,
            device=device,
            memory=memory,
            progress=progress,
        )
    if REIDENTIFICATION not in networks.folds:
        raise InputError(
            "the published screen needs a network that recognises patients, and there are too few training patients "
            "with several images to train one; use the calibrated screen"
        )
    try:
        found = veto(
            sets.candidates,
            sets.training,
            sets.calibration,
            sets.groups,
            sets.calibration_groups,
            known_near_duplicates(sets, near_duplicates, options, seed),
            miss_rate=options.miss_rate,
            false_veto=options.false_veto,
            aspect=sets.aspect,
            # Pixel by pixel, to know holdout images that are training images.
            representations=REPRESENTATIONS[:1],
            more=networks.only([REIDENTIFICATION]).search,
            deciding=lambda name: name.startswith(REIDENTIFICATION),
            seed=seed,
            memory=memory,
            progress=progress,
        )
    except ValueError as problem:
        raise InputError(f"the screen cannot be calibrated: {problem}; give more real images") from problem
    others = found.vetoed & (found.groups[found.nearest] != found.groups[sources])
    figures = {
        "mode": "published",
        "candidates": len(candidates),
        "accepted": int((~found.vetoed).sum()),
        "calibration_patients": len(np.unique(sets.calibration_groups)),
        "asked": {"miss_rate": options.miss_rate, "false_veto": options.false_veto},
        "veto": found.figures(),
        "vetoed_for_another_patient": int(others.sum()),
        "embeddings": {},
        "crowding": {},
        "untrained_networks": [],
    }
    return Screened(found.vetoed, found.p, found.kind, {}, ~found.vetoed, found.nearest, figures)
