import json

import numpy as np
import pytest

from fourfold.comparing import association, predictions, read_measured_utility
from fourfold.comparing.prediction import predictors
from fourfold.comparing.results import Target
from fourfold.comparing.table import row_of
from fourfold.errors import InputError
from fourfold.score import Score

FAMILIES = [f"family {place % 8}" for place in range(24)]


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(association, "_DRAWS", 40)


def row(name, values, axis="fidelity", better="higher"):
    return row_of([Score(axis, name, float(v), 0.0, (v - 0.1, v + 0.1), better=better) for v in values])


def target(values):
    return Target(row("measured_utility", values, "utility"), True, "utility")


def test_a_score_that_follows_utility_predicts_it_and_noise_does_not():
    rng = np.random.default_rng(0)
    utility = np.arange(24.0)
    asked = [
        row("precision", utility + rng.normal(0, 2, 24)),
        row("frechet_distance", -utility + rng.normal(0, 2, 24), better="lower"),
        row("recall", -utility + rng.normal(0, 2, 24)),
        row("density", rng.normal(0, 10, 24)),
        row("realism", np.ones(24)),
    ]
    found = predictions(asked, target(utility), FAMILIES)
    assert [one.claim for one in found] == ["predicted", "predicted", "contrary", "no claim", "no claim"]
    assert found[4].reason == "the score is the same for all sets"
    assert all(low < one.value < high for one in found[:4] for low, high in [one.interval])


def test_noise_is_claimed_in_fewer_than_one_comparison_in_twenty():
    rng = np.random.default_rng(1)
    claimed = 0
    for draw in range(15):
        asked = [row(f"score{place}", rng.normal(0, 10, 24)) for place in range(4)]
        found = predictions(asked, target(rng.normal(0, 10, 24)), FAMILIES, seed=draw)
        claimed += any(one.claim != "no claim" for one in found)
    assert claimed <= 3


def test_four_sets_give_a_coefficient_and_no_claim():
    (one,) = predictions([row("precision", range(4))], target(range(4)), list("abcd"))
    assert one.value > 0.8
    assert (one.interval, one.adjusted, one.claim) == (None, None, "no claim")
    assert "and there are 4 of 4" in one.reason


def test_the_probe_is_not_asked_to_predict_itself():
    rows = [row("coverage", range(6), "variety"), row("train_synthetic_test_real", range(6), "utility")]
    own = Target(rows[1], False, "the probe")
    assert predictors(rows, "radiomics", None, own) == rows[:1]
    assert predictors(rows, "radiomics", ["all"], target(range(6))) == rows
    with pytest.raises(InputError, match="no score 'beauty' to predict utility by; there are: variety/coverage"):
        predictors(rows, "radiomics", ["beauty"], own)


def contrast(subject, added, value, question="substitution"):
    return {
        "question": question, "subject": subject, "arm": f"{added} {subject}", "control": "real", "real": 0,
        "added": added, "difference": {"value": value, "interval": [value - 0.1, value + 0.1], "p": 0.5},
        "null_interval": None, "adjusted": 0.5, "standing": "worse", "share": 0.9, "values": {}, "subgroups": [],
    }  # fmt: skip


def study(*contrasts):
    counts = {"images": 5, "patients": 5, "digest": 64 * "0"}
    findings = {
        "problem": "intra-task", "task": {"kind": "classification", "names": ["a"], "exclusive": True},
        "headline": "auc", "test_images": 5, "test_patients": 5, "arms": [], "contrasts": list(contrasts),
    }  # fmt: skip
    return {
        "schema": "fourfold.utility/1", "sentences": [], "sets": {"real": counts, "test": counts},
        "findings": [findings], "settings": {"seeds": 1, "halvings": 0, "steps": 1, "seed": 0}, "preparation": {},
        "notes": [],
    }  # fmt: skip


def test_a_study_of_utility_gives_its_substitution_estimates(tmp_path):
    file = tmp_path / "utility.json"
    document = study(
        contrast("gan", 100, -0.1), contrast("gan", 50, -0.4), contrast("vae", 100, -0.2),
        contrast("fresh real", 100, 0.0), contrast("gan", 10, 0.3, "addition"),
    )  # fmt: skip
    file.write_text(json.dumps(document))
    found = read_measured_utility(tmp_path)
    assert found.measure == "auc"
    assert {name: one.value for name, one in found.scores.items()} == {"gan": -0.1, "vae": -0.2}
    assert found.scores["gan"].interval == pytest.approx((-0.2, 0.0))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("{}", "is not a fourfold.utility/1 record"),
        (json.dumps(study(contrast("gan", 5, 0.1, "addition"))), "no set was asked in place of real images"),
    ],
)
def test_a_record_that_is_none_is_refused(tmp_path, content, message):
    file = tmp_path / "utility.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=message):
        read_measured_utility(file)
