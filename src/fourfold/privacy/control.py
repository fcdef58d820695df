"""Refuses a holdout that holds other images of training patients, and scores how independent it is.

`refuse_dependent_holdout` looks at small images before any feature exists, and refuses at overwhelming evidence only:
a refusal that is wrong stops somebody's work. `holdout_independence` asks the same of every feature space and marks
the verdict as blocked from weaker evidence on. Signals and their sources: `fourfold.privacy.independence`.

Measured on 32 x 32 pixels without identifiers, training to holdout 1:1, 5:1 and 1:5 (`benchmarks/holdout_control.py`).
Of some 750 splits by patient or in blocks of file names (NIH, Kermany, BUSI, Cheng, hippocampus, phantoms; 100 to 4
000 images) none was refused, the largest certain excess being -0.01 where 0.05 refuses. Split by image, Cheng's brain
slices are refused in every draw (28 to 64 % of the holdout looks like a sibling, 1 to 3 % expected), and so are
phantoms with up to four images a patient unless the training set is the small one, which leaves few siblings.
Radiographs with one or two films a patient are not: 32 x 32 pixels do not tell a sibling from a stranger. The order of
the names marks them as blocked, Kermany in every draw, NIH at 1:1 in most.
"""

from __future__ import annotations

import re

import numpy as np

from fourfold.comparison import Sets, Spaces
from fourfold.errors import InputError
from fourfold.images.sets import ImageSet
from fourfold.privacy.contrast import Z_95, clipped
from fourfold.privacy.independence import LEAST, Independence, holdout_signals, merged_places
from fourfold.privacy.warps import area_matrix
from fourfold.score import Metric, Score, does_not_apply, register

__all__ = ["blocking_sentence", "holdout_independence", "patients_are_known", "refuse_dependent_holdout", "thumbnails"]

SOURCE = (
    "patient-aware nearest-neighbour ratio of the holdout against that of training images without their own patient"
)

LARGEST_TRAINING, LARGEST_HOLDOUT = 20_000, 2_000
"""Images that are looked at before features exist; drawn at random from larger sets."""

REFUSED_ERRORS, REFUSED_MARGIN = 5.0, 0.05
"""Standard errors, and excess share of sibling-like images, from which a holdout is refused."""

BLOCKED_ERRORS, BLOCKED_MARGIN, BLOCKED_ADJACENCY_ERRORS = 3.5, 0.05, 4.0

_SIDES = {2: 32, 3: 16}
_SLABS = 8
_BATCH_BYTES = 1 << 26


def refuse_dependent_holdout(sets: Sets) -> None:
    """Refuse a holdout that is no control.

    Parameters
    ----------
    sets : Sets
        Prepared; `Entry.patient` may hold the stand-ins of `fourfold.opening`.

    Raises
    ------
    InputError
        Where the holdout, far beyond chance, holds other images of training patients.
    """
    if sets.holdout is None or min(len(sets.training), len(sets.holdout)) < LEAST:
        return
    training = _drawn(sets.training, LARGEST_TRAINING, [sets.seed, 41])
    holdout = _drawn(sets.holdout, LARGEST_HOLDOUT, [sets.seed, 42])
    task = "comparing the holdout with training"
    sets.progress(task, 0, len(training) + len(holdout))
    pixels = [thumbnails(training), thumbnails(holdout)]
    found = _signals(pixels[0], pixels[1], training, holdout, sets.memory)
    sets.progress(task, len(training) + len(holdout), len(training) + len(holdout))
    if found is None or found.siblings.beyond(REFUSED_ERRORS) <= REFUSED_MARGIN:
        return
    example = holdout.paths[int(np.argmax(found.sibling_like))]
    raise InputError(
        f"the holdout seems to hold other images, or slices, of training patients: {found.siblings.value:.0%} of "
        f"{len(holdout)} images that were compared have a training image as near as another image of the same patient "
        f"would be (expected of other patients: {found.siblings.expected:.0%}), for example {example}; "
        "a holdout must hold other patients: split by patient (fourfold split), and name the column with the patients "
        "if there is one (--column patient=NAME)"
    )


def holdout_independence(spaces: Spaces) -> list[Score]:
    """Share of holdout images that look like another image of a training patient, in every feature space.

    Parameters
    ----------
    spaces : Spaces

    Returns
    -------
    list of Score
        One a space. ``details["blocker"]`` is None, or the sentence why the holdout is no control.
    """
    fields = {"better": "null", "source": SOURCE}
    sets = spaces.sets
    if sets.holdout is None:
        return [does_not_apply("privacy", "holdout_independence", "there is no holdout", **fields)]
    scores = []
    for name, comparison in spaces.comparisons.items():
        training, holdout = comparison.set("training").values, comparison.set("holdout").values
        found = _signals(training, holdout, sets.training, sets.holdout, comparison.memory)
        if found is None:
            reason = f"needs {LEAST} training and {LEAST} holdout images"
            scores.append(does_not_apply("privacy", "holdout_independence", reason, features=name, **fields))
            continue
        seen, half = found.siblings, Z_95 * found.siblings.standard_error
        details = {
            "blocker": blocking_sentence(found),
            "siblings": _described(found.siblings),
            "adjacency": _described(found.adjacency),
            "runs": _described(found.runs),
            "images_come_in_runs": found.runs is not None and found.runs.beyond(BLOCKED_ADJACENCY_ERRORS) > 0.1,
        }
        scores.append(
            Score(
                "privacy",
                "holdout_independence",
                seen.value,
                null=seen.expected,
                interval=clipped((seen.value - half, seen.value + half), (0.0, 1.0)),
                null_interval=clipped((seen.expected - half, seen.expected + half), (0.0, 1.0)),
                null_source="training without the own patient",
                features=name,
                details=details,
                **fields,
            )
        )
    return scores


def blocking_sentence(found: Independence) -> str | None:
    """Why a holdout with these signals is no control; None where nothing speaks against it."""
    if found.siblings.beyond(BLOCKED_ERRORS) > BLOCKED_MARGIN:
        return (
            "the holdout seems to hold other images of training patients: "
            f"{found.siblings.value:.0%} of its images lie as near to one training patient as their own images would "
            f"({found.siblings.expected:.0%} expected), so that it hides copies and membership"
        )
    if found.adjacency is not None and found.adjacency.beyond(BLOCKED_ADJACENCY_ERRORS) > 0:
        return (
            "training and holdout images with neighbouring file names are more alike than those a few names apart "
            f"(in {found.adjacency.value:.1%} of the pairs, 50 % expected): patients seem to run across both sets"
        )
    return None


def patients_are_known(image_set: ImageSet) -> bool:
    """Whether images carry patient identifiers, and not the groups that stand in for them (``"group 12"``)."""
    patients = image_set.patients
    return patients is not None and not all(re.fullmatch(r"group \d+", str(patient)) for patient in set(patients))


def thumbnails(image_set: ImageSet) -> np.ndarray:
    """Every image as a small vector with mean 0 and norm 1.

    Parameters
    ----------
    image_set : ImageSet
        Prepared; read in batches.

    Returns
    -------
    array, shape (N, d)
        float32; 32 x 32 pixels a channel, or 8 slabs of 16 x 16. Zeros for a constant image.
    """
    channels, *depth, height, width = image_set.shape
    side = _SIDES[2 + len(depth)]
    rows, columns = area_matrix(height, min(side, height)), area_matrix(width, min(side, width))
    slabs = area_matrix(depth[0], min(depth[0], _SLABS)) if depth else None
    found = np.empty((len(image_set), channels * (len(slabs) if depth else 1) * len(rows) * len(columns)), np.float32)
    batch_size = int(np.clip(_BATCH_BYTES // (4 * int(np.prod(image_set.shape))), 1, 256))
    for start, batch in image_set.batches(batch_size):
        small = np.matmul(np.matmul(rows, batch), columns.T)
        if slabs is not None:
            small = np.einsum("sd,ncdhw->ncshw", slabs, small)
        vectors = small.reshape(len(batch), -1)
        vectors = vectors - vectors.mean(axis=1, keepdims=True)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        steady = norms <= 1e-6 * np.sqrt(vectors.shape[1])
        found[start : start + len(batch)] = np.where(steady, 0.0, vectors / np.where(steady, 1.0, norms))
    return found


def _signals(
    training: np.ndarray, holdout: np.ndarray, training_set: ImageSet, holdout_set: ImageSet, memory: int
) -> Independence | None:
    places = merged_places(training_set.paths, holdout_set.paths)
    return holdout_signals(
        training,
        holdout,
        *places,
        training_patients=training_set.patients,
        holdout_patients=holdout_set.patients,
        known=patients_are_known(training_set),
        memory=memory,
    )


def _drawn(image_set: ImageSet, largest: int, seed: list[int]) -> ImageSet:
    if len(image_set) <= largest:
        return image_set
    return image_set.take(np.sort(np.random.default_rng(seed).choice(len(image_set), largest, replace=False)))


def _described(signal: object) -> dict[str, float] | None:
    return None if signal is None else {name: float(value) for name, value in vars(signal).items()}


register(
    Metric(
        axis="privacy",
        name="holdout_independence",
        kind="spaces",
        better="null",
        summary="holdout images that look like another image of a training patient, which would make it no control",
        null="training images, their own patients set aside",
        cost="O((N + H) N d)",
        source=SOURCE,
        compute=holdout_independence,
        needs=("holdout",),
    )
)
