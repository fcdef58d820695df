from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import fourfold.privacy


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(fourfold.privacy.__path__)])
def test_the_examples_in_the_docstrings_run(name: str) -> None:
    module = importlib.import_module(f"fourfold.privacy.{name}")
    assert doctest.testmod(module, extraglobs={"np": importlib.import_module("numpy")}).failed == 0
