"""What a refused release leaves: the evidence and the reasons, and no package."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fourfold.errors import InputError
from fourfold.generate.provenance import plain

__all__ = ["SCHEMA", "refusal_folder", "write_refusal"]

SCHEMA = "fourfold.refusal/1"


def refusal_folder(output: Path) -> Path:
    """Where the evidence of a refused release lies: beside the place where the package would be."""
    return output.with_name(f"{output.name}.refused")


def write_refusal(
    output: Path, reasons: Sequence[str], facts: Mapping[str, Any], documents: Mapping[str, bytes]
) -> Path:
    """Write the evidence of a refused release; an earlier refusal of the same name is replaced.

    It holds no pixel of anybody and no name, as the documents of a package do, so that the refusal can be discussed.

    Parameters
    ----------
    output : Path
        Where the package would be; nothing is written there.
    reasons : sequence of str
    facts : mapping
        Aggregates, as JSON can hold them.
    documents : mapping of str to bytes
        By file name; what the audit left, where there was one.

    Returns
    -------
    Path
        The folder, which gets ``refusal.json`` beside the documents.

    Raises
    ------
    InputError
        Where it cannot be written.
    """
    folder = refusal_folder(output)
    partial = folder.with_name(f".{folder.name}.partial")
    text = json.dumps(
        {"schema": SCHEMA, "reasons": list(reasons), **plain(facts)}, ensure_ascii=False, allow_nan=False, indent=1
    )
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, content in documents.items():
            (partial / name).write_bytes(content)
        (partial / "refusal.json").write_text(text + "\n", encoding="utf-8")
        if (folder / "refusal.json").exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
        raise InputError(f"{folder}: cannot be written ({problem}); free space or choose another folder") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
