"""A study of utility as files: ``index.html`` for people and ``utility.json`` for programs.

Neither holds a pixel, a path or an identifier, so both may be passed on; the folder of units beside them may not.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.report.redaction import Redaction, plain
from fourfold.report.utility_page import build, render_page
from fourfold.report.utility_wording import sentences
from fourfold.report.writer import write_page

if TYPE_CHECKING:
    from fourfold.utility.study import UtilityStudy

__all__ = ["SCHEMA", "render_utility_study", "sentences", "utility_document", "utility_schema", "write_utility_study"]

SCHEMA = "fourfold.utility/1"


def write_utility_study(study: UtilityStudy, folder: str | Path) -> Path:
    """Write ``utility.json`` and ``index.html``; both appear, or neither.

    Parameters
    ----------
    study : UtilityStudy
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
    document = json.dumps(utility_document(study), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    contents = {"utility.json": document.encode(), "index.html": render_utility_study(study).encode()}
    return write_page(folder, contents)


def utility_document(study: UtilityStudy) -> dict[str, Any]:
    """The study as JSON can hold it.

    Returns
    -------
    dict
        Valid under `utility_schema`.
    """
    document = {
        "schema": SCHEMA,
        "sentences": sentences(study),
        "sets": {name: asdict(counts) for name, counts in study.sets.items()},
        "findings": [asdict(findings) for findings in study.findings],
        "settings": study.settings,
        "preparation": study.preparation,
        "notes": study.notes,
    }
    return Redaction().value(plain(document))


def utility_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``utility.json``."""
    return json.loads(resources.files("fourfold.report").joinpath("utility.schema.json").read_text(encoding="utf-8"))


def render_utility_study(study: UtilityStudy) -> str:
    """The study as a page that opens from disk and fetches nothing."""
    return render_page(build(study))
