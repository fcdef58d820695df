"""A score is never a bare number, and a metric is a function that returns one.

A `Score` holds a value, its null (what an ideal generator that copies nobody would score on this very
data), an interval, a direction and the images behind it. A `Metric` is a register entry: a name on an
axis, what it needs, what it costs, where it comes from, and the function that computes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from fourfold.plugins import METRICS, Plugin, plugins

__all__ = [
    "AXES",
    "Axis",
    "Better",
    "Metric",
    "Score",
    "broken_plugins",
    "does_not_apply",
    "from_record",
    "is_plugin",
    "metrics",
    "register",
    "to_record",
]

Axis = Literal["fidelity", "variety", "privacy", "utility"]
Better = Literal["higher", "lower", "null"]
AXES: tuple[Axis, ...] = ("fidelity", "variety", "privacy", "utility")


@dataclass(frozen=True)
class Score:
    """One answer, with everything that is needed to read it.

    Parameters
    ----------
    axis : {"fidelity", "variety", "privacy", "utility"}
    name : str
        Name of the metric in the register, for example ``"coverage"``.
    value : float or None
        None where the score does not apply; `reason` then says why.
    null : float or None
        What an ideal generator that copies nobody would score on these data. None where it cannot be
        known; `reason` then says why.
    interval : (float, float) or None
        95 % interval around what `value` estimates, in the unit of `null`: it holds the sampling of
        synthetic images, of real patients and of the null itself, so that `null` outside of it is evidence.
    null_interval : (float, float) or None
        The band in which 95 % of fresh real samples of this size would score; in an `Evaluation` the band that holds,
        together with those of the other scores, all scores of 95 % of them.
    better : {"higher", "lower", "null"}
        The good direction; ``"null"`` where any departure from the null is bad.
    features : str or None
        The feature space, for example ``"radiomics"``.
    source : str
        The paper or formula.
    null_source : str or None
        Where the null comes from: ``"analytic"``, ``"holdout"``, ``"training halves"``.
    reason : str or None
        Why `value`, `null` or `interval` is missing, or what limits it.
    per_synthetic : mapping of str to array of shape (M,)
        Per-image columns, one row a synthetic image.
    per_training : mapping of str to array of shape (N,)
        Per-image columns, one row a training image.
    details : mapping
        Further facts that JSON can hold: sizes, parameters, counts.
    """

    axis: Axis
    name: str
    value: float | None
    null: float | None = None
    interval: tuple[float, float] | None = None
    null_interval: tuple[float, float] | None = None
    better: Better = "higher"
    features: str | None = None
    source: str = ""
    null_source: str | None = None
    reason: str | None = None
    per_synthetic: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)
    per_training: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)
    details: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.axis not in AXES:
            raise ValueError(f"axis must be one of {', '.join(AXES)}, got {self.axis!r}")
        if self.better not in ("higher", "lower", "null"):
            raise ValueError(f"better must be 'higher', 'lower' or 'null', got {self.better!r}")
        for name in ("value", "null"):
            number = getattr(self, name)
            if number is not None:
                number = float(number)
                object.__setattr__(self, name, number if math.isfinite(number) else None)
        for name in ("interval", "null_interval"):
            pair = getattr(self, name)
            if pair is not None:
                low, high = float(pair[0]), float(pair[1])
                finite = math.isfinite(low) and math.isfinite(high)
                object.__setattr__(self, name, (low, high) if finite else None)
        if self.value is None and not self.reason:
            raise ValueError(f"the score {self.key} has no value and no reason")

    @property
    def key(self) -> str:
        """``"axis/name"``, the way an `Evaluation` is indexed."""
        return f"{self.axis}/{self.name}"

    @property
    def applies(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def departs(self) -> Literal["better", "worse", "different", "no"] | None:
        """How the score stands to its null: None where either is missing.

        ``"no"`` while the null lies within the interval; otherwise the side on which the value lies.
        """
        if self.value is None or self.null is None or self.interval is None:
            return None
        low, high = self.interval
        if low <= self.null <= high:
            return "no"
        if self.better == "null":
            return "different"
        above = self.value > self.null
        return "better" if above == (self.better == "higher") else "worse"

    def with_details(self, **details: Any) -> Score:
        """The same score with further details."""
        return replace(self, details={**self.details, **details})


def to_record(score: Score) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A score as JSON can hold it, and its columns as arrays; `from_record` undoes it."""
    record = {
        "axis": score.axis,
        "name": score.name,
        "value": score.value,
        "null": score.null,
        "interval": score.interval,
        "null_interval": score.null_interval,
        "better": score.better,
        "features": score.features,
        "source": score.source,
        "null_source": score.null_source,
        "reason": score.reason,
        "details": dict(score.details),
    }
    columns = {f"synthetic/{name}": np.asarray(column) for name, column in score.per_synthetic.items()}
    columns |= {f"training/{name}": np.asarray(column) for name, column in score.per_training.items()}
    return record, columns


def from_record(record: Mapping[str, Any], columns: Mapping[str, np.ndarray]) -> Score:
    """The score that `to_record` was given."""
    fields = dict(record)
    for name in ("interval", "null_interval"):
        fields[name] = None if fields[name] is None else tuple(fields[name])
    for role in ("synthetic", "training"):
        start = f"{role}/"
        fields[f"per_{role}"] = {
            name.removeprefix(start): column for name, column in columns.items() if name.startswith(start)
        }
    return Score(**fields)


def does_not_apply(axis: Axis, name: str, reason: str, **fields: Any) -> Score:
    """A score that says why it is missing."""
    return Score(axis=axis, name=name, value=None, reason=reason, **fields)


Kind = Literal["features", "images", "spaces"]


@dataclass(frozen=True)
class Metric:
    """A register entry.

    Parameters
    ----------
    axis, name, better, source
        As in `Score`.
    kind : {"features", "images", "spaces"}
        ``"features"``: `compute` takes a `fourfold.comparison.Comparison` and is called once a feature space.
        ``"images"``: `compute` takes a `fourfold.comparison.Sets` and is called once.
        ``"spaces"``: `compute` takes a `fourfold.comparison.Spaces`, images and every feature space, once.
    summary : str
        One line: what it answers.
    null : str
        One line: where its null comes from.
    cost : str
        In N training, H holdout, M synthetic images and d features, for example ``"O((N + M) N d)"``.
    needs : tuple of str
        From ``"holdout"``, ``"labels"``, ``"patients"``; what it cannot do without.
    spaces : tuple of str or None
        The feature spaces it is meant for; None for all.
    neighbors : int
        Nearest training images of each synthetic one that it asks for, see `Comparison.depth`.
    thorough : bool
        Asked by a full audit, or by its name, and not by default.
    compute : callable
        Returns a `Score` or a sequence of them. It never raises for ill-posed data: it returns a score
        with a reason.
    """

    axis: Axis
    name: str
    kind: Kind
    better: Better
    summary: str
    null: str
    cost: str
    source: str
    compute: Callable[[Any], Score | list[Score]]
    needs: tuple[str, ...] = ()
    spaces: tuple[str, ...] | None = None
    thorough: bool = False
    neighbors: int = 1

    @property
    def key(self) -> str:
        """``"axis/name"``."""
        return f"{self.axis}/{self.name}"


_REGISTER: dict[str, Metric] = {}


def register(metric: Metric) -> Metric:
    """Enter a metric; raises ValueError where the name is taken."""
    if metric.key in _REGISTER and _REGISTER[metric.key] != metric:
        raise ValueError(f"a metric named {metric.key!r} is registered already")
    _REGISTER[metric.key] = metric
    return metric


def metrics() -> tuple[Metric, ...]:
    """Every metric in the register and of the plug-ins, by axis, then in the order of registration."""
    brought = [plugin.brings for plugin in _plugins() if plugin.problem is None]
    return tuple(sorted([*_REGISTER.values(), *brought], key=lambda metric: AXES.index(metric.axis)))


def is_plugin(metric: Metric) -> bool:
    """Whether a metric comes from a plug-in."""
    return metric.key not in _REGISTER


def broken_plugins() -> tuple[Plugin, ...]:
    """Plug-ins that were to bring a metric and cannot, with their problems."""
    return tuple(plugin for plugin in _plugins() if plugin.problem is not None)


def _plugins() -> list[Plugin]:
    return [_checked(plugin) for plugin in plugins(METRICS)]


def _checked(plugin: Plugin) -> Plugin:
    metric = plugin.brings
    if plugin.problem is not None:
        return plugin
    if not isinstance(metric, Metric):
        return plugin.refused(f"brings a {type(metric).__name__} where a fourfold.Metric is needed")
    if metric.name != plugin.name:
        return plugin.refused(f"brings a metric of another name, {metric.name!r}")
    if metric.axis not in AXES:
        return plugin.refused(f"brings a metric on the axis {metric.axis!r}, and the axes are {', '.join(AXES)}")
    if metric.key in _REGISTER:
        return plugin.refused(f"brings a metric whose name is taken, {metric.key}")
    return plugin
