"""Verification finds documents that contradict the images or each other."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from fourfold.releasing.verify import verify

TODAY = date(2026, 6, 30)


@pytest.mark.parametrize(
    ("name", "change", "check"),
    [
        ("release.json", lambda one: one.update(images=11), "agreement"),
        ("release.json", lambda one: one.update(images=12.0), "names"),
        ("release.json", lambda one: one.update(images=10**12), "names"),
        ("release.json", lambda one: one.update(shape=[1, 10**7, 10**7]), "pictures"),
        ("release.json", lambda one: one.update(shape=[1, 24, 25]), "pictures"),
        ("release.json", lambda one: one.update(dataset="0" * 64), "images"),
        ("release.json", lambda one: one["classes"].update(lesion=5), "labels"),
        ("release.json", lambda one: one["patients"].update(training=400), "agreement"),
        ("release.json", lambda one: one.update(title="Others"), "croissant"),
        ("release.json", lambda one: one.update(licence="CC0-1.0"), "texts"),
        ("release.json", lambda one: one.pop("screen"), "schemas"),
        ("release.json", lambda one: one.update(created="2026-01-01"), "agreement"),
        ("audit.json", lambda one: one["verdict"].update(status="fail"), "agreement"),
        ("audit.json", lambda one: one["verdict"].update(status="fail"), "verdict"),
        ("audit.json", lambda one: one["verdict"].update(status="inconclusive"), "verdict"),
        ("audit.json", lambda one: one["sets"]["synthetic"].update(digest="0" * 64), "images"),
        ("audit.json", lambda one: one["sets"]["training"].update(images=41), "agreement"),
        ("audit.json", lambda one: one["limits"].update(copy_rate=0.5), "agreement"),
        ("audit.json", lambda one: one.update(expires="2030-01-01"), "statement"),
        ("audit.json", lambda one: one.update(signed_by=7), "schemas"),
        ("scores.json", lambda one: one["sets"]["synthetic"].update(shape=[1, 9, 9]), "agreement"),
        ("scores.json", lambda one: one["sets"]["synthetic"].update(labels={"normal": 12}), "agreement"),
        ("croissant.json", lambda one: one["recordSet"][0]["field"].pop(1), "croissant"),
        ("croissant.json", lambda one: one["distribution"][0].update(sha256="0" * 64), "croissant"),
        ("croissant.json", lambda one: one["distribution"][-1].update(includes="../*.png"), "croissant"),
        ("croissant.json", lambda one: one.clear(), "croissant"),
    ],
)
def test_documents_that_contradict_the_images_or_each_other_are_found(
    failed, sum_again, edit, copy, name, change, check
) -> None:
    edit(copy, name, change)
    sum_again(copy)
    found = verify(copy, today=TODAY)
    assert check in failed(found)
    assert "bytes" not in failed(found)


@pytest.mark.parametrize(
    "policy", ["[limits]\ncopy_rate = 0.5\n", 'signed_by = "Somebody Else"', "[limits", "limits = 7"]
)
def test_a_policy_that_the_audit_was_not_judged_by_is_found(failed, sum_again, copy: Path, policy: str) -> None:
    (copy / "policy.toml").write_text(policy)
    sum_again(copy)
    assert "agreement" in failed(verify(copy, today=TODAY))


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a": NaN}', '{"schema": 1, "schema": 2}', "", "\ud800"])
def test_a_document_that_is_no_json_of_ours_is_found(failed, sum_again, copy: Path, text: str) -> None:
    (copy / "audit.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    sum_again(copy)
    assert "schemas" in failed(verify(copy, today=TODAY))


def _replace_in_table(folder: Path, old: str, new: str) -> None:
    file = folder / "metadata.csv"
    file.write_text(file.read_text().replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("path,label,mask", "path,label,patient", "names"),
        ("000002.png,normal", "000002.png,lesion", "labels"),
        ("images/000001.png", "images/000002.png", "names"),
        ("images/000001.png", "/etc/passwd", "names"),
        ("masks/000001.png", "masks/000002.png", "names"),
        ("masks/000001.png", "../masks/000001.png", "names"),
        ("normal", '"nor\nmal"', "labels"),
    ],
)
def test_a_table_that_says_something_else_is_found(
    failed, sum_again, copy: Path, old: str, new: str, check: str
) -> None:
    _replace_in_table(copy, old, new)
    sum_again(copy)
    assert check in failed(verify(copy, today=TODAY))


def test_an_inconclusive_audit_that_the_policy_accepts_is_said(failed, sum_again, edit, copy: Path) -> None:
    edit(copy, "audit.json", lambda one: one["verdict"].update(status="inconclusive"))
    edit(copy, "release.json", lambda one: one["audit"].update(status="inconclusive"))
    page = (copy / "statement.html").read_text()
    (copy / "statement.html").write_text(page.replace("verdict pass", "verdict inconclusive"))
    sum_again(copy)
    assert "verdict" in failed(verify(copy, today=TODAY))
    with (copy / "policy.toml").open("a") as stream:
        stream.write('\n[release]\ninconclusive = "accept"\n')
    sum_again(copy)
    found = verify(copy, today=TODAY)
    assert [check.status for check in found.checks if check.name == "verdict"] == ["warning"]
    assert "verdict" not in failed(found)
