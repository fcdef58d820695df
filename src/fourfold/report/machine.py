"""The two files that programs rely on: ``scores.json`` and ``images.parquet``.

``scores.json`` names no file and no patient, so it may travel with the shareable edition.
``images.parquet`` holds paths and patients and stays inside.
"""

from __future__ import annotations

import io
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from fourfold.report.redaction import Redaction, plain
from fourfold.score import Score
from fourfold.subgroups import Group, Grouping

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation, SetSummary

__all__ = ["SCHEMA", "images_parquet", "scores_document", "scores_json", "scores_schema"]

SCHEMA = "fourfold.scores/1"

_FIRST_COLUMNS = (
    "path",
    "copy",
    "copy_p",
    "copy_kind",
    "nearest_training",
    "nearest_training_patient",
    "realism",
)


def scores_document(evaluation: Evaluation) -> dict[str, Any]:
    """Everything but images, paths and identifiers, as JSON can hold it.

    Returns
    -------
    dict
        Valid under `scores_schema`.
    """
    redaction = Redaction.of(evaluation)
    document = {
        "schema": SCHEMA,
        "sets": {role: _set(summary, evaluation) for role, summary in evaluation.summaries.items()},
        "verdict": {axis: verdict.status for axis, verdict in evaluation.verdicts.items()},
        "verdicts": {
            axis: {"status": verdict.status, "sentence": verdict.sentence, "scores": list(verdict.scores)}
            for axis, verdict in evaluation.verdicts.items()
        },
        "scores": [_score(score) for score in evaluation.scores],
        "extractors": evaluation.extractors,
        "preparation": evaluation.preparation,
        "settings": evaluation.settings,
        "notes": evaluation.notes,
    }
    document = plain(document)
    private = {key: redaction.value(document[key]) for key in ("verdicts", "extractors", "settings", "notes")}
    scores = [_redacted(row, redaction) for row in document["scores"]]
    groups = {redaction.text(column): _grouping(grouping, redaction) for column, grouping in evaluation.groups.items()}
    return {**document, **private, "scores": scores, "groups": groups}


def scores_json(evaluation: Evaluation) -> bytes:
    """``scores.json``: UTF-8, never NaN or Infinity."""
    document = scores_document(evaluation)
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def scores_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``scores.json``."""
    return json.loads(resources.files("fourfold.report").joinpath("scores.schema.json").read_text(encoding="utf-8"))


def images_parquet(evaluation: Evaluation) -> bytes:
    """``images.parquet``: one row a synthetic image, one column a per-image score; missing values are null.

    The columns that programs rely on are always there, null throughout where nothing could fill them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = len(evaluation.sets.synthetic)
    kinds = {"copy": pa.bool_(), "copy_p": pa.float64(), "realism": pa.float64()}
    table = {}
    for name in dict.fromkeys((*_FIRST_COLUMNS, *evaluation.images)):
        column = evaluation.images.get(name)
        if column is None:
            table[name] = pa.nulls(rows, kinds.get(name, pa.string()))
        else:
            table[name] = _column(np.asarray(column))
    stream = io.BytesIO()
    pq.write_table(pa.table(table), stream, compression="zstd")
    return stream.getvalue()


def _column(values: np.ndarray) -> Any:
    """A column without NaN; arrays of objects hold str or None."""
    import pyarrow as pa

    if values.dtype == object:
        missing = [None if item is None or item != item else item for item in values.tolist()]
        text = any(isinstance(item, str) for item in missing)
        return pa.array([None if item is None else str(item) for item in missing] if text else missing)
    return pa.array(values, from_pandas=True)


def _set(summary: SetSummary, evaluation: Evaluation) -> dict[str, Any]:
    return {
        "images": summary.images,
        "patients": summary.patients,
        "labels": dict(summary.labels),
        "shape": summary.shape,
        "digest": summary.digest,
        "scaling": {key: evaluation.preparation.get(key) for key in ("rule", "low", "high")},
        "skipped": len(summary.skipped),
    }


def _grouping(grouping: Grouping, redaction: Redaction) -> dict[str, Any]:
    """The groups of a column; those too small to be scored are counted and not named."""
    scored = [group for group in grouping.groups if group.scores]
    return {
        "notes": [redaction.text(note) for note in grouping.notes],
        "too_small": len(grouping.groups) - len(scored),
        "groups": [
            {
                "name": redaction.text(group.name),
                "images": dict(group.images),
                "patients": dict(group.patients),
                "scores": [
                    {**_redacted(plain(_score(score)), redaction), **_departure(group, score)} for score in group.scores
                ],
            }
            for group in scored
        ],
    }


def _departure(group: Group, score: Score) -> dict[str, Any]:
    found = group.departure(score)
    return {"departs": None if found is None else found.standing, "adjusted_p": None if found is None else found.p}


def _redacted(row: dict[str, Any], redaction: Redaction) -> dict[str, Any]:
    """A score with its free text redacted."""
    free = ("reason", "details", "null_source")
    return {key: redaction.value(item) if key in free else item for key, item in row.items()}


def _score(score: Score) -> dict[str, Any]:
    return {
        "axis": score.axis,
        "name": score.name,
        "features": score.features,
        "value": score.value,
        "null": score.null,
        "interval": score.interval,
        "null_interval": score.null_interval,
        "better": score.better,
        "reason": score.reason,
        "source": score.source,
        "null_source": score.null_source,
        "details": score.details,
    }
