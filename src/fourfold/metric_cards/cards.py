"""The cards of the metrics, read from the tables of the package."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from fourfold.score import AXES, Metric, is_plugin

__all__ = ["MetricCard", "card_of", "cards", "facts"]

_DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "null": "the null is best"}


@dataclass(frozen=True)
class MetricCard:
    """What a register entry does not say about its metric.

    Parameters
    ----------
    definition : str
        The formula, in plain text.
    moves : str
        Which changes of the synthetic set raise or lower it.
    lies : str
        Where it reads well on a bad set, or badly on a good one.
    """

    definition: str
    moves: str
    lies: str


@cache
def cards() -> MappingProxyType[str, MetricCard]:
    """Every card by ``"axis/name"``.

    Examples
    --------
    >>> cards()["variety/coverage"].definition.startswith("Share of training images")
    True
    """
    found = {}
    for axis in AXES:
        table = tomllib.loads(resources.files(__package__).joinpath(f"{axis}.toml").read_text(encoding="utf-8"))
        found |= {f"{axis}/{name}": MetricCard(**card) for name, card in table.items()}
    return MappingProxyType(found)


def card_of(metric: Metric) -> MetricCard | None:
    """The card of a metric; None for a plug-in, which speaks for itself by its register entry."""
    return None if is_plugin(metric) else cards().get(metric.key)


def facts(metric: Metric) -> tuple[tuple[str, str], ...]:
    """Everything that is known of a metric, in the order in which it is read.

    Parameters
    ----------
    metric : Metric

    Returns
    -------
    tuple of (str, str)
        Title and text; what a plug-in does not say is left out.
    """
    card = card_of(metric)
    own = [] if card is None else [("definition", card.definition)]
    trust = [] if card is None else [("what moves it", card.moves), ("when it lies", card.lies)]
    return (
        ("answers", metric.summary),
        *own,
        ("direction", _DIRECTIONS[metric.better]),
        ("null", metric.null),
        *trust,
        ("cost", metric.cost),
        ("needs", _needs(metric)),
        ("source", metric.source),
    )


def _needs(metric: Metric) -> str:
    needs = ", ".join(metric.needs) if metric.needs else "nothing beyond the images"
    spaces = "" if metric.spaces is None else f"; only in {', '.join(metric.spaces)} features"
    asked = "; asked by `fourfold audit`, or by its name" if metric.thorough else ""
    return f"{needs}{spaces}{asked}"
