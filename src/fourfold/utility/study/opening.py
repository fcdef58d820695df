"""From sets as a user has them to the problems of a study: opened, held against each other, prepared alike, in memory.

The test patients are the control of every number, so a test set that shares patients or images with the training set
is refused, and so are fresh real images that share any with either.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from fourfold.errors import InputError
from fourfold.images import ImageSet, near_duplicate_groups
from fourfold.images.digest import set_digest
from fourfold.images.leakage import without_leakage
from fourfold.images.reading import Reading, left_out
from fourfold.utility.learning.contract import Examples, Task
from fourfold.utility.study.plan import FRESH, REAL
from fourfold.utility.study.problem import Problem
from fourfold.utility.study.results import SetCounts

__all__ = ["Reading", "StudySets", "named", "open_study_sets", "problems_of"]

TEST = "test"
_ROLES = {"training": REAL, "holdout": TEST, "fresh": FRESH}
_RESERVED = (REAL, TEST, FRESH, "augmentation", *_ROLES)


@dataclass(frozen=True)
class StudySets:
    """The prepared sets.

    Parameters
    ----------
    images : mapping of str to ImageSet
        ``"real"``, ``"test"``, optionally ``"fresh real"``, and every synthetic set by its name.
    counts : mapping of str to SetCounts
    notes : tuple of str
        What limits the study, a sentence each.
    """

    images: Mapping[str, ImageSet]
    counts: Mapping[str, SetCounts]
    notes: tuple[str, ...]


def named(synthetic: Any) -> dict[str, Any]:
    """Synthetic sets by their names: a mapping as it is, else each by the name of its folder or file.

    Raises
    ------
    InputError
        Where a name is one that the study needs for itself, or there is no set.
    """
    if not isinstance(synthetic, Mapping):
        several = synthetic if isinstance(synthetic, list | tuple) else [synthetic]
        found: dict[str, Any] = {}
        for place, source in enumerate(several):
            known = isinstance(source, str | os.PathLike)
            name = PurePath(source).stem if known else ""
            name = name or f"synthetic {place + 1}"
            found[name if name not in found and name not in _RESERVED else f"{name} ({place + 1})"] = source
        synthetic = found
    if not synthetic:
        raise InputError("a study needs a synthetic set or more")
    wrong = next((name for name in synthetic if name in _RESERVED), None)
    if wrong is not None:
        raise InputError(f"a synthetic set cannot be called {wrong!r}, as a study has a set of its own of that name")
    return dict(synthetic)


def open_study_sets(
    synthetic: Mapping[str, Any],
    train: Any,
    holdout: Any,
    fresh: Any | None = None,
    *,
    fresh_part: float | None = None,
    reading: Reading | None = None,
    memory: int = 1 << 30,
    seed: int = 0,
    progress: Callable[[str, int, int], None],
) -> StudySets:
    """Open, compare and prepare the sets.

    Parameters
    ----------
    synthetic : mapping of str to whatever `fourfold.images.open_set` opens
    train, holdout, fresh
        Likewise; the holdout is who is tested on, `fresh` further real patients who are in neither.
    fresh_part : float or None
        In place of `fresh`: this share of the patients of the holdout, who are then not tested on.
    reading : Reading or None
    memory : int
        Bytes for images; where the sets do not fit, as many of each are drawn by patient, which is noted.
    seed : int
    progress : callable

    Returns
    -------
    StudySets

    Raises
    ------
    InputError
        Where a set cannot be read, the sets disagree, or two real ones share images or patients.
    """
    if holdout is None:
        raise InputError("a study needs a holdout: real patients who are in no training set, to be tested on")
    if fresh is not None and fresh_part is not None:
        raise InputError("fresh real images come from a set of their own or from a part of the holdout, not from both")
    if fresh_part is not None and not 0 < fresh_part < 1:
        raise InputError(f"the part of the holdout that is taken as fresh is between 0 and 1, got {fresh_part:g}")
    reading = Reading() if reading is None else reading
    sources = {"training": train, "holdout": holdout} | ({} if fresh is None else {"fresh": fresh})
    opened = {role: reading.open_one(source, role) for role, source in sources.items()}
    opened |= {name: reading.open_one(source, name, "synthetic") for name, source in synthetic.items()}
    progress("opening the sets", 1, 3)
    notes = _without_leaks(opened)
    _refuse_tested(opened, synthetic)
    notes += left_out(opened)
    identified = {role: images.patients is not None for role, images in opened.items()}
    prepared = reading.prepare(opened)
    without = [role for role in sources if not identified[role]]
    for role in without:
        prepared[role] = _with_stand_ins(prepared[role])
    if without:
        notes.append(
            f"The {' and '.join(without)} set has no patient identifiers: groups of near-duplicate images stand in for "
            "patients."
        )
    progress("opening the sets", 2, 3)
    if fresh_part is not None:
        prepared["holdout"], prepared["fresh"] = _parted(prepared["holdout"], fresh_part, seed)
        identified["fresh"] = identified["holdout"]
        notes.append(
            f"{len(prepared['fresh'])} images of the holdout were set aside as fresh real ones and not tested on."
        )
    notes += _fitted(prepared, memory, seed)
    images = {_ROLES.get(role, role): one for role, one in prepared.items()}
    counts = {
        _ROLES.get(role, role): SetCounts(
            len(one), len(np.unique(one.patients)) if identified[role] else None, set_digest(one)
        )
        for role, one in prepared.items()
    }
    progress("opening the sets", 3, 3)
    return StudySets(images, counts, tuple(notes))


def problems_of(
    sets: StudySets, task: Task, second: Task | None, columns: Sequence[str], progress: Callable[[str, int, int], None]
) -> list[Problem]:
    """The sets in memory as what is learned and tested, for the task and for a second one.

    Raises
    ------
    InputError
        Where a set lacks the labels, or the test set has no column of a subgroup.
    """
    examples = {}
    for number, (name, images) in enumerate(sets.images.items()):
        progress("reading the images", number, len(sets.images))
        examples[name] = task.examples(images)
    progress("reading the images", len(sets.images), len(sets.images))
    test = examples.pop(TEST)
    for column in columns:
        if column not in test.groups:
            known = ", ".join(sorted(test.groups)) or "none"
            raise InputError(f"the test set has no column {column!r} to divide it by; its further columns are: {known}")
    first = Problem("intra-task", task, {name: _bare(one) for name, one in examples.items()}, test)
    if second is None:
        return [first]
    real, tested = (
        # The pixels are the same, and they are held once.
        replace(second.examples(sets.images[name]), images=own.images)
        for name, own in ((REAL, examples[REAL]), (TEST, test))
    )
    return [first, Problem("cross-task", second, {REAL: _bare(real)}, tested, first)]


def _bare(examples: Examples) -> Examples:
    return replace(examples, groups={})


def _without_leaks(opened: dict[str, ImageSet]) -> list[str]:
    """Take stray duplicates out of the controls, in place; refuse shared patients."""
    notes = []
    for control, other in (("holdout", "training"), ("fresh", "training"), ("fresh", "holdout")):
        if control in opened and other in opened:
            opened[control], sentence = without_leakage(opened[control], opened[other])
            notes += [sentence] if sentence else []
    return notes


def _refuse_tested(opened: Mapping[str, ImageSet], synthetic: Mapping[str, Any]) -> None:
    """Raise InputError where a synthetic set holds images that are tested on: it would be learning the answers."""
    tested = set(opened["holdout"].digests())
    for name in synthetic:
        shared = sum(digest in tested for digest in opened[name].digests())
        if shared:
            raise InputError(
                f"{shared} images of the set {name!r} are images of the holdout, who are tested on; "
                "give another holdout, or take them out of the set"
            )


def _with_stand_ins(images: ImageSet) -> ImageSet:
    groups = near_duplicate_groups(images)
    entries = tuple(
        replace(entry, patient=f"group {group}") for entry, group in zip(images.entries, groups, strict=True)
    )
    return replace(images, entries=entries)


def _parted(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """The set without, and with only, a random share of its patients."""
    patients, of_patient = np.unique(images.patients, return_inverse=True)
    count = min(max(round(share * len(patients)), 1), len(patients) - 1)
    if count < 1:
        raise InputError("the holdout has one patient only, so that no part of it can be set aside as fresh")
    chosen = np.random.default_rng([seed, 6]).permutation(len(patients))[:count]
    aside = np.isin(of_patient, chosen)
    return images.take(np.flatnonzero(~aside)), replace(images.take(np.flatnonzero(aside)), name="fresh")


def _fitted(prepared: dict[str, ImageSet], memory: int, seed: int) -> list[str]:
    """Cut sets, in place and by patient, so that all of them and one training set are held in memory."""
    each = 4 * int(np.prod(next(iter(prepared.values())).shape))
    most = max(memory // (each * (len(prepared) + 3)), 2)
    if sum(map(len, prepared.values())) * each * 2 <= memory:
        return []
    notes = []
    for number, (role, images) in enumerate(prepared.items()):
        if len(images) <= most:
            continue
        groups = (
            np.arange(len(images)) if images.patients is None else np.unique(images.patients, return_inverse=True)[1]
        )
        place = np.random.default_rng([seed, 5, number]).permutation(int(groups.max()) + 1)[groups]
        prepared[role] = images.take(np.sort(np.argsort(place, kind="stable")[:most]))
        notes.append(
            f"{most} of {len(images)} images of the {role} set are used, drawn by patient, as more do not fit into the "
            "memory allowed (--memory)."
        )
    return notes
