"""The study of data quality: does what helps a model trained on real images harm one trained on synthetic ones?

Each seed deals other patients, fits another generator and starts from other first weights, so that an interval over
seeds speaks of all three. Every cell trains the same network for the same number of steps on as many images and is
tested on the same real patients as the others of its seed; an effect is a difference of two such cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from fourfold.comparison import Progress
from fourfold.studies.data_quality.charts import draw_areas, draw_effects
from fourfold.studies.data_quality.effects import conclusions
from fourfold.studies.data_quality.training import AS_DRAWN, IMAGE_NOISE, LABELS, NEW, NONE, REAL, REPEATED, tested
from fourfold.studies.seeds import Asked
from fourfold.studies.sources import Source
from fourfold.studies.study import Cell, Chart, Claim, Figures, Finding, Scale, Study, Table

__all__ = ["DataQuality"]

_ALONE = "Park et al.: Synthetic Alone, arXiv:2306.14377, 2023"
_RISKS = "Koo et al., IEEE Access 11, 2023, 95747"


class DataQuality(Study):
    """Noise and balance, crossed with real and synthetic training images."""

    name = "data-quality"
    title = "Does what helps on real images harm on synthetic ones?"
    question = (
        "A network learns from real images, or from as many of a generator that was fitted to them, with noise in the "
        "training images, with balanced classes, with both and with neither, and is tested on real patients. The "
        "published experiment was made on text; its measures are carried over to images here. The intervals of a "
        "claim hold together, 95 % for all of its findings about one generator; they speak of other patients, "
        "generators and first weights."
    )
    claims = (
        Claim("real", "Noise in the training inputs and balanced classes help a model trained on real data.", _ALONE),
        Claim(
            "synthetic",
            "The same measures harm a model trained on synthetic data alone, by up to 44 points.",
            f"{_ALONE}; {_RISKS}",
        ),
        Claim("interaction", "What a measure does on synthetic data is worse than what it does on real data.", _ALONE),
        Claim("control", "A measure that must harm is seen to: wrong labels.", "the study's own control"),
    )
    scales: ClassVar = {
        "quick": Scale(
            5.0, {"images": 600, "test_images": 400, "rarer": 0.2, "steps": 120, "diffusion_steps": 0}, seeds=5
        ),
        "full": Scale(
            420.0, {"images": 1200, "test_images": 1200, "rarer": 0.2, "steps": 240, "diffusion_steps": 3000}, seeds=10
        ),
    }

    def cells(self, scale: Scale) -> Sequence[Cell]:
        """Real images, then each generator."""
        return [
            _cell(source, noise, kind, seed)
            for seed in range(scale.seeds)
            for source in (REAL, "gaussian", *(["diffusion"] if scale["diffusion_steps"] else []))
            for noise, kind in _settings(source)
        ]

    def compute(self, cell: Cell, scale: Scale, source: Source, work: Path, progress: Progress) -> Figures:
        """How the network does on the real patients of its seed."""
        asked = Asked.of(self, cell, scale, source, work, progress)
        return tested(asked, *(str(cell.settings[name]) for name in ("source", "noise", "balance")))

    def findings(self, table: Table) -> Sequence[Finding]:
        """Effects on either source and their difference."""
        return conclusions(table, self.claims)

    def charts(self, table: Table) -> Sequence[Chart]:
        """Effects beside each other, and the areas that they are differences of."""
        return [
            Chart(
                "effects",
                "What each measure does, by source",
                "Change in area under the curve: a thin mark a seed, a bar for the mean with its 95 % interval (each "
                "by itself). Right of 0 the measure helps.",
                lambda figure: draw_effects(figure, table),
                (12.0, 4.2),
            ),
            Chart(
                "areas",
                "The network under each setting",
                "Area under the curve on real patients, the mean over the seeds, against noise in the images; "
                "classes as they were drawn and balanced.",
                lambda figure: draw_areas(figure, table),
                (12.0, 3.6),
            ),
        ]


def _settings(source: str) -> list[tuple[str, str]]:
    crossed = [(noise, kind) for noise in (NONE, *IMAGE_NOISE) for kind in (AS_DRAWN, REPEATED)]
    # Of patients there are no further ones to balance with; a generator draws what is asked for.
    return [*crossed, (LABELS, AS_DRAWN), *([] if source == REAL else [(NONE, NEW)])]


def _cell(source: str, noise: str, kind: str, seed: int) -> Cell:
    words = "-".join((source, noise, kind, str(seed))).replace(" ", "_")
    return Cell(words, {"source": source, "noise": noise, "balance": kind, "seed": seed})
