"""What there is to learn: the labels of the three sets as one task.

Two kinds. *Classes*: each image has one of K classes (`Entry.label`). *Findings*: each image has any number of K
findings, present or absent (`Entry.labels`), learned one against the rest; a missing value (NaN) leaves the image
out of that finding.

A task is only built where it can be judged. A class that is too rare among the real images is left out and named; a
class that the synthetic set lacks is no detail to be left out, so there is no task then, and `NoTaskError` says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fourfold.comparison import Features
from fourfold.images.sets import ImageSet

__all__ = ["FEWEST_IMAGES", "Labelled", "Labels", "NoTaskError", "Task", "findings"]

Labels = Sequence[str] | np.ndarray | Mapping[str, np.ndarray]

FEWEST_IMAGES = 8
"""Images a class needs in each set: two halves of a training set with a handful each."""


class NoTaskError(ValueError):
    """The labels allow no task; the message is the reason a score gives."""


@dataclass(frozen=True)
class Labelled:
    """One set as something to learn from.

    Parameters
    ----------
    names : tuple of str
        Classes or findings, K of them, sorted.
    exclusive : bool
        Whether each image has exactly one of them.
    targets : array, shape (N, K)
        float32: 1 present, 0 absent, NaN unknown.
    groups : array of int, shape (N,)
        The unit of sampling: the patient where known, else the image.
    """

    names: tuple[str, ...]
    exclusive: bool
    targets: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def strata(self) -> np.ndarray:
        """What draws keep in proportion, shape (N,): the class, or the first finding that is present."""
        present = np.nan_to_num(self.targets) > 0
        return np.where(present.any(axis=1), present.argmax(axis=1), len(self.names))

    def take(self, rows: np.ndarray) -> Labelled:
        """The chosen images."""
        return Labelled(self.names, self.exclusive, self.targets[rows], self.groups[rows])

    def regrouped(self) -> Labelled:
        """The same with patients numbered from 0 without gaps."""
        return Labelled(self.names, self.exclusive, self.targets, np.unique(self.groups, return_inverse=True)[1])

    def columns(self, names: Sequence[str]) -> Labelled:
        """The same images with only these classes or findings, in this order."""
        chosen = [self.names.index(name) for name in names]
        return Labelled(tuple(names), self.exclusive, self.targets[:, chosen], self.groups)

    @classmethod
    def from_arrays(cls, role: str, labels: Labels | None, patients: np.ndarray | None, size: int) -> Labelled:
        """Labels as a user has them.

        Parameters
        ----------
        role : str
            How a reason calls the set.
        labels : array of shape (N,), array of shape (N, K), mapping of str to array of shape (N,), or None
            One class an image; or 0/1 (NaN unknown) for each finding.
        patients : array, shape (N,), or None
        size : int
            N.

        Raises
        ------
        NoTaskError
            No labels.
        ValueError
            Labels or patients of another length.
        """
        if labels is None or size == 0:
            raise NoTaskError(f"the {role} set has no labels" if size else f"the {role} set is empty")
        if isinstance(labels, Mapping):
            names = tuple(sorted(labels))
            if not names:
                raise NoTaskError(f"the {role} set has no labels")
            targets = np.stack([np.asarray(labels[name], dtype=np.float32) for name in names], axis=1)
            exclusive = False
        elif np.ndim(labels) == 2:
            targets = np.asarray(labels, dtype=np.float32)
            names, exclusive = tuple(f"finding {column}" for column in range(targets.shape[1])), False
        else:
            classes, codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
            names, exclusive = tuple(str(name) for name in classes), True
            targets = np.eye(len(names), dtype=np.float32)[codes]
        if len(targets) != size or (patients is not None and len(patients) != size):
            raise ValueError(f"the {role} set has {size} images but labels or patients of another length")
        groups = np.arange(size) if patients is None else np.unique(np.asarray(patients), return_inverse=True)[1]
        return cls(names, exclusive, targets, groups)

    @classmethod
    def from_features(cls, role: str, features: Features) -> Labelled:
        """The labels of a set in a feature space; see `from_arrays`."""
        labels = features.labels if features.labels is not None else features.findings
        return cls.from_arrays(role, labels, features.patients, len(features))

    @classmethod
    def from_images(cls, role: str, images: ImageSet) -> Labelled:
        """The labels of an image set; see `from_arrays`."""
        labels = images.labels if images.labels is not None else findings(images)
        return cls.from_arrays(role, labels, images.patients, len(images))


@dataclass(frozen=True)
class Task:
    """The same classes or findings in every set.

    Parameters
    ----------
    names : tuple of str
    exclusive : bool
    training, synthetic : Labelled
    holdout : Labelled or None
    rows : mapping of str to array of int
        Which images of each set take part (those of a class that was left out do not).
    left_out : tuple of str
        Classes or findings too rare among the real images to be judged.
    """

    names: tuple[str, ...]
    exclusive: bool
    training: Labelled
    synthetic: Labelled
    holdout: Labelled | None
    rows: Mapping[str, np.ndarray]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, training: Labelled, synthetic: Labelled, holdout: Labelled | None) -> Task:
        """Bring the labels of the sets together.

        Raises
        ------
        NoTaskError
            One class only; classes in one set and not in the other; too few images of a class; classes in one set
            and findings in the other.
        """
        sets = {"training": training, "synthetic": synthetic}
        if holdout is not None:
            sets["holdout"] = holdout
        kinds = {labelled.exclusive for labelled in sets.values()}
        if len(kinds) > 1:
            raise NoTaskError("some sets have one class an image (label), others several findings (label:NAME columns)")
        exclusive = kinds.pop()
        names = sorted({name for labelled in sets.values() for name in labelled.names})
        counts = {role: _counts(labelled, names) for role, labelled in sets.items()}
        real = [role for role in sets if role != "synthetic"]
        fewest = FEWEST_IMAGES if holdout is not None else 2 * FEWEST_IMAGES
        rare = []
        for name in names:
            found = {role: count[name] for role, count in counts.items()}
            missing = [role for role, images in found.items() if images == 0]
            common = max(found[role] for role in real) >= fewest
            if missing and (common or all(found[role] == 0 for role in real)):
                raise NoTaskError(f"{name!r} cannot be learned in every set: the {missing[0]} set has no example of it")
            if min(found[role] for role in real) < fewest:
                rare.append(name)
        kept = [name for name in names if name not in rare]
        if len(kept) < (2 if exclusive else 1):
            if exclusive and len(names) == 1:
                raise NoTaskError(f"there is one class only ({names[0]!r})")
            raise NoTaskError(f"a real set has fewer than {fewest} images of {', '.join(map(repr, rare))}")
        for name in kept:
            if counts["synthetic"][name] < FEWEST_IMAGES:
                found = counts["synthetic"][name]
                raise NoTaskError(f"the synthetic set has only {found} images of {name!r}; {FEWEST_IMAGES} are needed")
        rows, chosen = {}, {}
        for role, labelled in sets.items():
            columns = labelled.columns(kept)
            known = ~np.isnan(columns.targets)
            part = (columns.targets.sum(axis=1) == 1) if exclusive else known.any(axis=1)
            rows[role] = np.flatnonzero(part)
            chosen[role] = columns.take(rows[role]).regrouped()
        return cls(
            tuple(kept), exclusive, chosen["training"], chosen["synthetic"], chosen.get("holdout"), rows, tuple(rare)
        )


def findings(images: ImageSet) -> dict[str, np.ndarray] | None:
    """Named targets of an image set (`Entry.labels`), one float32 column of shape (N,) a name; NaN where unknown.

    None where no image has any.
    """
    names = sorted({name for entry in images.entries for name in entry.labels})
    columns = {
        name: np.array([entry.labels.get(name, np.nan) for entry in images.entries], dtype=np.float32) for name in names
    }
    return columns or None


def _counts(labelled: Labelled, names: Sequence[str]) -> dict[str, int]:
    """Images to learn each name from: those of the class; for a finding the fewer of present and absent."""
    counts = dict.fromkeys(names, 0)
    for column, name in enumerate(labelled.names):
        present = int(np.sum(labelled.targets[:, column] == 1))
        absent = int(np.sum(labelled.targets[:, column] == 0))
        counts[name] = present if labelled.exclusive else min(present, absent)
    return counts
