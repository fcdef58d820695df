import importlib
import subprocess
import sys

import pytest

import fourfold

ROOMS = (
    "auditing",
    "comparing",
    "engine",
    "features",
    "fidelity",
    "generate",
    "images",
    "metric_cards",
    "monai",
    "neighbors",
    "outliers",
    "pairing",
    "planning",
    "privacy",
    "releasing",
    "report",
    "studies",
    "subgroups",
    "torchmetrics",
    "utility",
    "variety",
)


def test_everything_in_all_can_be_had():
    for name in fourfold.__all__:
        assert getattr(fourfold, name) is not None


@pytest.mark.parametrize("name", ["fourfold", *(f"fourfold.{room}" for room in ROOMS)])
def test_all_is_sorted_and_complete(name):
    room = importlib.import_module(name)
    kinds = [(not member.isupper(), member[0].islower(), member) for member in room.__all__]
    assert kinds == sorted(kinds), f"{name}.__all__ is not sorted: constants, classes, functions"
    assert all(hasattr(room, member) for member in room.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'fourfold' has no attribute 'fakery'"):
        fourfold.fakery


@pytest.mark.parametrize("statement", ["import fourfold", "from fourfold.cli.main import main; main(['--version'])"])
def test_heavy_packages_are_not_imported_before_they_are_needed(statement):
    code = (
        f"import sys\ntry:\n    {statement}\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'monai', 'sklearn', 'matplotlib', 'pandas', 'scipy', 'numpy'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
