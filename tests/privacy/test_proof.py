from __future__ import annotations

import pytest

from fourfold.privacy.proof import Count, Difference, Floor, Normal, Proportion, Rate, proof_of
from fourfold.statistics import miettinen_nurminen_p


@pytest.mark.parametrize(
    ("size", "upper"), [(100, 0.0295), (300, 0.0099), (1000, 0.0030), (3000, 0.0010), (10_000, 0.00030)]
)
def test_a_rate_without_a_hit_is_bounded_as_the_tables_say(size: int, upper: float) -> None:
    assert Rate(0, size).bounds() == (0.0, pytest.approx(upper, rel=0.02))
    assert Rate(0, size, recall=0.5).bounds()[1] == pytest.approx(2 * upper, rel=0.02)


def test_a_search_that_sees_nothing_bounds_nothing() -> None:
    blind = Rate(0, 100_000, recall=0.0)
    assert blind.bounds() == (0.0, 1.0)
    assert blind.needed(0.001) is None


def test_what_the_holdout_has_as_well_is_no_evidence_of_harm() -> None:
    assert Rate(20, 1000).p(0.001) < 1e-6
    assert Rate(20, 1000, null=0.02).p(0.001) > 0.3
    assert Rate(20, 1000, null=0.02).bounds()[0] == 0.0
    assert Rate(20, 1000, null=0.02).bounds()[1] == Rate(20, 1000).bounds()[1]


def test_a_proportion_has_exact_one_sided_bounds() -> None:
    assert Proportion(5, 100).bounds() == (pytest.approx(0.0199, abs=1e-4), pytest.approx(0.1023, abs=1e-4))
    assert Proportion(0, 10).p(0.5) == 1.0
    assert Proportion(10, 10).p(0.5) == pytest.approx(0.5**10)


def test_an_area_has_normal_bounds_within_0_and_1() -> None:
    low, high = Normal(0.55, 0.02, 300).bounds()
    assert (low, high) == (pytest.approx(0.5171, abs=1e-4), pytest.approx(0.5829, abs=1e-4))
    assert Normal(0.98, 0.1).bounds()[1] == 1.0
    assert Normal(0.55, 0.02).p(0.5171) == pytest.approx(0.05, abs=1e-3)
    assert Normal(0.7, float("nan")).bounds() == (0.0, 1.0)
    assert (Normal(0.7, 0.0).p(0.6), Normal(0.6, 0.0).p(0.6)) == (0.0, 1.0)


def test_a_difference_is_tested_where_its_bound_stands() -> None:
    proof = Difference((40, 200), (20, 200))
    low, high = proof.bounds()
    assert low < proof.estimate < high
    assert proof.estimate == pytest.approx(0.1)
    assert proof.p(low) == pytest.approx(0.05, abs=1e-3)
    assert proof.p(0.0) == miettinen_nurminen_p((40, 200), (20, 200))


def test_a_floor_and_a_count_bring_their_own_error_rate() -> None:
    assert (Floor(1.2).p(1.0), Floor(1.0).p(1.0)) == (0.0, 1.0)
    assert (Count(2, beyond=True).p(0), Count(2, beyond=False).p(0), Count(2, beyond=True).p(2)) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("proof", "limit"),
    [
        (Rate(0, 150, 0.9), 0.001),
        (Rate(1, 2000, 1.0), 0.001),
        (Proportion(2, 100), 0.03),
        (Proportion(0, 20), 0.03),
        (Normal(0.56, 0.05, 60), 0.60),
        (Difference((12, 100), (8, 90)), 0.09),
        (Difference((0, 20), (0, 10)), 0.09),
    ],
)
def test_the_size_that_would_settle_it_does_and_one_less_does_not(proof, limit: float) -> None:
    assert proof.bounds()[1] >= limit
    needed = proof.needed(limit)
    assert needed > proof.size

    def upper(size: int) -> float:
        def kept(count: int, of: int, to: int) -> int:
            return -(-count * to // of)

        match proof:
            case Rate(count, of, recall):
                return Rate(kept(count, of, size), size, recall).bounds()[1]
            case Proportion(count, of):
                return Proportion(kept(count, of, size), size).bounds()[1]
            case Normal(estimate, error, of):
                return Normal(estimate, error * (of / size) ** 0.5, size).bounds()[1]
        other = -(-size * proof.control[1] // proof.main[1])
        control = (other * proof.control[0] // proof.control[1], other)
        return Difference((kept(*proof.main, size), size), control).bounds()[1]

    assert upper(needed) < limit <= upper(needed - 1)


def test_a_zero_rate_needs_about_three_thousand_images_for_a_tenth_of_a_per_cent() -> None:
    assert Rate(0, 100).needed(0.001) == 2995
    assert Rate(0, 100, recall=0.5).needed(0.001) == 5990


@pytest.mark.parametrize(
    ("proof", "limit"),
    [
        (Rate(5, 1000), 0.001),
        (Proportion(5, 100), 0.03),
        (Normal(0.61, 0.05, 60), 0.60),
        (Normal(0.51, float("inf"), 60), 0.60),
        (Normal(0.51, 0.2), 0.60),
        (Difference((30, 100), (0, 100)), 0.09),
        (Floor(3.0), 1.0),
        (Count(3, beyond=False), 0),
    ],
)
def test_no_size_settles_an_estimate_above_its_limit(proof, limit: float) -> None:
    assert proof.needed(limit) is None


def test_facts_become_evidence_of_their_kind() -> None:
    assert proof_of({"kind": "count", "count": 2}, beyond=True) == Count(2, True)
    assert proof_of({"kind": "rate", "count": 1, "size": 9, "recall": 0.5}, null=0.1) == Rate(1, 9, 0.5, 0.1)
    assert proof_of({"kind": "proportion", "count": 1, "size": 9}) == Proportion(1, 9)
    assert proof_of({"kind": "normal", "estimate": 0.5, "standard_error": 0.1, "size": 9}) == Normal(0.5, 0.1, 9)
    assert proof_of({"kind": "difference", "main": [1, 9], "control": [0, 8]}) == Difference((1, 9), (0, 8))
    assert proof_of({"kind": "floor", "estimate": 0.2}) == Floor(0.2)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"name": "x"}, "the endpoint 'x' lacks a fact: 'kind'"),
        ({"name": "x", "kind": "guess"}, "no kind of endpoint 'guess'"),
        ({"name": "x", "kind": "rate", "count": 1}, "the endpoint 'x' lacks a fact: 'size'"),
        ({"name": "x", "kind": "proportion", "count": 0, "size": 0}, "a size of 1 or more, got 0"),
    ],
)
def test_facts_that_say_nothing_are_refused(facts: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        proof_of(facts)
