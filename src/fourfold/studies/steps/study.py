"""The study ``steps``: its claims, its sizes and what one cell computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from fourfold.comparison import Progress
from fourfold.generate.denoiser import bind
from fourfold.studies.sources import Source
from fourfold.studies.steps.charts import charts_of
from fourfold.studies.steps.claims import CLAIMS
from fourfold.studies.steps.denoisers import Smeared, drawn_images, likelihood_figures, trained
from fourfold.studies.steps.findings import findings_of
from fourfold.studies.steps.grid import BOUND, COPIES, MIXTURE, ODE, cells
from fourfold.studies.steps.mixture import mixture_figures
from fourfold.studies.steps.standard import DEALS, Patients, Standard, against_law, against_patients, patients_of
from fourfold.studies.study import Cell, Chart, Figures, Finding, Scale, Study, Table

__all__ = ["Steps"]


class Steps(Study):
    """Quality, likelihood, variety and memorisation against the number of network calls."""

    name = "steps"
    title = "What do fewer steps cost?"
    question = (
        "A diffusion model calls its network once or twice a step, from a handful to a thousand times an image. Nine "
        "samplers over six rows of noise levels draw from three denoisers: the exact one of a mixture in two "
        "dimensions, the exact one of the training images with a little noise, which copies by construction, and one "
        "that was trained. With the exact ones nothing but the sampler errs."
    )
    claims = CLAIMS
    scales: ClassVar = {
        "quick": Scale(
            9,
            {
                "training": 150,
                "holdout": 150,
                "draws": 96,
                "scored": 24,
                "points": 6000,
                "longest": 40,
                "settled": 80,
                "reference": 1000,
                "train_steps": 600,
                "batch": 32,
                "width": 32,
                "patch": 4,
                "frameworks_trained": 0,
            },
            seeds=3,
        ),
        # Extrapolated from the quick size, by network calls, images and the cost of a call.
        "full": Scale(
            540,
            {
                "training": 1000,
                "holdout": 1000,
                "draws": 300,
                "scored": 64,
                "points": 50000,
                "longest": 160,
                "settled": 200,
                "reference": 1000,
                "train_steps": 3000,
                "batch": 32,
                "width": 32,
                "patch": 2,
                "frameworks_trained": 1,
            },
            seeds=5,
        ),
    }

    def cells(self, scale: Scale) -> Sequence[Cell]:
        """Every denoiser, sampler, framework and number of calls, seed by seed."""
        return cells(scale)

    def compute(self, cell: Cell, scale: Scale, source: Source, work: Path, progress: Progress) -> Figures:
        """Draw with one sampler and measure, or compute one likelihood."""
        denoiser = str(cell.settings["denoiser"])
        if denoiser == MIXTURE:
            return mixture_figures(cell, int(scale["points"]))
        bench = _bench(source, cell.seed, scale)
        draws = int(scale["draws"])
        if denoiser == COPIES:
            drawn = drawn_images(bench.copier, cell, bench.copier.shape, draws)
            return bench.copies.figures(drawn)
        generator = trained(denoiser.removeprefix("learned-"), bench.patients, scale, work, progress)
        if cell.settings["sampler"] in (ODE, BOUND):
            return likelihood_figures(generator, cell, bench.patients.holdout, int(scale["scored"]))
        return bench.learned.figures(drawn_images(bind(generator.denoiser), cell, generator.shape, draws))

    def findings(self, table: Table) -> Sequence[Finding]:
        """Intervals are those of Student's t over seeds, between cells that start from the same noise."""
        return findings_of(table)

    def charts(self, table: Table) -> Sequence[Chart]:
        """A panel a denoiser, a line a sampler."""
        return charts_of(table)


@dataclass(frozen=True)
class _Bench:
    """What the cells of one seed have in common, in memory."""

    source: Source
    asked: tuple[int, ...]
    patients: Patients
    copier: Smeared
    copies: Standard
    learned: Standard


# That of the last seed alone: cells come seed by seed, and nothing of a patient is written to disk for it.
_LAST: list[_Bench] = []


def _bench(source: Source, seed: int, scale: Scale) -> _Bench:
    asked = (seed, *(int(scale[name]) for name in ("training", "holdout", "draws")))
    if not _LAST or _LAST[0].source is not source or _LAST[0].asked != asked:
        patients = patients_of(source, *asked[:3])
        copier = Smeared.of(patients.training)
        rng = np.random.default_rng([seed, 8])
        perfect = [copier.draw(asked[3], rng) for _ in range(2 * DEALS)]
        copies, learned = against_law(patients, perfect), against_patients(patients, asked[3])
        _LAST[:] = [_Bench(source, asked, patients, copier, copies, learned)]
    return _LAST[0]
