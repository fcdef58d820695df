"""The generator family of a set: sets of one family resemble each other and do not count as independent."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fourfold.errors import InputError

__all__ = ["families_of", "recipe_beside"]


def families_of(sources: Mapping[str, Any], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The family of each set: the one given, else the recipe of the model beside it, else the set itself.

    Parameters
    ----------
    sources : mapping of str to source
        The sets by name.
    given : mapping of str to str or None
        Families by name of the set.

    Returns
    -------
    dict of str to str

    Raises
    ------
    InputError
        Where a family is given to a set that is not there.
    """
    unknown = sorted(set(given or {}) - set(sources))
    if unknown:
        raise InputError(f"a family was given for {_listed(unknown)}; the sets are {_listed(sources)}")
    found = {}
    for name, source in sources.items():
        recipe = recipe_beside(source)
        # A set that is a family of its own must not share the name of a recipe by accident.
        found[name] = (given or {}).get(name) or recipe or f"{name} (its own)"
    return found


def recipe_beside(source: Any) -> str | None:
    """The recipe in the ``model.json`` that `fourfold generate` writes beside a set; None where there is none."""
    if not isinstance(source, str | os.PathLike):
        return None
    place = Path(source)
    record = (place if place.is_dir() else place.parent) / "model.json"
    try:
        document = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    recipe = document.get("recipe") if isinstance(document, dict) else None
    return recipe if isinstance(recipe, str) and recipe else None


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(map(repr, names))
