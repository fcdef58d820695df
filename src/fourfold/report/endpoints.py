"""The primary endpoints of the privacy audit as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fourfold.privacy import STAGES, Endpoint
from fourfold.report.wording import number

__all__ = ["EndpointRow", "endpoint_row", "endpoint_rows"]


@dataclass(frozen=True)
class EndpointRow:
    """What an attack achieved, its one-sided 95 % bounds, its limit, and what follows."""

    title: str
    stage: str
    estimate: str
    bounds: str
    limit: str
    status: str
    words: str


def endpoint_rows(endpoints: Sequence[Endpoint], said: Callable[[str], str]) -> tuple[EndpointRow, ...]:
    """One row an endpoint, in the order given; `said` takes private names out of text."""
    return tuple(endpoint_row(endpoint, said) for endpoint in endpoints)


def endpoint_row(endpoint: Endpoint, said: Callable[[str], str]) -> EndpointRow:
    """An endpoint in words; `said` takes private names out of text."""
    title, written = said(endpoint.title), endpoint.written
    counted = endpoint.name == "copies"
    return EndpointRow(
        title=title[:1].upper() + title[1:],
        stage=STAGES[endpoint.stage],
        estimate=written(endpoint.estimate),
        bounds="–" if counted else f"{written(endpoint.lower)} to {written(endpoint.upper)}",
        limit=written(endpoint.limit),
        status=endpoint.status,
        words=_words(endpoint),
    )


def _words(endpoint: Endpoint) -> str:
    if endpoint.status == "pass":
        return "within its limit" if endpoint.name in ("copies", "epsilon") else "the upper bound is below the limit"
    if endpoint.status == "fail":
        chance = f" (p {number(endpoint.adjusted, 2)}, adjusted)" if endpoint.adjusted > 0 else ""
        return f"above its limit{chance}"
    return endpoint.remedy
