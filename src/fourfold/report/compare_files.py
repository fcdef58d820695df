"""A comparison of sets as files: ``index.html`` for people, ``compare.json`` and ``scores.csv`` for programs.

None of them holds a pixel, a path or an identifier, so all may be passed on.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.report.cells import cell
from fourfold.report.compare_page import build, render_page
from fourfold.report.compare_wording import sentences
from fourfold.report.redaction import Redaction, plain
from fourfold.report.writer import write_page

if TYPE_CHECKING:
    from fourfold.comparing import ComparedSets, Row

__all__ = ["SCHEMA", "compare_document", "compare_schema", "render_comparison", "scores_csv", "write_comparison"]

SCHEMA = "fourfold.compare/1"
_COLUMNS = (
    "set",
    "family",
    "images",
    "axis",
    "score",
    "features",
    "value",
    "low",
    "high",
    "null",
    "better",
    "departs",
    "first_rank",
    "last_rank",
    "reason",
)


def write_comparison(compared: ComparedSets, folder: str | Path) -> Path:
    """Write ``compare.json``, ``scores.csv`` and ``index.html``; all appear, or none.

    Parameters
    ----------
    compared : ComparedSets
    folder : path
        Created where it does not exist; other files in it are left alone.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    InputError
        Where the folder cannot be written to, or the disk is full.
    """
    document = json.dumps(compare_document(compared), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    contents = {
        "compare.json": document.encode(),
        "scores.csv": scores_csv(compared).encode(),
        "index.html": render_comparison(compared).encode(),
    }
    return write_page(folder, contents)


def compare_document(compared: ComparedSets) -> dict[str, Any]:
    """The comparison as JSON can hold it.

    Returns
    -------
    dict
        Valid under `compare_schema`.
    """
    matrix = compared.matrix
    ends = matrix.found.intervals().tolist()
    values = matrix.found.values.tolist()
    keys = [row.key for row in matrix.rows]
    document = {
        "schema": SCHEMA,
        "sentences": sentences(compared),
        "real": {role: asdict(one) for role, one in compared.real.items()},
        "sets": [
            {
                "name": one.name,
                "family": one.family,
                "images": one.images,
                "digest": one.digest,
                "verdicts": {
                    axis: {"status": verdict.status, "sentence": verdict.sentence}
                    for axis, verdict in one.verdicts.items()
                },
            }
            for one in compared.sets
        ],
        "scores": [_row(row, compared.names) for row in compared.rows],
        "front": {
            "leading": {row.axis: row.key for row in compared.front.rows},
            "missing": dict(compared.front.missing),
            "standings": [
                {"set": name, "place": one.place, "by": [compared.names[other] for other in one.by]}
                for name, one in zip(compared.names, compared.front.standings, strict=False)
            ],
        },
        "associations": {
            "reason": matrix.reason,
            "left_out": matrix.left_out,
            "pairs": [
                {
                    "first": keys[first],
                    "second": keys[second],
                    "value": values[first][second],
                    "interval": None if matrix.reason else ends[first][second],
                }
                for first in range(len(keys))
                for second in range(first + 1, len(keys))
            ],
        },
        "prediction": {
            "target": None if compared.target is None else compared.target.row.key,
            "measured": compared.target is not None and compared.target.measured,
            "scores": [
                {
                    "score": one.row.key,
                    "value": one.value,
                    "interval": one.interval,
                    "adjusted": one.adjusted,
                    "claim": one.claim,
                    "sets": one.sets,
                    "families": one.families,
                    "reason": one.reason,
                }
                for one in compared.predictions
            ],
        },
        "ladders": [
            {
                "name": ladder.name,
                "sets": ladder.sets,
                "movements": [
                    {
                        "score": key,
                        "direction": one.direction,
                        "monotone": one.monotone,
                        "departs": None if one.departs is None else ladder.sets[one.departs],
                    }
                    for key, one in ladder.movements.items()
                ],
            }
            for ladder in compared.ladders
        ],
        "preparation": compared.preparation,
        "settings": compared.settings,
        "notes": compared.notes,
    }
    return Redaction().value(plain(document))


def compare_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``compare.json``."""
    return json.loads(resources.files("fourfold.report").joinpath("compare.schema.json").read_text(encoding="utf-8"))


def scores_csv(compared: ComparedSets) -> str:
    """One row a set and score; empty fields are unknown."""
    said = Redaction().text
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for place, one in enumerate(compared.sets):
        for row in compared.rows:
            score, rank = row.scores[place], row.ranks[place] or ("", "")
            low, high = score.interval or ("", "")
            writer.writerow(
                [
                    cell(said(one.name)),
                    cell(said(one.family)),
                    one.images,
                    row.axis,
                    row.name,
                    row.features or "",
                    "" if score.value is None else score.value,
                    low,
                    high,
                    "" if score.null is None else score.null,
                    row.better,
                    score.departs() or "",
                    *rank,
                    cell(said(score.reason or "")),
                ]
            )
    return stream.getvalue()


def render_comparison(compared: ComparedSets) -> str:
    """The comparison as a page that opens from disk and fetches nothing."""
    return render_page(build(compared))


def _row(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "key": row.key,
        "axis": row.axis,
        "name": row.name,
        "features": row.features,
        "better": row.better,
        "source": row.source,
        "compared": row.compared,
        "sets": [
            {
                "set": name,
                "value": score.value,
                "interval": score.interval,
                "null": score.null,
                "null_interval": score.null_interval,
                "departs": score.departs(),
                "rank": rank,
                "reason": score.reason,
            }
            for name, score, rank in zip(names, row.scores, row.ranks, strict=True)
        ],
    }
