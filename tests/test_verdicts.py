import pytest

from fourfold.score import Score
from fourfold.verdicts import decide


def score(name, value, null, half, better="lower", **fields):
    return Score("fidelity", name, value, null=null, interval=(value - half, value + half), better=better, **fields)


def test_a_score_clearly_worse_than_its_null_fails_the_axis():
    verdict = decide("fidelity", [score("frechet_distance", 9.0, 1.0, 1.0), score("density", 1.0, 1.0, 0.2)], 500)
    assert verdict.status == "fail"
    assert "1 of 2 deciding scores" in verdict.sentence
    assert "frechet distance 9 [8, 10] where fresh real images would score 1" in verdict.sentence


def test_one_narrow_miss_among_many_scores_is_not_a_failure():
    scores = [score("precision", 0.9, 0.9, 0.1, "higher", features=f"space {i}") for i in range(19)]
    narrow = score("precision", 0.79, 0.9, 0.1, "higher", features="narrow")
    assert narrow.departs() == "worse"
    assert decide("fidelity", [*scores, narrow], 500).status == "pass"
    assert decide("fidelity", [narrow], 500).status == "fail"


def test_better_than_the_null_is_no_failure():
    assert decide("fidelity", [score("precision", 1.0, 0.8, 0.1, "higher")], 500).status == "pass"


def test_few_images_are_inconclusive():
    verdict = decide("fidelity", [score("precision", 0.8, 0.8, 0.1, "higher")], 40)
    assert verdict.status == "inconclusive"
    assert verdict.sentence.startswith("With 40 images little can be seen")


def test_no_score_is_inconclusive_and_says_why():
    missing = Score("utility", "train_synthetic_test_real", None, reason="there are no labels")
    verdict = decide("utility", [missing], 500)
    assert verdict.status == "inconclusive"
    assert "there are no labels" in verdict.sentence


@pytest.mark.parametrize("axis", ["fidelity", "variety", "utility"])
def test_no_verdict_says_safe(axis):
    for scores in ([], [Score(axis, "x", None, reason="r")]):
        assert "safe" not in decide(axis, scores, 500).sentence
