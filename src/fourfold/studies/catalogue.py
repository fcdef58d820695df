"""The studies there are."""

from __future__ import annotations

from importlib import import_module

from fourfold.errors import InputError
from fourfold.studies.study import Study

__all__ = ["study_named", "study_names"]

# Imported one by one when asked for, since some bring training code with them.
_HOMES = {
    "trade-off": ("fourfold.studies.trade_off", "TradeOff"),
    "memorisation": ("fourfold.studies.memorisation", "Memorisation"),
    "release": ("fourfold.studies.release", "Releases"),
    "steps": ("fourfold.studies.steps", "Steps"),
    "data-quality": ("fourfold.studies.data_quality", "DataQuality"),
}


def study_names() -> tuple[str, ...]:
    """Names of all studies."""
    return tuple(_HOMES)


def study_named(name: str) -> Study:
    """A study by its name.

    Raises
    ------
    InputError
        Where there is none of that name.
    """
    if name not in _HOMES:
        raise InputError(f"there is no study {name!r}; there are {', '.join(_HOMES)}")
    module, member = _HOMES[name]
    return getattr(import_module(module), member)()
