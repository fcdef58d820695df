"""Whether the labels of a release lead to somebody: a name in disguise, or a combination that few patients carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath, PureWindowsPath

from fourfold.images import ImageSet
from fourfold.images.sets import Entry
from fourfold.releasing.selection.strata import FEWEST_CARRIERS

__all__ = ["LEAST_PATIENTS", "check_labels", "readable"]

LEAST_PATIENTS = FEWEST_CARRIERS
"""Training patients that must carry a combination of labels before an image may carry it too."""

_LONGEST = 100


def check_labels(images: ImageSet, training: ImageSet, *, least: int = LEAST_PATIENTS) -> tuple[str, ...]:
    """What is wrong with the labels of a set that is to be released.

    A label must not be or contain the identifier, file name or path of a training image, must be short printable text,
    and the combination of all labels of an image must be carried by at least `least` training patients. Names of one or
    two characters, and plain numbers of up to five digits inside longer text, cannot be told from ordinary words and
    numbers and are not searched for.

    Parameters
    ----------
    images : ImageSet
        What is to be released.
    training : ImageSet
        What the generator saw. Without patient identifiers every image counts as a patient of its own.
    least : int

    Returns
    -------
    tuple of str
        A sentence a problem, without any identifier; empty where nothing is wrong.
    """
    names = _names(training)
    classed = images.labels is not None
    findings = sorted({name for entry in images.entries for name in entry.labels})
    carried: dict[tuple[str, ...], set[str]] = {}
    for row, entry in enumerate(training.entries):
        carried.setdefault(_combination(entry, classed, findings), set()).add(entry.patient or f"image {row}")
    used = sorted({_combination(entry, classed, findings) for entry in images.entries} - {()})
    words = sorted({word for entry in images.entries for word in _words(entry)})
    named = {word for word in words if _leads(word, names)}
    unreadable = {word for word in words if not readable(word)}
    problems = []
    if named:
        problems.append(
            f"{_count(len(named), 'label value')} of the release would be or contain a patient identifier, file name "
            "or path of the training set; give the classes names of their own."
        )
    if unreadable:
        problems.append(
            f"{_count(len(unreadable), 'label value')} of the release would hold control characters or more than "
            f"{_LONGEST} characters; give the classes short names."
        )
    for combination in used:
        few = len(carried.get(combination, ()))
        if few < least and not any(word in part for part in combination for word in named | unreadable):
            problems.append(
                f"The labels {', '.join(combination)} are carried by fewer than {least} training patients; "
                "merge the class with another or leave it out of the release."
            )
    return tuple(problems)


def readable(label: str) -> bool:
    r"""Whether a label is short printable text.

    Examples
    --------
    >>> readable("pleural effusion"), readable("a\nb")
    (True, False)
    """
    return 0 < len(label) <= _LONGEST and label.isprintable()


def _combination(entry: Entry, classed: bool, findings: Sequence[str]) -> tuple[str, ...]:
    """The labels of an image, as far as the release has them."""
    found = tuple(f"{name}={entry.labels[name]:g}" for name in findings if name in entry.labels)
    return (str(entry.label), *found) if classed else found


def _words(entry: Entry) -> Iterable[str]:
    return entry.labels if entry.label is None else (entry.label, *entry.labels)


def _names(training: ImageSet) -> set[str]:
    """Whatever names one training image or patient, in lower case."""
    found: set[str] = set()
    for entry in training.entries:
        if entry.patient is not None:
            found.add(entry.patient)
        found.add(entry.path)
        if entry.index is None:
            found |= {PurePosixPath(entry.path).name, PureWindowsPath(entry.path).name}
            found |= {name.split(".")[0] for name in (PurePosixPath(entry.path).name, PureWindowsPath(entry.path).name)}
    return {name.strip().lower() for name in found if len(name.strip()) > 2}


def _leads(label: str, names: set[str]) -> bool:
    """Whether a label is one of the names or contains one that stands out from ordinary text."""
    label = label.strip().lower()[:_LONGEST]
    if label in names:
        return True
    return any(
        label[start:stop] in names and _distinct(label[start:stop])
        for start in range(len(label))
        for stop in range(start + 3, len(label) + 1)
    )


def _distinct(name: str) -> bool:
    mixed = any(letter.isdigit() for letter in name) and any(letter.isalpha() for letter in name)
    return mixed or len(name) >= 6


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
