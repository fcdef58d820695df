"""``fourfold verify R``: whether a release is what it says it is."""

from __future__ import annotations

import argparse
import json
import textwrap

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("release", metavar="R", help="the folder of the release")
    parser.add_argument("--fingerprint", metavar="HEX", help="what its fingerprint should be, from another source")
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")


def run(options: argparse.Namespace) -> int:
    """Check and print; 1 where a check fails."""
    from fourfold.releasing.verify import verify

    found = verify(options.release, options.fingerprint)
    if options.json:
        document = {
            "schema": "fourfold.verification/1",
            "ok": found.ok,
            "fingerprint": found.fingerprint,
            "checks": [check._asdict() for check in found.checks],
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0 if found.ok else 1
    for check in found.checks:
        head = f"{check.name:<12} {check.status:<12} "
        print(textwrap.fill(check.sentence, 110, initial_indent=head, subsequent_indent=" " * len(head)))
    print(f"fingerprint {found.fingerprint or 'none'}")
    return 0 if found.ok else 1
