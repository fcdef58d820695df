from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fourfold.privacy import Judgement, Policy, conclude, judge
from fourfold.score import Score

LOOSE = Policy(required=("copies", "copy_rate"))


def copies(listed: int = 0, images: int = 5000, null: float = 0.0, recall: float = 1.0, **details: Any) -> Score:
    share = listed / images
    facts = {
        "copies": listed,
        "patients": min(listed, 2),
        "images": images,
        "distinct_images": images,
        "holdout_images": 400,
        "null_images": 900,
        "false_discovery_rate": 0.05,
        "power": {"noise": {"planted": 20, "found": 20, "attributed": 20, "recall": recall}},
    }
    interval = (share if listed > null * images else 0.0, share + 0.01)
    return Score("privacy", "copies", share, null, interval, better="lower", features="pixels", details=facts | details)


def attack(name: str, kind: str = "normal", features: str | None = None, **facts: Any) -> Score:
    entry = {"name": name, "stage": 2, "kind": kind, **facts}
    return Score("privacy", "attack", 0.5, features=features, details={"endpoints": [entry]})


def area(estimate: float, error: float = 0.01, name: str = "membership_auc", **more: Any) -> Score:
    return attack(name, estimate=estimate, standard_error=error, size=300, **more)


def rate(count: int, size: int = 2000) -> Score:
    return attack("membership_tpr", "proportion", count=count, size=size)


def exchangeable(blocker: str | None = None) -> Score:
    return Score("privacy", "exchangeability", 0.5, details={"blocker": blocker})


def found(*scores: Score, policy: Policy | None = None) -> Judgement:
    return judge(scores, policy or Policy())


CLEAN = (copies(), area(0.51), rate(20))


def test_all_bounds_below_their_limits_pass_and_the_sentence_names_the_closest() -> None:
    judgement = found(*CLEAN, exchangeable())
    assert judgement.status == "pass"
    assert {endpoint.status for endpoint in judgement.endpoints} == {"pass"}
    assert judgement.sentence.startswith(
        "No copy of a training image was found among 5,000 synthetic images, and every"
    )
    assert "closest to it: share of copies at most 0.06 %, limit 0.1 %" in judgement.sentence
    assert "by disguise: noise 100 %" in judgement.sentence
    assert judgement.keys[0] == "privacy/copies@pixels"
    assert conclude(CLEAN) == (judgement.status, judgement.sentence, judgement.keys)


@pytest.mark.parametrize(
    ("scores", "policy", "status"),
    [
        ((copies(), area(0.51), rate(20)), Policy(), "pass"),
        ((copies(), area(0.51), rate(20), area(0.90, name="model_auc")), Policy(), "pass"),
        ((copies(), area(0.51), rate(20), area(0.90, name="model_auc")), Policy(scope="model"), "fail"),
        ((copies(), area(0.51), rate(20)), Policy(scope="model"), "inconclusive"),
        ((copies(3), area(0.51), rate(20)), Policy(), "fail"),
        ((copies(3), area(0.51), rate(20)), Policy(copies=3, copy_rate=0.01), "pass"),
        ((copies(3), area(0.51), rate(20)), Policy(copies=3), "inconclusive"),
        ((copies(100, null=0.02), area(0.51), rate(20)), Policy(), "inconclusive"),
        ((copies(), area(0.70), rate(20)), Policy(), "fail"),
        ((copies(), area(0.70), rate(20)), Policy(membership_auc=0.8), "pass"),
        ((copies(), area(0.59, 0.02), rate(20)), Policy(), "inconclusive"),
        ((copies(), area(0.62, 0.02), rate(20)), Policy(), "inconclusive"),
        ((copies(), area(0.51), rate(300)), Policy(), "fail"),
        ((copies(images=500), area(0.51), rate(20)), Policy(), "inconclusive"),
        ((copies(recall=0.1), area(0.51), rate(20)), Policy(), "inconclusive"),
        ((copies(power={}), area(0.51), rate(20)), Policy(), "inconclusive"),
        ((copies(holdout_images=0), area(0.51), rate(20)), Policy(), "inconclusive"),
        ((copies(null_images=120), area(0.51), rate(20)), Policy(), "inconclusive"),
        ((copies(), area(0.51)), Policy(), "inconclusive"),
        ((copies(),), LOOSE, "pass"),
        ((area(0.51), rate(20)), Policy(), "inconclusive"),
        ((*CLEAN, exchangeable("slices of training patients are in the holdout")), Policy(), "inconclusive"),
        ((copies(), area(0.9), rate(20), exchangeable("the sets differ")), Policy(), "inconclusive"),
        ((copies(3), area(0.51), rate(20), exchangeable("the sets differ")), Policy(), "fail"),
        ((*CLEAN, attack("epsilon", "floor", estimate=0.4)), Policy(), "pass"),
        ((*CLEAN, attack("epsilon", "floor", estimate=2.4)), Policy(), "fail"),
        ((*CLEAN, attack("linkage_excess", "difference", main=[60, 100], control=[10, 100])), Policy(), "fail"),
        ((*CLEAN, attack("linkage_excess", "difference", main=[2, 300], control=[2, 300])), Policy(), "pass"),
        ((), Policy(), "inconclusive"),
        ((), Policy(required=()), "inconclusive"),
        ((area(0.51),), Policy(required=()), "pass"),
    ],
)
def test_the_truth_table_of_the_verdict(scores: tuple[Score, ...], policy: Policy, status: str) -> None:
    judgement = judge(scores, policy)
    assert judgement.status == status, judgement.sentence
    assert "safe" not in judgement.sentence.lower()
    assert judgement.sentence.endswith(".")
    assert ".." not in judgement.sentence


def test_a_failure_is_adjusted_for_the_number_of_endpoints() -> None:
    barely = area(0.62, 0.0105)
    assert found(copies(), barely, policy=LOOSE).endpoints[-1].p == pytest.approx(0.0284, abs=1e-3)
    alone = found(barely, policy=Policy(required=()))
    assert alone.status == "fail"
    many = found(copies(), barely, area(0.51, name="worst_case_auc"), policy=LOOSE)
    assert many.status == "inconclusive"
    adjusted = next(one for one in many.endpoints if one.name == "membership_auc").adjusted
    assert adjusted == pytest.approx(4 * 0.0284, abs=4e-3)


def test_a_failed_attack_is_named_with_its_bound_and_limit() -> None:
    sentence = found(copies(), area(0.70), rate(20)).sentence
    assert sentence.startswith("Attacks reach more than the policy allows: membership attack, area under the curve at ")
    assert "at least 0.68, limit 0.60. No copy of a training image was found" in sentence


def test_an_inconclusive_verdict_says_what_would_settle_it() -> None:
    judgement = found(copies(images=500), area(0.56, 0.03), rate(20))
    assert "share of copies may reach 0.6 % (limit 0.1 %; about 2,995 different synthetic images" in judgement.sentence
    assert "area under the curve may reach 0.61 (limit 0.60; about 457 patients on each side" in judgement.sentence
    above = found(copies(), area(0.62, 0.02), rate(20))
    assert "more data would not make it pass" in above.sentence


def test_what_the_policy_requires_and_nothing_measured_is_named_with_its_reason() -> None:
    missing = Score("privacy", "membership", None, reason="the holdout has 3 patients.")
    judgement = found(copies(), missing)
    assert judgement.missing[0] == ("membership_auc", "the holdout has 3 patients")
    assert "not measured: membership attack, area under the curve and membership attack, patients named" in (
        judgement.sentence
    )
    assert "(the holdout has 3 patients)" in judgement.sentence
    assert dict(found(copies()).missing)["membership_tpr"] == "not asked for"
    partly = replace(area(0.51), name="membership", reason="1 % false alarms cannot be set with 80 patients")
    assert dict(found(copies(), partly).missing) == {
        "membership_tpr": "1 % false alarms cannot be set with 80 patients"
    }
    nothing = Score("privacy", "copies", None, reason="needs three training images")
    sentence = found(nothing).sentence
    assert sentence.startswith("Whether training images were copied was not determined")
    assert "not measured: images listed as copies and share of copies (needs three training images)" in sentence


def test_a_blocker_takes_the_word_from_the_attacks_but_not_from_listed_copies() -> None:
    blocked = exchangeable("Training and holdout patients can be told apart.")
    judgement = found(copies(), area(0.9), rate(20), blocked)
    assert judgement.blockers == ("Training and holdout patients can be told apart",)
    assert "but this shows little: Training and holdout patients can be told apart." in judgement.sentence
    judgement = found(copies(1), blocked)
    assert "1 of 5,000 synthetic images is a copy of a training image (1 patient; at most 5 %" in judgement.sentence
    assert judgement.blockers


def test_copies_that_the_holdout_would_list_as_well_are_inconclusive() -> None:
    sentence = found(copies(100, null=0.02), area(0.51), rate(20)).sentence
    assert "100 of 5,000 synthetic images are listed as copies" in sentence
    assert "of the holdout 2 % would be listed as well" in sentence


def test_accepted_copies_are_said() -> None:
    sentence = found(copies(1), area(0.51), rate(20), policy=Policy(copies=1, copy_rate=0.01)).sentence
    assert sentence.startswith("1 of 5,000 synthetic images is listed as a copy, which the policy accepts, and every")


def test_diagnostics_never_enter() -> None:
    worse = Score("privacy", "exposure", 0.9, 0.3, (0.85, 0.95), better="lower", features="radiomics")
    marked = area(0.99)
    marked = replace(marked, details={**marked.details, "diagnostic": True})
    assert found(*CLEAN, worse, marked).status == "pass"
    assert len(found(*CLEAN, worse, marked).endpoints) == 4


def test_scores_of_other_axes_do_not_count() -> None:
    assert found(*CLEAN, replace(area(0.99), axis="fidelity")).status == "pass"


def test_one_endpoint_in_two_feature_spaces_must_hold_in_both() -> None:
    judgement = found(*CLEAN, area(0.9, features="radiomics"))
    assert judgement.status == "fail"
    assert "area under the curve (radiomics) at least 0.88" in judgement.sentence


def test_many_disguises_are_summed_up_by_the_least_visible() -> None:
    power = {name: {"recall": share} for name, share in zip("abcdef", (1, 0.9, 0.2, 0.8, 1, 0.95), strict=True)}
    sentence = found(copies(power=power)).sentence
    assert "the least visible of 6 disguises: c 20 %, d 80 %, b 90 %." in sentence


def test_facts_in_the_copies_score_itself_come_before_those_derived() -> None:
    entries = [
        {"name": "copies", "stage": 1, "kind": "rate", "count": 0},
        {"name": "copy_rate", "stage": 1, "kind": "rate", "count": 0, "size": 400, "recall": 0.5},
    ]
    listed, share = found(copies(endpoints=entries), policy=LOOSE).endpoints
    assert (listed.estimate, listed.status) == (0.0, "pass")
    assert share.proof.size == 400
    assert share.needed == 5990


def test_an_endpoint_without_a_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="a policy has no limit for 'beauty'"):
        found(attack("beauty", estimate=0.5, standard_error=0.1))
