"""The cards of many metrics as one page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from fourfold.metric_cards.cards import facts
from fourfold.score import AXES, Metric

__all__ = ["as_markdown"]

_INTRODUCTION = """\
# Metric cards

What each metric is, what an ideal generator that copies nobody would score (the null), what moves it, when it lies, and
what it costs in N training, H holdout, M synthetic images and d features. `fourfold metrics NAME` prints the same;
`fourfold metrics --markdown` wrote this page. What was measured of them: [metrics/measured.md](metrics/measured.md).
"""


def as_markdown(metrics: Sequence[Metric]) -> str:
    """The page of the given metrics, by axis.

    Parameters
    ----------
    metrics : sequence of Metric

    Returns
    -------
    str
        Markdown that ends with a line break.
    """
    parts = [_INTRODUCTION]
    for axis in AXES:
        own = [metric for metric in metrics if metric.axis == axis]
        if own:
            parts.append(f"## {axis.capitalize()}\n")
            parts += [_card(metric) for metric in own]
    return "\n".join(parts)


def _card(metric: Metric) -> str:
    lines = [f"- **{title}**: {_escaped(text)}" for title, text in facts(metric)]
    return "\n".join([f"### {metric.key}\n", *lines, ""])


def _escaped(text: str) -> str:
    # Formulas hold what Markdown takes for emphasis and for a table.
    for character in ("*", "_", "|"):
        text = text.replace(character, "\\" + character)
    return text
