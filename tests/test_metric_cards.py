"""Every metric has a card, every card is of a metric, and the page of the documentation holds the same."""

from pathlib import Path

import pytest

import fourfold.evaluation  # noqa: F401 - fills the register
from fourfold.metric_cards import as_markdown, card_of, cards, facts
from fourfold.score import Metric, is_plugin, metrics

DOCS = Path(__file__).resolve().parents[1] / "docs"
OWN = [metric for metric in metrics() if not is_plugin(metric)]


@pytest.mark.parametrize("metric", OWN, ids=lambda metric: metric.key)
def test_a_metric_has_a_complete_card(metric):
    card = card_of(metric)
    assert card is not None, f"write the card of {metric.key} in metric_cards/{metric.axis}.toml"
    for text in (card.definition, card.moves, card.lies, metric.null, metric.cost, metric.source):
        assert len(text) >= 3
        assert text == text.strip()
    for sentence in (card.definition, card.moves, card.lies):
        assert sentence.endswith(".")
        assert len(sentence) >= 30


def test_no_card_is_of_a_metric_that_does_not_exist():
    assert set(cards()) == {metric.key for metric in OWN}


def test_the_page_of_the_documentation_is_that_of_the_cards():
    written = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert written == as_markdown(OWN), "run `fourfold metrics --markdown > docs/metrics.md`"


def test_formulas_do_not_become_emphasis():
    page = as_markdown(OWN)
    assert r"\|m\_x - m\_y\|^2" in page
    assert page.count("### ") == len(OWN)


def test_a_plugin_without_a_card_says_what_its_register_entry_says():
    brought = Metric(
        "fidelity", "mean_shift", "features", "lower", "how far the means are", "0", "O(N d)", "nobody", lambda sets: []
    )
    told = dict(facts(brought))
    assert told["answers"] == "how far the means are"
    assert "definition" not in told
    assert "when it lies" not in told
