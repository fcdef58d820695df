"""Asks the four questions about a synthetic set and returns an `Evaluation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fourfold.comparison import Comparison, Role, Sets
from fourfold.score import Axis, Score

__all__ = ["Evaluation", "SetSummary", "Verdict"]

Status = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class SetSummary:
    """What a report says about one set.

    `path` and `skipped` name files and stay out of the shareable report.
    """

    role: Role
    path: str
    images: int
    patients: int | None
    labels: Mapping[str, int]
    shape: tuple[int, ...]
    digest: str
    skipped: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What the scores of one axis add up to: a status, the sentence a user reads, and what it rests on.

    `scores` are the keys (``"axis/name@features"``) of the scores that decided.
    """

    axis: Axis
    status: Status
    sentence: str
    scores: tuple[str, ...] = ()


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
