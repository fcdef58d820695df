import pytest

from fourfold.report import wording
from fourfold.score import Score


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.0, "0"),
        (1.0, "1"),
        (0.8125, "0.812"),
        (0.05, "0.0500"),
        (-0.5, "−0.500"),
        (123.4, "123"),
        (-12345.6, "−12,346"),
        (3.21e-6, "3.21e−6"),
        (2e9, "2e9"),
    ],
)
def test_numbers_read_like_numbers(value, text):
    assert wording.number(value) == text


def test_numbers_of_one_score_have_the_decimals_their_narrowest_interval_has_meaning_for():
    score = Score("fidelity", "kid", 0.00213, 0.0, (-0.00068, 0.0049), (-0.002, 0.002), "lower")
    written = wording.figures(score)
    assert [written(x) for x in (score.value, score.null)] == ["0.0021", "0"]
    assert wording.interval(score.interval, written) == "−0.0007 to 0.0049"


def test_a_score_with_neither_interval_nor_null_is_written_with_three_digits():
    assert wording.figures(Score("variety", "vendi_score", 12.3456))(12.3456) == "12.3"


def test_an_interval_of_no_width_does_not_ask_for_infinitely_many_decimals():
    assert wording.figures(Score("privacy", "copies", 0.0, 0.0, (0.0, 0.0)))(0.0) == "0"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("coverage", "Coverage"),
        ("frechet_distance", "Fréchet distance"),
        ("kid", "KID"),
        ("ms_ssim", "MS SSIM"),
        ("train_synthetic_test_real_cnn", "Train synthetic test real CNN"),
    ],
)
def test_register_names_read_as_words(name, text):
    assert wording.name(name) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"value": 0.5, "null": 0.6, "interval": (0.4, 0.65)}, "cannot be told from its null"),
        ({"value": 0.5, "null": 0.9, "interval": (0.4, 0.6)}, "worse than its null"),
        ({"value": 0.5, "null": 0.1, "interval": (0.4, 0.6)}, "better than its null"),
        ({"value": 0.5, "null": 0.1, "interval": (0.4, 0.6), "better": "null"}, "departs from its null"),
        ({"value": None, "reason": "no holdout"}, "does not apply"),
        ({"value": 0.5}, "no null to compare with"),
        ({"value": 0.5, "null": 0.5}, "no interval to compare with"),
    ],
)
def test_how_a_value_stands_to_its_null_is_said_in_words(fields, text):
    assert wording.standing(Score("variety", "coverage", **fields)) == text


def test_an_unknown_status_is_refused():
    with pytest.raises(ValueError, match="a verdict is one of pass, fail, inconclusive, got 'fine'"):
        wording.status("fine")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "yes"),
        (2020, "2020"),
        (1234567, "1,234,567"),
        (0.25, "0.2500"),
        ([1, 2], "1, 2"),
        (list(range(100)), "100 values"),
        ({"a": 1, "b": [True]}, "a: 1; b: yes"),
        ({}, "none"),
    ],
)
def test_facts_fit_on_a_line(value, text):
    assert wording.fact(value) == text
