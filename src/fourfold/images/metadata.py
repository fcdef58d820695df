"""Metadata tables: CSV, TSV, Parquet and JSON Lines, one row an image.

Column names are recognised whatever their case; others are mapped with ``columns={"patient": "MRN"}``, a recognised
one is ignored with ``columns={"label": None}``, and what is left is kept as it is. Paths are relative to the folder of
the table (or to `root`) and may not leave it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from fourfold.errors import InputError

__all__ = ["TABLE_SUFFIXES", "Row", "find_table", "read_table", "within"]

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl")
ROLES: dict[str, tuple[str, ...]] = {
    "path": ("path", "file", "file_name", "filename", "image", "image_path", "filepath"),
    "label": ("label", "class", "diagnosis", "target"),
    "patient": ("patient", "patient_id", "patientid", "subject", "subject_id"),
    "split": ("split", "subset"),
    "mask": ("mask", "mask_path", "segmentation"),
}


@dataclass(frozen=True)
class Row:
    """One row of a table, its cells by their meaning; `index` is the 3 of ``file#3``."""

    path: str
    file: Path
    index: int | None = None
    label: str | None = None
    labels: Mapping[str, float] = field(default_factory=dict)
    patient: str | None = None
    split: str | None = None
    mask: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def find_table(folder: Path) -> Path | None:
    """The metadata table inside a folder (``metadata.csv`` and the like), None where there is none."""
    for suffix in TABLE_SUFFIXES:
        table = folder / f"metadata{suffix}"
        if table.is_file():
            return table
    return None


def within(root: Path, path: str, table: str) -> Path:
    """The file that a path of a table means; raises InputError where it leaves `root` or does not exist."""
    if Path(path).is_absolute() or PureWindowsPath(path).drive:
        raise InputError(f"{table}: the path {path!r} is absolute; write it relative to the folder of the images")
    real_root = root.resolve()
    real = _resolved(real_root / path)
    if real is not None and not real.is_relative_to(real_root):
        raise InputError(f"{table}: the path {path!r} leaves the folder of the images; keep all files inside it")
    if real is None or not real.exists():
        raise InputError(f"{table}: the file {path!r} does not exist in {root}; correct the path or remove the row")
    return root / path


def _resolved(file: Path) -> Path | None:
    """The file behind all links; None for what no file can be called."""
    try:
        file.exists()
        return file.resolve()
    except (OSError, RuntimeError, ValueError):
        return None


def read_table(
    file: Path, *, root: Path | None = None, columns: Mapping[str, str | None] | None = None
) -> tuple[Row, ...]:
    """Every row of a metadata table.

    Parameters
    ----------
    file : Path
        .csv, .tsv, .parquet or .jsonl
    root : Path or None
        Where the paths start; None for the folder of the table.
    columns : mapping of str to str or None
        From ``"path"``, ``"label"``, ``"patient"``, ``"split"``, ``"mask"`` to the name of a column.

    Raises
    ------
    InputError
        Where there is no column of paths, a path is repeated, missing or leaves the folder, or patients or labels
        are given for some rows only.
    """
    frame = _frame(file)
    root = file.parent if root is None else Path(root)
    if not len(frame):
        raise InputError(f"{file}: the table has no rows; add one row an image")
    roles = _roles(file, list(frame.columns), dict(columns or {}))
    cells = {role: [_cell(value) for value in frame[name]] for role, name in roles.items()}
    paths = cells["path"]
    _check_paths(file, paths)
    for role in ("patient", "label"):
        _check_filled(file, role, roles.get(role), cells.get(role), paths)
    targets = [name for name in frame.columns if str(name).lower().startswith("label:") and name not in roles.values()]
    numbers = {name: _numbers(file, name, [_cell(value) for value in frame[name]], paths) for name in targets}
    rest = [name for name in frame.columns if name not in roles.values() and name not in targets]
    free = {name: [_cell(value) for value in frame[name]] for name in rest}
    rows = []
    for place, path in enumerate(paths):
        mask = cells["mask"][place] if "mask" in cells else ""
        inside, index = _place(root, path)
        rows.append(
            Row(
                path=path,
                file=within(root, inside, str(file)),
                index=index,
                label=(cells["label"][place] if "label" in cells else "") or None,
                labels={name.split(":", 1)[1]: numbers[name][place] for name in targets},
                patient=(cells["patient"][place] if "patient" in cells else "") or None,
                split=(cells["split"][place] if "split" in cells else "") or None,
                mask=within(root, mask, str(file)) if mask else None,
                columns={str(name): free[name][place] for name in rest},
            )
        )
    return tuple(rows)


def _place(root: Path, path: str) -> tuple[str, int | None]:
    """A file and the place in it, for paths such as ``stack.tif#3``; a file that is called so comes first."""
    inside, mark, index = path.rpartition("#")
    if not mark or not index.isdecimal() or _resolved(root / path) is None or (root / path).exists():
        return path, None
    return inside, int(index)


def _frame(file: Path):
    import pandas as pd

    suffix = file.suffix.lower()
    try:
        if suffix == ".parquet":
            return pd.read_parquet(file)
        if suffix == ".jsonl":
            lines = file.read_text(encoding="utf-8-sig").splitlines()
            return pd.DataFrame([json.loads(line) for line in lines if line.strip()], dtype=object)
        separator = "\t" if suffix == ".tsv" else ","
        return pd.read_csv(file, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{file}: the table does not exist; correct its path") from error
    except Exception as error:  # the parsers have no common exception
        raise InputError(f"{file}: cannot be read as a {suffix[1:].upper()} table ({error})") from error


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _roles(file: Path, names: list[str], asked: dict[str, str | None]) -> dict[str, str]:
    unknown = sorted(set(asked) - set(ROLES))
    if unknown:
        raise InputError(f"no column can be mapped to {unknown[0]!r}; choose from {', '.join(ROLES)}")
    lower = {str(name).strip().lower(): name for name in reversed(names)}
    roles = {}
    for role, spellings in ROLES.items():
        if role in asked:
            name = asked[role]
            if name is not None:
                if name not in names:
                    raise InputError(
                        f"{file}: there is no column {name!r}; the columns are {', '.join(map(str, names))}"
                    )
                roles[role] = name
            continue
        found = [lower[spelling] for spelling in spellings if spelling in lower]
        found = [name for name in found if name not in asked.values()]
        if found:
            roles[role] = found[0]
    if "path" not in roles:
        raise InputError(
            f"{file}: no column of paths among {', '.join(map(str, names))}; "
            "name one 'path' or map it with --column path=NAME"
        )
    return roles


def _check_paths(file: Path, paths: list[str]) -> None:
    first: dict[str, int] = {}
    for place, path in enumerate(paths):
        if not path:
            raise InputError(f"{file}: row {place + 1} has no path; fill it in or remove the row")
        key = os.path.normpath(path)
        if key in first:
            raise InputError(
                f"{file}: the file {path!r} stands in rows {first[key] + 1} and {place + 1}; remove one of them"
            )
        first[key] = place


def _check_filled(file: Path, role: str, name: str | None, values: list[str] | None, paths: list[str]) -> None:
    if values is None or not any(values):
        return
    empty = [path for path, value in zip(paths, values, strict=True) if not value]
    if empty:
        raise InputError(
            f"{file}: the column {name!r} is empty in {len(empty)} of {len(values)} rows, first for {empty[0]!r}; "
            f"fill them in, or ignore the column with --column {role}="
        )


def _numbers(file: Path, name: str, values: list[str], paths: list[str]) -> list[float]:
    words = {"true": 1.0, "false": 0.0}
    numbers = []
    for value, path in zip(values, paths, strict=True):
        try:
            numbers.append(words[value.lower()] if value.lower() in words else float(value))
        except ValueError as error:
            raise InputError(
                f"{file}: the column {name!r} holds {value!r} for {path!r}; write a number such as 0 or 1"
            ) from error
    return numbers
