"""Opens the three sets together: what was asked for, what contradicts it, and who is whom.

The holdout is the control of nearly every score. An image or a patient that is also in training makes it no control
at all, so that is refused here and not merely noted, stray duplicates excepted, which are taken out.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fourfold.comparison import Progress, Role, Sets, no_progress
from fourfold.images import ImageSet, near_duplicate_groups, open_set, prepare
from fourfold.images.digest import set_digest
from fourfold.images.leakage import without_leakage
from fourfold.privacy import refuse_dependent_holdout

__all__ = ["Opened", "SetSummary", "open_sets"]


@dataclass(frozen=True)
class SetSummary:
    """What a report says about one set.

    `path` and `skipped` name files and stay out of the shareable report.
    """

    role: Role
    path: str
    images: int
    patients: int | None
    labels: Mapping[str, int]
    shape: tuple[int, ...]
    digest: str
    skipped: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Opened:
    """The prepared sets with what is known about them.

    Parameters
    ----------
    sets : Sets
    patients : mapping of role to array of int, shape (N,), or None
        Numbers shared by training, holdout and reference; where identifiers are missing, near-duplicate groups stand
        in. Those of the synthetic set are None unless it brings its own.
    digests : mapping of role to str
        SHA-256 over the contents, labels and patients of each set, in order.
    summaries : mapping of role to SetSummary
    notes : tuple of str
        What limits every score, a sentence each.
    """

    sets: Sets
    patients: Mapping[Role, np.ndarray | None]
    digests: Mapping[Role, str]
    summaries: Mapping[Role, SetSummary]
    notes: tuple[str, ...]


def open_sets(
    synthetic: Any,
    training: Any,
    holdout: Any | None,
    reference: Any | None = None,
    *,
    splits: Mapping[Role, str] | None = None,
    columns: Mapping[str, str | None] | None = None,
    root: str | os.PathLike[str] | None = None,
    size: Any = None,
    channels: int | None = None,
    scaling: str = "auto",
    volumes: bool = False,
    slices: bool = False,
    skip_broken: bool = False,
    seed: int = 0,
    thorough: bool = False,
    memory: int = 1 << 30,
    progress: Progress = no_progress,
) -> Opened:
    """Open, compare and prepare the three sets.

    Parameters
    ----------
    synthetic, training, holdout, reference
        Whatever `fourfold.images.open_set` opens; holdout and reference may be None.
    splits : mapping of role to str or None
        The value of the split column that belongs to each role.
    columns, root, volumes, slices, skip_broken
        As for `fourfold.images.open_set`.
    size, channels, scaling
        As for `fourfold.images.prepare`.
    seed, thorough, memory, progress
        As in `Sets`.

    Returns
    -------
    Opened

    Raises
    ------
    InputError
        Where a set cannot be read, the sets disagree in size, channels or scaling, two real sets share images or
        patients, or the holdout holds other images of training patients.
    """
    asked: dict[Role, Any] = {"training": training, "synthetic": synthetic}
    if holdout is not None:
        asked["holdout"] = holdout
    if reference is not None:
        asked["reference"] = reference
    found: dict[Role, ImageSet] = {}
    for place, (role, source) in enumerate(asked.items()):
        progress("opening the sets", place, len(asked))
        found[role] = open_set(
            source,
            name=role,
            columns=columns,
            split=(splits or {}).get(role),
            root=root,
            volumes=volumes,
            slices=slices,
            skip_broken=skip_broken,
        )
    progress("opening the sets", len(asked), len(asked))
    contents = {role: image_set.digests() for role, image_set in found.items()}
    strays = []
    for control, other in (("holdout", "training"), ("reference", "training"), ("reference", "holdout")):
        if control in found and other in found:
            own, others = contents[control], set(contents[other])
            found[control], sentence = without_leakage(found[control], found[other], own, contents[other])
            contents[control] = [content for content in own if content not in others]
            strays.append(sentence)
    prepared = prepare(found, size=size, channels=channels, scaling=scaling)
    notes = [*filter(None, strays), *_limits(prepared)]
    patients, stand_in = _patients(prepared)
    if stand_in:
        notes.append(stand_in)
    prepared = {role: _with_stand_ins(image_set, patients[role]) for role, image_set in prepared.items()}
    sets = Sets(
        training=prepared["training"],
        synthetic=prepared["synthetic"],
        holdout=prepared.get("holdout"),
        reference=prepared.get("reference"),
        seed=seed,
        thorough=thorough,
        memory=memory,
        progress=progress,
    )
    refuse_dependent_holdout(sets)
    digests = {role: set_digest(image_set, contents[role], patients[role]) for role, image_set in prepared.items()}
    summaries = {
        role: SetSummary(
            role=role,
            path=str(asked[role]) if isinstance(asked[role], str) or hasattr(asked[role], "__fspath__") else "memory",
            images=len(image_set),
            patients=None if found[role].patients is None else len(np.unique(found[role].patients)),
            labels=dict(Counter([] if image_set.labels is None else image_set.labels.tolist())),
            shape=image_set.shape,
            digest=digests[role],
            skipped=tuple((skipped.path, skipped.reason) for skipped in image_set.skipped),
        )
        for role, image_set in prepared.items()
    }
    return Opened(sets, patients, digests, summaries, tuple(notes))


def _limits(sets: Mapping[Role, ImageSet]) -> list[str]:
    notes = []
    if "holdout" not in sets:
        notes.append(
            "There is no holdout: whether an image is nearer to its training patients than a fresh patient would be "
            "cannot be told, and the nulls come from formulas or from halves of the training set."
        )
    for role, image_set in sets.items():
        if image_set.skipped:
            notes.append(f"{len(image_set.skipped)} files of the {role} set could not be read and were left out.")
    labelled = {role for role, image_set in sets.items() if image_set.labels is not None}
    if labelled and labelled != set(sets):
        missing = ", ".join(sorted(set(sets) - labelled))
        notes.append(f"The {missing} set has no labels, so scores that need them do not apply.")
    return notes


def _patients(sets: Mapping[Role, ImageSet]) -> tuple[dict[Role, np.ndarray | None], str | None]:
    """Numbers for patients, shared between training and holdout, and a sentence where groups stand in."""
    real = [role for role in ("training", "holdout", "reference") if role in sets]
    names: dict[Role, np.ndarray] = {}
    without = [role for role in real if sets[role].patients is None]
    for role in real:
        own = sets[role].patients
        if own is None:
            groups = near_duplicate_groups(sets[role])
            names[role] = np.array([f"{role} group {group}" for group in groups])
        else:
            names[role] = np.array([f"patient {patient}" for patient in own])
    numbers = np.unique(np.concatenate([names[role] for role in real]), return_inverse=True)[1].reshape(-1)
    found: dict[Role, np.ndarray | None] = {"synthetic": None}
    start = 0
    for role in real:
        found[role] = numbers[start : start + len(names[role])]
        start += len(names[role])
    own = sets["synthetic"].patients
    if own is not None:
        found["synthetic"] = np.unique(own, return_inverse=True)[1].reshape(-1)
    if not without:
        return found, None
    which = " and ".join(without)
    return found, (
        f"The {which} set has no patient identifiers: groups of near-duplicate images stand in for patients, "
        "so two images of one patient that look different count as two people."
    )


def _with_stand_ins(image_set: ImageSet, numbers: np.ndarray | None) -> ImageSet:
    """The set with group numbers where it has no patient identifiers."""
    if numbers is None or image_set.patients is not None:
        return image_set
    entries = tuple(
        replace(entry, patient=f"group {number}") for entry, number in zip(image_set.entries, numbers, strict=True)
    )
    return replace(image_set, entries=entries)
