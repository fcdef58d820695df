"""HTML, plots, galleries and machine-readable files of an evaluation; the edition that may be shared; the statement."""

from fourfold.report.endpoints import EndpointRow, endpoint_row
from fourfold.report.machine import SCHEMA, images_parquet, scores_document, scores_json, scores_schema
from fourfold.report.page import Fact
from fourfold.report.redaction import Redaction, plain
from fourfold.report.statement import Compared, Criterion, Power, Powers, Statement, render_statement
from fourfold.report.writer import check_writable, render, write_report

__all__ = [
    "SCHEMA",
    "Compared",
    "Criterion",
    "EndpointRow",
    "Fact",
    "Power",
    "Powers",
    "Redaction",
    "Statement",
    "check_writable",
    "endpoint_row",
    "images_parquet",
    "plain",
    "render",
    "render_statement",
    "scores_document",
    "scores_json",
    "scores_schema",
    "write_report",
]
