"""Asks metrics, or the store where the same code asked them before about the same images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.comparison import Comparison, Progress, Sets, Spaces
from fourfold.features import FeatureExtractor, ResultStore
from fourfold.opening import Opened
from fourfold.score import Metric, Score, does_not_apply, from_record, is_plugin, to_record

__all__ = ["BY_DISTANCE_ALONE", "answer", "answer_key", "answers", "code_digest"]

BY_DISTANCE_ALONE = frozenset(
    {
        "fidelity/clipped_density",
        "fidelity/density",
        "fidelity/precision",
        "fidelity/realism",
        "privacy/authenticity",
        "privacy/copy_count",
        "privacy/distance_share",
        "privacy/exposure",
        "privacy/inference",
        "privacy/legacy_privacy",
        "privacy/nearest_neighbour_ratio",
        "variety/clipped_coverage",
        "variety/coverage",
        "variety/image_retrieval_score",
        "variety/recall",
        "variety/retrieval_gap",
    }
)
"""Metrics that know of a space who is how far from whom and nothing else; those alone may be asked about codes."""

_CODES = "the features are codes, whose numbers are names: there is no mean, direction or sum of them"


def answers(
    asked: Sequence[Metric],
    opened: Opened,
    comparisons: Mapping[str, Comparison],
    extractors: Sequence[FeatureExtractor],
    results: ResultStore | None,
    progress: Progress,
) -> list[Score]:
    """The scores of every metric that was asked for, in the order in which they were.

    Parameters
    ----------
    asked : sequence of Metric
    opened : Opened
    comparisons : mapping of str to Comparison
        By feature space, the leading one first; rows are those of the sets.
    extractors : sequence of FeatureExtractor
        Behind the comparisons.
    results : ResultStore or None
        None computes everything and keeps nothing.
    progress : callable
        Called with (task, done, total).
    """
    found: list[Score] = []
    for metric in asked:
        # What the store knows of a score is the digest of Fourfold's code, which a plug-in is no part of.
        kept = None if is_plugin(metric) else results
        for space, subject in _subjects(metric, opened.sets, comparisons):
            if subject is None:
                fields = {"better": metric.better, "features": space, "source": metric.source}
                found.append(does_not_apply(metric.axis, metric.name, _CODES, **fields))
                continue
            behind = [one for one in extractors if space is None or one.name == space]
            key = answer_key(metric, [] if metric.kind == "images" else behind, opened)
            found.extend(answer(metric, subject, key, kept, progress))
    return found


def answer_key(metric: Metric, extractors: Sequence[FeatureExtractor], opened: Opened) -> str:
    """Everything that decides a metric's scores, as text."""
    preparation = opened.sets.training.preparation
    return json.dumps(
        {
            "code": code_digest(),
            "metric": metric.key,
            "extractors": [extractor.fingerprint for extractor in extractors],
            "sets": dict(opened.digests),
            "preparation": None if preparation is None else preparation.describe(),
            "seed": opened.sets.seed,
            "thorough": opened.sets.thorough,
        },
        sort_keys=True,
    )


@cache
def code_digest() -> str:
    """SHA-256 of Fourfold's own source: a score is only reused by the code that computed it."""
    state = hashlib.sha256()
    package = Path(__file__).parent
    for file in sorted(package.rglob("*.py")):
        state.update(f"{file.relative_to(package).as_posix()}\n".encode())
        state.update(file.read_bytes())
    return state.hexdigest()


def answer(
    metric: Metric, subject: Any, key: str, results: ResultStore | None, progress: Progress
) -> tuple[Score, ...]:
    """The scores of one metric, from the store where it was asked before."""
    task = f"{metric.axis}: {metric.name.replace('_', ' ')}"
    stored = None if results is None else results.get(key)
    if stored is not None:
        records, arrays = stored
        return tuple(
            from_record(
                record,
                {
                    name.removeprefix(f"{place}/"): column
                    for name, column in arrays.items()
                    if name.startswith(f"{place}/")
                },
            )
            for place, record in enumerate(records)
        )
    progress(task, 0, 1)
    found = metric.compute(subject)
    scores = (found,) if isinstance(found, Score) else tuple(found)
    progress(task, 1, 1)
    if results is not None:
        written = [to_record(score) for score in scores]
        arrays = {f"{place}/{name}": column for place, (_, own) in enumerate(written) for name, column in own.items()}
        results.put(key, [_plain(record) for record, _ in written], arrays)
    return scores


def _subjects(metric: Metric, sets: Sets, comparisons: Mapping[str, Comparison]) -> list[tuple[str | None, Any]]:
    """What a metric is asked about: each feature space that it is meant for, or all of them or the images, once.

    None in the place of codes that the metric would take for coordinates.
    """
    if metric.kind == "images":
        return [(None, sets)]
    if metric.kind == "spaces":
        plain = {space: comparison for space, comparison in comparisons.items() if comparison.distance != "hamming"}
        return [(None, Spaces(sets, plain) if plain else None)]
    return [
        (space, None if comparison.distance == "hamming" and metric.key not in BY_DISTANCE_ALONE else comparison)
        for space, comparison in comparisons.items()
        if metric.spaces is None or space in metric.spaces
    ]


def _plain(value: Any) -> Any:
    """Numpy scalars, arrays and tuples as JSON can hold them."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
