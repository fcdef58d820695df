"""Do they serve in place of real images: what a model learns from each set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fourfold.report import plots
from fourfold.report.evidence.plot import Plot
from fourfold.report.wording import count

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation

__all__ = ["figures"]

_ARM_ROLES = {"real": "training", "real repeated": "training", "synthetic": "synthetic", "real+synthetic": "accent"}


def figures(evaluation: Evaluation) -> tuple[Plot, ...]:
    """What a model learns from real, synthetic and both, tested on real patients."""
    found: dict[str, Plot] = {}
    for score in evaluation.axis("utility"):
        arms = score.details.get("arms")
        title = "Trained on each set, tested on real patients: " + (score.features or "network on the images")
        if not isinstance(arms, Mapping) or not arms or title in found:
            continue
        names = [str(arm) for arm in arms]
        values = np.array([float(arm["auc"]) for arm in arms.values()])
        size = score.details.get("images_per_arm")
        equal = "" if size is None else f" Real and synthetic arms learn from {count(int(size))} images each."
        found[title] = Plot(
            title=title,
            svg=plots.dots(
                names,
                [_ARM_ROLES.get(name, "accent") for name in names],
                values,
                np.array([arm["interval"] for arm in arms.values()], dtype=np.float64),
                values[names.index("real")] if "real" in names else None,
                "area under the ROC curve on real test patients",
                f"Area under the curve on real test patients after training on each set ({score.features or 'images'})",
            ),
            caption="Lines are 95 % intervals. As many real images are the null of the synthetic arm; repeated real "
            f"images are the null of both together.{equal}",
        )
    return tuple(found.values())
