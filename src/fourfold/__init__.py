"""Fourfold: fidelity, variety, privacy and utility of synthetic medical images.

Everything is imported when it is first asked for, so that ``import fourfold`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fourfold import (
        auditing,
        comparing,
        features,
        fidelity,
        generate,
        images,
        neighbors,
        outliers,
        pairing,
        planning,
        privacy,
        releasing,
        report,
        studies,
        utility,
        variety,
    )
    from fourfold.auditing import Audit, audit
    from fourfold.comparing import ComparedSets, compare
    from fourfold.errors import FourfoldError, InputError, MissingExtra, UnreadableImage
    from fourfold.evaluation import Evaluation, evaluate
    from fourfold.generate.models import Model, open_model
    from fourfold.generate.train import train
    from fourfold.images import ImageSet, check_sets, open_set
    from fourfold.images.phantoms import phantoms
    from fourfold.pairing import PairedSets, paired
    from fourfold.planning import Plan, plan
    from fourfold.releasing import Release, release, verify
    from fourfold.score import Metric, Score, metrics
    from fourfold.studies import StudyResult, run_study
    from fourfold.utility.study import UtilityStudy, utility_study

_HOMES = {
    "Audit": "fourfold.auditing",
    "ComparedSets": "fourfold.comparing",
    "Evaluation": "fourfold.evaluation",
    "FourfoldError": "fourfold.errors",
    "ImageSet": "fourfold.images",
    "InputError": "fourfold.errors",
    "Metric": "fourfold.score",
    "MissingExtra": "fourfold.errors",
    "Model": "fourfold.generate.models",
    "PairedSets": "fourfold.pairing",
    "Plan": "fourfold.planning",
    "Release": "fourfold.releasing",
    "Score": "fourfold.score",
    "StudyResult": "fourfold.studies",
    "UnreadableImage": "fourfold.errors",
    "UtilityStudy": "fourfold.utility.study",
    "audit": "fourfold.auditing",
    "check_sets": "fourfold.images",
    "compare": "fourfold.comparing",
    "evaluate": "fourfold.evaluation",
    "metrics": "fourfold.score",
    "open_model": "fourfold.generate.models",
    "open_set": "fourfold.images",
    "paired": "fourfold.pairing",
    "phantoms": "fourfold.images.phantoms",
    "plan": "fourfold.planning",
    "release": "fourfold.releasing",
    "run_study": "fourfold.studies",
    "train": "fourfold.generate.train",
    "utility_study": "fourfold.utility.study",
    "verify": "fourfold.releasing",
}
_ROOMS = (
    "auditing",
    "comparing",
    "features",
    "fidelity",
    "generate",
    "images",
    "neighbors",
    "outliers",
    "pairing",
    "planning",
    "privacy",
    "releasing",
    "report",
    "studies",
    "utility",
    "variety",
)

__all__ = [
    "Audit",
    "ComparedSets",
    "Evaluation",
    "FourfoldError",
    "ImageSet",
    "InputError",
    "Metric",
    "MissingExtra",
    "Model",
    "PairedSets",
    "Plan",
    "Release",
    "Score",
    "StudyResult",
    "UnreadableImage",
    "UtilityStudy",
    "audit",
    "auditing",
    "check_sets",
    "compare",
    "comparing",
    "evaluate",
    "features",
    "fidelity",
    "generate",
    "images",
    "metrics",
    "neighbors",
    "open_model",
    "open_set",
    "outliers",
    "paired",
    "pairing",
    "phantoms",
    "plan",
    "planning",
    "privacy",
    "release",
    "releasing",
    "report",
    "run_study",
    "studies",
    "train",
    "utility",
    "utility_study",
    "variety",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"fourfold.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'fourfold' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
