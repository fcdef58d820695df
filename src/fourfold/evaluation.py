"""Asks the four questions about a synthetic set and returns an `Evaluation`."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from fourfold import __version__, fidelity, privacy, utility, variety
from fourfold.answers import answers
from fourfold.approximation import said_of_searches, with_errors
from fourfold.comparison import Comparison, Progress, Role, Sets, no_progress
from fourfold.devices import check_device
from fourfold.engine import LOCAL, Engine
from fourfold.errors import InputError
from fourfold.feature_spaces import compared_in
from fourfold.features import FeatureExtractor, FeatureStore, ResultStore
from fourfold.features import get as get_extractor
from fourfold.neighbors.searches import SearchName, search_named
from fourfold.opening import Opened, SetSummary, open_sets
from fourfold.privacy import Policy
from fourfold.score import AXES, Axis, Metric, Score, broken_plugins, metrics
from fourfold.subgroups import Grouping, check_groups, named_columns, score_groups
from fourfold.tables import image_table, training_table
from fourfold.verdicts import Verdict, decide, with_common_bands

__all__ = ["DEFAULT_FEATURES", "Evaluation", "SetSummary", "Verdict", "asked_metrics", "evaluate"]

# Two spaces without weights: conclusions that hold in one space only are not conclusions.
DEFAULT_FEATURES = ("radiomics", "pixels")
_AXIS_MODULES = (fidelity, variety, privacy, utility)


@dataclass(frozen=True)
class Evaluation:
    """The four answers about one synthetic set.

    Parameters
    ----------
    scores : tuple of Score
        By axis, in the order of the register; one entry a metric and feature space.
    verdicts : mapping of axis to Verdict
    summaries : mapping of role to SetSummary
    images : mapping of str to array of shape (M,)
        The columns of ``images.parquet``: ``path``, ``copy``, ``copy_p``, ``copy_kind``, ``nearest_training``,
        ``nearest_training_patient``, ``realism`` and every other per-image column of the scores.
    training_images : mapping of str to array of shape (N,)
        ``path`` and the per-training columns of the scores (for example ``covered``).
    extractors : mapping of str to dict
        ``FeatureExtractor.describe()`` of each feature space.
    preparation : dict
        The scaling rule, as `Preparation.describe` gives it.
    settings : dict
        Seed, options, versions, seconds.
    notes : tuple of str
        What limits the whole evaluation, a sentence each (no holdout, no patient identifiers, skipped files).
    sets : Sets
        The images, for galleries.
    comparisons : mapping of str to Comparison
        The feature spaces, for plots.
    policy : Policy
        The limits that the privacy verdict was judged by.
    groups : mapping of str to Grouping
        By column, the same scores for every group of it, as `evaluate` was asked by ``by``.
    """

    scores: tuple[Score, ...]
    verdicts: Mapping[Axis, Verdict]
    summaries: Mapping[Role, SetSummary]
    images: Mapping[str, np.ndarray]
    training_images: Mapping[str, np.ndarray]
    extractors: Mapping[str, dict[str, Any]]
    preparation: Mapping[str, Any]
    settings: Mapping[str, Any]
    notes: tuple[str, ...]
    sets: Sets = field(repr=False)
    comparisons: Mapping[str, Comparison] = field(repr=False)
    policy: Policy = field(default_factory=Policy)
    groups: Mapping[str, Grouping] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Score:
        """A score by ``"axis/name"`` (its first feature space) or ``"axis/name@features"``."""
        for score in self.scores:
            if key in (score.key, f"{score.key}@{score.features}"):
                return score
        known = ", ".join(dict.fromkeys(score.key for score in self.scores))
        raise KeyError(f"no score {key!r}; there are: {known}")

    def axis(self, axis: Axis) -> tuple[Score, ...]:
        """The scores of one axis."""
        return tuple(score for score in self.scores if score.axis == axis)

    def report(self, folder: str | Path) -> Path:
        """Write ``index.html``, ``shareable.html``, ``scores.json`` and ``images.parquet``; returns the first."""
        from fourfold.report import write_report

        return write_report(self, Path(folder))


def evaluate(
    synthetic: Any,
    train: Any,
    holdout: Any | None = None,
    reference: Any | None = None,
    *,
    features: Sequence[str | FeatureExtractor] = DEFAULT_FEATURES,
    only: Iterable[str] | None = None,
    by: Sequence[str] = (),
    thorough: bool = False,
    policy: Policy | None = None,
    splits: Mapping[Role, str] | None = None,
    columns: Mapping[str, str | None] | None = None,
    root: str | Path | None = None,
    size: int | tuple[int, ...] | None = None,
    channels: int | None = None,
    scaling: str = "auto",
    volumes: bool = False,
    slices: bool = False,
    skip_broken: bool = False,
    seed: int = 0,
    store: str | Path | Literal[False] | None = None,
    memory: int = 1 << 30,
    workers: int = 0,
    device: str = "cpu",
    engine: Engine = LOCAL,
    features_to: str | None = None,
    search: SearchName = "exact",
    progress: Progress = no_progress,
) -> Evaluation:
    """Ask the four questions about a synthetic set.

    Parameters
    ----------
    synthetic, train, holdout
        The three sets: a folder, a CSV or Parquet table, an array or whatever else `fourfold.images.open_set` opens.
        The holdout are other patients, never seen by the generator; without one every score that loses its meaning
        says so.
    reference
        A third set of real patients, in neither of the others; attacks on membership calibrate with it.
    features : sequence of str or FeatureExtractor
        Feature spaces, the leading one first; see `fourfold.features.get`.
    only : iterable of str or None
        Axes or metrics (``"privacy"``, ``"variety/coverage"``, ``"coverage"``) to ask for; None for all.
    by : sequence of str
        Columns of the metadata (``"label"``, ``"sex"``, ``"age:20,40,60"``): every metric is asked for each of their
        groups as well, see `fourfold.subgroups`.
    thorough : bool
        Ask the metrics that only a full audit asks as well; one that `only` names is asked in any case.
    policy : Policy or None
        The limits of the privacy verdict, see `fourfold.privacy.read_policy`; None for the default ones.
    splits : mapping of role to str or None
        The value of the split column that belongs to ``"training"``, ``"holdout"`` and ``"synthetic"``.
    columns, root, volumes, slices, skip_broken
        As for `fourfold.images.open_set`.
    size, channels, scaling
        As for `fourfold.images.prepare`.
    seed : int
        Every draw depends on it and on nothing else.
    store : path, None or False
        Where features and finished scores are kept between runs; None for the user's cache folder
        (``$FOURFOLD_STORE``), False keeps nothing.
    memory : int
        Bytes that a neighbour search may use above its inputs.
    workers : int
        Processes that decode images.
    device : str
        Where feature extractors run and, without another engine, distances are multiplied, for example ``"cuda"``.
    engine : Engine
        Where features are computed and neighbours searched; the numbers are the same.
    features_to : str or None
        URL where the workers of an engine keep features, instead of in `store`.
    search : {"exact", "ivf", "hnsw"}
        An approximate search, for more than ten million images, changes numbers: notes and details say how much it
        missed, and no score of it is kept in the store.
    progress : callable
        Called with (task, done, total).

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        Where a set, an option or a combination of sets is wrong; the message says what and what to do.
    """
    started = time.perf_counter()
    if engine.here:
        check_device(device)
    policy = Policy() if policy is None else policy
    asked = asked_metrics(only, thorough)
    columns_asked = named_columns(by)
    extractors = _extractors(features)
    opened = open_sets(
        synthetic,
        train,
        holdout,
        reference,
        splits=splits,
        columns=columns,
        root=root,
        size=size,
        channels=channels,
        scaling=scaling,
        volumes=volumes,
        slices=slices,
        skip_broken=skip_broken,
        seed=seed,
        thorough=thorough,
        memory=memory,
        progress=progress,
    )
    for column in columns_asked:
        check_groups(column, opened)
    feature_store = None if store is False else FeatureStore(store)
    results = None if store is False or search != "exact" else ResultStore(store)
    depth = max((metric.neighbors for metric in asked), default=1)
    comparisons = {
        extractor.name: compared_in(
            opened,
            extractor,
            feature_store,
            workers,
            device,
            depth,
            engine=engine,
            features_to=features_to,
            searching=search_named(search, engine, seed=seed, device=device),
        )
        for extractor in extractors
    }
    scores = with_common_bands(answers(asked, opened, comparisons, extractors, results, progress))
    scores = with_errors(scores, comparisons)
    groups = {
        column.name: score_groups(column, asked, opened, comparisons, extractors, results, progress)
        for column in columns_asked
    }
    verdicts = _verdicts(scores, opened, policy)
    left_out = [f"A metric was not asked: {plugin.problem}." for plugin in broken_plugins()]
    notes = [
        *opened.notes,
        *left_out,
        *said_of_searches(comparisons),
        *(feature_store.notes if feature_store else ()),
        *(results.notes if results else ()),
    ]
    return Evaluation(
        scores=tuple(scores),
        verdicts=verdicts,
        summaries=opened.summaries,
        images=image_table(scores, opened),
        training_images=training_table(scores, opened),
        extractors={extractor.name: extractor.describe() for extractor in extractors},
        preparation=opened.sets.training.preparation.describe() if opened.sets.training.preparation else {},
        settings={
            "seed": seed,
            "engine": engine.name,
            "search": search,
            "only": None if only is None else sorted(only),
            "by": [{"column": column.name, "edges": list(column.edges)} for column in columns_asked],
            "fourfold": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "seconds": round(time.perf_counter() - started, 1),
        },
        notes=tuple(notes),
        sets=opened.sets,
        comparisons=comparisons,
        policy=policy,
        groups=groups,
    )


def asked_metrics(only: Iterable[str] | None, thorough: bool = False) -> list[Metric]:
    """The metrics that `evaluate` asks; raises InputError where `only` names none that there is, or one of two axes."""
    known = list(metrics())
    if only is None:
        return [metric for metric in known if thorough or not metric.thorough]
    wanted = _full_names(set(only), {metric.key for metric in known})
    return [
        metric
        for metric in known
        if metric.key in wanted or (metric.axis in wanted and (thorough or not metric.thorough))
    ]


def _full_names(asked: set[str], keys: set[str]) -> set[str]:
    """``"coverage"`` as ``"variety/coverage"``; axes and full names as they are."""
    meant = {name: [name] if name in keys | set(AXES) else _of_name(name, keys) for name in asked}
    unknown = sorted(name for name, found in meant.items() if not found)
    for plugin in broken_plugins():
        if plugin.name in {name.rpartition("/")[2] for name in unknown}:
            raise InputError(str(plugin.problem))
    if unknown:
        raise InputError(
            f"there is no axis or metric {', '.join(map(repr, unknown))}; "
            f"axes are {', '.join(AXES)}, and `fourfold metrics` lists the metrics"
        )
    for name, found in meant.items():
        if len(found) > 1:
            raise InputError(f"{name!r} is a metric of several axes; name one of {', '.join(found)}")
    return {found[0] for found in meant.values()}


def _of_name(name: str, keys: set[str]) -> list[str]:
    return sorted(key for key in keys if key.partition("/")[2] == name)


def _extractors(features: Sequence[str | FeatureExtractor]) -> list[FeatureExtractor]:
    if isinstance(features, str | FeatureExtractor):
        features = (features,)
    found = [get_extractor(one) if isinstance(one, str) else one for one in features]
    if not found:
        raise InputError("no feature space was asked for; name at least one, for example radiomics")
    names = [extractor.name for extractor in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two feature extractors are called {twice[0]!r}; name one of them: NAME=PATH")
    return found


def _verdicts(scores: Sequence[Score], opened: Opened, policy: Policy) -> dict[Axis, Verdict]:
    images = min(len(opened.sets.synthetic), len(opened.sets.training))
    found: dict[Axis, Verdict] = {}
    for axis in AXES:
        own = [score for score in scores if score.axis == axis]
        if not own:
            continue
        if axis == "privacy":
            found[axis] = Verdict(axis, *privacy.conclude(own, policy))
        else:
            found[axis] = decide(axis, own, images)
    return found
