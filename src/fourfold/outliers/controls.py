"""What the fitted gates see and what they do not, measured on the user's own images.

Every alteration is planted into held-out real images, which the gates were not fitted to, and its AUROC is that of
altered images against held-out images as they are. What falls below `COVERED` is a blind spot, and is named as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fourfold.images import Entry, ImageSet
from fourfold.outliers.alterations import ALTERATIONS, Alteration
from fourfold.outliers.conformal import threshold
from fourfold.outliers.gates import Gates
from fourfold.outliers.views import Progress, as_prepared, embed
from fourfold.statistics import ranked_area

__all__ = ["COPY", "COVERED", "ControlResult", "measure_controls"]

COVERED = 0.8
"""AUROC below which a control counts as a blind spot."""

COPY = "copy"
"""Name of the control of verbatim copies: no gate sees them from above, and the nearest distance does from below."""

_LOWEST = -1e300


@dataclass(frozen=True)
class ControlResult:
    """How well one alteration is told from real images.

    Parameters
    ----------
    name, meaning : str
    images : int
        How many were altered.
    area : float
        AUROC of all gates together; 0.5 is chance.
    interval : (float, float)
        95 % interval of `area`.
    found : float
        Share of the altered images that lies outside at alpha.
    by_gate : mapping of str to float
        AUROC of each gate on its own.
    """

    name: str
    meaning: str
    images: int
    area: float
    interval: tuple[float, float]
    found: float
    by_gate: Mapping[str, float]

    @property
    def covered(self) -> bool:
        """Whether the gates see it; a copy of a real image is inside by its nature, whatever its AUROC."""
        return self.area >= COVERED and self.name != COPY

    def to_json(self) -> dict[str, Any]:
        """Aggregates only."""
        return {
            "name": self.name,
            "meaning": self.meaning,
            "images": self.images,
            "auroc": round(self.area, 3),
            "interval": [round(edge, 3) for edge in self.interval],
            "found": round(self.found, 3),
            "covered": self.covered,
            "gates": {gate: round(area, 3) for gate, area in self.by_gate.items()},
        }


def measure_controls(
    gates: Gates,
    *,
    alterations: Sequence[Alteration] = ALTERATIONS,
    images: int = 60,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[ControlResult, ...]:
    """Plant every alteration into held-out real images and see which gates find it.

    Parameters
    ----------
    gates : Gates
    alterations : sequence of Alteration
    images : int
        At most this many held-out images, one a patient, are altered.
    seed : int
        Chooses them, and draws what an alteration draws.
    progress : callable or None
        Called with (task, done, total).

    Returns
    -------
    tuple of ControlResult
        One an alteration, and last `COPY`, verbatim copies of fitted images.

    Examples
    --------
    >>> from fourfold.images import ImageSet, prepare
    >>> noise = np.random.default_rng(0).uniform(0.2, 0.8, (60, 1, 16, 16)).astype(np.float32)
    >>> real = prepare({"real": ImageSet.from_array(noise, patients=list(map(str, range(60))))})["real"]
    >>> from fourfold.outliers.fitting import fit_gates
    >>> found = measure_controls(fit_gates(real, gates=["levels", "histogram"], features=[]))
    >>> [control.name for control in found if control.covered and "noise" not in control.name][:2]
    ['smoothing', 'contrast']
    """
    rows = np.random.default_rng([seed, 0]).permutation(len(gates.held))[:images]
    found = []
    for place, alteration in enumerate(alterations):
        if progress is not None:
            progress("planting controls", place, len(alterations) + 1)
        found.append(
            _measured(gates, alteration.name, alteration.meaning, _altered(gates.held, rows, alteration, seed), rows)
        )
    if progress is not None:
        progress("planting controls", len(alterations), len(alterations) + 1)
    chosen = np.random.default_rng([seed, 1]).permutation(len(gates.fitted))[: len(rows)]
    found.append(_measured(gates, COPY, "a verbatim copy of a real image", gates.fitted.take(chosen), None))
    if progress is not None:
        progress("planting controls", len(alterations) + 1, len(alterations) + 1)
    return tuple(found)


def _measured(gates: Gates, name: str, meaning: str, altered: ImageSet, rows: np.ndarray | None) -> ControlResult:
    """Altered images against the calibration images; `rows` are those that they were made from."""
    features = embed(altered, gates.views, gates.memory, gates.device)
    judged = gates.judge_features(features)
    untouched = np.arange(len(gates.held))
    sources = len(gates.held) + np.arange(len(altered)) if rows is None else rows
    area = ranked_area(np.maximum(judged.surprise, _LOWEST), np.maximum(gates.calibration, _LOWEST), sources, untouched)
    by_gate = {
        gate.name: ranked_area(gate.distance.score(features[gate.view], gates.memory), gate.calibration).value
        for gate in gates.gates
    }
    # An image must not help to set the threshold that its own altered twin is held to.
    limits = [
        gates.threshold if rows is None else threshold(np.delete(gates.calibration, source), gates.alpha)
        for source in sources
    ]
    outside = judged.surprise > np.minimum(limits, gates.calibration.max())
    return ControlResult(name, meaning, len(altered), area.value, area.interval(), float(outside.mean()), by_gate)


@dataclass(frozen=True)
class _AlteredDecoder:
    """Gives prepared images of a set, altered; each is decoded when it is asked for."""

    held: ImageSet = field(repr=False)
    alteration: Alteration
    seed: int

    def __call__(self, entry: Entry) -> np.ndarray:
        row = int(entry.index or 0)
        rng = np.random.default_rng([self.seed, 2, row])
        altered = self.alteration.alter(self.held.load([row])[0], rng, self._another(row))
        return np.ascontiguousarray(altered, dtype=np.float32)

    def _another(self, row: int) -> Callable[[], np.ndarray]:
        return lambda: self.held.load([(row + 1) % len(self.held)])[0]


def _altered(held: ImageSet, rows: np.ndarray, alteration: Alteration, seed: int) -> ImageSet:
    """The chosen images of a prepared set, altered, as a set that is decoded lazily."""
    entries = tuple(Entry(path=held.entries[row].path, index=int(row)) for row in rows)
    decoder = _AlteredDecoder(held, alteration, seed)
    return replace(
        held,
        name=f"{held.name} ({alteration.name})",
        entries=entries,
        decode=decoder,
        preparation=as_prepared(held.shape),
    )
