"""Feature extractors and metrics of other packages, found by entry point.

A package names what it brings in its ``pyproject.toml``:

    [project.entry-points."fourfold.features"]
    edges = "own_extractor:Edges"

    [project.entry-points."fourfold.metrics"]
    mean_brightness = "own_extractor:MEAN_BRIGHTNESS"

Nothing is imported before it is asked for, and what cannot be imported says so where it is named: a broken plug-in
takes nothing else with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from fourfold.errors import InputError

__all__ = ["FEATURES", "METRICS", "Plugin", "load", "plugins"]

FEATURES = "fourfold.features"
METRICS = "fourfold.metrics"


@dataclass(frozen=True)
class Plugin:
    """What one entry point brings, or why it brings nothing.

    Parameters
    ----------
    name : str
        As the entry point is called.
    package : str
        The distribution that has it, with its version.
    brings : object or None
        What it names, None where it cannot be used.
    problem : str or None
        Why not, and what to do: a clause without a full stop.
    """

    name: str
    package: str
    brings: Any = None
    problem: str | None = None

    def refused(self, problem: str) -> Plugin:
        """The same plug-in, which cannot be used."""
        sentence = f"the plug-in {self.name!r} of the package {self.package} {problem}; mend or uninstall that package"
        return Plugin(self.name, self.package, None, sentence)


def plugins(group: str) -> tuple[Plugin, ...]:
    """Every plug-in of a group, loaded or with its problem, by name.

    Parameters
    ----------
    group : str
        `FEATURES` or `METRICS`.
    """
    return tuple(_loaded(group, name) for name in sorted(_found(group)))


def load(group: str, name: str) -> Plugin | None:
    """One plug-in; None where no package has one of that name.

    Raises
    ------
    InputError
        Where it cannot be imported; the message names it.
    """
    if name not in _found(group):
        return None
    plugin = _loaded(group, name)
    if plugin.problem is not None:
        raise InputError(plugin.problem)
    return plugin


@cache
def _found(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in entry_points(group=group):
        # A package that stands on the path twice is one package.
        if entry.value not in [other.value for other in found.get(entry.name, ())]:
            found[entry.name] = (*found.get(entry.name, ()), entry)
    return found


@cache
def _loaded(group: str, name: str) -> Plugin:
    entries = _found(group)[name]
    plugin = Plugin(name, _package(entries[0]))
    if len(entries) > 1:
        return plugin.refused(f"has the name of another one, of the package {_package(entries[1])}")
    try:
        return Plugin(name, plugin.package, entries[0].load())
    except Exception as error:  # whatever the module of a stranger raises
        return plugin.refused(f"cannot be imported from {entries[0].value!r} ({type(error).__name__}: {error})")


def _package(entry: EntryPoint) -> str:
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
