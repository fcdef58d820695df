"""The examples in the docstrings."""

import doctest
import importlib
import pkgutil

import pytest

import fourfold.variety

_MODULES = [f"fourfold.variety.{module.name}" for module in pkgutil.iter_modules(fourfold.variety.__path__)]


@pytest.mark.parametrize("name", _MODULES)
def test_the_examples_of_a_module_run_as_printed(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
