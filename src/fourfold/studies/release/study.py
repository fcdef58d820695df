"""Claims, cells and charts of the study of releases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from fourfold.comparison import Progress
from fourfold.studies.release.arms import ARMS, arm
from fourfold.studies.release.charts import draw_excess, draw_utility
from fourfold.studies.release.conclusions import conclusions
from fourfold.studies.release.judging import figures_of
from fourfold.studies.seeds import Asked
from fourfold.studies.sources import Source
from fourfold.studies.study import Cell, Chart, Claim, Figures, Finding, Scale, Study, Table

__all__ = ["Releases"]

_PAPER = "Dombrowski and Kainz: Enabling PSO-secure synthetic data sharing, arXiv:2506.17975, 2025"


class Releases(Study):
    """Six sets on the same patients, over several seeds."""

    name = "release"
    title = "Does a screened, diverse set keep its utility and single nobody out?"
    question = (
        "Two diffusion models learn from the same patients: one without a condition, one under the class and a feature "
        "of each image. Sets as they come, without the images nearest to patients, and screened as a release is, are "
        "judged on holdout patients beside the training images themselves and fresh patients. Singling out is the "
        "share of images that isolate exactly one training person by a predicate of a tenth of an expected hit, less "
        "that of as many holdout persons. Each seed has patients, models and networks of its own; the intervals of a "
        "claim hold together. In the small size the models are tiny and the screen uses five representations and no "
        "networks."
    )
    claims = (
        Claim("utility", "A screened, diverse set teaches a model within one percentage point of real images.", _PAPER),
        Claim("better", "Such a set is clearly more useful than those of methods that do not ensure privacy.", _PAPER),
        Claim("nobody", "No natural person can be singled out from such a set.", _PAPER),
        Claim("ordinary", "An ordinary diffusion model singles its patients out.", f"{_PAPER}, implied"),
        Claim(
            "diversity", "A high image retrieval score keeps patients from being singled out.", f"{_PAPER}, as we read"
        ),
        Claim("distance", "Leaving out the images nearest to patients leaves no trace of them.", f"{_PAPER}, implied"),
        Claim(
            "control",
            "The test sees nothing in fresh patients, and copies where copies are.",
            "the study's own control",
        ),
    )
    scales: ClassVar = {
        "quick": Scale(
            9.0,
            {
                "images": 160,
                "calibration": 240,
                "steps": 400,
                "per_condition": 6,
                "evaluations": 20,
                "network_steps": 100,
                "networks": 2,
                "thorough": 0,
            },
            seeds=4,
        ),
        "full": Scale(
            600.0,
            {
                "images": 800,
                "calibration": 800,
                "steps": 2000,
                "per_condition": 8,
                "evaluations": 40,
                "network_steps": 200,
                "networks": 3,
                "thorough": 1,
            },
            seeds=5,
        ),
    }

    def cells(self, scale: Scale) -> Sequence[Cell]:
        """Every arm of a seed, then the next seed."""
        return [
            Cell(f"{name.replace(' ', '_')}-{seed}", {"arm": name, "seed": seed})
            for seed in range(scale.seeds)
            for name in ARMS
        ]

    def compute(self, cell: Cell, scale: Scale, source: Source, work: Path, progress: Progress) -> Figures:
        """Make the set, and judge it."""
        asked = Asked.of(self, cell, scale, source, work, progress)
        return figures_of(asked, arm(asked, str(cell.settings["arm"])))

    def findings(self, table: Table) -> Sequence[Finding]:
        """Utility beside real images, singling out beside chance."""
        return conclusions(table, self.claims)

    def charts(self, table: Table) -> Sequence[Chart]:
        """Who is singled out, and what that buys."""
        return [
            Chart(
                "excess",
                "Singling out beyond chance, by set",
                "Share of images that isolate one training person less one holdout person: a thin mark a seed, a bar "
                "for the mean with its 95 % interval (each by itself). 0 is chance; left of it images keep away from "
                "training patients.",
                lambda figure: draw_excess(figure, table),
                (12.0, 3.8),
            ),
            Chart(
                "utility",
                "Utility against singling out",
                "Area under the curve on holdout patients against the excess in pixels; small marks are seeds, large "
                "ones their means. The best place is at the top, at 0.",
                lambda figure: draw_utility(figure, table),
                (8.0, 4.4),
            ),
        ]
