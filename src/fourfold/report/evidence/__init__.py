"""What stands behind the scores of each axis: the plots that explain them and the images they point at.

Everything here reads what the evaluation already computed (neighbours are shared through `Comparison`).
Plots go into both editions, images into the internal one only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fourfold.report.evidence import fidelity, privacy, utility, variety
from fourfold.report.evidence.plot import Plot
from fourfold.report.gallery import Gallery
from fourfold.score import Axis

if TYPE_CHECKING:
    from fourfold.evaluation import Evaluation

__all__ = ["Plot", "figures", "galleries", "pairs"]

pairs = privacy.pairs


def figures(evaluation: Evaluation) -> dict[Axis, tuple[Plot, ...]]:
    """The plots of every axis that was asked about, for both editions."""
    rooms: dict[Axis, Callable[[Evaluation], tuple[Plot, ...]]] = {
        "fidelity": fidelity.figures,
        "variety": variety.figures,
        "privacy": privacy.figures,
        "utility": utility.figures,
    }
    return {axis: figures(evaluation) for axis, figures in rooms.items() if evaluation.axis(axis)}


def galleries(evaluation: Evaluation) -> dict[Axis, tuple[Gallery, ...]]:
    """The images of every axis, for the internal edition."""
    rooms: dict[Axis, Callable[[Evaluation], tuple[Gallery, ...]]] = {
        "fidelity": fidelity.galleries,
        "variety": variety.galleries,
    }
    return {axis: galleries(evaluation) for axis, galleries in rooms.items() if evaluation.axis(axis)}
