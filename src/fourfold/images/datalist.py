"""MONAI data lists: JSON with lists of ``{"image": ..., "label": ...}`` by split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fourfold.errors import InputError
from fourfold.images.metadata import Row, within

__all__ = ["read_datalist"]


def read_datalist(file: Path, *, root: Path | None = None, split: str | None = None) -> tuple[Row, ...]:
    """The rows of a data list.

    A ``"label"`` that is a file is a mask, anything else a class; ``"patient"``, ``"patient_id"`` or ``"subject"`` is
    the patient.

    Parameters
    ----------
    file : Path
    root : Path or None
        Where the paths start; None for the folder of the file.
    split : str or None
        One of its lists, such as ``"training"``; None takes all that hold images.

    Raises
    ------
    InputError
        Where the file is no data list, or a path is missing, repeated or leaves the folder.
    """
    root = file.parent if root is None else Path(root)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read as JSON ({error})") from error
    lists = {"": content} if isinstance(content, list) else content if isinstance(content, dict) else {}
    lists = {name: items for name, items in lists.items() if _is_list(items)}
    if not lists:
        raise InputError(
            f"{file}: is no MONAI data list; it needs a list of objects with an 'image', such as 'training'"
        )
    if split is not None:
        if split not in lists:
            raise InputError(f"{file}: there is no split {split!r}; the splits are {', '.join(sorted(lists))}")
        lists = {split: lists[split]}
    rows, seen = [], set()
    for name, items in lists.items():
        for item in items:
            row = _row(file, root, name, item)
            if row.path in seen:
                raise InputError(f"{file}: the file {row.path!r} is listed twice; remove one of the entries")
            seen.add(row.path)
            rows.append(row)
    return tuple(rows)


def _is_list(items: Any) -> bool:
    return (
        isinstance(items, list)
        and bool(items)
        and all(isinstance(item, dict | str) for item in items)
        and all(isinstance(item, str) or "image" in item for item in items)
    )


def _row(file: Path, root: Path, split: str, item: dict[str, Any] | str) -> Row:
    fields = {"image": item} if isinstance(item, str) else item
    image = fields["image"]
    if not isinstance(image, str):
        raise InputError(
            f"{file}: an 'image' is {type(image).__name__}; images of several files are not read, list one"
        )
    label = fields.get("label")
    is_mask = isinstance(label, str) and (root / label).is_file()
    patient = next((fields[key] for key in ("patient", "patient_id", "subject") if fields.get(key) is not None), None)
    known = ("image", "label", "patient", "patient_id", "subject")
    return Row(
        path=image,
        file=within(root, image, str(file)),
        label=None if label is None or is_mask or isinstance(label, list | dict) else str(label),
        patient=None if patient is None else str(patient),
        split=split or None,
        mask=within(root, label, str(file)) if is_mask else None,
        columns={key: str(value) for key, value in fields.items() if key not in known},
    )
