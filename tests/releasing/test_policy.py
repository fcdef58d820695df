from __future__ import annotations

from types import SimpleNamespace

import pytest

from fourfold.errors import InputError
from fourfold.privacy import Policy
from fourfold.releasing import ReleasePolicy, read_release_policy, write_release_policy
from fourfold.releasing.decision import Trials, reasons_against
from fourfold.releasing.policy import policy_text

SIGNED = Policy(signed_by="Dr A. Example")


def written(tmp_path, *changes: tuple[str, str]):
    file = write_release_policy(tmp_path / "policy.toml")
    text = file.read_text()
    for old, new in (('signed_by = ""', 'signed_by = "Dr A. Example"'), *changes):
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    return file


def test_the_default_policy_has_to_be_signed_and_is_then_the_default(tmp_path) -> None:
    with pytest.raises(InputError, match=r"policy\.toml: signed_by is empty"):
        read_release_policy(write_release_policy(tmp_path / "policy.toml"))
    (tmp_path / "policy.toml").unlink()
    found = read_release_policy(written(tmp_path))
    assert found.describe() == ReleasePolicy(SIGNED).describe()
    assert found.audit.required == ("copies", "copy_rate", "membership_auc", "singling_out_excess")
    assert found.audit.copy_rate == 0.01
    with pytest.raises(InputError, match="exists already"):
        write_release_policy(tmp_path / "policy.toml")


def test_a_policy_survives_being_written_out(tmp_path) -> None:
    policy = ReleasePolicy(SIGNED, miss_rate=0.2, utility_loss=0.03, inconclusive="accept", earlier_releases=2)
    (tmp_path / "own.toml").write_text(policy_text(policy))
    found = read_release_policy(tmp_path / "own.toml")
    assert found.describe() == policy.describe()
    assert found.audit == policy.audit
    file = written(tmp_path, ("earlier_releases = 0", "earlier_releases = 3"))
    assert policy_text(read_release_policy(file)) == file.read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("miss_rate = 0.10", "miss_rate = 0.9", "miss_rate must be a number above 0 and up to 0.5"),
        ("false_veto = 0.01", "false_vetoes = 0.01", r"in \[screen\] there is no 'false_vetoes'"),
        ('inconclusive = "refuse"', 'inconclusive = "maybe"', "inconclusive must be 'refuse' or 'accept'"),
        ("earlier_releases = 0", "earlier_releases = -1", "earlier_releases must be a whole number 0 or more"),
        ("fewest_label_patients = 5", "fewest_label_patients = 1", "2 or more"),
        ("copies = 0", "copies = -1", "copies must be a whole number"),
        ("expires = 12", 'scope = "model"', "scope must be 'images'"),
        ("[screen]", "[scren]", "there is no 'scren'"),
        ("[screen]", "[screen", "is no TOML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, old, new, words) -> None:
    with pytest.raises(InputError, match=words):
        read_release_policy(written(tmp_path, (old, new)))


def against(policy: ReleasePolicy, status: str = "pass", **changes) -> tuple[str, ...]:
    facts = {"missed": 0.02, "given_up": 0.1, "earlier": 0, "images": 100}
    tests = {
        "singling_out_p": 0.4,
        "avoidance_p": 0.4,
        "detectable": {},
        "fresh_p": {},
        "utility": {"loss": {"value": 0.0, "lower": -0.01, "upper": 0.02}},
    }
    for name in list(changes):
        (tests if name in tests else facts)[name] = changes[name]
    return reasons_against(SimpleNamespace(status=status, sentence="Said."), Trials(**tests), policy, **facts)


@pytest.mark.parametrize(
    ("limits", "status", "changes", "words"),
    [
        ({}, "pass", {}, None),
        ({}, "fail", {}, "the audit is fail"),
        ({}, "inconclusive", {}, "the audit is inconclusive"),
        ({"inconclusive": "accept"}, "inconclusive", {}, None),
        ({"inconclusive": "accept"}, "fail", {}, "the audit is fail"),
        ({}, "pass", {"missed": 0.3}, "misses 30.0 %"),
        ({}, "pass", {"missed": None}, "could not be measured"),
        ({"shortfall": "accept"}, "pass", {"missed": 0.3}, None),
        ({"given_up": 0.05}, "pass", {}, "10 % of the conditions"),
        ({}, "pass", {"earlier": 1}, "1 earlier release from"),
        ({"earlier_releases": 1}, "pass", {"earlier": 1}, None),
        ({}, "pass", {"singling_out_p": 0.004}, "single out training patients"),
        ({}, "pass", {"avoidance_p": 0.004}, "holes around training patients"),
        ({"singling_out_p": 0.001}, "pass", {"singling_out_p": 0.004}, None),
        ({"utility_loss": 0.01}, "pass", {}, "may lose 0.020"),
        ({"utility_loss": 0.03}, "pass", {}, None),
        ({"utility_loss": 0.03}, "pass", {"utility": {}}, "utility could not be measured"),
        ({}, "pass", {"images": 0}, "no candidate was left"),
    ],
)
def test_the_policy_decides(limits, status, changes, words) -> None:
    found = against(ReleasePolicy(SIGNED, **limits), status, **changes)
    if words is None:
        assert found == ()
    else:
        assert len(found) == 1
        assert words in found[0]
