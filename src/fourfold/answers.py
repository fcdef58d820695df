"""Asks one metric, or the store where the same code asked it before about the same images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fourfold.comparison import Progress
from fourfold.features import FeatureExtractor, ResultStore
from fourfold.opening import Opened
from fourfold.score import Metric, Score, from_record, to_record

__all__ = ["answer", "answer_key", "code_digest"]


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


def _plain(value: Any) -> Any:
    """Numpy scalars, arrays and tuples as JSON can hold them."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
