from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fourfold.auditing import statement_of
from fourfold.auditing.statement import CRITERIA
from fourfold.privacy import LIMITS, Policy
from fourfold.report import render_statement
from fourfold.score import Score

LONG = (
    "The holdout has few patients of this group and every score that needs them has a wide interval; collect more of "
    "them, or read the bounds with care, since a handful of patients decides where they lie and how far they reach."
)


def page(audit) -> str:
    return render_statement(statement_of(audit))


def blocked(clause: str) -> Score:
    return Score("privacy", "exchangeability", 0.7, details={"blocker": clause})


@pytest.fixture(scope="module")
def fullest(make_audit, make_scores):
    """As much as a page may have to hold: everything open, blocked, long notes, nothing signed."""
    scores = make_scores(images=500, error=0.09, area=0.58)
    scores[0] = blocked("training and holdout patients can be told apart, " + LONG[:120])
    again = [
        Score("privacy", "linkage", 0.1, features=space, details=scores[5].details)
        for space in ("radiomics", "pixels", "contrastive")
    ]
    return make_audit([*scores, *again], Policy(scope="model"), [LONG] * 6, "", False)


def test_the_page_answers_in_numbers_of_people(make_audit) -> None:
    said = page(make_audit())
    assert "PASS" in said.upper()
    assert (
        "Of 1,000 outsiders wrongly accused by at most 10, the attacker would correctly name at most 16 of 1,000 "
        "members (chance: 10)."
    ) in said
    assert "Area under the curve 0.51, between 0.48 and 0.54 (0.50 is chance; limit 0.60)." in said
    assert "Each of 3,500 synthetic images was compared with every training image" in said
    assert "None is listed as a copy." in said
    assert "at most 0.089 % would be copies" in said
    assert "the same search lists 0 %" in said
    assert "12 of 240" in said
    assert "patch 6: 12 % of 100 planted copies found" in said


def test_the_page_says_what_was_audited_by_whom_and_until_when(make_audit) -> None:
    audit = make_audit()
    said = page(audit)
    for fact in (
        "2026-03-31",
        "2027-03-31",
        audit.dataset,
        "Dr A. Example",
        "by fourfold split (seed 7)",
        "the images",
    ):
        assert fact in said
    bare = page(make_audit(policy=Policy(), split_by="", randomised=False))
    assert "nobody yet" in bare
    assert "not stated" in bare
    assert "the evidence is observational" in bare
    mistaken = page(replace(audit, randomised=False))
    assert "The record of the split does not fit these sets." in mistaken
    assert "seed 7" not in mistaken


def test_copies_are_counted_with_their_patients(make_audit, make_scores) -> None:
    said = page(make_audit(make_scores(listed=7)))
    assert "7 are listed as copies, of 3 patients." in said
    assert 'data-status="fail"' in said
    assert "1 is listed as a copy, of 1 patient." in page(make_audit(make_scores(listed=1)))


def test_the_least_visible_disguises_are_shown_where_there_are_too_many(make_audit, make_scores) -> None:
    scores = make_scores()
    power = {f"disguise_{number}": {"planted": 50, "recall": number / 40} for number in range(40)}
    power["none"] = {"planted": 50, "recall": 1.0}
    scores[1] = scores[1].with_details(power=power, recall=0.98)
    said = page(make_audit(scores))
    assert "(the 12 least visible of 40)" in said
    assert "disguise 11:" in said
    assert "disguise 12:" not in said
    assert said.index("98 % found") < said.index("none: 100 %") < said.index("disguise 0:")


def test_every_limit_has_its_place_among_the_criteria() -> None:
    assert sorted(name for names in CRITERIA.values() for name in names) == sorted(LIMITS)


def test_what_was_not_measured_is_said_and_not_passed_over(make_audit, make_scores) -> None:
    audit = make_audit([make_scores()[1]], Policy(scope="model"))
    said = page(audit)
    assert audit.status == "inconclusive"
    assert said.count("not tested</span>") == 9
    found = ("Attacks on the model (not asked for).", "Linkage of records (not asked for).")
    for what in (*found, "Not measured: singling out, linkage, inference."):
        assert what in said
    assert "exchangeable was not tested" in said


def test_an_open_endpoint_comes_with_the_size_that_would_settle_it(make_audit, make_scores) -> None:
    said = page(make_audit(make_scores(images=500)))
    assert "Share of copies: about 3,120 different synthetic images without a copy would settle it." in said


def test_a_failed_assumption_is_on_the_page(make_audit, make_scores) -> None:
    scores = [blocked("slices of training patients are in the holdout"), *make_scores()[1:]]
    audit = make_audit(scores)
    assert audit.status == "inconclusive"
    assert "<li>Slices of training patients are in the holdout.</li>" in page(audit)


def test_nothing_private_is_on_the_page(make_audit, make_scores, fullest) -> None:
    reason = "ward7/training_scan_003.dcm of MRN-4711-training is broken"
    scores = [blocked(reason), *make_scores(listed=3)[1:]]
    notes = ["/data/hospital/training was read from ward7/holdout_scan_001.dcm."]
    for audit in (make_audit(scores, notes=notes), fullest):
        said = page(audit)
        for name in ("ward7", "MRN-4711", "scan_003", "hospital", "data:image", "<img", "<script", "http:", "https"):
            assert name not in said, name
    assert "(name left out)" in page(make_audit(scores, notes=notes))


def test_hostile_text_stays_text_and_nothing_may_be_fetched_or_run(make_audit) -> None:
    said = page(make_audit(policy=Policy(signed_by="<script>alert(1)</script>")))
    assert "<script" not in said
    assert "&lt;script&gt;" in said
    assert "default-src 'none'; style-src 'unsafe-inline'" in said


def test_no_statement_says_safe(make_audit, make_scores, fullest) -> None:
    for audit in (make_audit(), make_audit(make_scores(listed=7)), fullest):
        assert "safe" not in page(audit).lower().replace("unsafe-inline", "")


def test_even_the_fullest_statement_is_one_sheet_of_a4(fullest, make_audit, tmp_path: Path) -> None:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    for number, audit in enumerate((fullest, make_audit())):
        said = page(audit)
        assert "@page { size: A4;" in said
        assert said.count("<main") == 1
        assert len(re.findall("<li", said)) <= 24 + 24
        if program is None:
            continue
        html, pdf = tmp_path / f"{number}.html", tmp_path / f"{number}.pdf"
        html.write_text(said, encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-pdf-header-footer"]
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        subprocess.run(
            [program, *options, profile, f"--print-to-pdf={pdf}", html.as_uri()],
            check=True,
            capture_output=True,
            timeout=120,
        )
        assert len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes())) == 1
