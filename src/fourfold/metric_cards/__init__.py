"""Metric cards: what each metric is, what moves it, and when it lies.

A register entry (`fourfold.score.Metric`) says what a metric answers, where its null comes from, what it costs and who
published it. The card adds its formula and how far it can be trusted. Cards are text beside the code, a table an axis;
``fourfold metrics NAME`` and the page of the documentation print the same facts.
"""

from fourfold.metric_cards.cards import MetricCard, card_of, cards, facts
from fourfold.metric_cards.page import as_markdown

__all__ = ["MetricCard", "as_markdown", "card_of", "cards", "facts"]
