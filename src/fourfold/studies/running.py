"""Runs a study: cell after cell, each kept when it is done, so that an interrupted study goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fourfold import __version__
from fourfold.comparison import Progress, no_progress
from fourfold.engine import LocalEngine
from fourfold.errors import InputError
from fourfold.studies.sources import PhantomImages, Source
from fourfold.studies.study import Cell, Figures, Finding, Scale, ScaleName, Study, Table

__all__ = ["StudyResult", "run_study"]

# Seconds between two looks at what other processes have done.
_LOOK = 2.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")


@dataclass(frozen=True)
class StudyResult:
    """A study that is done.

    Parameters
    ----------
    study : Study
    scale : {"quick", "full"}
    table : Table
        Settings and figures, a row a cell.
    findings : tuple of Finding
        In the order of the claims.
    source : dict
        What the patients are, without a path or an identifier.
    seconds : float
        Of all cells together, those of earlier runs too.
    settings : dict
        Command, seed, versions.
    """

    study: Study
    scale: ScaleName
    table: Table
    findings: tuple[Finding, ...]
    source: dict[str, Any]
    seconds: float
    settings: dict[str, Any]

    def report(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``index.html``, ``study.json``, ``cells.csv`` and the figures; returns the first."""
        from fourfold.report.study_files import write_study

        return write_study(self, folder)


def run_study(
    study: Study,
    folder: str | os.PathLike[str],
    *,
    scale: ScaleName = "full",
    source: Source | None = None,
    seed: int = 0,
    seeds: int | None = None,
    workers: int = 0,
    progress: Progress = no_progress,
) -> StudyResult:
    """Compute what is missing of a study.

    Parameters
    ----------
    study : Study
    folder : path
        Cells are kept in ``cells/``, models and sets that several cells share in ``work/``.
    scale : {"quick", "full"}
    source : Source or None
        Where patients come from; None for the study's own phantoms.
    seed : int
        Added to the seed of every cell.
    seeds : int or None
        Repetitions; None for those of the scale.
    workers : int
        Processes, each of which computes whole seeds, whose cells share patients and models; 0 or 1 for none but this.
    progress : callable
        Called with (task, done, total).

    Returns
    -------
    StudyResult

    Raises
    ------
    InputError
        Where the folder holds another study, or cannot be written to.
    """
    if workers < 0:
        raise InputError(f"a study takes 0 or more processes, got {workers}")
    chosen = study.scales[scale]
    if seeds is not None:
        if seeds < 1:
            raise InputError(f"a study needs at least one repetition, got {seeds}")
        chosen = type(chosen)(chosen.minutes * seeds / chosen.seeds, chosen.settings, seeds)
    source = PhantomImages(study.source) if source is None else source
    cells = [_shifted(cell, seed) for cell in study.cells(chosen)]
    _check(cells)
    place = Path(folder)
    identity = _identity(study, scale, source, chosen.settings)
    for part in ("cells", "work"):
        _made(place / part)
    shelf = _Shelf(place, identity)
    missing = [cell for cell in cells if shelf.kept(cell) is None]
    _computed(_Task(study, chosen, source, shelf), missing, cells, workers, progress)
    records = {cell.key: shelf.kept(cell) for cell in cells}
    gone = next((key for key, record in records.items() if record is None), None)
    if gone is not None:
        raise InputError(f"{place / 'cells'}: the cell {gone} is gone again; run the study once more")
    rows = [{"cell": key, **record["settings"], **record["figures"]} for key, record in records.items() if record]
    seconds = sum(record["seconds"] for record in records.values() if record)
    table = Table(tuple(rows))
    return StudyResult(
        study=study,
        scale=scale,
        table=table,
        findings=_in_order(study, study.findings(table)),
        source={"name": source.name, **source.describe()},
        seconds=seconds,
        settings={
            "seed": seed,
            "seeds": chosen.seeds,
            **{name.replace("_", " "): value for name, value in chosen.settings.items()},
            "fourfold": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    )


@dataclass(frozen=True)
class _Shelf:
    """Where the cells of a study lie.

    Parameters
    ----------
    place : Path
    identity : str
        Of whatever decides their figures.
    """

    place: Path
    identity: str

    def file(self, cell: Cell) -> Path:
        """Of a cell, done or not."""
        return self.place / "cells" / f"{cell.key}.json"

    @property
    def stop(self) -> Path:
        """A file that is there where whoever computes cells should leave it."""
        return self.place / "work" / "stop"

    def kept(self, cell: Cell) -> dict[str, Any] | None:
        """A cell that is done; None where it is missing. A cell of another study is refused, not overwritten."""
        file = self.file(cell)
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(f"{file} cannot be read; remove it, and the cell is computed again") from error
        if found.get("study") != self.identity or found.get("settings") != dict(cell.settings):
            raise InputError(
                f"{file.parent} holds cells of another study, scale or source; choose another folder with -o, or "
                "remove it"
            )
        return found

    def keep(self, cell: Cell, figures: Mapping[str, float | int | str | None], seconds: float) -> None:
        """Write a cell that is done."""
        record = {"study": self.identity, "settings": dict(cell.settings), "figures": figures, "seconds": seconds}
        file = self.file(cell)
        partial = file.with_suffix(".partial")
        try:
            partial.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8")
            partial.replace(file)
        except OSError as error:
            raise InputError(
                f"{file} cannot be written: {error.strerror}; free some space or choose another folder"
            ) from error


@dataclass(frozen=True)
class _Task:
    """Cells to compute, here or in another process.

    Parameters
    ----------
    study : Study
    scale : Scale
    source : Source
    shelf : _Shelf
    """

    study: Study
    scale: Scale
    source: Source
    shelf: _Shelf

    def __call__(self, cells: Sequence[Cell]) -> None:
        """Compute cells one after the other, as long as nobody says stop."""
        for cell in cells:
            if self.shelf.stop.exists():
                return
            if self.shelf.kept(cell) is None:
                self.compute(cell, no_progress)

    def compute(self, cell: Cell, progress: Progress) -> None:
        """Compute a cell and keep it."""
        begun = time.perf_counter()
        figures = _plain(self.study.compute(cell, self.scale, self.source, self.shelf.place / "work", progress))
        self.shelf.keep(cell, figures, round(time.perf_counter() - begun, 1))


def _computed(task: _Task, missing: list[Cell], cells: Sequence[Cell], workers: int, progress: Progress) -> None:
    """Compute what is missing, here or in processes that take a seed each."""

    def tell() -> None:
        progress(f"study {task.study.name}", sum(task.shelf.file(cell).exists() for cell in cells), len(cells))

    tell()
    with LocalEngine(workers) as engine:
        if engine.here:
            for cell in missing:
                task.compute(cell, progress)
                tell()
            return
        seeds = [[cell for cell in missing if cell.seed == seed] for seed in dict.fromkeys(one.seed for one in missing)]
        task.shelf.stop.unlink(missing_ok=True)
        try:
            with _every_few_seconds(tell):
                # The results lie on the shelf; this waits for them, and raises what was raised.
                for _ in engine.map(task, seeds):
                    pass
        except BaseException:
            # The others would go on to the end of their seeds.
            task.shelf.stop.touch()
            raise
    tell()


@contextmanager
def _every_few_seconds(tell: Callable[[], None]) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK):
            tell()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()


def _shifted(cell: Cell, seed: int) -> Cell:
    """The cell with another seed; its name says so."""
    if not seed:
        return cell
    return Cell(f"{cell.key}_plus{seed}", {**cell.settings, "seed": cell.seed + seed})


def _check(cells: Sequence[Cell]) -> None:
    names = [cell.key for cell in cells]
    wrong = next((name for name in names if not _NAME.fullmatch(name) or names.count(name) > 1), None)
    if wrong is not None:
        raise ValueError(f"the cell {wrong!r} has no file name of its own")


def _identity(study: Study, scale: ScaleName, source: Source, settings: Any) -> str:
    """SHA-256 of what decides the figures of a cell besides its own settings."""
    described = json.dumps([study.name, study.version, scale, dict(settings), source.digest], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}; choose another folder with -o") from error


def _plain(figures: Figures) -> dict[str, float | int | str | None]:
    """Figures as JSON can hold them; what is not finite is missing."""
    found: dict[str, float | int | str | None] = {}
    for name, value in figures.items():
        if value is None or isinstance(value, str):
            found[name] = value
        elif isinstance(value, int | np.integer):
            found[name] = int(value)
        else:
            found[name] = float(value) if math.isfinite(value) else None
    return found


def _in_order(study: Study, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    keys = [claim.key for claim in study.claims]
    strange = next((one.claim for one in findings if one.claim not in keys), None)
    if strange is not None:
        raise ValueError(f"a finding answers {strange!r}, which is no claim of the study {study.name}")
    return tuple(sorted(findings, key=lambda one: keys.index(one.claim)))
