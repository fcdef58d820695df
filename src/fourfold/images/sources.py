"""From what a user points at to an `ImageSet`: a folder, a table, a file, an array, a data set object.

Nothing is decoded here. Opening reads the first bytes of each file, and the header where a file may hold several
images or says whose they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fourfold.errors import InputError, UnreadableImage
from fourfold.images.folders import expand, is_store, join_series, scan_folder
from fourfold.images.formats import FileDecoder, FileReading, sniff
from fourfold.images.metadata import TABLE_SUFFIXES, Row, find_table, read_table
from fourfold.images.sets import Entry, ImageSet, Skipped

__all__ = ["drop_broken", "open_set"]

_WRAPPERS = {"images", "image", "imgs", "img", "data"}
_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing", "holdout", "dev", "held"}


def open_set(
    source: Any,
    *,
    name: str,
    columns: Mapping[str, str | None] | None = None,
    split: str | None = None,
    root: str | os.PathLike[str] | None = None,
    volumes: bool = False,
    slices: bool = False,
    window: bool = True,
    skip_broken: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> ImageSet:
    """Open a set of images without decoding it.

    Parameters
    ----------
    source : path, array, data set or ImageSet
        A folder (class sub-folders give labels; a ``metadata.csv``, ``.tsv``, ``.parquet`` or ``.jsonl`` in it is
        used), such a table itself, an image, a volume, an ``.npz``/``.npy``/HDF5/Zarr file, a MONAI data list
        (``.json``), a numpy array or torch tensor, a ``datasets.Dataset``, or an `ImageSet`, returned as it is.
    name : str
        How messages and reports call the set.
    columns : mapping or None
        From ``"path"``, ``"label"``, ``"patient"``, ``"split"``, ``"mask"`` to the table's own column names; None as
        a name ignores the column.
    split : str or None
        Only the images of this split; None takes all of them.
    root : path or None
        Where the paths of a table or data list start that is given as a file; None for its own folder. The table
        inside a folder always starts there.
    volumes : bool
        Whether DICOM files that share a series become one volume; otherwise each file is an image.
    slices : bool
        Whether volumes are cut into axial slices.
    window : bool
        Whether the display window of DICOM files is applied, where all of the set have one; False keeps what the
        modality measured, such as Hounsfield units.
    skip_broken : bool
        Whether files that cannot be read are left out and listed in ``skipped``; this decodes every file once.
    progress : callable or None
        Called with (task, done, total) while files are tried under `skip_broken`.

    Raises
    ------
    InputError
        Where the source is empty, unknown or contradicts itself.
    """
    if isinstance(source, ImageSet):
        opened = source if source.name == name else replace(source, name=name)
        return drop_broken(opened, progress) if skip_broken else opened
    if isinstance(source, str | os.PathLike):
        reading = FileReading(window=window, slices=slices)
        opened = _from_path(Path(source), name, columns, split, root, volumes, reading)
    else:
        from fourfold.images.huggingface import from_object

        opened = from_object(source, name, columns, split)
    if not len(opened):
        raise InputError(f"{source}: there is no image in the {name} set; point at a folder or table with images")
    return drop_broken(opened, progress) if skip_broken else opened


def drop_broken(image_set: ImageSet, progress: Callable[[str, int, int], None] | None = None) -> ImageSet:
    """Decode each image once and move those that cannot be read to ``skipped``, with the reason.

    Raises
    ------
    InputError
        Where none can be read.
    """
    kept, skipped = [], list(image_set.skipped)
    for row, entry in enumerate(image_set.entries):
        if progress is not None:
            progress(f"reading the {image_set.name} set", row, len(image_set))
        try:
            image_set.raw(row)
        except UnreadableImage as error:
            skipped.append(Skipped(entry.path, error.problem))
        else:
            kept.append(entry)
    if not kept:
        raise InputError(
            f"none of the {len(skipped)} images of the {image_set.name} set can be read, "
            f"first {skipped[0].path}: {skipped[0].reason}; point at a folder with images"
        )
    return replace(image_set, entries=tuple(kept), skipped=tuple(skipped))


def _from_path(
    source: Path,
    name: str,
    columns: Mapping[str, str | None] | None,
    split: str | None,
    root: str | os.PathLike[str] | None,
    volumes: bool,
    reading: FileReading,
) -> ImageSet:
    if not source.exists():
        raise InputError(f"{source}: does not exist; correct the path of the {name} set")
    base = Path(root) if root is not None else None
    suffix = source.suffix.lower()
    if source.is_dir() and not is_store(source):
        from fourfold.images.huggingface import is_saved, open_saved

        if is_saved(source):
            return open_saved(source, name, columns, split)
        table = find_table(source)
        if table is None:
            return _from_folder(source, name, split, volumes, reading)
        # A folder's own table speaks of that folder, whatever `root` says of tables that lie elsewhere.
        return _from_rows(read_table(table, columns=columns), source, name, table, split, volumes, reading)
    if suffix in TABLE_SUFFIXES:
        rows = read_table(source, root=base, columns=columns)
        return _from_rows(rows, base or source.parent, name, source, split, volumes, reading)
    if suffix == ".json":
        from fourfold.images.datalist import read_datalist

        rows = read_datalist(source, root=base, split=split)
        return _from_rows(rows, base or source.parent, name, source, None, volumes, reading)
    return _from_file(source, name, split, reading)


def _from_file(source: Path, name: str, split: str | None, reading: FileReading) -> ImageSet:
    if source.is_dir() or sniff(source) == "array":
        from fourfold.images.arrays import choose_arrays

        reading = replace(reading, arrays=choose_arrays(source, source.name, split))
    elif split is not None:
        raise InputError(f"{source}: a single file has no split {split!r}; leave the split out")
    entries, _ = expand([Entry(path=source.name, file=source)], reading, strict=True)
    return ImageSet(name=name, entries=tuple(entries), decode=FileDecoder(reading), root=source.parent)


def _from_rows(
    rows: Iterable[Row],
    root: Path,
    name: str,
    table: Path,
    split: str | None,
    volumes: bool,
    reading: FileReading,
) -> ImageSet:
    chosen = list(rows)
    if split is not None:
        known = sorted({row.split for row in chosen if row.split is not None})
        chosen = [row for row in chosen if row.split == split]
        if not chosen:
            there = f"the splits are {', '.join(known)}" if known else "it has no column of splits"
            raise InputError(f"{table}: there is no split {split!r}; {there}")
    entries = [
        Entry(
            path=row.path,
            file=row.file,
            index=row.index,
            label=row.label,
            labels=row.labels,
            patient=row.patient,
            mask=row.mask,
            columns=row.columns if row.split is None else {**row.columns, "split": row.split},
        )
        for row in chosen
    ]
    return _assemble(entries, name, root, (), volumes, reading)


def _from_folder(folder: Path, name: str, split: str | None, volumes: bool, reading: FileReading) -> ImageSet:
    files, ignored = scan_folder(folder)
    parts = {file: file.relative_to(folder).parts for file in files}
    wrapped = {part[0].lower() for part in parts.values()} <= _WRAPPERS and all(
        len(part) > 1 for part in parts.values()
    )
    start = 1 if wrapped else 0
    nested = all(len(part) > start + 1 for part in parts.values())
    splits = nested and {part[start].lower() for part in parts.values()} <= _SPLITS
    if split is not None:
        if not splits:
            raise InputError(f"{folder}: there is no sub-folder for the split {split!r}; leave the split out")
        files = [file for file in files if parts[file][start] == split]
        if not files:
            there = ", ".join(sorted({part[start] for part in parts.values()}))
            raise InputError(f"{folder}: there is no split {split!r}; the splits are {there}")
    start += int(splits)
    labelled = bool(files) and all(len(parts[file]) > start + 1 for file in files)
    entries = [
        Entry(
            path=file.relative_to(folder).as_posix(),
            file=file,
            label=parts[file][start] if labelled else None,
            columns={"split": parts[file][start - 1]} if splits else {},
        )
        for file in files
    ]
    return _assemble(entries, name, folder, tuple(ignored), volumes, reading)


def _assemble(
    entries: list[Entry],
    name: str,
    root: Path,
    ignored: tuple[Skipped, ...],
    volumes: bool,
    reading: FileReading,
) -> ImageSet:
    expanded, found = expand(entries, reading, strict=False)
    dicom = [contents for contents in found if contents is not None and "modality" in contents.facts]
    if dicom and not all(contents.windowed for contents in dicom):
        reading = replace(reading, window=False)
    if volumes:
        expanded = join_series(expanded, found)
    if any(entry.patient is None for entry in expanded):
        expanded = [replace(entry, patient=None) for entry in expanded]
    return ImageSet(name=name, entries=tuple(expanded), decode=FileDecoder(reading), root=root, ignored=ignored)
