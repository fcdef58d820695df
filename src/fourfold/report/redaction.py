"""What may not leave the house: paths, file names and patient identifiers.

``scores.json`` and ``shareable.html`` are built without them in the first place; free text that other rooms
wrote (notes, reasons, sentences, settings) passes through here as well, so that a file name quoted in a
message does not travel.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation

__all__ = ["Redaction", "plain"]

_LEFT_OUT = "(name left out)"
_ABSOLUTE = re.compile(r"(?<![\w.:/])(?:~?/(?:[^\s/'\"<>:;,()]+/)*[^\s/'\"<>:;,()]+|[A-Za-z]:\\[^\s'\"<>|;,()]+)")
_FILE = re.compile(
    r"[^\s'\"=(\[]+\.(?:avif|bmp|csv|dcm|dicom|gif|h5|hdf5|ima|jp2|jpe?g|json|jsonl|nii(?:\.gz)?|npy|npz|onnx|"
    r"parquet|png|pt|pth|safetensors|tiff?|tsv|webp|zarr)\b(?:[#\[][^\s'\",;:]*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Redaction:
    """Names that are known to be private in one evaluation.

    Parameters
    ----------
    names : tuple of str
        Longest first, so that a path is replaced before the file name in it.
    """

    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, evaluation: Evaluation) -> Redaction:
        """Every path, file name and patient identifier of the three sets.

        Identifiers too short to be told from ordinary words and numbers ("7", "12") are not searched for in
        free text; no room writes identifiers into its sentences, and the tests look for them in the files.
        """
        names: set[str] = set()
        # A folder called "training" is told from the word by its separators only.
        folders = {summary.path for summary in evaluation.summaries.values()}
        for summary in evaluation.summaries.values():
            for path, _ in summary.skipped:
                names.update(_path_names(path))
        for images in (evaluation.sets.training, evaluation.sets.holdout, evaluation.sets.synthetic):
            if images is None:
                continue
            if images.root is not None:
                folders.add(str(images.root))
            for entry in images.entries:
                names.update(_path_names(entry.path))
                if entry.file is not None:
                    names.update(_path_names(str(entry.file)))
                if entry.patient is not None:
                    names.add(entry.patient)
        names |= {folder for folder in folders if "/" in folder or "\\" in folder}
        return cls(tuple(sorted(filter(_distinct, names), key=lambda text: (-len(text), text))))

    def text(self, text: str) -> str:
        """The text without private names, absolute paths and file names."""
        for name in self.names:
            if name in text:
                text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", _LEFT_OUT, text)
        return _FILE.sub(_LEFT_OUT, _ABSOLUTE.sub(_LEFT_OUT, text))

    def value(self, value: Any) -> Any:
        """The same for every string inside a plain value, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value


def plain(value: Any) -> Any:
    """What JSON can hold: numpy becomes Python, tuples become lists, numbers that are not finite become None."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        return plain(value.item())
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return [plain(item) for item in value]
    return str(value)


def _path_names(path: str) -> set[str]:
    """A path and the file name in it, however its separators are written."""
    return {path, PurePosixPath(path).name, PureWindowsPath(path).name}


def _distinct(name: str) -> bool:
    """Whether a name can be searched for in free text without hitting ordinary words and numbers."""
    mixed = any(letter.isdigit() for letter in name) and any(letter.isalpha() for letter in name)
    return len(name) >= 6 or (len(name) >= 3 and mixed)
