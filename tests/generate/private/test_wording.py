"""What is said about a guarantee."""

from __future__ import annotations

from fourfold.generate.training.privacy_record import GROUP, PATIENT, not_covered, sentence


def test_an_epsilon_of_ten_is_said_to_be_no_protection_in_the_worst_case():
    said = sentence(10.0, 1e-5)
    assert "e^epsilon = 22 026 (epsilon 10)" in said
    assert "at most 99.9955 % of cases" in said
    assert "no meaningful protection of a person in the worst case" in said
    assert "wrongly accuses fewer than one outsider in 2 202 647" in said
    assert "holds against every attack" in sentence(1.0, 1e-5)
    assert "no meaningful" not in sentence(1.0, 1e-5)


def test_missing_identifiers_are_said_to_change_the_unit():
    assert "k times epsilon" in not_covered(GROUP, 9)[0]
    assert "no patient identifiers" in not_covered(GROUP, 9)[0]
    assert not any("no patient identifiers" in one for one in not_covered(PATIENT, 9))
    assert any("log.csv" in one for one in not_covered(PATIENT, 9))
    assert any("number of units (9)" in one for one in not_covered(PATIENT, 9))
