"""Sets of new images on disk: any number in bounded memory, with the record that repeats them.

A set grows in a hidden folder beside its place and is renamed when it is complete. A call that was killed goes on from
there when it is repeated, since image k never depends on what was drawn before it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fourfold.comparison import Progress, no_progress
from fourfold.devices import check_device
from fourfold.errors import InputError
from fourfold.generate.batches import Plan, drawn_batches, origin_of
from fourfold.generate.generator import Drawing
from fourfold.generate.provenance import now, plain, read_record, versions, write_record
from fourfold.generate.storage import storage_for
from fourfold.generate.unfinished import GENERATION, SCHEMA, append, begin, complete, more_than_fits, resumed, writing
from fourfold.generate.weights import MODEL

if TYPE_CHECKING:
    from fourfold.generate.models import Model

__all__ = ["generate", "recreate"]


def generate(
    model: Model,
    n: int,
    output: str | os.PathLike[str],
    plan: Plan,
    *,
    device: str = "cpu",
    bits: int | None = None,
    progress: Progress = no_progress,
) -> Path:
    """Write `n` new images into a new folder.

    The folder holds ``images/``, ``metadata.csv`` (``path``, the conditions, ``seed``), ``generation.json`` (what
    repeats the set) and the model's ``model.json``.

    Parameters
    ----------
    model : Model
    n : int
    output : path
        Must not exist, or be empty.
    plan : Plan
    device : str
    bits : {8, 16} or None
        See `storage_for`.
    progress : callable
        Called with (task, done, total).

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        Where the folder is taken or holds the beginning of another set, a knob or condition is not the model's, or
        memory or disk do not suffice.
    """
    folder = _new_folder(output)
    if n < 1:
        raise InputError(f"at least 1 image is drawn, got {n}")
    check_device(device)
    model.generator.check_drawing(plan.drawing)
    storage = storage_for(model.preparation, model.record["data"]["whole_numbers"], bits)
    request = plain(
        {
            "model": {"recipe": model.record["recipe"], "digest": model.digest},
            **plan.describe(),
            "device": device,
            "values": storage.describe(),
            "versions": versions(),
        }
    )
    partial = folder.with_name(f".{folder.name}.partial")
    with writing(folder):
        begun = (partial / GENERATION).exists()
        if not begun:
            begin(partial, request)
        done = resumed(partial, request, n, plan)
    try:
        for drawn in drawn_batches(model, n, plan, device, done):
            with writing(folder):
                append(model, drawn, storage, partial)
            refusal = more_than_fits(folder, partial, n, drawn) if drawn.start == done else None
            if refusal is not None:
                if not begun:
                    shutil.rmtree(partial)
                raise InputError(refusal)
            progress("drawing images", drawn.start + len(drawn), n)
    except InputError:
        # What is refused at once leaves nothing behind; what took time stays, and the repeated call goes on from it.
        if not begun and not complete(partial, plan.seed):
            shutil.rmtree(partial, ignore_errors=True)
        raise
    with writing(folder):
        write_record(partial / MODEL, model.record)
        write_record(partial / GENERATION, {"schema": SCHEMA, **request, "count": n, "created": now()})
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    return folder


def recreate(
    model: Model,
    record: str | os.PathLike[str] | Mapping[str, Any],
    place: int,
    *,
    conditions: Any = None,
    condition_value: Mapping[str, str] | None = None,
) -> np.ndarray:
    """Image number `place` of a set, from the set's record and its model.

    The bits are the same on the same kind of machine, with the versions that the record names.

    Parameters
    ----------
    model : Model
    record : path or mapping
        The folder of the set, its ``generation.json``, or what that holds.
    place : int
    conditions : source or None
        The set that conditions were taken from, where they were.
    condition_value : mapping of str to str or None
        The conditions that were typed, where a file was among them; None for those of the record.

    Returns
    -------
    array, shape (C, H, W) or (C, D, H, W)
        float32 in [0, 1], before it was stored.

    Raises
    ------
    InputError
        Where the set is of another model, has no such image, or had its conditions from what is not given.
    """
    if not isinstance(record, Mapping):
        file = Path(record)
        record = read_record(file / GENERATION if file.is_dir() else file, SCHEMA)
    if record["model"]["digest"] != model.digest:
        raise InputError(f"the set was drawn by another model than {model.folder}; open the one that drew it")
    if not 0 <= place < record["count"]:
        raise InputError(f"the set has images 0 to {record['count'] - 1}, got {place}")
    told = record["conditions"]
    if told["origin"] == "set":
        if conditions is None:
            raise InputError("the conditions of the set were taken from another set; give that one as conditions")
        origin = origin_of(model, None, conditions)
        if origin.describe()["digest"] != told["digest"]:
            raise InputError("the conditions of the set were taken from another set than this (its digest differs)")
    else:
        origin = origin_of(model, told["fixed"] if condition_value is None else condition_value, None)
        if condition_value is not None and origin.describe() != told:
            raise InputError("the set was drawn under other conditions than these; give those that were typed")
    plan = Plan(record["seed"], record["batch"], Drawing(**record["drawing"]), origin)
    first = place // plan.batch * plan.batch
    drawn = next(drawn_batches(model, first + plan.batch, plan, record["device"], first))
    return drawn.images[place - first]


def _new_folder(output: str | os.PathLike[str]) -> Path:
    folder = Path(output)
    # A folder such as "." has no name to put another one beside.
    folder = folder if folder.name not in ("", "..") else folder.resolve()
    if (folder / GENERATION).exists():
        raise InputError(f"{folder}: holds a finished set; choose a new folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is not empty; choose a new folder")
    return folder
