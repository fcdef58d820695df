"""Generators: networks and simple laws that make new images, how they are fitted, drawn from and written down.

Everything is imported when it is first asked for, since the networks are heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fourfold.generate.condition import Condition
    from fourfold.generate.conditioning import Conditioning, Conditions
    from fourfold.generate.conformance import Finding, check_recipe
    from fourfold.generate.generator import Drawing, Generator
    from fourfold.generate.models import Model, model_schema, open_model
    from fourfold.generate.recipe import Recipe, Run
    from fourfold.generate.training_set import TrainingSet

_HOMES = {
    "Condition": "condition",
    "Conditioning": "conditioning",
    "Conditions": "conditioning",
    "Drawing": "generator",
    "Finding": "conformance",
    "Generator": "generator",
    "Model": "models",
    "Recipe": "recipe",
    "Run": "recipe",
    "TrainingSet": "training_set",
    "check_recipe": "conformance",
    "model_schema": "models",
    "open_model": "models",
}

__all__ = [
    "Condition",
    "Conditioning",
    "Conditions",
    "Drawing",
    "Finding",
    "Generator",
    "Model",
    "Recipe",
    "Run",
    "TrainingSet",
    "check_recipe",
    "model_schema",
    "open_model",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"fourfold.generate.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'fourfold.generate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
