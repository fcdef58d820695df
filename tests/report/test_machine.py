import io
import json
from dataclasses import replace

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

from fourfold.report import images_parquet, scores_document, scores_json, scores_schema
from fourfold.score import Score


def valid(document):
    schema = scores_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize(
    "options", [{}, {"holdout": False}, {"labels": False}, {"copies": 0}, {"volumes": True}], ids=str
)
def test_scores_json_follows_its_schema(fabricate, options):
    document = json.loads(scores_json(fabricate(**options)))
    valid(document)
    assert set(document["verdict"]) == {"fidelity", "variety", "privacy", "utility"}


def test_a_score_is_written_as_programs_expect_it(evaluation):
    document = json.loads(scores_json(evaluation))
    coverage = next(score for score in document["scores"] if score["name"] == "coverage")
    assert coverage == {
        "axis": "variety",
        "name": "coverage",
        "features": "radiomics",
        "value": 0.81,
        "null": 0.96,
        "interval": [0.76, 0.86],
        "null_interval": [0.92, 0.99],
        "better": "higher",
        "reason": None,
        "source": "Naeem et al. 2020",
        "null_source": "analytic",
        "details": {},
    }
    assert document["schema"] == "fourfold.scores/1"
    assert document["sets"]["training"]["scaling"] == {"rule": "range", "low": 0.0, "high": 1.0}
    assert document["sets"]["training"]["skipped"] == 1


def test_a_missing_value_comes_with_its_reason(evaluation):
    document = json.loads(scores_json(evaluation))
    missing = [score for score in document["scores"] if score["value"] is None]
    assert [score["reason"] for score in missing] == [
        "400 columns and 90 synthetic images: the covariance would not have full rank"
    ]
    missing[0]["reason"] = None
    with pytest.raises(jsonschema.ValidationError):
        valid(document)


def test_numbers_that_are_not_finite_become_null(evaluation):
    details = {"spread": np.float32("nan"), "list": [1.0, float("inf")], "array": np.array([0.5, np.nan])}
    score = Score("fidelity", "precision", float("nan"), reason="nothing to compare", details=details)
    written = scores_json(replace(evaluation, scores=(score,))).decode()
    assert "NaN" not in written
    assert "Infinity" not in written
    found = json.loads(written)["scores"][0]
    assert found["value"] is None
    assert found["details"] == {"spread": None, "list": [1.0, None], "array": [0.5, None]}


def test_scores_json_holds_no_path_and_no_patient(evaluation):
    written = scores_json(evaluation).decode()
    for private in ("ward7", "ward9", "scan_0", "MRN", "/home", "/data", "made/", ".dcm", ".png", "broken"):
        assert private not in written


def test_every_synthetic_image_is_a_row(evaluation):
    table = pq.read_table(io.BytesIO(images_parquet(evaluation)))
    assert table.num_rows == 90
    assert table.column_names == [
        "path",
        "copy",
        "copy_p",
        "copy_kind",
        "nearest_training",
        "nearest_training_patient",
        "realism",
        "nearest_training_row",
        "density_contribution",
    ]
    assert table["path"].to_pylist() == list(evaluation.images["path"])
    assert sum(table["copy"].to_pylist()) == 5
    assert table["copy_kind"].to_pylist()[4:6] == ["pixels", None]


def test_missing_per_image_values_are_null_in_the_table(evaluation):
    table = pq.read_table(io.BytesIO(images_parquet(evaluation)))
    assert table["realism"].to_pylist()[3] is None
    assert table["realism"].null_count == 1


def test_the_columns_programs_rely_on_are_there_even_when_nothing_filled_them(evaluation):
    bare = replace(evaluation, images={"path": evaluation.images["path"]})
    table = pq.read_table(io.BytesIO(images_parquet(bare)))
    assert table.column_names[:3] == ["path", "copy", "copy_p"]
    assert table["copy"].null_count == 90
    assert str(table.schema.field("copy").type) == "bool"
    assert str(table.schema.field("realism").type) == "double"


def test_the_document_is_plain(evaluation):
    document = scores_document(evaluation)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
