"""The four answers on a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation

__all__ = ["print_answers"]


def print_answers(evaluation: Evaluation) -> None:
    """One paragraph an axis, then what limits them."""
    for verdict in evaluation.verdicts.values():
        head = f"{verdict.axis:<9} {verdict.status:<13}"
        print(textwrap.fill(verdict.sentence, 110, initial_indent=head, subsequent_indent=" " * len(head)))
    for note in evaluation.notes:
        print(textwrap.fill(note, 110, initial_indent="note      ", subsequent_indent=" " * 10))
