"""Feature extractors that other packages bring, by entry point (see `fourfold.plugins`).

An entry point names a subclass of `FeatureExtractor`, or any callable that gives one; the options behind a question
mark are handed to it as keywords, as text.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping

from fourfold.errors import FourfoldError, InputError
from fourfold.features.extractor import FeatureExtractor
from fourfold.plugins import FEATURES, Plugin, load, plugins

__all__ = ["from_plugin", "plugin_lines"]


def from_plugin(name: str, options: Mapping[str, str], specification: str) -> FeatureExtractor | None:
    """The extractor that a plug-in of that name gives; None where there is no such plug-in.

    Raises
    ------
    InputError
        Where the plug-in is broken, refuses the options, or gives no feature extractor; the message names it.
    """
    plugin = load(FEATURES, name)
    if plugin is None:
        return None
    if not callable(plugin.brings):
        raise InputError(str(_not_an_extractor(plugin, plugin.brings).problem))
    try:
        # Options that do not fit are told from what goes wrong inside.
        inspect.signature(plugin.brings).bind(**options)
    except TypeError as error:
        raise InputError(f"the options in {specification!r} do not fit the extractor {name!r}: {error}") from error
    try:
        extractor = plugin.brings(**options)
    except FourfoldError:
        raise
    except Exception as error:  # whatever the code of a stranger raises
        what = f"cannot be made into an extractor ({type(error).__name__}: {error})"
        raise InputError(str(plugin.refused(what).problem)) from error
    if not isinstance(extractor, FeatureExtractor):
        raise InputError(str(_not_an_extractor(plugin, extractor).problem))
    if extractor.name != name:
        raise InputError(str(plugin.refused(f"gives an extractor of another name, {extractor.name!r}").problem))
    return extractor


def plugin_lines(taken: Collection[str]) -> list[tuple[str, str, str, str]]:
    """Name, summary, what it was trained on and source of every plug-in; a broken one says why it cannot be used.

    Parameters
    ----------
    taken : collection of str
        Names of Fourfold's own extractors, which come first.
    """
    lines = []
    for plugin in plugins(FEATURES):
        if plugin.name in taken:
            plugin = plugin.refused("has the name of an extractor of Fourfold")
        if plugin.problem is not None:
            lines.append((plugin.name, f"left out: {plugin.problem}", "not known", plugin.package))
            continue
        summary = (inspect.getdoc(plugin.brings) or "no description").splitlines()[0].rstrip(".")
        trained_on = getattr(plugin.brings, "trained_on", "not stated")
        source = f"{getattr(plugin.brings, 'source', '') or '-'} (package {plugin.package})"
        lines.append((plugin.name, summary, str(trained_on), source))
    return lines


def _not_an_extractor(plugin: Plugin, brought: object) -> Plugin:
    return plugin.refused(f"brings a {type(brought).__name__} where a feature extractor is needed")
