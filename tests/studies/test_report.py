import csv
import json

import jsonschema
import pytest

from fourfold.report.study_files import study_schema
from fourfold.studies import PhantomImages, run_study


@pytest.fixture
def folder(brightness, tmp_path):
    run_study(brightness, tmp_path, scale="quick", source=PhantomImages("chest", 16)).report(tmp_path)
    return tmp_path


def test_the_document_is_valid_and_holds_claims_and_findings(folder):
    document = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(study_schema()).validate(document)
    assert [one["verdict"] for one in document["findings"]] == ["holds", "not asked"]
    assert document["cells"] == 4


def test_the_table_has_a_row_a_cell(folder):
    rows = list(csv.DictReader((folder / "cells.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["added"] for row in rows] == ["0.0", "0.25", "0.0", "0.25"]
    assert {row["nothing"] for row in rows} == {""}


def test_the_page_shows_each_claim_with_its_finding_and_escapes_words(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "The mean rises with the constant" in page
    assert "It rises by a quarter." in page
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_figures_are_files_in_ink_and_not_in_stand_ins(folder):
    drawing = (folder / "means.svg").read_text(encoding="utf-8")
    assert "#0102" not in drawing
    assert "#b4451f" in drawing
    assert (folder / "means.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_half_written_is_left(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "cells",
        "cells.csv",
        "index.html",
        "means.png",
        "means.svg",
        "study.json",
        "work",
    ]
