"""Hugging Face `datasets` objects and saved data sets, and arrays in memory, as image sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.errors import InputError, MissingExtra, UnreadableImage
from fourfold.images.arrays import channels_first, layout
from fourfold.images.metadata import ROLES
from fourfold.images.sets import Entry, ImageSet

__all__ = ["DatasetDecoder", "from_object", "is_saved", "open_saved"]


def is_saved(folder: Path) -> bool:
    """Whether a folder was written by ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk``."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "dataset_info.json").is_file() and (folder / "state.json").is_file()
    )


def open_saved(
    folder: Path, name: str, columns: Mapping[str, str | None] | None = None, split: str | None = None
) -> ImageSet:
    """Open a saved data set; raises MissingExtra without the package ``datasets``."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("datasets", "huggingface", f"reading {folder}") from error
    return from_object(datasets.load_from_disk(str(folder)), name, columns, split)


def from_object(
    source: Any, name: str, columns: Mapping[str, str | None] | None = None, split: str | None = None
) -> ImageSet:
    """An image set from a numpy array, a torch tensor, a ``datasets.Dataset`` or a ``datasets.DatasetDict``.

    Raises
    ------
    InputError
        Where the object is none of these.
    """
    if hasattr(source, "detach") and hasattr(source, "cpu"):
        source = source.detach().cpu().numpy()
    if isinstance(source, np.ndarray):
        return _from_array(source, name, split)
    if hasattr(source, "keys") and not hasattr(source, "features"):
        known = sorted(map(str, source.keys()))
        if split is None and len(known) == 1:
            split = known[0]
        if split not in known:
            raise InputError(f"the {name} set holds the splits {', '.join(known)}; choose one with split=")
        return from_object(source[split], name, columns)
    if hasattr(source, "features") and hasattr(source, "column_names"):
        return _from_dataset(source, name, dict(columns or {}), split)
    raise InputError(
        f"the {name} set is a {type(source).__name__}; give a path, a numpy array, a torch tensor, "
        "a datasets.Dataset or an ImageSet"
    )


def _from_array(images: np.ndarray, name: str, split: str | None) -> ImageSet:
    if split is not None:
        raise InputError(f"the {name} set is an array and has no split {split!r}; leave the split out")
    if images.ndim < 3:
        raise InputError(
            f"the {name} set is an array of shape {images.shape}; give (N, H, W), (N, C, H, W) or (N, C, D, H, W)"
        )
    if images.dtype.kind not in "buif":
        raise InputError(f"the {name} set holds values of type {images.dtype}; give real numbers")
    if images.dtype.kind == "b":
        images = images.astype(np.uint8)
    axes = layout(images.shape, name, several=True)
    arranged = np.moveaxis(images, axes.index("C"), 1) if "C" in axes else images[:, None]
    return ImageSet.from_array(arranged, name=name)


@dataclass(frozen=True)
class DatasetDecoder:
    """Gives the image in row ``entry.index`` of a ``datasets.Dataset``; picklable as the data set is."""

    source: Any
    column: str

    def __call__(self, entry: Entry) -> np.ndarray:
        """Native values of one image, channels first."""
        from fourfold.images.pictures import pixels_of

        try:
            value = self.source[entry.index][self.column]
        except Exception as error:  # the package hands on whatever its decoder raises
            raise UnreadableImage(entry.path, f"cannot be decoded ({error})") from error
        if hasattr(value, "getbands"):
            return pixels_of(value, entry.path)
        values = np.asarray(value)
        return channels_first(values, layout(values.shape, entry.path))


def _from_dataset(source: Any, name: str, columns: dict[str, str | None], split: str | None) -> ImageSet:
    names = list(source.column_names)
    roles = {}
    for role, spellings in ROLES.items():
        if role in columns:
            if columns[role] is not None and columns[role] not in names:
                raise InputError(f"the {name} set has no column {columns[role]!r}; it has {', '.join(names)}")
            roles[role] = columns[role]
        else:
            roles[role] = next((column for column in names if column.lower() in spellings), None)
    pictures = [column for column in names if type(source.features[column]).__name__ == "Image"]
    image = roles["path"] if roles["path"] in pictures or not pictures else pictures[0]
    if image is None:
        raise InputError(f"the {name} set has no column of images among {', '.join(names)}; map it with path=")
    cells = {
        role: _texts(source, column)
        for role, column in roles.items()
        if column and role in ("label", "patient", "split")
    }
    for role in ("label", "patient"):
        filled = [bool(value) for value in cells.get(role, [])]
        if any(filled) and not all(filled):
            raise InputError(
                f"the column {roles[role]!r} of the {name} set is empty in {filled.count(False)} of {len(filled)} "
                f"rows, first in row {filled.index(False)}; fill them in or ignore the column"
            )
    entries = []
    for row in range(len(source)):
        if split is not None and cells.get("split", [None] * (row + 1))[row] != split:
            continue
        label, patient = (cells[role][row] or None if role in cells else None for role in ("label", "patient"))
        entries.append(Entry(path=f"{name}[{row}]", index=row, label=label, patient=patient))
    if split is not None and not entries:
        raise InputError(f"the {name} set has no split {split!r}")
    return ImageSet(name=name, entries=tuple(entries), decode=DatasetDecoder(source, image))


def _texts(source: Any, column: str) -> list[str]:
    feature = source.features[column]
    names = getattr(feature, "names", None)
    values = source[column]
    return ["" if value is None else names[value] if names and value >= 0 else str(value).strip() for value in values]
