"""``fourfold metrics``, as it is typed."""

import pytest

from fourfold.cli.main import main

TITLES = ("definition:", "null:", "what moves it:", "when it lies:", "cost:", "needs:", "source:")


@pytest.mark.parametrize("name", ["coverage", "variety/coverage"])
def test_the_card_of_a_metric_is_printed_by_either_name(name, capsys):
    assert main(["metrics", name]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("variety/coverage\n")
    assert all(title in printed for title in TITLES)
    assert "Naeem et al. 2020" in printed
    assert max(map(len, printed.splitlines())) <= 110


def test_an_axis_is_listed_without_the_cards(capsys):
    assert main(["metrics", "variety"]) == 0
    printed = capsys.readouterr().out
    assert "variety/recall  (higher is better)" in printed
    assert "fidelity/" not in printed
    assert "when it lies" not in printed


def test_all_are_listed_by_axis_with_null_cost_and_source(capsys):
    assert main(["metrics"]) == 0
    printed = capsys.readouterr().out
    places = [printed.index(f"\n{axis}/") for axis in ("variety", "privacy", "utility")]
    assert printed.startswith("fidelity/")
    assert places == sorted(places)
    assert "null: analytic: 0" in printed
    assert "Heusel et al. 2017" in printed


def test_one_metric_can_be_had_as_markdown(capsys):
    assert main(["metrics", "coverage", "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert "### variety/coverage" in printed
    assert "- **when it lies**:" in printed
    assert "fidelity/" not in printed


def test_an_unknown_name_is_refused_in_words(capsys):
    assert main(["metrics", "beauty"]) == 2
    assert "`fourfold metrics` lists them" in capsys.readouterr().err
