"""Who is whose partner: row i of every set becomes image i of one list of pairs.

A partner that is missing, or that could be one of two, is an error and never left out in silence: images that a method
failed on are the ones that its owner would not miss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fourfold.errors import InputError
from fourfold.images import Entry, ImageSet
from fourfold.images.names import last_name, whole_name

__all__ = ["COLUMN", "match_sets"]

COLUMN = "column:"
_OWN_COLUMNS: dict[str, Callable[[Entry], str | None]] = {
    "label": lambda entry: entry.label,
    "patient": lambda entry: entry.patient,
}


def match_sets(sets: Mapping[str, ImageSet], by: str = "name") -> dict[str, ImageSet]:
    """Bring sets into one order, in which image i of each belongs to one pair.

    Parameters
    ----------
    sets : mapping of str to ImageSet
        By the role of each; the order is that of the first.
    by : str
        ``"name"``: names are compared without their ending, with folders or, where that finds more, without; rows of
        array files by their number. ``"order"``: as they stand. ``"column:NAME"``: by a column of the metadata that
        every set has.

    Returns
    -------
    dict of str to ImageSet
        Of equal length. Partners of files that ``skip_broken`` left out are left out too, where names tell them.

    Raises
    ------
    InputError
        Where an image has no partner, or two images of a set could be it; the message names them.
    """
    if by == "order":
        return _in_order(sets)
    if by == "name":
        return _by_name(sets)
    column = by.removeprefix(COLUMN)
    if not by.startswith(COLUMN) or not column:
        raise InputError(f"images are matched by name, by order or by column:NAME, got {by!r}")
    keys = {role: _column(images, role, column) for role, images in sets.items()}
    return _by_keys(sets, keys, f"the same entry of the column {column!r}")


def _in_order(sets: Mapping[str, ImageSet]) -> dict[str, ImageSet]:
    (first, model), *others = sets.items()
    for role, images in others:
        if len(images) != len(model):
            raise InputError(
                f"images cannot be matched by order: the {first} set has {len(model)} and the {role} set "
                f"{len(images)}; give as many of each, or match them by name"
            )
    for role, images in sets.items():
        if images.skipped:
            raise InputError(
                f"images cannot be matched by order: {images.skipped[0].path} of the {role} set was left out; "
                "replace the file, or match images by name"
            )
    return dict(sets)


def _by_name(sets: Mapping[str, ImageSet]) -> dict[str, ImageSet]:
    def shared(naming: Callable[[str], str]) -> int:
        return len(set.intersection(*({naming(path) for path in images.paths} for images in sets.values())))

    naming = max((whole_name, last_name), key=shared)
    gone = {naming(skipped.path) for images in sets.values() for skipped in images.skipped}
    kept = {}
    for role, images in sets.items():
        rows = [row for row, path in enumerate(images.paths) if naming(path) not in gone]
        if not rows:
            raise InputError(f"no image of the {role} set has a partner that can be read; replace the broken files")
        kept[role] = images.take(rows)
    keys = {role: [naming(path) for path in images.paths] for role, images in kept.items()}
    return _by_keys(kept, keys, "that name")


def _column(images: ImageSet, role: str, column: str) -> list[str]:
    read = _OWN_COLUMNS.get(column, lambda entry: entry.columns.get(column))
    found = []
    for entry in images.entries:
        key = read(entry)
        if not key:
            there = ", ".join(sorted(entry.columns)) or "none"
            raise InputError(
                f"{entry.path}: has no entry in the column {column!r}, by which the {role} set is matched; its columns "
                f"are: {there}"
            )
        found.append(key)
    return found


def _by_keys(sets: Mapping[str, ImageSet], keys: Mapping[str, Sequence[str]], alike: str) -> dict[str, ImageSet]:
    """Keys may be identifiers of patients, so messages hold the names of files only."""
    places = {role: _places(sets[role], role, keys[role], alike) for role in sets}
    first = next(iter(sets))
    for role, own in places.items():
        for one, other, other_role in ((places[first], own, role), (own, places[first], first)):
            missing = [row for key, row in one.items() if key not in other]
            if missing:
                lacking = first if other_role == role else role
                raise InputError(
                    f"{sets[lacking].paths[missing[0]]} of the {lacking} set has no partner with {alike} in the "
                    f"{other_role} set ({len(missing)} of {len(one)} have none); add or remove images, or match them "
                    "otherwise: by name, by order or by column:NAME"
                )
    return {role: images.take([places[role][key] for key in keys[first]]) for role, images in sets.items()}


def _places(images: ImageSet, role: str, keys: Sequence[str], alike: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for row, key in enumerate(keys):
        if key in found:
            raise InputError(
                f"{images.paths[found[key]]} and {images.paths[row]} of the {role} set both have {alike}, so that "
                "nobody can tell which is the partner; name them apart, or match them by order or by column:NAME"
            )
        found[key] = row
    return found
