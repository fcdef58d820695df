"""The one page that a data protection officer reads: plain records in, a self-contained HTML page out.

It holds no pixel, no path and no identifier, and prints on one sheet of A4. Whoever fills the records has taken private
names out of free text (see `Redaction`).
"""

from __future__ import annotations

from dataclasses import dataclass

from fourfold.report.endpoints import EndpointRow
from fourfold.report.page import Fact
from fourfold.report.writer import templates

__all__ = ["Compared", "Criterion", "Power", "Powers", "Statement", "render_statement"]


@dataclass(frozen=True)
class Power:
    """How many of the planted copies of one disguise were found; `share` in [0, 1]."""

    name: str
    share: float
    words: str


@dataclass(frozen=True)
class Powers:
    """Disguises of one kind, under a line that says which."""

    title: str
    bars: tuple[Power, ...]


@dataclass(frozen=True)
class Compared:
    """An attack on training patients beside the same attack on patients who were never used."""

    name: str
    main: str
    control: str
    difference: str
    bounds: str
    status: str


@dataclass(frozen=True)
class Criterion:
    """One of the criteria of WP216, or membership, with the tests that speak to it."""

    name: str
    rows: tuple[EndpointRow, ...]


@dataclass(frozen=True)
class Statement:
    """The page, before it is HTML.

    Parameters
    ----------
    status : {"pass", "fail", "inconclusive"}
    sentence : str
        The verdict.
    scope : tuple of Fact
        What was audited, by whom it was split, who signed the limits, when; the last two take a line each.
    made : tuple of str
        How the set was made and chosen; empty where it is not known.
    copies, membership, exposed : tuple of str
        Paragraphs.
    power : tuple of Powers
        The ordinary copies first; the least visible ones first among each.
    compared : tuple of Compared
    uncompared : str
        What stands in place of the table where it is empty.
    criteria : tuple of Criterion
    untested, failed, settling : tuple of str
        What was not tested, which assumptions failed, and which sizes would settle what is open.
    expires : str
    """

    status: str
    sentence: str
    scope: tuple[Fact, ...]
    copies: tuple[str, ...]
    power: tuple[Powers, ...]
    membership: tuple[str, ...]
    exposed: tuple[str, ...]
    compared: tuple[Compared, ...]
    uncompared: str
    criteria: tuple[Criterion, ...]
    untested: tuple[str, ...]
    failed: tuple[str, ...]
    settling: tuple[str, ...]
    expires: str
    made: tuple[str, ...] = ()


def render_statement(statement: Statement) -> str:
    """The statement as a page that fetches nothing and runs nothing.

    Parameters
    ----------
    statement : Statement

    Returns
    -------
    str
        HTML, whole.
    """
    return templates().get_template("statement.html.j2").render(statement=statement)
