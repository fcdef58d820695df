import pytest

from fourfold.report.bar import bar
from fourfold.score import Score


def test_everything_lies_on_one_scale():
    found = bar(Score("variety", "coverage", 0.5, 1.0, (0.4, 0.6), (0.9, 1.1)))
    assert found.interval[0] < found.value < sum(found.interval) < found.band[0] < found.null < sum(found.band)
    assert found.value - found.interval[0] == pytest.approx(sum(found.interval) - found.value, abs=0.02)
    assert found.interval[0] > 0
    assert sum(found.band) < 100


def test_the_words_of_a_bar_say_all_that_it_shows():
    found = bar(Score("variety", "coverage", 0.81, 0.96, (0.76, 0.86)))
    assert found.words == "value 0.81, 95 % interval 0.76 to 0.86, null 0.96"
    assert found.value_label == "0.81 (0.76 to 0.86)"
    assert found.null_label == "null 0.96"


def test_a_missing_null_is_said_and_not_drawn():
    found = bar(Score("variety", "vendi_score", 12.4, None, (11.0, 13.9), reason="no holdout"))
    assert found.null is None
    assert "null unknown" in found.words


def test_a_value_that_stands_alone_gets_no_bar():
    assert bar(Score("variety", "vendi_score", 12.4)) is None
    assert bar(Score("variety", "vendi_score", None, reason="no images")) is None


def test_equal_value_and_null_are_drawn_in_the_middle():
    found = bar(Score("privacy", "copies", 0.0, 0.0, (0.0, 0.0)))
    assert found.value == found.null
    assert 0 < found.value < 100


def test_labels_at_the_edge_stay_inside():
    found = bar(Score("variety", "coverage", 0.1, 0.9, (0.1, 0.2)))
    assert (found.value_anchor, found.null_anchor) == ("start", "end")
