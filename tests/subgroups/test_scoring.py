import json

import jsonschema
import numpy as np
import pytest

from fourfold.errors import InputError
from fourfold.evaluation import evaluate
from fourfold.report import render, scores_json, scores_schema
from fourfold.score import Score
from fourfold.subgroups import Group
from fourfold.subgroups.groups import with_departures

ONLY = ("fidelity/kernel_distance", "fidelity/precision", "variety/coverage", "variety/vendi_score")


def asked(sets, by, only=ONLY, **options):
    return evaluate(*sets, by=by, only=only, features=["pixels?size=4"], scaling="0:1", **{"store": False, **options})


@pytest.fixture(scope="module")
def wrong_women(make):
    return asked(make(wrong="F"), ["sex", "age:50"])


def test_a_group_that_the_generator_gets_wrong_departs_and_the_other_does_not(wrong_women):
    women, men = (wrong_women.groups["sex"][name] for name in ("F", "M"))
    assert women.departure(women["fidelity/precision"]).standing == "worse"
    assert women.departure(women["variety/coverage"]).standing == "worse"
    assert {departure.standing for departure in men.departures.values()} <= {"no", "better"}


def test_a_group_scores_as_the_same_images_do_as_sets_of_their_own(wrong_women, make):
    rows = np.arange(40, 80)
    men = [one.take(rows) for one in make(wrong="F")]
    alone = asked(men, ())
    for key in ONLY:
        one, other = wrong_women.groups["sex"]["M"][key], alone[key]
        assert one.value == pytest.approx(other.value, rel=1e-4)
        assert one.null == pytest.approx(other.null, rel=1e-4)
        assert one.interval == pytest.approx(other.interval, rel=1e-3)


def test_groups_hold_their_sizes_and_no_image(wrong_women):
    women = wrong_women.groups["sex"]["F"]
    assert women.images == {"training": 40, "holdout": 40, "synthetic": 40}
    assert women.patients == {"training": 40, "holdout": 40}
    assert not any(score.per_synthetic or score.per_training for score in women.scores)
    assert [group.name for group in wrong_women.groups["age"].groups] == ["under 50", "50 and over"]
    assert sum(group.images["training"] for group in wrong_women.groups["age"].groups) == 80


def test_a_group_of_few_says_so_and_is_not_named_where_it_is_shared(make):
    found = asked(make(rare=6), ["sex"])
    small = found.groups["sex"]["F"]
    assert not small.scores
    assert small.reason == (
        "too small: 6 training patients and 6 holdout patients and 6 synthetic images, where a null and an interval "
        "need at least 10 of each"
    )
    with pytest.raises(KeyError, match="too small"):
        small["fidelity/precision"]
    document = json.loads(scores_json(found))["groups"]["sex"]
    assert document["too_small"] == 1
    assert [group["name"] for group in document["groups"]] == ["M"]
    assert "F: too small" in render(found, "internal")
    assert "F: too small" not in render(found, "shareable")


def test_without_the_column_all_synthetic_images_are_held_against_each_part(make):
    keys = ("privacy/distance_share", "fidelity/precision", "variety/coverage")
    found = asked(make(wrong="F", synthetic_columns=False), ["sex"], only=keys)
    women, men = (found.groups["sex"][name] for name in ("F", "M"))
    assert "has no column “sex”" in found.groups["sex"].notes[0]
    assert not women["fidelity/precision"].applies
    assert women["privacy/distance_share"].details["sets_divided"] == ["holdout", "training"]
    assert women["privacy/distance_share"].departs() == "no"
    assert women["variety/coverage"].departs() == "worse"
    assert men["variety/coverage"].departs() != "worse"
    assert women.images["synthetic"] == 80


def test_a_real_set_without_the_column_is_refused_with_the_columns_it_has(make):
    with pytest.raises(InputError, match=r"training set has no column 'scanner'.* age, label, sex"):
        asked(make(), ["scanner"])
    with pytest.raises(InputError, match="grouped by twice"):
        asked(make(), ["age:30", "age:60"])


def test_without_a_holdout_groups_are_scored_by_halves_of_the_training_set(make):
    found = asked(make(holdout=False), ["sex"])
    assert found.groups["sex"]["F"]["variety/coverage"].null_source == "training halves"


def test_groups_come_from_the_store_when_they_were_asked_before(make, tmp_path, monkeypatch):
    sets = make(wrong="F")
    first = asked(sets, ["sex"], store=tmp_path)
    monkeypatch.setattr("fourfold.answers.to_record", None)
    again = asked(sets, ["sex"], store=tmp_path)
    assert again.groups["sex"]["F"].scores == first.groups["sex"]["F"].scores
    assert first.groups["sex"]["F"].scores != first.groups["sex"]["M"].scores


def test_scores_json_with_groups_follows_its_schema(wrong_women):
    document = json.loads(scores_json(wrong_women))
    jsonschema.Draft202012Validator(scores_schema()).validate(document)
    women = document["groups"]["sex"]["groups"][0]
    precision = next(score for score in women["scores"] if score["name"] == "precision")
    assert precision["departs"] == "worse"
    assert precision["adjusted_p"] < 0.05
    del document["groups"]
    jsonschema.Draft202012Validator(scores_schema()).validate(document)


def test_the_page_has_a_table_a_column(wrong_women):
    page = render(wrong_women, "shareable")
    assert 'aria-label="Scores by sex"' in page
    assert 'aria-label="Scores by age"' in page
    assert "1 of 2 groups depart from their nulls for the worse: F (" in page
    assert "<strong>worse</strong>" in page


def score(value, width=0.1, better="higher", axis="fidelity", name="precision"):
    return Score(axis, name, value, 0.9, (value - width, value + width), better=better)


def test_holm_counts_the_scores_of_an_axis_in_all_groups():
    """2.2 standard errors are evidence in one group and none among twenty."""
    away = score(0.9 - 0.1 * 2.2 / 1.96)
    alone = with_departures([Group("sex", "F", {}, {}, (away,))])
    assert alone[0].departure(away).standing == "worse"
    others = [Group("sex", f"{place}", {}, {}, (score(0.9),)) for place in range(19)]
    among = with_departures([Group("sex", "F", {}, {}, (away,)), *others])
    assert among[0].departure(away).standing == "no"
    other_axis = Group("sex", "M", {}, {}, tuple(score(0.9, axis="variety", name=f"v{place}") for place in range(19)))
    apart = with_departures([Group("sex", "F", {}, {}, (away,)), other_axis])
    assert apart[0].departure(away).standing == "worse"


@pytest.mark.parametrize(("better", "standing"), [("higher", "worse"), ("lower", "better"), ("null", "different")])
def test_a_departure_has_the_side_that_the_metric_gives_it(better, standing):
    away = score(0.2, better=better)
    (group,) = with_departures([Group("sex", "F", {}, {}, (away,))])
    assert group.departure(away).standing == standing
    assert group.departures["fidelity/precision"].p < 1e-6


def test_fresh_groups_raise_no_alarm(make):
    alarms = 0
    for seed in range(3):
        found = asked(make(seed=seed), ["sex"])
        alarms += sum(
            departure.standing in ("worse", "different")
            for group in found.groups["sex"].groups
            for departure in group.departures.values()
        )
    assert alarms <= 1


def test_without_the_column_and_without_a_holdout_the_variety_of_a_part_has_no_null(make):
    found = asked(make(synthetic_columns=False, holdout=False), ["sex"], only=("variety/coverage",))
    assert not found.groups["sex"]["F"]["variety/coverage"].applies


def test_a_column_that_is_not_there_is_told_before_any_feature_is_extracted(make):
    tasks = []
    with pytest.raises(InputError, match="has no column 'nowhere'"):
        asked(make(), ["nowhere"], progress=lambda task, done, total: tasks.append(task))
    assert not [task for task in tasks if "features" in task or "fidelity" in task]
