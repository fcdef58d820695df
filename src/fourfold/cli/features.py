"""``fourfold features``: the extractors there are."""

from __future__ import annotations

import argparse
import textwrap

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take nothing."""


def run(options: argparse.Namespace) -> int:
    """List the catalogue."""
    from fourfold.features import available

    for listing in available():
        print(listing.name)
        for line in (listing.summary, f"trained on: {listing.trained_on}", f"source: {listing.source}"):
            print(textwrap.fill(line, 110, initial_indent="    ", subsequent_indent="      "))
    return 0
