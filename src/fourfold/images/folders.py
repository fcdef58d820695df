"""What lies in a folder: which files may be images, how many images each holds, which slices make a volume."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fourfold.errors import UnreadableImage
from fourfold.images.formats import Contents, FileReading, companion, is_plain_picture, reader_of, sniff
from fourfold.images.sets import Entry, Skipped

__all__ = ["expand", "is_store", "join_series", "scan_folder"]

_LITTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "dicomdir", "__macosx"}
_NOTES = {
    ".txt",
    ".md",
    ".rst",
    ".pdf",
    ".html",
    ".htm",
    ".json",
    ".jsonl",
    ".csv",
    ".tsv",
    ".parquet",
    ".xlsx",
    ".xml",
}
_NOTES |= {".py", ".sh", ".yaml", ".yml", ".toml", ".log", ".zip", ".tar", ".db", ".ini", ".bval", ".bvec"}


def scan_folder(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """The files that may be images, sorted, and what is passed over with the reason."""
    files, ignored = [], []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(item for item in folders if not item.startswith(".") and item.lower() not in _LITTER)
        here = Path(place)
        for item in [item for item in folders if is_store(here / item)]:
            folders.remove(item)
            files.append(here / item)
        for item in sorted(names):
            file = here / item
            reason = _passed_over(file)
            if reason is None:
                files.append(file)
            else:
                ignored.append(Skipped(file.relative_to(folder).as_posix(), reason))
    return sorted(files, key=lambda file: file.relative_to(folder).parts), ignored


def _passed_over(file: Path) -> str | None:
    if file.name.startswith("."):
        return "a hidden file"
    if file.name.lower() in _LITTER:
        return "left by a file manager"
    if companion(file) is not None:
        return "the data of the header file beside it"
    if file.suffix.lower() in _NOTES:
        try:
            return None if sniff(file) in ("picture", "dicom", "volume") else "not an image by its extension"
        except OSError:
            return None
    return None


def is_store(folder: Path) -> bool:
    """Whether a folder is one Zarr array or group."""
    return any((folder / marker).is_file() for marker in ("zarr.json", ".zarray", ".zgroup"))


def expand(entries: list[Entry], reading: FileReading, strict: bool) -> tuple[list[Entry], list[Contents | None]]:
    """One entry an image: files that hold several become ``file#0``, ``file#1``...

    A file that cannot be read stays one entry, so that decoding it says why; `strict` raises at once.
    """
    expanded: list[Entry] = []
    found: list[Contents | None] = []
    for entry in entries:
        contents = None
        if strict or not is_plain_picture(entry.file):
            try:
                contents = reader_of(entry.file, entry.path).contents(entry.file, entry.path, reading)
            except UnreadableImage:
                if strict:
                    raise
        patient = entry.patient if entry.patient or contents is None else contents.patient
        if contents is None or contents.frames is None or entry.index is not None:
            expanded.append(replace(entry, patient=patient))
            found.append(contents)
            continue
        for index in range(contents.frames):
            expanded.append(
                replace(
                    entry,
                    path=f"{entry.path}#{index}",
                    index=index,
                    label=entry.label if contents.labels is None else str(contents.labels[index]),
                    labels=entry.labels if contents.targets is None else _named(contents.targets[index]),
                    patient=patient if contents.patients is None else str(contents.patients[index]),
                )
            )
            found.append(contents)
    return expanded, found


def _named(targets: Sequence[float]) -> dict[str, float]:
    """Targets without names, by their number."""
    return {str(place): float(value) for place, value in enumerate(targets)}


def join_series(entries: list[Entry], found: list[Contents | None]) -> list[Entry]:
    """Slices that share a series as one volume each, in the order of their positions."""
    series: dict[str, list[tuple[tuple[float, ...], Entry]]] = {}
    joined: list[Entry | str] = []
    for entry, contents in zip(entries, found, strict=True):
        if contents is None or contents.series is None or entry.index is not None:
            joined.append(entry)
            continue
        key = contents.series
        if key not in series:
            joined.append(key)
        series.setdefault(key, []).append((contents.position, entry))
    return [item if isinstance(item, Entry) else _volume(series[item]) for item in joined]


def _volume(slices: list[tuple[tuple[float, ...], Entry]]) -> Entry:
    ordered = [entry for _, entry in sorted(slices, key=lambda pair: (pair[0], pair[1].path))]
    if len(ordered) == 1:
        return ordered[0]
    first = ordered[0]
    return replace(first, path=f"{first.path}+{len(ordered) - 1}", files=tuple(entry.file for entry in ordered))
