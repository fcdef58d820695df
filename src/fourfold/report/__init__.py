"""HTML, plots, galleries and machine-readable files of an evaluation; the edition that may be shared."""

from fourfold.report.machine import SCHEMA, images_parquet, scores_document, scores_json, scores_schema
from fourfold.report.writer import check_writable, render, write_report

__all__ = [
    "SCHEMA",
    "check_writable",
    "images_parquet",
    "render",
    "scores_document",
    "scores_json",
    "scores_schema",
    "write_report",
]
