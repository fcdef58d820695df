from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from fourfold.comparison import Progress
from fourfold.report.drawing import INK, SETS
from fourfold.studies import Cell, Chart, Claim, Figures, Finding, Scale, Source, Study, Table


class Brightness(Study):
    """Does a set get brighter as it is told to?"""

    name = "brightness"
    title = "Do brighter images have a higher mean?"
    question = "Each cell adds a constant to real images."
    claims = (
        Claim("rises", "The mean rises with the constant", "Nobody 2026"),
        Claim("falls", "The mean falls with the number of images", "Nobody 2026"),
    )
    scales: ClassVar = {
        "quick": Scale(0.1, {"images": 12}, seeds=2),
        "full": Scale(1.0, {"images": 24}, seeds=3),
    }
    computed: ClassVar[list[str]] = []

    def cells(self, scale: Scale) -> Sequence[Cell]:
        """Two constants."""
        return [
            Cell(f"added-{added}-{seed}", {"added": added, "seed": seed})
            for seed in range(scale.seeds)
            for added in (0.0, 0.25)
        ]

    def compute(self, cell: Cell, scale: Scale, source: Source, work: Path, progress: Progress) -> Figures:
        """The mean."""
        self.computed.append(cell.key)
        images = source.deal(cell.seed, {"training": int(scale["images"]), "holdout": 4})["training"].load()
        return {"mean": float(images.mean()) + float(cell.settings["added"]), "nothing": float("nan"), "word": "<b>"}

    def findings(self, table: Table) -> Sequence[Finding]:
        """Of the rise."""
        rise = table.where(added=0.25).column("mean") - table.where(added=0.0).column("mean")
        found = Finding("rises", "rise", float(rise.mean()), (0.2, 0.3), "holds", "It rises by a quarter.", 0.0)
        return [Finding("falls", "fall", None, None, "not asked", "Not asked."), found]

    def charts(self, table: Table) -> Sequence[Chart]:
        """A mark a cell."""

        def draw(figure) -> None:
            axes = figure.subplots()
            axes.plot(table.column("added"), table.column("mean"), "o", color=SETS["synthetic"])
            axes.axhline(float(np.nanmean(table.column("mean"))), color=INK)
            axes.set_xlabel("constant")

        return [Chart("means", "The mean of each cell", "A mark a cell.", draw)]


@pytest.fixture
def brightness():
    Brightness.computed.clear()
    return Brightness()
