"""A plan as JSON, for programs and for the next plan: what was measured is in it and can be used again."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from fourfold.errors import InputError
from fourfold.planning.constants import Constants
from fourfold.planning.law import Law, Seconds
from fourfold.planning.results import Plan, PlannedStep
from fourfold.report.writer import problem_of, replace_files

__all__ = ["SCHEMA", "plan_document", "plan_schema", "read_constants", "write_plan"]

SCHEMA = "fourfold.plan/2"


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as JSON can hold it: numbers of images, no path and no image.

    Returns
    -------
    dict
        Valid under `plan_schema`.
    """
    return {
        "schema": SCHEMA,
        "sets": {role: plan.sizes.of(role) for role in plan.sizes.roles},
        "engine": plan.engine,
        "workers": plan.workers,
        "timed": plan.timed,
        "passes": plan.passes,
        "multiplications": plan.multiplications,
        "seconds": _seconds(plan.seconds),
        "seconds_at_best": _seconds(plan.seconds_at_best),
        "memory": plan.memory,
        "steps": [_step(step) for step in plan.steps],
        "advice": list(plan.advice),
        "settings": dict(plan.settings),
        "constants": _constants(plan.constants),
    }


def plan_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a plan."""
    return json.loads(resources.files("fourfold.planning").joinpath("plan.schema.json").read_text(encoding="utf-8"))


def write_plan(plan: Plan, file: str | Path) -> Path:
    """Write the plan as JSON, whole or not at all.

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    file = Path(file)
    text = json.dumps(plan_document(plan), ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_files(file.parent, {file.name: text.encode()})
    except OSError as error:
        raise InputError(f"{file}: {problem_of(error)}") from error
    return file


def read_constants(file: str | Path) -> Constants:
    """What an earlier plan measured, from its JSON.

    Raises
    ------
    InputError
        Where the file cannot be read or is no plan.
    """
    file = Path(file)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); give the JSON of an earlier plan") from error
    except ValueError as error:
        raise InputError(f"{file}: is not JSON; give the JSON of an earlier plan") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        # Steps are cut otherwise in every form of the plan, and one that was not measured would count as nothing.
        if str(schema).startswith(SCHEMA.partition("/")[0] + "/"):
            raise InputError(f"{file}: is a plan of another version; measure again with `fourfold plan --json`")
        raise InputError(f"{file}: is no plan; give a file that `fourfold plan --json` wrote")
    try:
        found = document["constants"]
        return Constants(
            shape=tuple(map(int, found["shape"])),
            cells=int(found["cells"]),
            planes=int(found["planes"]),
            widths={one["space"]: int(one["width"]) for one in found["spaces"]},
            base=int(found["base"]),
            laws={(one["step"], one["space"]): Law(_read(one["once"]), _read(one["unit"])) for one in found["laws"]},
            rates={(one["kind"], int(one["width"])): _read(one["multiplication"]) for one in found["rates"]},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: its constants are damaged; measure again with `fourfold plan --json`") from error


def _step(step: PlannedStep) -> dict[str, Any]:
    return {
        "name": step.name,
        "space": step.space,
        "passes": step.passes,
        "multiplications": step.multiplications,
        "seconds": _seconds(step.seconds),
        "seconds_at_best": _seconds(step.seconds_at_best),
        "memory": step.memory,
    }


def _constants(constants: Constants) -> dict[str, Any]:
    return {
        "shape": list(constants.shape),
        "cells": constants.cells,
        "planes": constants.planes,
        "spaces": [{"space": space, "width": width} for space, width in constants.widths.items()],
        "base": constants.base,
        "laws": [
            {"step": step, "space": space, "once": _seconds(law.once), "unit": _seconds(law.unit)}
            for (step, space), law in constants.laws.items()
        ],
        "rates": [
            {"kind": kind, "width": width, "multiplication": _seconds(rate)}
            for (kind, width), rate in constants.rates.items()
        ],
    }


def _seconds(seconds: Seconds) -> dict[str, float]:
    return {"processor": seconds.processor, "wall": seconds.wall}


def _read(found: dict[str, float]) -> Seconds:
    return Seconds(float(found["processor"]), float(found["wall"]))
