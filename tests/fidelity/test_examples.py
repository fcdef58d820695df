"""The examples in the docstrings."""

import doctest
import importlib
import pkgutil

import pytest

import fourfold.fidelity
import fourfold.neighbors.balls
import fourfold.neighbors.support

_MODULES = [f"fourfold.fidelity.{module.name}" for module in pkgutil.iter_modules(fourfold.fidelity.__path__)]


@pytest.mark.parametrize("name", [*_MODULES, "fourfold.neighbors.balls", "fourfold.neighbors.support"])
def test_the_examples_of_a_module_run_as_printed(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
