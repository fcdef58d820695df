"""``fourfold metrics [NAME]``: what is measured, with sources."""

from __future__ import annotations

import argparse
import textwrap

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="an axis or a metric; all of them where left out")


def run(options: argparse.Namespace) -> int:
    """List the register."""
    from fourfold import evaluation  # noqa: F401  (importing it fills the register)
    from fourfold.errors import InputError
    from fourfold.score import metrics

    found = [metric for metric in metrics() if options.name in (None, metric.axis, metric.name, metric.key)]
    if not found:
        raise InputError(f"there is no axis or metric {options.name!r}; `fourfold metrics` lists them")
    direction = {"higher": "higher is better", "lower": "lower is better", "null": "the null is best"}
    for metric in found:
        print(f"{metric.key}  ({direction[metric.better]})")
        needs = f"needs {', '.join(metric.needs)}" if metric.needs else "needs nothing beyond the images"
        spaces = "" if metric.spaces is None else f"; only in {', '.join(metric.spaces)} features"
        asked = "; asked by `fourfold audit`, or by name" if metric.thorough else ""
        cost = f"cost: {metric.cost}; {needs}{spaces}{asked}"
        for line in (metric.summary, f"null: {metric.null}", cost, metric.source):
            print(textwrap.fill(line, 110, initial_indent="    ", subsequent_indent="      "))
    return 0
