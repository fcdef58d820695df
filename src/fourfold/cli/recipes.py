"""``fourfold recipes``: the recipes there are, or the conformance suite on one of them."""

from __future__ import annotations

import argparse
import textwrap

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one recipe, with its options; all where left out")
    parser.add_argument(
        "--check", metavar="NAME", help="run the conformance suite on a recipe, ours or an installed package's"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(options: argparse.Namespace) -> int:
    """List, or check."""
    if options.check is not None:
        return _check(options.check, options.quiet)
    from fourfold.errors import InputError
    from fourfold.generate.recipe import names, recipe

    for name in names() if options.name is None else (options.name,):
        print(name)
        try:
            found = recipe(name)
        except InputError as error:
            # One broken package must not hide the recipes of the others.
            if options.name is not None:
                raise
            print(textwrap.fill(str(error), 110, initial_indent="    ", subsequent_indent="      "))
            continue
        takes = ", ".join(found.conditions) or "nothing"
        usually = f", usually {', '.join(found.usual)}" if found.usual else ""
        holds = "; a model holds training images" if found.holds_patients else ""
        lines = [
            found.summary,
            f"condition: {takes}{usually}; from {found.fewest} images{holds}",
            f"options: {', '.join(_options(found.Options)) or 'none'}",
            f"source: {found.source}",
        ]
        for line in lines:
            print(textwrap.fill(line, 110, initial_indent="    ", subsequent_indent="      "))
    return 0


def _options(kind: type) -> list[str]:
    """``name=default`` of every option."""
    from dataclasses import MISSING, fields

    found = []
    for field in fields(kind):
        default = field.default
        words = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
        found.append(field.name if default is MISSING else f"{field.name}={'none' if default is None else words}")
    return found


def _check(name: str, quiet: bool) -> int:
    from fourfold.cli.progress import progress_bars
    from fourfold.generate.conformance import check_recipe

    with progress_bars(quiet) as progress:
        findings = check_recipe(name, progress=progress)
    for finding in findings:
        print(f"{'pass' if finding.passed else 'FAIL'}  {finding.name}: {finding.detail}")
    failed = sum(not finding.passed for finding in findings)
    print(f"\n{name}: {len(findings) - failed} of {len(findings)} pass")
    return 1 if failed else 0
