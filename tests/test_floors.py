"""Imports go down the floors of the house only."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "fourfold"

# From the ground up; rooms on one line share a floor. A room may import itself and whatever lies below it.
FLOORS = (
    ("errors",),
    ("devices",),
    ("plugins", "engine", "statistics"),
    ("images", "score", "neighbors"),
    ("features",),
    ("outliers",),
    ("comparison",),
    ("resampling",),
    ("fidelity", "variety", "privacy", "utility", "generate"),
    ("verdicts", "opening", "torchmetrics", "metric_cards"),
    ("answers", "approximation", "feature_spaces", "tables", "monai"),
    ("subgroups",),
    ("evaluation", "report"),
    ("auditing", "comparing", "pairing", "planning"),
    ("releasing",),
    ("studies",),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# An evaluation writes its own report, and the report names the types it renders, without running them.
NEIGHBOURS_ALLOWED = {
    ("evaluation", "report"),
    ("report", "evaluation"),
    ("report", "comparing"),
    ("report", "pairing"),
    ("report", "studies"),
    ("images", "neighbors"),
}


def room_of(parts):
    return parts[0].removesuffix(".py")


def imports(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "fourfold":
            rest = node.module.split(".")[1:]
            yield from [rest[0]] if rest else [alias.name for alias in node.names if alias.name in FLOOR_OF]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("fourfold."):
                    yield alias.name.split(".")[1]


FILES = sorted(file for file in SOURCE.rglob("*.py") if file.parent != SOURCE or file.stem not in ("__init__",))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_room_imports_only_from_the_floors_below(file):
    room = room_of(file.relative_to(SOURCE).parts)
    assert room in FLOOR_OF, f"{room} has no floor: give it one"
    for other in imports(file):
        if other == room or (room, other) in NEIGHBOURS_ALLOWED:
            continue
        assert other in FLOOR_OF, f"{other} has no floor: give it one"
        assert FLOOR_OF[other] < FLOOR_OF[room], f"{room} imports {other}, which is not below it"


def test_every_room_is_on_one_floor():
    rooms = {
        file.stem if file.is_file() else file.name
        for file in SOURCE.iterdir()
        if file.stem == "__main__" or file.name[0] != "_"
    }
    assert rooms - {"py"} == set(FLOOR_OF)
