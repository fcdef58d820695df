"""``fourfold features``: the extractors there are."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fourfold.features import Listing

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take nothing."""


def run(options: argparse.Namespace) -> int:
    """List the catalogue."""
    from fourfold.features import available

    for listing in available():
        print(listing.name)
        facts = ("trained on", listing.trained_on), ("source", listing.source), *_of_weights(listing)
        for line in (listing.summary, *(f"{what}: {fact}" for what, fact in facts)):
            print(textwrap.fill(line, 110, initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False))
    return 0


def _of_weights(listing: Listing) -> tuple[tuple[str, str], ...]:
    return (("file", listing.file), ("licence", listing.licence)) if listing.name.endswith("PATH") else ()
