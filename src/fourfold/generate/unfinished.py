"""A set of new images while it grows: the hidden folder beside its place, and how much of it a kill left whole.

Images are written before their rows, and a row ends with the seed of its image; so what a table and its files agree on
is complete, whenever the process died.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fourfold.errors import InputError
from fourfold.generate.batches import Drawn, Plan
from fourfold.generate.provenance import difference, read_record, seed_of, write_record
from fourfold.generate.storage import Storage

if TYPE_CHECKING:
    from fourfold.generate.models import Model

__all__ = ["GENERATION", "SCHEMA", "append", "begin", "complete", "more_than_fits", "resumed", "writing"]

SCHEMA = "fourfold.generation/1"
GENERATION = "generation.json"

_TABLE = "metadata.csv"
_BLOCK = 4096


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what a disk can do wrong into a sentence; raises InputError."""
    try:
        yield
    except OSError as error:
        problem = (error.strerror or type(error).__name__).lower()
        raise InputError(
            f"{folder}: cannot be written ({problem}); mend that and repeat the call, which goes on where it was, or "
            "choose another folder"
        ) from error


def begin(partial: Path, request: Mapping[str, Any]) -> None:
    """Make the hidden folder, which says from the start what was asked for."""
    if partial.exists():
        shutil.rmtree(partial)
    (partial / "images").mkdir(parents=True)
    write_record(partial / GENERATION, {"schema": SCHEMA, **request})


def resumed(partial: Path, request: Mapping[str, Any], n: int, plan: Plan) -> int:
    """How many images of an unfinished set can stay; the others are removed.

    Raises
    ------
    InputError
        Where the set was asked for otherwise.
    """
    found = read_record(partial / GENERATION, SCHEMA)
    found = {name: found[name] for name in found if name not in ("schema", "count", "created")}
    if found != request:
        raise InputError(
            f"{partial}: holds a set that is not finished and was asked for otherwise ({difference(found, request)}); "
            "repeat that call to finish it, or remove this folder"
        )
    count = complete(partial, plan.seed)
    done = n if count >= n else count // plan.batch * plan.batch
    table = partial / _TABLE
    if table.exists():
        kept = partial / f".{_TABLE}.partial"
        with kept.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerows(row for place, row in enumerate(_rows(table)) if place <= done)
        kept.replace(table)
    for file in partial.glob("*/*"):
        number = file.name.partition(".")[0]
        if not number.isdecimal() or int(number) >= done or ".partial" in file.name:
            file.unlink()
    return done


def complete(partial: Path, seed: int) -> int:
    """Images that are there with their rows, from the first on without a gap."""
    table = partial / _TABLE
    if not table.exists():
        return 0
    count = -1
    for row in _rows(table):
        # A row that a kill cut short ends before its seed is complete.
        whole = count < 0 or (row[-1:] == [str(seed_of(seed, count))] and (partial / row[0]).is_file())
        if not whole:
            break
        count += 1
    return max(0, count)


def _rows(table: Path) -> Iterator[list[str]]:
    with table.open(encoding="utf-8", newline="") as stream:
        yield from csv.reader(stream)


def append(model: Model, drawn: Drawn, storage: Storage, partial: Path) -> None:
    """Write the images of a batch, then their rows."""
    conditioning = model.generator.conditioning
    cells = conditioning.table(drawn.conditions)
    rows = []
    for row, (image, seed) in enumerate(zip(drawn.images, drawn.seeds, strict=True)):
        name = f"{drawn.start + row:06d}"
        path = storage.write(image, partial, f"images/{name}")
        beside = conditioning.write(drawn.conditions, row, partial, name)
        # The seed comes last, so that a row that was cut short is known by it.
        rows.append({"path": path, **cells[row], **beside, "seed": seed})
    with (partial / _TABLE).open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        if not stream.tell():
            writer.writeheader()
        writer.writerows(rows)


def more_than_fits(folder: Path, partial: Path, n: int, drawn: Drawn) -> str | None:
    """A sentence where the disk cannot hold the rest, by the size of the first batch; None where it can."""
    written = [
        file for place in range(drawn.start, drawn.start + len(drawn)) for file in partial.glob(f"*/{place:06d}.*")
    ]
    # Files take whole blocks of the disk.
    each = sum(-(-file.stat().st_size // _BLOCK) * _BLOCK for file in written) / len(drawn)
    left = n - drawn.start - len(drawn)
    free = shutil.disk_usage(partial).free
    if left * each <= free:
        return None
    fitting = drawn.start + len(drawn) + int(free / each)
    return (
        f"{folder}: {n} images need {_size(left * each)} more and the disk has {_size(free)} free, enough for "
        f"{fitting} images; ask for fewer (-n) or choose another disk"
    )


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
