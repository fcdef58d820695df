"""Restored or translated images beside their targets, with what doing nothing and what strangers would score."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourfold import __version__
from fourfold.comparison import Progress, no_progress
from fourfold.devices import check_device
from fourfold.errors import InputError
from fourfold.fidelity.paired import unrelated_pairs
from fourfold.fidelity.similarity import PairDistance
from fourfold.images import ImageSet, near_duplicate_groups
from fourfold.images.digest import set_digest
from fourfold.images.reading import Reading, left_out
from fourfold.pairing.limits import limits_of
from fourfold.pairing.matching import match_sets
from fourfold.pairing.means import Mean, mean_of_patients, mean_of_unrelated
from fourfold.pairing.measures import Measure, open_measures
from fourfold.pairing.results import NullSource, PairedSet, PairedSets, PairedValues

__all__ = ["paired"]

# Images of a batch, fewer where they are large: what a measure holds at a time grows with both.
_AT_ONCE = 16
_PIXELS_AT_ONCE = 1 << 22
_EQUAL = PairDistance(
    "equal", "higher", "-", lambda x, y: (x == y).reshape(len(x), -1).all(axis=1).astype(np.float64), (0.0, 1.0)
)


def paired(
    restored: Any,
    targets: Any,
    inputs: Any | None = None,
    *,
    match: str = "name",
    measures: Sequence[str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = no_progress,
    **reading: Any,
) -> PairedSets:
    """Measure how near images are to the images they should be.

    Parameters
    ----------
    restored, targets, inputs
        Whatever `fourfold.images.open_set` opens: images that were made, images that they should be, and, where there
        are any, the untreated images that the first were made from.
    match : str
        Which images are partners: ``"name"``, ``"order"`` or ``"column:NAME"``, see
        `fourfold.pairing.matching.match_sets`.
    measures : sequence of str or None
        ``"psnr"``, ``"ssim"``, ``"ms_ssim"``, ``"lpips-alex:BACKBONE,HEADS"`` (or ``vgg``, ``squeeze``),
        ``"dists:BACKBONE"``, ``"dreamsim:CACHE_DIR"``; None for the first three as far as images are large enough.
    seed : int
        Of which images are set against those of other patients, and of the bootstrap.
    device : str
        Where networks run.
    progress : callable
        Called with (task, done, total).
    **reading
        The arguments of `fourfold.images.reading.Reading`: splits, columns, root, volumes, slices, skip_broken, size,
        channels, scaling. The targets decide which values become 0 and 1.

    Returns
    -------
    PairedSets

    Raises
    ------
    InputError
        Where a set cannot be read, images have no partner or two, partners are of different patients, or the sets
        differ in size, channels or scaling.
    """
    started = time.perf_counter()
    check_device(device)
    how = Reading(**reading)
    sources = {"targets": targets, "restored": restored, **({} if inputs is None else {"inputs": inputs})}
    opened = {role: how.open_one(source, role) for role, source in sources.items()}
    said = left_out(opened)
    sets = how.prepare(match_sets(opened, match))
    preparation = sets["targets"].preparation
    if how.scaling == "auto" and preparation.rule == "per-image":
        raise InputError(
            "the targets differ too much in scale for one range of values, and scaling each image by its own "
            "percentiles would hide errors of brightness; give the range with --scaling LOW:HIGH, or --scaling "
            "per-image where brightness does not matter"
        )
    chosen, missing = open_measures(measures, sets["targets"].shape, device)
    patients, identified = _patients(sets)
    found = _found(sets, chosen, patients, seed, progress)
    count = len(np.unique(patients))
    values = tuple(_summary(one, found, patients, seed) for one in chosen)
    settings = {
        "match": match,
        "seed": seed,
        "device": device,
        "fourfold": __version__,
        "seconds": round(time.perf_counter() - started, 1),
    }
    notes = limits_of(
        values,
        preparation,
        patients=count,
        identified=identified,
        equal=int(found.restored[_EQUAL.name].sum()),
        related_only=found.unrelated_rows is None,
    )
    return PairedSets(
        sets={role: PairedSet(images, set_digest(images)) for role, images in sets.items()},
        measures=values,
        patients=count,
        identified=identified,
        preparation=preparation.describe(),
        settings=settings,
        notes=(*said, *missing, *notes),
    )


def _patients(sets: Mapping[str, ImageSet]) -> tuple[np.ndarray, bool]:
    """Numbers for the patients of the pairs, and whether they are patients or stand-ins for them."""
    known = {role: images.patients for role, images in sets.items() if images.patients is not None}
    if not known:
        return np.asarray(near_duplicate_groups(sets["targets"])), False
    (first, own), *others = known.items()
    for role, patients in others:
        wrong = np.flatnonzero(own != patients)
        if len(wrong):
            row = int(wrong[0])
            raise InputError(
                f"{sets[first].paths[row]} of the {first} set and {sets[role].paths[row]} of the {role} set are a pair "
                f"of different patients ({len(wrong)} of {len(own)} pairs are); match them otherwise, or correct the "
                "patients"
            )
    return np.unique(own, return_inverse=True)[1].reshape(-1), True


@dataclass(frozen=True)
class _Found:
    """Values of every measure, an entry a pair, for each kind of pair that there is."""

    restored: Mapping[str, np.ndarray]
    inputs: Mapping[str, np.ndarray]
    unrelated: Mapping[str, np.ndarray]
    unrelated_rows: tuple[np.ndarray, np.ndarray] | None


def _found(
    sets: Mapping[str, ImageSet], measures: Sequence[Measure], patients: np.ndarray, seed: int, progress: Progress
) -> _Found:
    """Restored images and inputs against their targets, and restored images against the targets of other patients."""
    every = np.arange(len(patients))
    distances = [one.distance for one in measures]
    targets, restored = sets["targets"], sets["restored"]
    own = _measured([*distances, _EQUAL], restored, every, targets, every, progress, "restored images")
    untreated: dict[str, np.ndarray] = {}
    if "inputs" in sets:
        untreated = _measured(distances, sets["inputs"], every, targets, every, progress, "untreated inputs")
    rows = unrelated_pairs(patients, seed)
    strangers: dict[str, np.ndarray] = {}
    if rows is not None:
        strangers = _measured(distances, restored, rows[0], targets, rows[1], progress, "unrelated images")
    return _Found(own, untreated, strangers, rows)


def _measured(
    distances: Sequence[PairDistance],
    images: ImageSet,
    rows: np.ndarray,
    targets: ImageSet,
    others: np.ndarray,
    progress: Progress,
    task: str,
) -> dict[str, np.ndarray]:
    """Every measure of image ``rows[i]`` against target ``others[i]``, a few images in memory at a time."""
    step = max(1, min(_AT_ONCE, _PIXELS_AT_ONCE // int(np.prod(targets.shape))))
    parts: dict[str, list[np.ndarray]] = {distance.name: [] for distance in distances}
    for start in range(0, len(rows), step):
        x, y = images.load(rows[start : start + step]), targets.load(others[start : start + step])
        for distance in distances:
            parts[distance.name].append(distance.measure(x, y))
        progress(f"measuring {task}", min(start + step, len(rows)), len(rows))
    return {name: np.concatenate(found) for name, found in parts.items()}


def _summary(measure: Measure, found: _Found, patients: np.ndarray, seed: int) -> PairedValues:
    name, limits = measure.name, measure.distance.limits
    values, untreated, strangers = found.restored[name], found.inputs.get(name), found.unrelated.get(name)
    mean = mean_of_patients(values, patients, seed=seed)
    unrelated = apart = None
    if found.unrelated_rows is not None and strangers is not None:
        rows, others = found.unrelated_rows
        unrelated = mean_of_unrelated(strangers, patients[rows], patients[others], limits)
        apart = mean_of_unrelated(values[rows] - strangers, patients[rows], patients[others])
    null: Mean | None = unrelated
    gain: Mean | None = apart
    source: NullSource | None = None if unrelated is None else "pairs of unrelated images"
    if untreated is not None:
        null = mean_of_patients(untreated, patients, seed=seed)
        gain = mean_of_patients(values - untreated, patients, seed=seed)
        source = "untreated inputs"
    return PairedValues(
        name=name,
        better=measure.distance.better,
        source=measure.distance.source,
        lies=measure.lies,
        settings=measure.settings,
        mean=mean,
        null=null,
        null_source=source,
        gain=gain,
        unrelated=unrelated,
        values=values,
        untreated=untreated,
        strangers=strangers,
    )
