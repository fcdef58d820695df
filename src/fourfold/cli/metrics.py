"""``fourfold metrics [NAME]``: what is measured, with sources; the card of one metric."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fourfold.score import Metric

__all__ = ["add_arguments", "run"]

_WIDTH = 110


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="an axis or a metric; all of them where left out")
    parser.add_argument("--markdown", action="store_true", help="print every card as a page of Markdown")


def run(options: argparse.Namespace) -> int:
    """List the register, or print the card of one metric."""
    from fourfold import evaluation  # noqa: F401  (importing it fills the register)
    from fourfold.errors import InputError
    from fourfold.metric_cards import as_markdown
    from fourfold.score import AXES, broken_plugins, metrics

    found = [metric for metric in metrics() if options.name in (None, metric.axis, metric.name, metric.key)]
    broken = broken_plugins()
    for plugin in broken:
        if not found and options.name in (plugin.name, *(f"{axis}/{plugin.name}" for axis in AXES)):
            raise InputError(str(plugin.problem))
    if not found:
        raise InputError(f"there is no axis or metric {options.name!r}; `fourfold metrics` lists them")
    if options.markdown:
        print(as_markdown(found), end="")
    elif options.name is None or options.name in AXES:
        _print_list(found)
    else:
        _print_cards(found)
    if options.name is None and not options.markdown:
        for plugin in broken:
            print(textwrap.fill(f"left out: {plugin.problem}", _WIDTH, subsequent_indent="      "))
    return 0


def _print_list(found: Sequence[Metric]) -> None:
    from fourfold.metric_cards import facts

    for metric in found:
        known = dict(facts(metric))
        print(f"{metric.key}  ({known['direction']})")
        for line in (
            known["answers"],
            f"null: {known['null']}",
            f"cost: {known['cost']}; needs {known['needs']}",
            known["source"],
        ):
            print(textwrap.fill(line, _WIDTH, initial_indent="    ", subsequent_indent="      "))


def _print_cards(found: Sequence[Metric]) -> None:
    from fourfold.metric_cards import facts

    for metric in found:
        print(metric.key)
        for title, text in facts(metric):
            print(textwrap.fill(f"{title}: {text}", _WIDTH, initial_indent="    ", subsequent_indent="      "))
