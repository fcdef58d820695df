"""A study as files: ``index.html`` for people, ``study.json`` and ``cells.csv`` for programs, figures as SVG and PNG.

None of them holds a pixel, a path or an identifier, so all may be passed on.
"""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.report.cells import cell
from fourfold.report.drawing import picture
from fourfold.report.redaction import Redaction, plain
from fourfold.report.study_page import build, render_page
from fourfold.report.writer import write_page

if TYPE_CHECKING:
    from fourfold.studies import StudyResult, Table

__all__ = ["SCHEMA", "cells_csv", "study_document", "study_schema", "write_study"]

SCHEMA = "fourfold.study/1"


def write_study(result: StudyResult, folder: str | os.PathLike[str]) -> Path:
    """Write ``study.json``, ``cells.csv``, the figures and ``index.html``; all appear, or none.

    Parameters
    ----------
    result : StudyResult
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
    document = json.dumps(study_document(result), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    figures = {}
    for chart in result.study.charts(result.table):
        for ending in ("svg", "png"):
            figures[f"{chart.name}.{ending}"] = picture(chart.draw, chart.size, chart.title, ending)
    contents = {
        "study.json": document.encode(),
        "cells.csv": cells_csv(result.table).encode(),
        **figures,
        "index.html": render_page(build(result)).encode(),
    }
    return write_page(folder, contents)


def study_document(result: StudyResult) -> dict[str, Any]:
    """The study as JSON can hold it.

    Returns
    -------
    dict
        Valid under `study_schema`.
    """
    study = result.study
    document = {
        "schema": SCHEMA,
        "study": study.name,
        "question": study.question,
        "version": study.version,
        "scale": result.scale,
        "claims": [asdict(claim) for claim in study.claims],
        "findings": [asdict(finding) for finding in result.findings],
        "cells": len(result.table),
        "seconds": round(result.seconds, 1),
        "source": result.source,
        "settings": result.settings,
    }
    return Redaction().value(plain(document))


def study_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``study.json``."""
    return json.loads(resources.files("fourfold.report").joinpath("study.schema.json").read_text(encoding="utf-8"))


def cells_csv(table: Table) -> str:
    """One row a cell; a figure that a cell lacks is empty."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.names)
    for row in table:
        values = (row.get(name) for name in table.names)
        writer.writerow(["" if value is None else cell(value) if isinstance(value, str) else value for value in values])
    return stream.getvalue()
