"""Pairs as files: ``index.html`` and ``shareable.html`` for people, ``paired.json`` and ``paired.csv`` for programs.

``shareable.html`` and ``paired.json`` hold no pixel, no path and no identifier. ``index.html`` shows images and
``paired.csv`` names files, so both stay inside; neither says whose an image is, unless its file is called by that.
"""

from __future__ import annotations

import csv
import io
import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fourfold.report.cells import cell
from fourfold.report.page import Edition
from fourfold.report.paired_page import build, render_page
from fourfold.report.paired_wording import sentences
from fourfold.report.redaction import Redaction, plain
from fourfold.report.writer import write_page

if TYPE_CHECKING:
    from fourfold.pairing import Mean, PairedSets, PairedValues

__all__ = ["SCHEMA", "paired_csv", "paired_document", "paired_schema", "render_paired", "write_paired"]

SCHEMA = "fourfold.paired/1"
_PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
_COLUMNS = {"restored": "path", "targets": "target", "inputs": "input"}


def write_paired(paired: PairedSets, folder: str | Path) -> Path:
    """Write ``paired.json``, ``paired.csv``, ``shareable.html`` and ``index.html``; all appear, or none.

    Parameters
    ----------
    paired : PairedSets
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
    document = json.dumps(paired_document(paired), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    contents = {
        "paired.json": document.encode(),
        "paired.csv": paired_csv(paired).encode(),
        "shareable.html": render_paired(paired, "shareable").encode(),
        "index.html": render_paired(paired, "internal").encode(),
    }
    return write_page(folder, contents)


def paired_document(paired: PairedSets) -> dict[str, Any]:
    """The measures as JSON can hold them.

    Returns
    -------
    dict
        Valid under `paired_schema`.
    """
    document = {
        "schema": SCHEMA,
        "sentences": sentences(paired),
        "pairs": len(paired),
        "patients": paired.patients,
        "identified": paired.identified,
        "sets": {role: {"images": len(one.images), "digest": one.digest} for role, one in paired.sets.items()},
        "measures": [_measure(one) for one in paired.measures],
        "preparation": paired.preparation,
        "settings": paired.settings,
        "notes": paired.notes,
    }
    return Redaction().value(plain(document))


def paired_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``paired.json``."""
    return json.loads(resources.files("fourfold.report").joinpath("paired.schema.json").read_text(encoding="utf-8"))


def paired_csv(paired: PairedSets) -> str:
    """One row a pair: names of the files, then value, value of the input and gain of each measure."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    roles = [role for role in _COLUMNS if role in paired.sets]
    columns: dict[str, np.ndarray] = {}
    for one in paired.measures:
        columns[one.name] = one.values
        if one.untreated is not None and one.gains is not None:
            columns |= {f"{one.name}_input": one.untreated, f"{one.name}_gain": one.gains}
    writer.writerow([*(_COLUMNS[role] for role in roles), *columns])
    paths = [paired.sets[role].images.paths for role in roles]
    for row in range(len(paired)):
        writer.writerow([*(cell(path[row]) for path in paths), *(float(column[row]) for column in columns.values())])
    return stream.getvalue()


def render_paired(paired: PairedSets, edition: Edition) -> str:
    """One edition as a page that opens from disk and fetches nothing."""
    return render_page(build(paired, edition))


def _measure(one: PairedValues) -> dict[str, Any]:
    return {
        "name": one.name,
        "better": one.better,
        "source": one.source,
        "lies": one.lies,
        "settings": one.settings,
        **_mean("value", one.mean),
        **_mean("null", one.null),
        "null_source": one.null_source,
        **_mean("gain", one.gain),
        "standing": one.standing,
        **_mean("unrelated", one.unrelated),
        "lost": None if one.lost is None else len(one.lost),
        "percentiles": dict(zip(map(str, _PERCENTILES), np.percentile(one.values, _PERCENTILES), strict=True)),
    }


def _mean(name: str, found: Mean | None) -> dict[str, Any]:
    ends = "interval" if name == "value" else f"{name}_interval"
    return {name: None if found is None else found.value, ends: None if found is None else found.interval}
