"""Which images do not belong to the population of the real ones, by what, and what would have gone unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from fourfold.features import FeatureExtractor
from fourfold.images import ImageSet
from fourfold.outliers.conformal import Drift, drift, one_image_a_patient
from fourfold.outliers.controls import COPY, ControlResult, measure_controls
from fourfold.outliers.fitting import CALIBRATION, DEFAULT_FEATURES, DEFAULT_GATES, fit_gates
from fourfold.outliers.gates import Judgement
from fourfold.outliers.views import Progress

__all__ = ["OutlierReport", "outliers"]

_LISTED = 20


@dataclass(frozen=True, eq=False)
class OutlierReport:
    """What `outliers` found.

    Parameters
    ----------
    name, real_name : str
        How the two sets are called.
    paths : tuple of str, length n
        The images that were judged.
    judgement : Judgement
    drift : Drift
        Whether more of them lie outside than alpha explains.
    controls : tuple of ControlResult
        What the gates see and do not see on these real images.
    gates : mapping
        Aggregate facts about the gates (`Gates.shareable`).
    """

    name: str
    real_name: str
    paths: tuple[str, ...]
    judgement: Judgement = field(repr=False)
    drift: Drift
    controls: tuple[ControlResult, ...]
    gates: Mapping[str, Any] = field(repr=False)

    @property
    def outside(self) -> np.ndarray:
        """Rows of the images outside, the furthest out first."""
        rows = np.flatnonzero(self.judgement.outside)
        return rows[np.argsort(-self.judgement.surprise[rows], kind="stable")]

    @property
    def blind_spots(self) -> tuple[ControlResult, ...]:
        """Controls that the gates do not see."""
        return tuple(control for control in self.controls if not control.covered)

    def shareable(self) -> dict[str, Any]:
        """Aggregates only: nothing of any image, real or judged."""
        return {**self.gates, "set": _of_drift(self.drift)}

    def to_json(self) -> dict[str, Any]:
        """Everything, with a row for each image; paths are for the user's own eyes."""
        judged = self.judgement
        return {
            **self.shareable(),
            "blind_spots": [control.name for control in self.blind_spots],
            "images": [
                {
                    "path": path,
                    "outside": bool(judged.outside[row]),
                    "p": float(judged.p[row]),
                    "caught_by": list(judged.caught_by(row)),
                    "gates": {gate: float(p[row]) for gate, p in judged.p_values.items()},
                    "nearness": {gate: float(p[row]) for gate, p in judged.nearness.items()},
                }
                for row, path in enumerate(self.paths)
            ],
        }

    def sentences(self) -> list[str]:
        """The report in words."""
        found, people = self.drift, self.gates["patients"]
        lines = [
            f"{self.name}: {len(self.outside)} of {len(self.paths)} images lie outside the {self.real_name} set "
            f"(at alpha {found.alpha:g}; gates fitted to {people['fitted']} real patients and calibrated on "
            f"{people['calibration']} others)."
        ]
        for row in self.outside[:_LISTED]:
            gates = ", ".join(self.judgement.caught_by(int(row)))
            lines.append(f"OUTSIDE: {self.paths[row]} (p = {self.judgement.p[row]:.3g}; by {gates}).")
        if len(self.outside) > _LISTED:
            lines.append(f"... and {len(self.outside) - _LISTED} more images outside; --json lists all.")
        low, high = found.interval
        verdict = "MORE than alpha explains" if found.drifted else "no more than alpha explains"
        lines.append(
            f"Share outside {found.share:.1%} of {found.trials} (95 % interval {low:.1%} to {high:.1%}), where fresh "
            f"real images give {found.alpha:.1%} on average: {verdict} (p = {found.p:.2g})."
        )
        seen = [control for control in self.controls if control.covered]
        if seen:
            lines.append("Seen when planted into held-out real images (AUROC): " + _listed(seen) + ".")
        for control in self.blind_spots:
            lines.append(_blind_spot(control))
        return lines


def outliers(
    images: ImageSet,
    real: ImageSet,
    *,
    alpha: float = 0.05,
    gates: Sequence[str] = DEFAULT_GATES,
    features: Sequence[str | FeatureExtractor] = DEFAULT_FEATURES,
    calibration: float = CALIBRATION,
    seed: int = 0,
    memory: int = 1 << 30,
    device: str = "cpu",
    progress: Progress | None = None,
) -> OutlierReport:
    """Which images do not belong to the population that the real ones were drawn from.

    An image of a fresh patient is called outside with a probability of at most alpha, whatever the gates. Which
    defects the gates would find, and which not, is measured by planting them into held-out real images.

    Parameters
    ----------
    images : ImageSet
        n images, prepared together with `real`; each is judged on its own.
    real : ImageSet
        Real images of at least 39 patients (at alpha 5 %), none of whom is in `images`.
    alpha : float
        Accepted share of false alarms.
    gates, features, calibration, seed, memory, device, progress
        As for `fourfold.outliers.fit_gates`.

    Returns
    -------
    OutlierReport

    Raises
    ------
    InputError
        Where the sets were not prepared together, there are too few patients, or a gate does not exist.
    """
    fitted = fit_gates(
        real,
        gates=gates,
        features=features,
        alpha=alpha,
        calibration=calibration,
        seed=seed,
        memory=memory,
        device=device,
        progress=progress,
    )
    judged = fitted.judge(images, progress=progress)
    controls = measure_controls(fitted, seed=seed, progress=progress)
    patients = images.patients
    rows = np.arange(len(images))
    if patients is not None:
        rows = one_image_a_patient(patients, np.random.default_rng([seed, 3]))
    return OutlierReport(
        name=images.name,
        real_name=real.name,
        paths=tuple(images.paths),
        judgement=judged,
        drift=drift(judged.outside[rows], len(fitted.calibration), alpha),
        controls=controls,
        gates=MappingProxyType(fitted.shareable(controls)),
    )


def _of_drift(found: Drift) -> dict[str, Any]:
    return {
        "outside": found.outside,
        "trials": found.trials,
        "share": found.share,
        "interval": list(found.interval),
        "p": found.p,
        "drifted": found.drifted,
    }


def _listed(controls: Sequence[ControlResult]) -> str:
    return ", ".join(f"{control.name} {control.area:.2f}" for control in controls)


def _blind_spot(control: ControlResult) -> str:
    if control.name != COPY:
        return f"NOT COVERED: {control.meaning} ({control.name}, AUROC {control.area:.2f})."
    # From below the smallest distances come first, so the area is that of the mirror image.
    below = [1 - area for gate, area in control.by_gate.items() if gate.startswith("nearest:")]
    seen = f" (the nearest distance sees it from below, AUROC {max(below):.2f})" if below else ""
    return f"NOT COVERED: {control.meaning}, which is inside by its nature{seen}; `fourfold audit` looks for copies."
