"""``release.json``: how the set came about and what is in it, in aggregates only."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator

from fourfold import __version__
from fourfold.errors import InputError
from fourfold.releasing.package.contents import Contents
from fourfold.report import plain

__all__ = ["SCHEMA", "json_bytes", "release_document", "release_schema", "violations"]

SCHEMA = "fourfold.release/1"


def release_document(contents: Contents, dataset: str) -> dict[str, Any]:
    """The record of a release.

    Parameters
    ----------
    contents : Contents
        Its `record` gives what only the pipeline knows; what the images tell is filled in, and must agree where the
        record says it too.
    dataset : str
        Digest of the images, as ``audit.json`` states it.

    Returns
    -------
    dict
        Valid under `release_schema`.

    Raises
    ------
    InputError
        Where the record contradicts the images or lacks something.
    """
    told = {
        "schema": SCHEMA,
        "created": contents.day.isoformat(),
        "fourfold": __version__,
        "images": len(contents.images),
        "classes": contents.classes,
        "shape": list(contents.images.shape),
        "title": contents.title,
        "description": contents.description,
        "licence": contents.licence,
        "creators": list(contents.creators),
        "form": contents.form,
        "bits": contents.bits,
        "dataset": dataset,
    }
    given = plain(contents.record)
    wrong = sorted(name for name, value in given.items() if name in told and told[name] != value)
    if wrong:
        raise InputError(f"the record contradicts the images in {', '.join(wrong)}; make it of these images")
    document = {**told, **{name: value for name, value in given.items() if name not in told}}
    problems = violations(document, release_schema())
    if problems:
        raise InputError(f"the record of the release is not complete: {problems[0]}")
    return document


def release_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``release.json``."""
    file = resources.files("fourfold.releasing.package").joinpath("release.schema.json")
    return json.loads(file.read_text(encoding="utf-8"))


def violations(document: Any, schema: dict[str, Any]) -> tuple[str, ...]:
    """Where a document breaks a schema, a clause each, without quoting what stands there."""
    found = Draft202012Validator(schema).iter_errors(document)
    return tuple(f"{error.json_path} breaks the rule {error.validator!r} of the schema" for error in found)


def json_bytes(document: Any) -> bytes:
    """A document as the bytes of its file: UTF-8, never NaN or Infinity."""
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
