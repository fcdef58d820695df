"""The study ``memorisation``: its sizes and what one cell computes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from fourfold.comparison import Progress
from fourfold.images import ImageSet
from fourfold.studies.memorisation.charts import charts_of
from fourfold.studies.memorisation.claims import CLAIMS
from fourfold.studies.memorisation.findings import findings_of
from fourfold.studies.memorisation.measuring import course_of, figures_of
from fourfold.studies.memorisation.models import RECIPES, options_of, trained
from fourfold.studies.sources import Source
from fourfold.studies.study import Cell, Chart, Figures, Finding, Scale, Study, Table

__all__ = ["Memorisation"]

_WATCHED = 96
"""Images that the watch draws at a snapshot."""

_LEAST_HOLDOUT = 320
"""Below three hundred real images the tail of their null is not fitted, and a copy is listed only where many are."""


class Memorisation(Study):
    """Diffusion models against GANs over the size of the training set."""

    name = "memorisation"
    title = "Who memorises, from how few images, and when?"
    question = (
        "A diffusion model and a compact StyleGAN2 are trained on sets of growing size, each for one number of steps. "
        "How many of the images that they draw are copies, beyond what chance allows? Does the highest correlation "
        "with training images show it? When does it begin?"
    )
    claims = CLAIMS
    source = "brain"
    scales: ClassVar = {
        "quick": Scale(
            9,
            {
                "smallest": 20,
                "largest": 160,
                "sizes": 2,
                "holdout": _LEAST_HOLDOUT,
                "drawn": 100,
                "snapshots": 5,
                "diffusion_steps": 600,
                "diffusion_batch": 16,
                "width": 64,
                "patch": 4,
                "learning_rate": 0.002,
                "gan_steps": 480,
                "gan_batch": 8,
                "gan_channels": 8,
                "latent": 32,
            },
            seeds=3,
        ),
        "full": Scale(
            120,
            {
                "smallest": 50,
                "largest": 1600,
                "sizes": 3,
                "holdout": 400,
                "drawn": 300,
                "snapshots": 6,
                "diffusion_steps": 3000,
                "diffusion_batch": 32,
                "width": 64,
                "patch": 4,
                "learning_rate": 0.001,
                "gan_steps": 3000,
                "gan_batch": 16,
                "gan_channels": 16,
                "latent": 64,
            },
            seeds=3,
        ),
    }

    def cells(self, scale: Scale) -> Sequence[Cell]:
        """Both recipes at every size, seed by seed, the smallest sets first."""
        return [
            Cell(f"{recipe}-{size}-{seed}", {"recipe": recipe, "size": size, "seed": seed})
            for seed in range(scale.seeds)
            for size in _sizes(scale)
            for recipe in RECIPES
        ]

    def compute(self, cell: Cell, scale: Scale, source: Source, work: Path, progress: Progress) -> Figures:
        """Train, draw, search for copies."""
        # The holdout is dealt first, so that models of all sizes are held against the same patients.
        dealt = source.deal(cell.seed, {"holdout": int(scale["holdout"]), "training": int(cell.settings["size"])})
        sets = {name: _in_memory(one, name) for name, one in dealt.items()}
        model = trained(cell, scale, sets, source.digest, work, progress)
        options = options_of(str(cell.settings["recipe"]), scale)
        images = len(sets["training"])
        drawn = model.draw(int(scale["drawn"]), seed=cell.seed)
        return {
            "images": images,
            **figures_of(drawn, sets, cell.seed),
            **course_of(model.record["training"], options["steps"], images, options["batch"]),
            "watched": _WATCHED,
        }

    def findings(self, table: Table) -> Sequence[Finding]:
        """Within seeds, whose cells share patients; intervals over seeds."""
        return findings_of(table)

    def charts(self, table: Table) -> Sequence[Chart]:
        """Over sizes, over training, and the published score beside the list."""
        return charts_of(table)


def _sizes(scale: Scale) -> list[int]:
    """Sizes of training sets, evenly spread on a logarithmic scale."""
    spread = np.geomspace(float(scale["smallest"]), float(scale["largest"]), int(scale["sizes"]))
    return [round(float(size)) for size in spread]


def _in_memory(one: ImageSet, name: str) -> ImageSet:
    """The same images and patients, as an array."""
    patients = None if one.patients is None else one.patients.tolist()
    return ImageSet.from_array(one.load(), name=name, patients=patients)
