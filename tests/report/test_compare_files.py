import csv
import io
import json
import re

import jsonschema
import numpy as np
import pytest

from fourfold.comparing import ComparedSet, MeasuredUtility, RealSet, association, side_by_side
from fourfold.errors import InputError
from fourfold.report.compare_files import (
    compare_document,
    compare_schema,
    render_comparison,
    scores_csv,
    write_comparison,
)
from fourfold.report.compare_wording import sentences
from fourfold.score import Score
from fourfold.verdicts import Verdict

HOSTILE = "<img onerror=alert(1)>"
REAL = {"training": RealSet(100, 80, 64 * "a"), "holdout": RealSet(90, None, 64 * "b")}


def score(axis, name, value, error, better="higher", features="radiomics", null=0.9):
    return Score(
        axis, name, value, null, (value - 2 * error, value + 2 * error), None, better, features, "someone 2020"
    )


def made(name, quality, family, images=100):
    """A set whose every score follows its quality, in [0, 1]."""
    scores = (
        score("fidelity", "frechet_distance", 3 - 2 * quality, 0.05, "lower", null=0.5),
        score("fidelity", "frechet_distance", 6 - 2 * quality, 0.05, "lower", features="pixels", null=0.5),
        score("fidelity", "density", 1 - 0.5 * quality, 0.02, "null", null=1.0),
        score("variety", "coverage", 0.2 + 0.7 * quality, 0.01),
        Score("variety", "vendi_score", None, reason="too few images: /data/ward/one.png", features="radiomics"),
        score("privacy", "exposure", 0.5, 0.05, "lower", null=0.5),
        score("utility", "train_synthetic_test_real", 0.5 + 0.4 * quality, 0.01),
    )
    verdicts = {axis: Verdict(axis, "pass", f"All is well with {axis}.") for axis in ("fidelity", "privacy")}
    return ComparedSet(
        name, family, images, f"{round(1000 * quality):064x}", verdicts, scores, ("A note: /home/me/x.",)
    )


def laid_out(count=12, measured=True, **options):
    qualities = np.linspace(0, 1, count)
    names = [HOSTILE, *(f"set{place}" for place in range(1, count))]
    sets = [made(name, q, f"family {place % 6}") for place, (name, q) in enumerate(zip(names, qualities, strict=True))]
    utility = {
        name: score("utility", "measured_utility", q - 1, 0.02, features=None, null=0.0)
        for name, q in zip(names, qualities, strict=True)
    }
    return side_by_side(
        sets,
        real=REAL,
        preparation={"rule": "range", "low": 0.0},
        settings={"seed": 0, "features": ["radiomics", "pixels"], "fourfold": "0", "seconds": 1.0},
        ladders={"quality": [names[0], names[count // 2], names[-1]]},
        measured=MeasuredUtility("auc", utility) if measured else None,
        **options,
    )


@pytest.fixture(scope="module")
def compared():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(association, "_DRAWS", 40)
        yield laid_out()


@pytest.fixture(scope="module")
def folder(compared, tmp_path_factory):
    return write_comparison(compared, tmp_path_factory.mktemp("out") / "compare").parent


def test_the_document_keeps_its_schema(compared):
    jsonschema.Draft202012Validator.check_schema(compare_schema())
    document = json.loads(json.dumps(compare_document(compared), allow_nan=False))
    jsonschema.validate(document, compare_schema())
    document["prediction"]["scores"][0]["claim"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, compare_schema())


def test_the_sentences_claim_what_is_there_and_nothing_else(compared):
    said = "\n".join(sentences(compared))
    assert "on the Pareto front: set11." in said
    assert "set1 (by set2, set3, set4 and 7 more)" in said
    assert "Fréchet distance (radiomics) predicted the measured utility of these sets: rank correlation" in said
    assert (
        "Exposure (radiomics): no claim about the measured utility, since the score is the same for all sets." in said
    )
    assert "agreement is nearly by construction" in said
    assert "Along quality" in said
    assert "falls (better) from set6 on" in said


def test_without_a_measured_utility_the_probe_is_named_as_such():
    compared = laid_out(measured=False, count=4)
    said = "\n".join(sentences(compared))
    assert "No measured utility was given" in said
    assert "No association of scores is claimed: an association is told from at least 5 sets" in said
    assert {one.row.axis for one in compared.predictions} <= {"fidelity", "variety", "privacy"}
    assert {one.claim for one in compared.predictions} == {"no claim"}
    jsonschema.validate(json.loads(json.dumps(compare_document(compared))), compare_schema())
    assert "There are no intervals" in render_comparison(compared)


def test_the_page_escapes_names_and_fetches_nothing(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert HOSTILE not in page
    assert "&lt;img onerror=alert(1)&gt;" in page
    assert re.search(r"Content-Security-Policy. content=.default-src 'none'", page)
    assert all(one.startswith("#") for one in re.findall(r"(?:src|href)=\"([^\"]+)\"", page))
    assert page.count('<svg class="plot"') == 2
    assert re.search(
        r"<title>Fréchet distance \(radiomics\) and Coverage \(radiomics\): 0\.98 \(0\.\d\d to 1\.00\)", page
    )


def test_no_file_names_a_path(folder):
    assert {file.name for file in folder.iterdir()} == {"index.html", "compare.json", "scores.csv"}
    for file in folder.iterdir():
        text = file.read_text(encoding="utf-8")
        assert "/home/me" not in text
        assert "one.png" not in text


def test_the_table_has_a_row_a_set_and_score(compared):
    rows = list(csv.DictReader(io.StringIO(scores_csv(compared))))
    assert len(rows) == len(compared.sets) * len(compared.rows)
    best = next(row for row in rows if row["set"] == "set11" and row["score"] == "coverage")
    assert (best["value"], best["first_rank"], best["departs"]) == (str(0.2 + 0.7), "1", "no")
    assert next(row for row in rows if row["score"] == "vendi_score")["value"] == ""


def test_a_name_that_a_spreadsheet_would_run_is_quoted():
    sets = [made("=1+1", 0.2, "a"), made("b", 0.8, "b")]
    compared = side_by_side(sets, real=REAL, preparation={}, settings={"seed": 0, "features": ["radiomics"]})
    assert "'=1+1" in scores_csv(compared)


def test_a_folder_that_cannot_be_written_is_said(compared, tmp_path, monkeypatch):
    monkeypatch.setattr("fourfold.report.compare_files.render_comparison", lambda compared: "")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="a file is in the way"):
        write_comparison(compared, tmp_path / "file")
