"""The table of metrics that are functions of features: what a wrapper has to know of each, whatever its framework.

A row is a function of `fourfold.fidelity` or `fourfold.variety`, the sets that it takes, and the number that is read
from what it returns. Names and good directions are those of the register (`fourfold.metrics`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fourfold import fidelity, variety
from fourfold.errors import InputError
from fourfold.score import Axis, Better

__all__ = ["FUNCTIONS", "FeatureFunction", "Role", "function_named"]

Role = Literal["training", "holdout", "synthetic"]

# Arguments with an entry an image, which would have to be collected beside the features.
_AN_ENTRY_AN_IMAGE = frozenset({"groups", "patients", "training_groups", "synthetic_groups"})


@dataclass(frozen=True)
class FeatureFunction:
    """A metric that is a function of the features of some sets.

    Parameters
    ----------
    axis : {"fidelity", "variety"}
    better : {"higher", "lower", "null"}
        The good direction; ``"null"`` where any departure from the null is bad.
    function : callable
        Sets as arrays of shape (n, d), in the order of `needs`, and settings by name.
    needs : tuple of {"training", "holdout", "synthetic"}
    bounds : (float or None, float or None)
        The least and the largest value, where there are any.
    read : callable
        The number of the metric in what the function returns.
    """

    axis: Axis
    better: Better
    function: Callable[..., Any]
    needs: tuple[Role, ...] = ("training", "synthetic")
    bounds: tuple[float | None, float | None] = (None, None)
    read: Callable[[Any], float] = float

    @property
    def name(self) -> str:
        """As in the register."""
        return self.function.__name__

    @property
    def settings(self) -> frozenset[str]:
        """Names of the arguments beside the sets, for example ``"k"``."""
        names = list(inspect.signature(self.function).parameters)
        return frozenset(names[len(self.needs) :]) - _AN_ENTRY_AN_IMAGE

    @property
    def higher_is_better(self) -> bool | None:
        """As `torchmetrics` has it; None where any departure from the null is bad."""
        return {"higher": True, "lower": False, "null": None}[self.better]

    def __call__(self, sets: Mapping[Role, np.ndarray], **settings: Any) -> float:
        """The metric of some sets.

        Parameters
        ----------
        sets : mapping of role to array, shape (n, d)
            Others than those of `needs` are left alone.
        **settings
            See `settings`.

        Raises
        ------
        InputError
            Where a set is missing or empty, and as the function does.
        """
        for role in self.needs:
            if role not in sets or not len(sets[role]):
                raise InputError(f"{self.name} has no {role} images yet; add them before its value is asked for")
        return float(self.read(self.function(*(sets[role] for role in self.needs), **settings)))


_SHARE = (0.0, 1.0)
_DISTANCE = (0.0, None)
_AGAINST_HOLDOUT: tuple[Role, ...] = ("training", "holdout", "synthetic")


def _by_step(curve: Any) -> float:
    return curve.by_step


def _in_the_limit(found: Any) -> float:
    return found.infinity


FUNCTIONS: dict[str, FeatureFunction] = {
    row.name: row
    for row in (
        FeatureFunction("fidelity", "lower", fidelity.frechet_distance, bounds=_DISTANCE),
        FeatureFunction("fidelity", "lower", fidelity.frechet_distance_infinity),
        FeatureFunction("fidelity", "lower", fidelity.kernel_distance),
        FeatureFunction("fidelity", "lower", fidelity.cmmd, bounds=_DISTANCE),
        FeatureFunction("fidelity", "lower", fidelity.sliced_wasserstein_distance, bounds=_DISTANCE),
        FeatureFunction("fidelity", "lower", fidelity.radiomic_frechet_distance),
        FeatureFunction("fidelity", "lower", fidelity.radiomic_frechet_distance_v0, bounds=_DISTANCE),
        FeatureFunction("fidelity", "higher", fidelity.precision, bounds=_SHARE),
        FeatureFunction("fidelity", "higher", fidelity.density, bounds=_DISTANCE),
        FeatureFunction("fidelity", "higher", fidelity.clipped_density, bounds=_SHARE),
        FeatureFunction("fidelity", "higher", fidelity.realism, bounds=_DISTANCE, read=np.median),
        FeatureFunction("fidelity", "higher", fidelity.alpha_precision, bounds=(None, 1.0), read=_by_step),
        FeatureFunction("fidelity", "higher", fidelity.topological_precision, bounds=_SHARE),
        FeatureFunction("fidelity", "lower", fidelity.likelihood_divergence, needs=_AGAINST_HOLDOUT),
        FeatureFunction("variety", "higher", variety.recall, bounds=_SHARE),
        FeatureFunction("variety", "higher", variety.coverage, bounds=_SHARE),
        FeatureFunction("variety", "higher", variety.clipped_coverage, bounds=_SHARE),
        FeatureFunction("variety", "higher", variety.beta_recall, bounds=(None, 1.0), read=_by_step),
        FeatureFunction("variety", "higher", variety.topological_recall, bounds=_SHARE),
        FeatureFunction("variety", "higher", variety.vendi_score, needs=("synthetic",), bounds=(1.0, None)),
        FeatureFunction("variety", "higher", variety.image_retrieval_score, bounds=_SHARE, read=_in_the_limit),
        FeatureFunction("variety", "null", variety.retrieval_gap, needs=_AGAINST_HOLDOUT, bounds=(-1.0, 1.0)),
    )
}
"""By name."""


def function_named(name: str) -> FeatureFunction:
    """A row of the table; raises InputError for a name that it does not have."""
    if name not in FUNCTIONS:
        raise InputError(f"there is no metric of features called {name!r}; there are {', '.join(sorted(FUNCTIONS))}")
    return FUNCTIONS[name]
