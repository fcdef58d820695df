from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from fourfold.errors import InputError
from fourfold.privacy import LIMITS, Policy, read_policy, write_policy


def _file(folder: Path, text: str) -> Path:
    file = folder / "policy.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_written_policy_is_the_default_and_names_every_limit(tmp_path: Path) -> None:
    file = write_policy(tmp_path / "policy.toml")
    assert read_policy(file) == Policy()
    assert all(f"\n{name} = " in file.read_text() for name in LIMITS)
    assert [path.name for path in tmp_path.iterdir()] == ["policy.toml"]


def test_what_a_policy_leaves_out_has_its_default(tmp_path: Path) -> None:
    policy = read_policy(_file(tmp_path, 'signed_by = "A. Controller"\nexpires = 2031-05-06\n[limits]\nepsilon = 2\n'))
    assert policy == Policy(signed_by="A. Controller", expires=date(2031, 5, 6), epsilon=2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("beauty = 1", r"there is no 'beauty'; known are required, scope, signed_by, expires$"),
        ("copies = 0", r"there is no 'copies'; .*limits stand under \[limits\]"),
        ("[limits]\nbeauty = 1", r"in \[limits\] there is no 'beauty'; known are copies, copy_rate"),
        ("limits = 3", r"limits must be a table"),
        ("[limits]\ncopies = 1.5", r"copies must be a whole number 0 or more, got 1.5"),
        ("[limits]\ncopies = true", r"copies must be a whole number 0 or more, got True"),
        ("[limits]\ncopy_rate = 0", r"copy_rate must be a share above 0 and up to 1, got 0"),
        ("[limits]\nmembership_auc = 0.5", r"membership_auc must be an area above 0.5 \(chance\) and up to 1, got 0.5"),
        ("[limits]\nworst_case_tpr = 0.01", r"worst_case_tpr must be a share above 0.01 \(chance\) and up to 1"),
        ('[limits]\nepsilon = "low"', r"epsilon must be a number above 0 and up to 100, got 'low'"),
        ("[limits]\nlinkage_excess = nan", r"linkage_excess must be a share above 0 and up to 1, got nan"),
        ('scope = "both"', r"scope must be 'images' or 'model', got 'both'"),
        ("signed_by = 3", r"signed_by must be text, got 3"),
        ("expires = 0", r"expires must be a whole number from 1 to 120 months, or a day such as 2027-01-31, got 0"),
        ("expires = 2027-01-31T00:00:00", r"expires must be a whole number from 1 to 120 months"),
        ('required = ["beauty"]', r"required must be a list of names out of copies, copy_rate"),
        ('required = "copies"', r"required must be a list of names"),
        ("required = 3", r"required must be a list of names"),
        ("copies", r"is no TOML .*--write-policy FILE"),
    ],
)
def test_a_wrong_policy_is_refused_by_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    file = _file(tmp_path, text)
    with pytest.raises(InputError, match=said) as stop:
        read_policy(file)
    assert str(stop.value).startswith(f"{file}: ")


def test_a_missing_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.toml: cannot be read \(No such file or directory\)"):
        read_policy(tmp_path / "none.toml")


def test_a_policy_is_never_overwritten_nor_half_written(tmp_path: Path) -> None:
    file = _file(tmp_path, "mine")
    with pytest.raises(InputError, match="exists already; a policy is not overwritten"):
        write_policy(file)
    assert file.read_text() == "mine"
    with pytest.raises(InputError, match="cannot be written"):
        write_policy(file / "below" / "policy.toml")
    assert [path.name for path in tmp_path.iterdir()] == ["policy.toml"]


def test_an_audit_expires_after_its_months_or_on_its_day() -> None:
    assert Policy().last_day(date(2027, 3, 5)) == date(2028, 3, 5)
    assert Policy(expires=11).last_day(date(2026, 3, 31)) == date(2027, 2, 28)
    assert Policy(expires=2).last_day(date(2026, 11, 30)) == date(2027, 1, 30)
    assert Policy(expires=date(2026, 12, 1)).last_day(date(2026, 3, 31)) == date(2026, 12, 1)


def test_attacks_on_the_model_apply_where_the_model_is_shared() -> None:
    assert not Policy().applies("model_auc")
    assert Policy(scope="model").applies("model_auc")
    assert Policy().applies("epsilon")
    assert Policy(scope="model", required=()).requires("model_tpr")
    assert not Policy(required=("model_tpr",)).requires("model_tpr")
    assert Policy().requires("copy_rate")
    assert not Policy().requires("linkage_excess")


def test_there_is_no_limit_for_an_unknown_endpoint() -> None:
    with pytest.raises(ValueError, match="a policy has no limit for 'beauty'"):
        Policy().limit("beauty")
