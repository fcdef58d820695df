"""The drawings of a study of utility: every arm, every arm less its control, the learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fourfold.report import utility_plots
from fourfold.report.evidence.plot import Plot
from fourfold.report.utility_wording import measure

if TYPE_CHECKING:
    from fourfold.utility.study import Estimate, Findings

__all__ = ["figures"]


def figures(findings: Findings) -> tuple[Plot, ...]:
    """The drawings of one task, each as wide as the page."""
    label = f"{measure(findings.headline)} on real test patients"
    plots = [
        Plot(
            "Every arm on the same test patients",
            utility_plots.levels(
                [arm.name for arm in findings.arms],
                [_colour(arm.images, arm.before) for arm in findings.arms],
                np.array([_number(arm.values[findings.headline].value) for arm in findings.arms]),
                _ends([arm.values[findings.headline] for arm in findings.arms]),
                label,
                f"Every arm, {findings.problem}",
            ),
            "A mark is the mean over the seeds, a line its 95 % interval. Arms share seeds and test "
            "patients, so that a difference is known better than two of these lines tell.",
        ),
        Plot(
            "Every arm less its control",
            utility_plots.differences(
                [f"{one.arm}, less {one.control}" for one in findings.contrasts],
                ["holdout" if one.subject == "fresh real" else "synthetic" for one in findings.contrasts],
                np.array([_number(one.difference.value) for one in findings.contrasts]),
                _ends([one.difference for one in findings.contrasts]),
                f"difference, {measure(findings.headline)}",
                f"Every arm less its control, {findings.problem}",
            ),
            "Lines are 95 % intervals of the paired difference; 0 is what the arm would have if its images did neither "
            "good nor harm beside those of the control.",
        ),
    ]
    curves = _curves(findings)
    if curves:
        plots.append(
            Plot(
                "Learning curve",
                utility_plots.learning_curve(curves, label, f"Learning curve, {findings.problem}"),
                "The same test patients and steps at every number of real images; real images alone are repeated to "
                "the number that both are together. Bars are 95 % intervals.",
            )
        )
    return tuple(Plot(one.title, one.svg, one.caption, wide=True) for one in plots)


def _curves(findings: Findings) -> dict[str, list[tuple[int, float, float, float]]]:
    """From the name of a curve to (real images, value, low, high)."""
    values = {arm.name: arm.values[findings.headline] for arm in findings.arms}
    curves: dict[str, list[tuple[int, float, float, float]]] = {}
    for one in findings.of("learning curve"):
        for name, arm in (("real alone", one.control), (f"with {one.subject}", one.arm)):
            found = values[arm]
            if found.value is not None and found.interval is not None:
                point = (one.real, found.value, *found.interval)
                curve = curves.setdefault(name, [])
                if one.real not in {real for real, *_ in curve}:
                    curve.append(point)
    return curves


def _colour(images: Any, before: tuple[str, int] | None) -> str:
    sources = {*images, *([] if before is None else [before[0]])}
    if sources == {"real"}:
        return "training"
    if "fresh real" in sources:
        return "holdout"
    return "synthetic" if "real" not in sources else "accent"


def _ends(found: Sequence[Estimate]) -> np.ndarray:
    return np.array([(np.nan, np.nan) if one.interval is None else one.interval for one in found], dtype=np.float64)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
