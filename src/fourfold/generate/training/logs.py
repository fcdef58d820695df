"""What a training leaves to be looked at: ``log.csv``, TensorBoard's event files, grids of samples."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.errors import InputError

__all__ = ["Log", "last_losses", "write_grid"]

_COUNTED = ("step", "seconds", "images", "learning_rate")


class Log:
    """A row a step in ``log.csv``, and the same for TensorBoard where ``tensorboardX`` is installed.

    Parameters
    ----------
    folder : Path
    step : int
        Rows beyond this step are of a training that was cut off after its last checkpoint; they are dropped here and
        will be written again, the same.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / "log.csv"
        self._columns: list[str] = list(_COUNTED)
        self._begun = False
        self._cut(step)
        try:
            self._stream = self._path.open("a", newline="", encoding="utf-8")
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self._events = _event_writer(folder / "tensorboard", step)

    def write(self, row: Mapping[str, float]) -> None:
        """Add a row; columns that are new are added to the earlier rows, empty."""
        new = [name for name in row if name not in self._columns]
        try:
            if new or not self._begun:
                self._widen(new)
            self._stream.write(_line([_cell(row.get(name, "")) for name in self._columns]))
        except OSError as error:
            raise _unwritable(self._path, error) from error
        if self._events is not None:
            for name, value in row.items():
                if name != "step":
                    self._events.add_scalar(name, value, int(row["step"]))

    def flush(self) -> None:
        """Have every row on the disk."""
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise _unwritable(self._path, error) from error
        if self._events is not None:
            self._events.flush()

    def image(self, name: str, picture: np.ndarray, step: int) -> None:
        """A grid for TensorBoard, uint8 (H, W, 3)."""
        if self._events is not None:
            self._events.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Close; rows that a full disk does not take are written again when the training goes on."""
        with contextlib.suppress(OSError):
            self._stream.close()
        if self._events is not None:
            self._events.close()

    def _cut(self, step: int) -> None:
        kept: list[list[str]] = []
        if self._path.exists() and step:
            try:
                with self._path.open(newline="", encoding="utf-8") as stream:
                    header, *rows = list(csv.reader(stream)) or [self._columns]
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                raise InputError(f"{self._path}: cannot be read; remove it, and give the command again") from error
            if "step" in header:
                self._columns = header
                place = header.index("step")
                # The last row of a killed process may be half a row.
                whole = [row for row in rows if len(row) == len(header) and row[place].isdigit()]
                kept = [row for row in whole if int(row[place]) <= step]
        self._rewrite(kept)

    def _widen(self, new: list[str]) -> None:
        self._stream.close()
        with self._path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))[1:]
        self._columns += new
        self._rewrite([row + [""] * len(new) for row in rows], header=True)
        self._stream = self._path.open("a", newline="", encoding="utf-8")

    def _rewrite(self, rows: list[list[str]], header: bool = False) -> None:
        self._begun = bool(rows) or header
        text = "".join(map(_line, [self._columns, *rows] if self._begun else []))
        part = self._path.with_name(".log.csv.part")
        try:
            part.write_text(text, encoding="utf-8", newline="")
            part.replace(self._path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise _unwritable(self._path, error) from error


def last_losses(folder: Path, phases: Sequence[str], rows: int = 100) -> dict[str, float]:
    """Mean losses of the last rows of ``log.csv``, by phase."""
    with (folder / "log.csv").open(newline="", encoding="utf-8") as stream:
        last = deque(csv.DictReader(stream), maxlen=rows)
    found = {phase: [float(row[phase]) for row in last if row.get(phase)] for phase in phases}
    return {phase: float(np.mean(values)) for phase, values in found.items() if values}


def write_grid(path: Path, images: np.ndarray) -> np.ndarray:
    """Write images side by side as a PNG; of volumes the middle slice.

    Parameters
    ----------
    path : Path
    images : array, shape (n, C, H, W) or (n, C, D, H, W)
        In [0, 1]; one channel or three.

    Returns
    -------
    array, shape (H', W', 3)
        uint8, what was written.
    """
    from PIL import Image

    if images.ndim == 5:
        images = images[:, :, images.shape[2] // 2]
    n, channels, height, across = images.shape
    columns = int(np.ceil(np.sqrt(n)))
    lines = int(np.ceil(n / columns))
    grid = np.zeros((lines * height, columns * across, 3), dtype=np.uint8)
    for place, image in enumerate(np.round(np.nan_to_num(images).clip(0, 1) * 255).astype(np.uint8)):
        top, left = place // columns * height, place % columns * across
        shown = image[:3] if channels >= 3 else np.repeat(image[:1], 3, axis=0)
        grid[top : top + height, left : left + across] = shown.transpose(1, 2, 0)
    try:
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(grid).save(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    return grid


def _event_writer(folder: Path, step: int) -> Any | None:
    try:
        from tensorboardX import SummaryWriter
    # An optional package that does not import is one that is not there, whatever it raises.
    except Exception:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    return str(value)


def _line(cells: list[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue()


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: cannot be written ({error.strerror or error}); free some space or change the permissions, "
        "and give the same command again to go on"
    )
